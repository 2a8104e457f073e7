"""Conversations that no client of TLS would lead, and the alerts that RFC 8446 and RFC 5246 name for them."""
