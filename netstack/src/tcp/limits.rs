//! Budgets: how much of each thing TCP keeps at most.

use crate::Duration;

/// The bound of every table, and of every wait that a peer could draw out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in SYN-RECEIVED; when they are as many, a SYN is answered with a cookie.
    pub half_open: usize,
    /// Connections past the handshake; when there is one more, the one that has been idle longest goes, and where none is
    /// idle neither a SYN is answered nor a handshake completed: the peer tries again.
    pub connections: usize,
    /// Connections in TIME-WAIT; when there is one more, the oldest goes.
    pub time_wait: usize,
    /// Received bytes that one connection keeps for its service; the receive window.
    pub receive: u32,
    /// Received bytes that all connections keep together, in allocated bytes. Bytes out of order get at most half.
    pub receive_all: usize,
    /// Bytes of the heap that queues and scoreboards of all connections take together, the service's own bytes apart.
    pub sending: usize,
    /// How long a connection stays in TIME-WAIT: twice the maximum segment lifetime (RFC 9293 section 3.4.1).
    pub time_wait_span: Duration,
    /// How long a connection whose FIN is acknowledged waits for the peer's.
    pub fin_wait_span: Duration,
    /// How long the peer may leave sent data unanswered (RFC 9293 section 3.8.3, R2: at least 100 s).
    pub unanswered_span: Duration,
    /// How long the peer may hold its window shut while data waits (RFC 6429).
    pub window_shut_span: Duration,
    /// Where a service asks for keep-alives: how long a peer may be silent before it is asked whether it is still there (RFC
    /// 9293 section 3.8.4, MUST-27 and MUST-28: configurable, two hours at least by default).
    pub keepalive_idle: Duration,
    /// How long after a keep-alive that was not answered the next one goes out.
    pub keepalive_interval: Duration,
    /// How many have to stay unanswered until the connection is given up (MUST-29: one proves nothing).
    pub keepalives: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            half_open: 1_024,
            connections: 100_000,
            time_wait: 16_384,
            receive: 65_535,
            receive_all: 16 << 20,
            sending: 32 << 20,
            time_wait_span: Duration::from_secs(60),
            fin_wait_span: Duration::from_secs(60),
            unanswered_span: Duration::from_secs(100),
            window_shut_span: Duration::from_secs(300),
            keepalive_idle: Duration::from_secs(7_200),
            // As Linux and BSD have it.
            keepalive_interval: Duration::from_secs(75),
            keepalives: 9,
        }
    }
}

impl Limits {
    /// However small the machine, each table may hold so many: a power of two.
    pub const LEAST: usize = 64;

    /// Free bytes with which [`Limits::for_guest`] gives the defaults: more is of no use to TCP.
    pub const ENOUGH: usize = 229 << 20;

    /// Limits for a guest of which `free` bytes are left for the stack and the service.
    ///
    /// A mebibyte is for frames that wait, for neighbours and fragments, and for what the service makes; a quarter of the rest
    /// for what the heap keeps: a free block serves blocks of its size alone.
    pub fn for_guest(free: usize) -> Self {
        Self::for_memory((free.saturating_sub(1 << 20) / 4).saturating_mul(3))
    }

    /// Limits for a machine that can spare `bytes` for TCP, never above the defaults.
    pub fn for_memory(bytes: usize) -> Self {
        let default = Self::default();
        // Nine sixteenths, one, one, two and three of them, by the size of each.
        let share = bytes / 16;
        Self {
            connections: (share.saturating_mul(9) / 512).clamp(Self::LEAST, default.connections),
            half_open: (share / 256).clamp(Self::LEAST, default.half_open),
            time_wait: (share / 192).clamp(Self::LEAST, default.time_wait),
            receive_all: share.saturating_mul(2).clamp(131_072, default.receive_all),
            sending: share.saturating_mul(3).clamp(131_072, default.sending),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn tables_for_two_and_for_ninety_mebibytes() {
        let small = Limits::for_memory(2 << 20);
        assert_eq!((small.connections, small.half_open, small.time_wait), (2_304, 512, 682));
        assert_eq!((small.receive_all, small.sending), (262_144, 393_216));
        let large = Limits::for_memory(90 << 20);
        assert_eq!((large.connections, large.half_open, large.time_wait), (100_000, 1_024, 16_384));
        assert_eq!(large.receive_all, 90 << 17);
        assert_eq!(Limits::for_memory(0).connections, 64);
        assert_eq!(Limits::for_memory(usize::MAX).receive_all, 16 << 20);
        let (enough, most) = (Limits::for_guest(Limits::ENOUGH), Limits::default());
        assert_eq!((enough.connections, enough.half_open), (most.connections, most.half_open));
        assert_eq!((enough.time_wait, enough.receive_all, enough.sending), (16_384, 16 << 20, 32 << 20));
    }
}
