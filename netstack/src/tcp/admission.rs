//! Who gets in: LISTEN, the handshake, and what happens when a table is full.

use super::Tcp;
use super::connection::{Connection, ends};
use super::demux::Tuple;
use super::eviction::{self, Holding};
use super::listener::{HalfOpen, Handshake};
use super::seq::SeqNum;
use super::shared::Context;
use crate::Instant;
use crate::egress::{Ecn, Egress};
use crate::service::Service;
use crate::wire::tcp::{Flags, Segment};

impl<S: Service> Tcp<S> {
    /// A segment that belongs to no connection: LISTEN, or CLOSED.
    #[expect(clippy::too_many_arguments, reason = "a segment's way in, and the seams")]
    pub(super) fn listen<E: Egress + ?Sized>(
        &mut self,
        hash: u32,
        tuple: Tuple,
        segment: &Segment<'_>,
        ecn: Ecn,
        floor: Option<SeqNum>,
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        let limits = self.shared.limits;
        let flags = segment.header.flags;
        let listens = !self.stopping && service.listens(tuple.local_port);
        let mut context = Context::new(tuple, now, &mut self.shared, egress);
        if !listens {
            context.shared.counters.tcp_no_connection.count();
            context.reset_for(segment);
            return;
        }
        // RFC 9293 section 3.10.7.2: "first, check for a RST ... second, check for an ACK ... third, check for a SYN".
        if flags.has(Flags::RST) || flags.has(Flags::ACK) {
            let open =
                !flags.has(Flags::RST) && !flags.has(Flags::SYN) && context.shared.cookies_are_out(now);
            if open {
                if let Some(half_open) = HalfOpen::from_cookie(segment, &context) {
                    if self.make_room(now, service, egress) {
                        self.shared.counters.tcp_cookie_accepted.count();
                        self.establish(half_open, hash, segment, ecn, tuple, now, service, egress);
                    }
                    return;
                }
                context.shared.counters.tcp_cookie_refused.count();
            }
            context.shared.counters.tcp_no_connection.count();
            context.reset_for(segment);
            return;
        }
        if !flags.has(Flags::SYN) || flags.has(Flags::FIN) {
            context.shared.counters.tcp_not_a_syn.count();
            return;
        }
        if self.connections.len() >= limits.connections && eviction::idle(&self.connections, now).is_none() {
            // RFC 9293 has no way to say "later": a reset would say "never", silence makes the peer try again.
            context.shared.counters.tcp_connections_full.count();
            return;
        }
        let half_open = HalfOpen::new(segment, floor, &context);
        if self.half_open.len() >= limits.half_open {
            let Some(oldest) = self.half_open.oldest().filter(|_| floor.is_some()) else {
                context.shared.counters.tcp_cookie_sent.count();
                context.shared.cookie_sent = Some(now);
                half_open.answer_with_cookie(&mut context);
                return;
            };
            // A cookie has no room for the number from which RFC 6191 lets a new connection start.
            self.half_open_timers.disarm(oldest);
            self.half_open.remove(oldest);
            context.shared.counters.tcp_half_open_evicted.count();
        }
        half_open.answer(&mut context);
        let deadline = half_open.deadline;
        let at = self.half_open.insert(hash, tuple, half_open);
        self.half_open_timers.arm(at, deadline);
    }

    /// A segment for a half-open connection.
    #[expect(clippy::too_many_arguments, reason = "a segment's way in, and the seams")]
    pub(super) fn handshake<E: Egress + ?Sized>(
        &mut self,
        at: u32,
        hash: u32,
        segment: &Segment<'_>,
        ecn: Ecn,
        tuple: Tuple,
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        let Some(entry) = self.half_open.get_mut(at) else { return };
        let mut context = Context::new(tuple, now, &mut self.shared, egress);
        match entry.value.arrives(segment, &mut context) {
            Handshake::Ignored => (),
            Handshake::Again => entry.value.answer(&mut context),
            Handshake::Refused => {
                // A SYN that was answered with a cookie, and came again when there was room: either answer may be the one
                // that the peer has taken.
                let cookies = context.shared.cookies_are_out(now);
                let Some(half_open) = HalfOpen::from_cookie(segment, &context).filter(|_| cookies) else {
                    context.reset_for(segment);
                    return;
                };
                if self.make_room(now, service, egress) {
                    self.shared.counters.tcp_cookie_accepted.count();
                    self.forget_half_open(at);
                    self.establish(half_open, hash, segment, ecn, tuple, now, service, egress);
                }
            }
            Handshake::Reset | Handshake::Anew => {
                context.shared.counters.tcp_half_open_reset.count();
                self.forget_half_open(at);
            }
            Handshake::Completed => {
                if !self.make_room(now, service, egress) {
                    return;
                }
                let Some(half_open) = self.forget_half_open(at) else { return };
                self.establish(half_open, hash, segment, ecn, tuple, now, service, egress);
            }
        }
    }

    /// A handshake is complete: the peer is where it says it is, so it may take the place of one that is idle.
    ///
    /// Where none is, `false`: nothing is said, and what completed the handshake is forgotten. The peer takes its connection
    /// for open, and sends its request until that is acknowledged; a reset would turn away who only came a little late.
    fn make_room<E: Egress + ?Sized>(&mut self, now: Instant, service: &mut S, egress: &mut E) -> bool {
        if self.connections.len() < self.shared.limits.connections {
            return true;
        }
        let Some(idle) = eviction::idle(&self.connections, now) else {
            self.shared.counters.tcp_handshake_refused.count();
            return false;
        };
        self.shared.counters.tcp_idle_evicted.count();
        self.end(idle, now, service, egress);
        true
    }

    /// The handshake is complete, and there is room.
    #[expect(clippy::too_many_arguments, reason = "a segment's way in, and the seams")]
    fn establish<E: Egress + ?Sized>(
        &mut self,
        half_open: HalfOpen,
        hash: u32,
        segment: &Segment<'_>,
        ecn: Ecn,
        tuple: Tuple,
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        let context = Context::new(tuple, now, &mut self.shared, &mut *egress);
        let mut core = half_open.establish(segment, &context);
        self.shared.counters.tcp_established.count();
        let (peer, local) = ends(&tuple);
        let connection = service.accept(peer, local, &mut core.handle(now, &mut self.shared));
        let holding = Holding::of(&core);
        let at = self.connections.insert(hash, tuple, Connection { core, service: connection });
        self.account(at, Holding::default(), holding);
        // The segment that completes the handshake may carry the request already.
        self.step(at, now, service, egress, |connection, service, context| {
            connection.arrives(segment, ecn, service, context)
        });
    }

    pub(super) fn half_open_timer<E: Egress + ?Sized>(&mut self, at: u32, now: Instant, egress: &mut E) {
        let Some(entry) = self.half_open.get_mut(at) else { return };
        let mut context = Context::new(entry.tuple, now, &mut self.shared, egress);
        if entry.value.timer(&mut context) {
            let deadline = entry.value.deadline;
            self.half_open_timers.arm(at, deadline);
        } else {
            self.shared.counters.tcp_half_open_timeout.count();
            self.forget_half_open(at);
        }
    }

    pub(super) fn forget_half_open(&mut self, at: u32) -> Option<HalfOpen> {
        self.half_open_timers.disarm(at);
        self.half_open.remove(at).map(|(_, half_open)| half_open)
    }
}
