//! What TLS counts.

netstack::counters! {
    /// Handshakes, and each way in which a session did not go well.
    pub struct Counters {
        /// Connections to the port of HTTPS.
        tls_connections,
        /// Handshakes done, those of resumed sessions included.
        tls_handshakes,
        /// Handshakes of resumed sessions.
        tls_resumed,
        /// Sessions of TLS 1.2.
        tls_1_2,
        /// Connections that ended within the handshake without an error: nothing came, or not enough.
        tls_handshake_incomplete,
        /// Connections ended since their handshake was too slow.
        tls_handshake_timeout,
        /// Connections ended since their handshake's messages were too long.
        tls_handshake_length,
        /// Sessions that an error ended, ours to tell: an alert was sent.
        tls_alerts_sent,
        /// Sessions that the peer's alert ended.
        tls_alerts_received,
        /// Sessions that an error ended without an alert.
        tls_errors,
        /// Streams that ended without a close_notify.
        tls_truncated,
        /// Sessions reset since there was no room for what they had sent in part.
        tls_buffers_full,
        /// Records that had to wait, as TCP and the device held every page.
        tls_records_exhausted,
        /// Sessions reset since their peer took hardly anything of records whose pages others waited for.
        tls_evicted,
        /// Sessions reset since TCP did not take a record.
        tls_send_refused,
        /// Sessions reset since their keys were used up.
        tls_keys_exhausted,
        /// Connections reset since their peer did not end them.
        tls_linger_timeout,
    }
}
