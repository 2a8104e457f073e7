//! A synchronized connection: what a segment, a timer or the service does to it (RFC 9293 section 3.10.7.4).

use super::counters::Counters;
use super::demux::Tuple;
use super::isn::timestamp_clock;
use super::limits::Limits;
use super::options::Agreed;
use super::output;
use super::recv::{Ack, Receive};
use super::send::{Report, Send, Timer};
use super::seq::SeqNum;
use super::shared::{Context, Shared};
use super::states::{Fate, State};
use super::stream::Handle;
use crate::egress::{Ecn, Egress, Unreachable};
use crate::service::Service;
use crate::wire::tcp::{Flags, Segment};
use crate::{Duration, Instant};

/// RFC 5961 section 7 and CVE-2016-5696: answers to odd segments are limited for each connection, never for all together.
pub(super) const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);
/// RFC 7323 section 5.5: a timestamp older than 24 days proves nothing.
const TIMESTAMP_LIFE: Duration = Duration::from_secs(24 * 86_400);

/// Bytes a second: a peer that takes its data more slowly than this makes no progress, however often it acknowledges some.
const LEAST_RATE: u64 = 256;

/// A connection and what its service keeps for it.
#[derive(Debug)]
pub(super) struct Connection<C> {
    pub(super) core: Core,
    pub(super) service: C,
}

/// A connection without its service.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) state: State,
    pub(super) agreed: Agreed,
    pub(super) clock: Clock,
    pub(super) send: Send,
    pub(super) receive: Receive,
    /// When the service wants to be called.
    pub(super) deadline: Option<Instant>,
    /// The service has called for a reset.
    pub(super) reset: bool,
    /// When the peer was heard last.
    heard: Instant,
    /// The service wants to know when the peer is gone (RFC 9293 MUST-24, MUST-25: off by default).
    pub(super) keepalive: bool,
    /// Probes sent since.
    keepalives: u8,
    /// It stands in the queue of those that met a full device.
    pub(super) waiting: bool,
    /// When a request was last read, or data of ours taken at [`LEAST_RATE`] or faster; to a tenth of a second.
    pub(super) progress: Instant,
    /// Bytes that the peer has taken since.
    taken: u32,
    /// An acknowledgment of what is out of place goes out no sooner.
    challenge_from: Instant,
}

/// The timestamps of a connection (RFC 7323 section 4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Added to ours.
    pub(super) offset: u32,
    /// TS.Recent.
    pub(super) recent: u32,
    /// When TS.Recent was set.
    pub(super) recent_at: Instant,
}

impl Clock {
    /// Our TSval.
    pub(super) fn value(&self, now: Instant) -> u32 {
        timestamp_clock(now).wrapping_add(self.offset)
    }

    /// RFC 7323 section 5.3, R1: the segment is older than one that has been accepted.
    pub(super) fn is_old(&self, value: u32, now: Instant) -> bool {
        SeqNum::new(value).before(SeqNum::new(self.recent)) && now.since(self.recent_at) < TIMESTAMP_LIFE
    }
}

/// What the checks of a segment came to.
enum Verdict {
    Process,
    Drop,
    /// Drop, and say what is expected.
    Challenge,
    Reset,
}

impl Core {
    pub(super) fn new(agreed: Agreed, clock: Clock, send: Send, receive: Receive, now: Instant) -> Self {
        Self {
            state: State::Established,
            agreed,
            clock,
            send,
            receive,
            deadline: None,
            reset: false,
            waiting: false,
            heard: now,
            keepalive: false,
            keepalives: 0,
            progress: now,
            taken: 0,
            challenge_from: Instant::ZERO,
        }
    }

    /// A request was read, or data taken. By the tenth of a second, so that a busy connection moves to the end of the list
    /// of connections no more often.
    fn progressed(&mut self, now: Instant) {
        if now.since(self.progress) >= Duration::from_millis(100) {
            (self.progress, self.taken) = (now, 0);
        }
    }

