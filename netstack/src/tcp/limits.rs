//! Budgets: how much of each thing TCP keeps at most.

use crate::Duration;

/// The bound of every table, and of every wait that a peer could draw out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in SYN-RECEIVED; when there is one more, the oldest goes.
    pub half_open: usize,
    /// Connections past the handshake; when they are as many, a SYN is not answered.
    pub connections: usize,
    /// Connections in TIME-WAIT; when there is one more, the oldest goes.
    pub time_wait: usize,
    /// Received bytes that one connection keeps for its service; the receive window.
    pub receive: u32,
    /// Received bytes that all connections keep together, in allocated bytes. Bytes out of order get at most half.
    pub receive_all: usize,
    /// How long a connection stays in TIME-WAIT: twice the maximum segment lifetime (RFC 9293 section 3.4.1).
    pub time_wait_span: Duration,
    /// How long a connection whose FIN is acknowledged waits for the peer's.
    pub fin_wait_span: Duration,
    /// How long the peer may leave sent data unanswered (RFC 9293 section 3.8.3, R2: at least 100 s).
    pub unanswered_span: Duration,
    /// How long the peer may hold its window shut while data waits (RFC 6429).
    pub window_shut_span: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            half_open: 1_024,
            connections: 100_000,
            time_wait: 16_384,
            receive: 65_535,
            receive_all: 16 << 20,
            time_wait_span: Duration::from_secs(60),
            fin_wait_span: Duration::from_secs(60),
            unanswered_span: Duration::from_secs(100),
            window_shut_span: Duration::from_secs(300),
        }
    }
}

impl Limits {
    /// Limits for a machine that can spare `bytes` for TCP, never above the defaults.
    pub fn for_memory(bytes: usize) -> Self {
        let default = Self::default();
        Self {
            // A half, an eighth, an eighth and a quarter of it, by the size of each.
            connections: (bytes / 2 / 1_024).clamp(64, default.connections),
            half_open: (bytes / 8 / 256).clamp(64, default.half_open),
            time_wait: (bytes / 8 / 128).clamp(64, default.time_wait),
            receive_all: (bytes / 4).clamp(131_072, default.receive_all),
            ..default
        }
    }
}
