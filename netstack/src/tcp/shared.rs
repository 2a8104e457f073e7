//! What all connections share, and what a step of one of them is given.

use super::assembly::{Budget, Refused};
use super::counters::Counters;
use super::demux::Tuple;
use super::isn::Secrets;
use super::limits::Limits;
use super::options;
use super::send::Pool;
use crate::egress::{Ecn, Egress, Path, SendError};
use crate::wire::tcp::{Flags, Header, Options, Segment};
use crate::{Duration, Instant};
use core::fmt;

/// What all connections share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) secrets: Secrets,
    pub(super) pool: Pool,
    pub(super) budget: Budget,
    /// When a SYN was last answered with a cookie: for some two minutes acknowledgments may bring one back.
    pub(super) cookie_sent: Option<Instant>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).field("counters", &self.counters).finish()
    }
}

impl Shared {
    pub(super) fn new(seed: &[u8; 32], limits: Limits) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            secrets: Secrets::new(seed),
            pool: Pool::new(limits.sending),
            budget: Budget::new(limits.receive_all),
            cookie_sent: None,
        }
    }

    /// Whether an acknowledgment may bring a cookie back: one lives 134 seconds at most.
    pub(super) fn cookies_are_out(&self, now: Instant) -> bool {
        self.cookie_sent.is_some_and(|sent| now.since(sent) < Duration::from_secs(135))
    }

    /// Counts received bytes that could not be kept.
    pub(super) fn refused(&mut self, result: Result<(), Refused>) {
        match result {
            Ok(()) => (),
            Err(Refused::Budget) => self.counters.tcp_buffers_full.count(),
            Err(Refused::Ranges) => self.counters.tcp_ranges_full.count(),
        }
    }
}

/// One step of one connection.
pub(super) struct Context<'a, E: ?Sized> {
    pub(super) tuple: Tuple,
    pub(super) now: Instant,
    pub(super) shared: &'a mut Shared,
    pub(super) egress: &'a mut E,
    /// What the path to the peer takes, which does not change but by [`Self::packet_too_big`].
    path: Path,
    /// The largest segment on the path, by its MTU.
    pub(super) path_mss: u16,
}

impl<'a, E: Egress + ?Sized> Context<'a, E> {
    pub(super) fn new(tuple: Tuple, now: Instant, shared: &'a mut Shared, egress: &'a mut E) -> Self {
        let path = egress.path(tuple.remote);
        let path_mss = options::path_mss(tuple.remote, &path);
        Self { tuple, now, shared, egress, path, path_mss }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A router has no room for packets above `mtu` bytes.
    pub(super) fn packet_too_big(&mut self, mtu: u16) {
        self.egress.packet_too_big(self.tuple.remote, mtu);
        self.path = self.egress.path(self.tuple.remote);
        self.path_mss = options::path_mss(self.tuple.remote, &self.path);
    }

    /// Sends a segment without data.
    pub(super) fn reply(
        &mut self,
        flags: Flags,
        sequence: u32,
        acknowledgment: u32,
        window: u16,
        options: &Options,
    ) -> Result<(), SendError> {
        let header = Header {
            source: self.tuple.local_port,
            destination: self.tuple.remote_port,
            sequence,
            acknowledgment,
            flags,
            window,
            urgent: 0,
        };
        let mut header = header.emit(options);
        self.egress.send(self.tuple.local, self.tuple.remote, header.bytes_mut(), &[], None, Ecn::NotCapable)
    }

    /// Answers a segment that belongs nowhere (RFC 9293 section 3.10.7.1): "If the ACK bit is off, sequence number zero
    /// is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>."
    pub(super) fn reset_for(&mut self, segment: &Segment<'_>) {
        let header = &segment.header;
        if header.flags.has(Flags::RST) {
            return;
        }
        self.shared.counters.tcp_reset_sent.count();
        // A reset that the device has no room for is a reset that was lost.
        let _ = if header.flags.has(Flags::ACK) {
            self.reply(Flags::RST, header.acknowledgment, 0, 0, &Options::default())
        } else {
            let end = header.sequence.wrapping_add(super::connection::segment_length(segment));
            self.reply(Flags::RST.with(Flags::ACK), 0, end, 0, &Options::default())
        };
    }
}