    /// The peer has taken `bytes` of our data: progress, if that was all, or if it was enough for the time it took.
    fn took(&mut self, bytes: usize, now: Instant) {
        self.taken = self.taken.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        let least = now.since(self.progress).micros().saturating_mul(LEAST_RATE) / 1_000_000;
        if self.send.queued() == 0 || u64::from(self.taken) >= least {
            self.progressed(now);
        }
    }

    /// The service's view, and the service's way to send.
    pub(super) fn handle<'a>(&'a mut self, now: Instant, shared: &'a mut Shared) -> Handle<'a> {
        Handle {
            now,
            send: &mut self.send,
            pool: &mut shared.pool,
            deadline: &mut self.deadline,
            keepalive: &mut self.keepalive,
            reset: &mut self.reset,
        }
    }

    /// First to fifth of RFC 9293 section 3.10.7.4, with RFC 7323 section 5.3 and RFC 5961, before anything is changed.
    fn check(&mut self, segment: &Segment<'_>, now: Instant, counters: &mut Counters) -> Verdict {
        let header = &segment.header;
        let flags = header.flags;
        let sequence = SeqNum::new(header.sequence);
        let length = segment_length(segment);
        let reset = flags.has(Flags::RST);
        if self.agreed.timestamps && !reset {
            match segment.options.timestamps {
                None => {
                    counters.tcp_timestamp_missing.count();
                    return Verdict::Drop;
                }
                Some(timestamps) if self.clock.is_old(timestamps.value, now) => {
                    counters.tcp_paws.count();
                    return self.challenge(now, length, counters);
                }
                Some(_) => (),
            }
        }
        if reset {
            // RFC 5961 section 3.2: only the number that is expected next resets; another in the window is challenged.
            return if sequence == self.receive.next {
                counters.tcp_reset_received.count();
                Verdict::Reset
            } else if self.receive.acceptable(sequence, length) {
                counters.tcp_reset_challenged.count();
                self.challenge(now, 0, counters)
            } else {
                counters.tcp_reset_out_of_window.count();
                Verdict::Drop
            };
        }
        if flags.has(Flags::SYN) {
            // RFC 5961 section 4.2: "TCP endpoints MUST send an ACK (also referred to as challenge ACK)".
            counters.tcp_syn_unexpected.count();
            return self.challenge(now, 0, counters);
        }
        if !self.receive.acceptable(sequence, length) {
            self.note_duplicate(sequence, segment.payload);
            counters.tcp_out_of_window.count();
            return self.challenge(now, length, counters);
        }
        if !flags.has(Flags::ACK) {
            counters.tcp_ack_missing.count();
            return Verdict::Drop;
        }
        // RFC 5961 section 5.2: "((SND.UNA - MAX.SND.WND) <= SEG.ACK <= SND.NXT)".
        let ack = SeqNum::new(header.acknowledgment);
        if ack.after(self.send.nxt) || ack.before(self.send.una.minus(self.send.largest_window)) {
            counters.tcp_ack_unacceptable.count();
            return self.challenge(now, 0, counters);
        }
        Verdict::Process
    }

    /// What lies before RCV.NXT has come twice: the next acknowledgment reports it (RFC 2883 section 4).
    fn note_duplicate(&mut self, sequence: SeqNum, bytes: &[u8]) {
        let end = sequence.plus(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).earlier(self.receive.next);
        if sequence.before(end) {
            self.receive.duplicate = Some((sequence, end));
        }
    }

    /// RFC 3168 section 6.1.3: marks are echoed until the peer says that it has reduced its window.
    fn note_marks(&mut self, segment: &Segment<'_>, ecn: Ecn) {
        if self.agreed.ecn {
            self.receive.marked &= !segment.header.flags.has(Flags::CWR);
            self.receive.marked |= ecn == Ecn::Congestion;
        }
    }

