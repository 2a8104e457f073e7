//! HTTP over TLS: the server's byte stream, encrypted (RFC 8446, RFC 5246), by rustls without buffers of its own.
//!
//! [`TlsServer`] is a [`netstack::Service`] that listens for both: what comes to the port of HTTP goes to the [`crate::Server`] as
//! it is, what comes to the port of HTTPS goes through a [`session`]. The server sees a [`netstack::Stream`] in either case.
//!
//! - A response is queued as chunks, by reference, and encrypted as TCP takes it: so little ciphertext is under way that a large
//!   download costs no more memory than a small one.
//! - Records that are not whole stay with TCP, within its budgets; here are only what rustls has begun to work on, and the start
//!   of a request that has come in part, and both have a bound ([`Limits`]).
//! - Ours is a close_notify before the FIN, and the alert that belongs to an error before its end.

mod counters;
mod outgoing;
mod records;
mod scratch;
mod server;
mod session;
mod sink;

pub use counters::Counters;
pub use server::{Connection, TlsServer};
pub use session::Limits;
