//! What the server keeps for a connection.

use crate::http::chunked::Chunked;
use crate::server::Config;
use core::net::{Ipv4Addr, SocketAddr};
use netstack::{Instant, Stream};

/// The state of a connection.
#[derive(Debug)]
pub struct Connection {
    pub(crate) phase: Phase,
    /// How many bytes of the pending head were searched for its end.
    pub(crate) searched: u16,
    /// The client, for the access log.
    pub(crate) peer: Option<Ipv4Addr>,
    pub(crate) outstanding: Outstanding,
    /// Its stream is TLS's.
    #[cfg(feature = "tls")]
    pub(crate) is_secure: bool,
    /// When the wait that the deadline bounds began.
    since: Instant,
    /// The deadline that the stream has: at or before the one that counts.
    armed: Option<Instant>,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// So many bytes of a body that nobody wants.
    Body(u32),
    /// The rest of a chunked one.
    Chunked(Chunked),
    /// The peer's end, after ours. What still comes is thrown away: a reset in its place could make the peer lose our
    /// last response (RFC 9112, section 9.6).
    Linger,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, now: Instant) -> Self {
        let peer = match peer {
            SocketAddr::V4(peer) => Some(*peer.ip()),
            SocketAddr::V6(_) => None,
        };
        let outstanding = Outstanding::default();
        Self {
            phase: Phase::Head,
            searched: 0,
            peer,
            outstanding,
            #[cfg(feature = "tls")]
            is_secure: false,
            since: now,
            armed: None,
        }
    }

    /// Enters a phase; the wait begins anew if it is another one.
    pub(crate) fn enter(&mut self, phase: Phase, now: Instant) {
        if self.phase != phase {
            self.since = now;
        }
        self.phase = phase;
    }

    /// The peer has taken bytes, or sent a request: the wait begins anew.
    pub(crate) fn progress(&mut self, now: Instant) {
        self.since = now;
    }

    /// When the wait is over.
    pub(crate) fn due(&self, config: &Config, stream: &dyn Stream) -> Instant {
        let limit = match self.phase {
            _ if stream.unacknowledged() > 0 => config.send_timeout,
            Phase::Idle => config.idle_timeout,
            Phase::Head | Phase::Body(_) | Phase::Chunked(_) => config.head_timeout,
            Phase::Linger => config.linger_timeout,
        };
        self.since + limit
    }

    /// Sees to it that the stream has a deadline not after the one that is due. One that comes too early is set anew when
    /// it has passed: requests in a row cost no timer work.
    pub(crate) fn arm(&mut self, config: &Config, stream: &mut dyn Stream) {
        let due = self.due(config, stream);
        if self.armed.is_none_or(|armed| due < armed) {
            self.armed = Some(due);
            stream.set_deadline(Some(due));
        }
    }

    /// The stream's deadline has passed.
    pub(crate) fn disarmed(&mut self) {
        self.armed = None;
    }
}

/// The responses that are queued and not yet acknowledged, in two generations: an upper bound that is exact enough to
/// keep a pipeline full, in a few bytes.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    older: u8,
    newer: u8,
    newer_bytes: u64,
}

impl Outstanding {
    /// The most responses that are queued.
    const LIMIT: u8 = 16;

    /// A response of so many bytes was queued.
    pub(crate) fn queued(&mut self, bytes: usize) {
        self.newer = self.newer.saturating_add(1);
        self.newer_bytes = self.newer_bytes.saturating_add(bytes as u64);
    }

    /// Whether another response may be queued, if so many bytes are not yet acknowledged.
    pub(crate) fn has_room(&mut self, unacknowledged: usize) -> bool {
        if unacknowledged == 0 {
            *self = Self::default();
        }
        if unacknowledged as u64 <= self.newer_bytes {
            self.older = 0;
        }
        if self.older == 0 && self.newer >= Self::LIMIT / 2 {
            *self = Self { older: self.newer, newer: 0, newer_bytes: 0 };
        }
        self.older.saturating_add(self.newer) < Self::LIMIT
    }
}