    /// An acknowledgment of what is out of place. What has data cannot be part of a storm of acknowledgments, so it is
    /// answered always: it may be a retransmission whose acknowledgment was lost.
    fn challenge(&mut self, now: Instant, length: u32, counters: &mut Counters) -> Verdict {
        if now < self.challenge_from && length == 0 {
            counters.tcp_challenge_limited.count();
            return Verdict::Drop;
        }
        self.challenge_from = now + CHALLENGE_INTERVAL;
        Verdict::Challenge
    }

    /// RFC 7323 section 4.3: "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent, then SEG.TSval is copied".
    fn note_timestamp(&mut self, segment: &Segment<'_>, now: Instant) {
        if let Some(timestamps) = segment.options.timestamps
            && self.agreed.timestamps
            && !SeqNum::new(segment.header.sequence).after(self.receive.acknowledged)
        {
            (self.clock.recent, self.clock.recent_at) = (timestamps.value, now);
        }
    }

    /// An ICMP error that quotes `sequence`. RFC 5927 section 4: it is heeded only where that is in flight.
    ///
    /// What was too large has been lost: it is sent again, in the sizes of the path as it is known by now. All others are
    /// soft errors (RFC 9293 MUST-56), and the timer goes on trying.
    pub(super) fn unreachable<E>(
        &mut self,
        sequence: SeqNum,
        error: Unreachable,
        context: &mut Context<'_, E>,
    ) where
        E: Egress + ?Sized,
    {
        let counters = &mut context.shared.counters;
        if !sequence.within(self.send.una, self.send.outstanding()) {
            counters.tcp_unreachable_ignored.count();
            return;
        }
        counters.tcp_unreachable.count();
        if let Unreachable::PacketTooBig { mtu } = error {
            context.packet_too_big(mtu);
            // Each packet of a flight may bring the same error back: once is enough.
            let segment = u32::from(output::segment_size(self, context));
            if let Some(busy) = self.send.busy.as_mut().filter(|busy| busy.largest > segment) {
                busy.flight.lose_all();
                busy.largest = 0;
                // It is no sign of congestion, but all of it in one burst would be one, and as often as the path narrows.
                self.send.congestion.restart(segment);
            }
        }
    }

    /// The earliest thing that this connection waits for.
    #[inline(always)]
    pub(super) fn next_deadline(&self, limits: &Limits) -> Option<Instant> {
        let ack = match self.receive.ack {
            Ack::By(at) => Some(at),
            Ack::Nothing | Ack::Now => None,
        };
        let state = match self.state {
            State::FinWait2 { until } => Some(until),
            _ => None,
        };
        let busy = match self.send.busy.as_ref() {
            Some(busy) => busy.deadline(),
            None => self.keepalive_due(limits),
        };
        Instant::earliest(Instant::earliest(self.deadline, ack), Instant::earliest(state, busy))
    }

    /// RFC 9293 section 3.8.4: when to ask whether the peer is still there, as nothing else would tell.
    fn keepalive_due(&self, limits: &Limits) -> Option<Instant> {
        let open = matches!(self.state, State::Established | State::CloseWait);
        let quiet = limits.keepalive_idle + limits.keepalive_interval.times(u64::from(self.keepalives));
        (self.keepalive && open).then(|| self.heard + quiet)
    }

    /// Asks, or gives up.
    fn keepalive<E: Egress + ?Sized>(&mut self, context: &mut Context<'_, E>) -> Fate {
        let limits = &context.shared.limits;
        if self.send.busy.is_some() || self.keepalive_due(limits).is_none_or(|due| due > context.now) {
            return Fate::Lives;
        }
        if self.keepalives >= limits.keepalives {
            context.shared.counters.tcp_keepalive_unanswered.count();
            output::reset(self, context);
            return Fate::Closed;
        }
        self.keepalives = self.keepalives.saturating_add(1);
        context.shared.counters.tcp_keepalive.count();
        output::keepalive(self, context);
        Fate::Lives
    }

    /// Full-sized segments of the peer's, as far as can be told, less what options may take.
    pub(super) fn peer_segment(&self, path_mss: u16) -> u32 {
        u32::from(self.agreed.peer_mss.min(path_mss)).saturating_sub(40).max(1)
    }
}

/// SEG.LEN: data, SYN and FIN.
pub(super) fn segment_length(segment: &Segment<'_>) -> u32 {
    let flags = segment.header.flags;
    let controls = u32::from(flags.has(Flags::SYN)).saturating_add(u32::from(flags.has(Flags::FIN)));
    u32::try_from(segment.payload.len()).unwrap_or(u32::MAX).saturating_add(controls)
}

impl<C> Connection<C> {
    /// A segment has come.
    pub(super) fn arrives<S, E>(
        &mut self,
        segment: &Segment<'_>,
        ecn: Ecn,
        service: &mut S,
        context: &mut Context<'_, E>,
    ) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let now = context.now;
        match self.core.check(segment, now, &mut context.shared.counters) {
            Verdict::Process => (),
            Verdict::Drop => return Fate::Lives,
            Verdict::Challenge => {
                self.core.receive.ack = Ack::Now;
                return Fate::Lives;
            }
            Verdict::Reset => return Fate::Closed,
        }
        self.core.note_timestamp(segment, now);
        self.core.note_marks(segment, ecn);
        (self.core.heard, self.core.keepalives) = (now, 0);
        let fate = self.acknowledgment(segment, service, context);
        if fate != Fate::Lives {
            return fate;
        }
        self.text(segment, service, context)
    }

    /// Fifth of RFC 9293 section 3.10.7.4: the ACK field.
    fn acknowledgment<S, E>(
        &mut self,
        segment: &Segment<'_>,
        service: &mut S,
        context: &mut Context<'_, E>,
    ) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let now = context.now;
        let core = &mut self.core;
        let header = &segment.header;
        let ack = SeqNum::new(header.acknowledgment);
        // An acknowledgment from before SND.UNA tells nothing of what is in flight; its data still counts.
        if ack.before(core.send.una) {
            return Fate::Lives;
        }
        let window = u32::from(header.window) << core.agreed.send_shift;
        let was_shut = core.send.window == 0;
        let opened = core.send.update_window(SeqNum::new(header.sequence), ack, window);
        if was_shut
            && core.send.window != 0
            && let Some(busy) = core.send.busy.as_mut()
        {
            // The window is open: the octet that a probe carried counts as lost, and costs the path nothing. More than that
            // may well be on its way, and has its timer again: a peer could have it all repeated by shutting and opening.
            (busy.timer, busy.expirations, busy.since) = (Timer::Off, 0, None);
            if busy.flight.size() == 1 {
                busy.flight.lose_all();
            }
        }
        // What follows is about what is under way, or about a probe of the last of it.
        if core.send.busy.is_none() && core.send.probed.is_none() {
            return Fate::Lives;
        }
        let report = Report {
            ack,
            sack: &segment.options.sack,
            selective: core.agreed.sack,
            // The answer to a probe of a shut window is no duplicate.
            bare: segment.payload.is_empty()
                && !opened
                && !header.flags.has(Flags::FIN)
                && core.send.window != 0,
            stamp: segment.options.timestamps.filter(|_| core.agreed.timestamps).map(|stamps| stamps.echo),
            echo: segment.options.timestamps.filter(|_| core.agreed.timestamps).map(|timestamps| {
                let millis = core.clock.value(now).wrapping_sub(timestamps.echo);
                Duration::from_millis(u64::from(millis))
            }),
            mss: u32::from(output::segment_size(core, context)),
        };
        let in_flight = core.send.outstanding();
        let done = core.send.acknowledge(&report, now);
        if done.recovery {
            context.shared.counters.tcp_fast_recovery.count();
        }
        if done.undone {
            context.shared.counters.tcp_spurious.count();
        }
        let marked = core.agreed.ecn && header.flags.has(Flags::ECE);
        if marked && core.send.congestion_marked(ack, in_flight, report.mss) {
            context.shared.counters.tcp_congestion_marked.count();
        }
        if done.data > 0 {
            core.took(done.data, now);
            let mut stream = core.handle(now, context.shared);
            service.acknowledged(&mut self.service, &mut stream);
        }
        if core.send.is_held_shut(now, context.shared.limits.window_shut_span) {
            context.shared.counters.tcp_window_shut.count();
            output::reset(core, context);
            return Fate::Closed;
        }
        if done.fin {
            return self.core.state.fin_acknowledged(now + context.shared.limits.fin_wait_span);
        }
        Fate::Lives
    }

    /// Seventh and eighth of RFC 9293 section 3.10.7.4: the text and the FIN.
    fn text<S, E>(&mut self, segment: &Segment<'_>, service: &mut S, context: &mut Context<'_, E>) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let core = &mut self.core;
        let shared = &mut *context.shared;
        let mut sequence = SeqNum::new(segment.header.sequence);
        let mut bytes = segment.payload;
        let end = sequence.plus(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if !core.state.receives() {
            // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
            if !bytes.is_empty() {
                shared.counters.tcp_data_after_fin.count();
                core.receive.ack = Ack::Now;
            }
            return self.show(service, context);
        }
        if segment.header.flags.has(Flags::FIN) && !end.after(core.receive.next.plus(core.receive.window())) {
            core.receive.fin.get_or_insert(end);
        }
        // Only what lies in the window, and before a FIN.
        let (next, mut limit) = (core.receive.next, core.receive.window());
        if let Some(fin) = core.receive.fin {
            limit = limit.min(fin.since(next));
            if end.after(fin) {
                shared.counters.tcp_data_after_fin.count();
            }
        } else if end.after(next.plus(limit)) {
            shared.counters.tcp_beyond_window.count();
        }
        if segment.header.flags.has(Flags::URG) {
            // Section 3.8.5, RFC 6093: urgent bytes are bytes of the stream, and the service is shown them as such.
            shared.counters.tcp_urgent.count();
        }
        if sequence.before(next) {
            core.note_duplicate(sequence, bytes);
            bytes = bytes.get(next.since(sequence) as usize..).unwrap_or_default();
            sequence = next;
        }
        let room = limit.saturating_sub(sequence.since(next)) as usize;
        if bytes.len() > room {
            bytes = bytes.get(..room).unwrap_or_default();
            core.receive.ack = Ack::Now;
        } else if segment_length(segment) > 0 && bytes.is_empty() && !segment.header.flags.has(Flags::FIN) {
            core.receive.ack = Ack::Now;
        }
        if sequence != next {
            if !bytes.is_empty() {
                let kept = core.receive.insert(sequence, bytes, &mut shared.budget);
                shared.refused(kept);
            }
            // RFC 5681 section 4.2: "an immediate duplicate ACK when an out-of-order segment arrives".
            core.receive.ack = Ack::Now;
            return self.show(service, context);
        }
        if bytes.is_empty() {
            return self.show(service, context);
        }
        self.in_order(bytes, service, context)
    }

    /// Bytes at RCV.NXT. With nothing buffered the service sees them in the frame.
    fn in_order<S, E>(&mut self, bytes: &[u8], service: &mut S, context: &mut Context<'_, E>) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let now = context.now;
        let segment = self.core.peer_segment(context.path_mss);
        let core = &mut self.core;
        if !core.receive.is_empty() {
            let kept = core.receive.append(bytes, &mut context.shared.budget);
            context.shared.refused(kept);
            // RFC 5681 section 4.2: "an immediate ACK when the segment fills in all or part of a gap".
            core.receive.ack = Ack::Now;
            return self.show(service, context);
        }
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let end = core.receive.fin == Some(core.receive.next.plus(count));
        core.receive.end_shown |= end;
        let mut stream = core.handle(now, context.shared);
        let consumed = service.receive(&mut self.service, bytes, end, &mut stream).min(bytes.len());
        let core = &mut self.core;
        core.receive.next = core.receive.next.plus(u32::try_from(consumed).unwrap_or(u32::MAX));
        if consumed > 0 {
            core.progressed(now);
        }
        let rest = bytes.get(consumed..).unwrap_or_default();
        if !rest.is_empty() {
            let kept = core.receive.append(rest, &mut context.shared.budget);
            context.shared.refused(kept);
        }
        core.receive.owe(now, segment);
        self.fin(service, context)
    }

    /// Shows the service what is buffered in order.
    fn show<S, E>(&mut self, service: &mut S, context: &mut Context<'_, E>) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let core = &mut self.core;
        let bytes = core.receive.ready();
        if !bytes.is_empty() && !core.reset {
            let end = core.receive.fin == Some(core.receive.next) || !core.state.receives();
            core.receive.end_shown |= end;
            let mut stream = Handle {
                now: context.now,
                send: &mut core.send,
                pool: &mut context.shared.pool,
                deadline: &mut core.deadline,
                keepalive: &mut core.keepalive,
                reset: &mut core.reset,
            };
            let consumed = service.receive(&mut self.service, core.receive.ready(), end, &mut stream);
            core.receive.consume(consumed, &mut context.shared.budget);
            if consumed > 0 {
                core.progressed(context.now);
            }
            let limits = &context.shared.limits;
            if core.receive.window_opened(limits.receive, core.peer_segment(u16::MAX)) {
                core.receive.ack = Ack::Now;
            }
        }
        self.fin(service, context)
    }

    /// Eighth: the FIN, once everything before it has come.
    fn fin<S, E>(&mut self, service: &mut S, context: &mut Context<'_, E>) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let core = &mut self.core;
        if core.receive.fin != Some(core.receive.next) || !core.state.receives() {
            return Fate::Lives;
        }
        core.receive.end();
        let fate = core.state.fin_received();
        if !core.receive.end_shown && !core.reset {
            core.receive.end_shown = true;
            let mut stream = core.handle(context.now, context.shared);
            service.receive(&mut self.service, &[], true, &mut stream);
        }
        fate
    }

    /// The wheel has called: something may be due.
    pub(super) fn timer<S, E>(&mut self, service: &mut S, context: &mut Context<'_, E>) -> Fate
    where
        S: Service<Connection = C>,
        E: Egress + ?Sized,
    {
        let now = context.now;
        let core = &mut self.core;
        if matches!(core.receive.ack, Ack::By(at) if at <= now) {
            core.receive.ack = Ack::Now;
        }
        if matches!(core.state, State::FinWait2 { until } if until <= now) {
            context.shared.counters.tcp_fin_wait_timeout.count();
            return Fate::Closed;
        }
        if output::timers(core, context) == Fate::Closed || core.keepalive(context) == Fate::Closed {
            return Fate::Closed;
        }
        if core.deadline.is_some_and(|at| at <= now) {
            core.deadline = None;
            let mut stream = core.handle(now, context.shared);
            service.deadline(&mut self.service, &mut stream);
        }
        Fate::Lives
    }

    /// The stack is stopping.
    pub(super) fn stopping<S>(&mut self, service: &mut S, now: Instant, shared: &mut Shared)
    where
        S: Service<Connection = C>,
    {
        let mut stream = self.core.handle(now, shared);
        service.stopping(&mut self.service, &mut stream);
    }
}

/// The tuple's service end as the service knows it.
pub(super) fn ends(tuple: &Tuple) -> (core::net::SocketAddr, core::net::SocketAddr) {
    (
        core::net::SocketAddr::new(tuple.remote, tuple.remote_port),
        core::net::SocketAddr::new(tuple.local, tuple.local_port),
    )
}
