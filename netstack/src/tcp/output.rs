//! What goes out: data, retransmissions, probes, acknowledgments, and the timers that stand behind them.

use super::connection::Core;
use super::options;
use super::queue::{FEW, SLICES};
use super::recovery::Phase;
use super::send::{Probed, Send, Timer};
use super::seq::SeqNum;
use super::shared::Context;
use super::states::Fate;
use crate::Instant;
use crate::egress::{Ecn, Egress, SendError};
use crate::wire::tcp::{Flags, HEADER, Header, Options, SackBlocks, Timestamps};

/// Sequence numbers to send together.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: SeqNum,
    /// At least 1. What is beyond the queue is the FIN.
    length: u32,
    /// They have been sent before.
    again: bool,
}

/// The bounds of a segment on this path, for this connection, now.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    options: Options,
    /// Bytes of data in a segment on the wire.
    segment: u32,
    /// Bytes of data in a segment as it is handed down.
    packet: u32,
}

/// Bytes of data in a full segment.
pub(super) fn segment_size<E: Egress + ?Sized>(core: &Core, context: &Context<'_, E>) -> u16 {
    // Nearly always there are the timestamps alone.
    let options = if core.agreed.sack && core.receive.has_to_report() {
        u16::try_from(current_options(core, context.now).length()).unwrap_or_default()
    } else if core.agreed.timestamps {
        Timestamps::LENGTH
    } else {
        0
    };
    core.agreed.peer_mss.min(context.path_mss).saturating_sub(options).max(1)
}

#[inline(always)]
fn current_options(core: &Core, now: Instant) -> Options {
    let mut sack = SackBlocks::default();
    if core.agreed.sack {
        core.receive.sack(&mut sack);
    }
    let timestamps =
        core.agreed.timestamps.then(|| Timestamps { value: core.clock.value(now), echo: core.clock.recent });
    Options { timestamps, sack, ..Options::default() }
}

fn bounds<E: Egress + ?Sized>(core: &Core, context: &Context<'_, E>) -> Bounds {
    let remote = context.tuple.remote;
    let path = context.path();
    let options = current_options(core, context.now);
    let length = u32::try_from(options.length()).unwrap_or_default();
    let segment = u32::from(core.agreed.peer_mss.min(context.path_mss)).saturating_sub(length).max(1);
    let headers = length.saturating_add(u32::from(options::ip_header(remote))).saturating_add(HEADER as u32);
    let packet = path.gso.map_or(segment, |most| {
        let most = most.saturating_sub(headers);
        whole_segments(most, segment).max(segment)
    });
    Bounds { options, segment, packet }
}

/// `bytes` less what does not fill a segment.
fn whole_segments(bytes: u32, segment: u32) -> u32 {
    bytes.saturating_sub(bytes.checked_rem(segment).unwrap_or(0))
}

/// Sends what may be sent, and what is owed. `Full` says that the device has no room: there is more to do.
pub(super) fn output<E>(core: &mut Core, context: &mut Context<'_, E>) -> Result<(), SendError>
where
    E: Egress + ?Sized,
{
    // A FIN needs a scoreboard too.
    if core.send.closing && core.state.sends() {
        core.send.busy.get_or_insert_with(|| context.shared.pool.take());
    }
    if core.send.busy.is_some() {
        restart(core, context);
        if core.send.has_more() {
            let mut bounds = bounds(core, context);
            while let Some(run) = next_run(core, &bounds) {
                // What came twice is reported once.
                let again = core.receive.duplicate.is_some();
                transmit(core, context, &bounds, run)?;
                if !core.send.has_more() {
                    break;
                }
                if again {
                    bounds = self::bounds(core, context);
                }
            }
        }
        if !release(core, context) {
            set_timer(core, context);
        }
    }
    if core.receive.ack == super::recv::Ack::Now { acknowledge(core, context) } else { Ok(()) }
}

/// RFC 5681 section 4.1.
fn restart<E: Egress + ?Sized>(core: &mut Core, context: &Context<'_, E>) {
    let idle = core.send.outstanding() == 0 && core.send.unsent() > 0;
    if idle && context.now.since(core.send.last_sent) > core.send.rtt.timeout() {
        let segment = u32::from(segment_size(core, context));
        core.send.congestion.restart(segment);
    }
}

/// An idle connection keeps no busy state. True where it is idle.
#[inline(always)]
fn release<E: Egress + ?Sized>(core: &mut Core, context: &mut Context<'_, E>) -> bool {
    let pending = core.send.closing && core.state.sends();
    let idle = core.send.outstanding() == 0 && core.send.queued() == 0 && !pending;
    if idle && let Some(busy) = core.send.busy.take() {
        context.shared.pool.give(busy);
    }
    idle
}

/// What the windows allow to be sent next: lost runs first, then new data, then the FIN.
fn next_run(core: &mut Core, bounds: &Bounds) -> Option<Run> {
    let closing = core.send.closing && core.state.sends();
    let selective = core.agreed.sack;
    let send = &mut core.send;
    let busy = send.busy.as_ref()?;
    let pipe = busy.flight.pipe();
    let segment = bounds.segment;
    // RFC 3042: without SACK, the first two duplicate acknowledgments let a new segment out each.
    let limited = !selective && busy.phase == Phase::Open && busy.duplicates <= 2;
    let extra = if limited { segment.saturating_mul(u32::from(busy.duplicates)) } else { 0 };
    let room = send.congestion.window().saturating_add(extra).saturating_sub(pipe);
    // In whole segments, and one at least where nothing else is under way.
    let allowed = if pipe == 0 { room.max(segment) } else { room };
    if let Some((start, length)) = busy.flight.next_lost() {
        let in_window = send.window.saturating_sub(start.since(send.una));
        let wanted = length.min(in_window).min(bounds.packet);
        if wanted == 0 || (wanted > allowed && allowed < segment) {
            return None;
        }
        let length = if wanted > allowed { whole_segments(allowed, segment) } else { wanted };
        let more = fill(send, start.plus(length), segment.min(allowed).saturating_sub(length), closing);
        return Some(Run { start, length: length.saturating_add(more), again: true });
    }
    let (unsent, usable) = (send.unsent(), send.usable());
    let start = send.nxt;
    if unsent == 0 {
        // The FIN alone. It is no load on the path.
        return (closing && usable > 0).then_some(Run { start, length: 1, again: false });
    }
    let unsent = u32::try_from(unsent).unwrap_or(u32::MAX);
    send.limited = allowed < usable.min(unsent);
    let limit = unsent.min(usable).min(allowed);
    if limit == unsent && limit <= bounds.packet {
        // All that there is. RFC 9293 section 3.7.4 lets Nagle's algorithm be turned off: a response comes whole.
        let fin = closing && usable > limit;
        return Some(Run { start, length: limit.saturating_add(u32::from(fin)), again: false });
    }
    let limit = limit.min(bounds.packet);
    if limit >= segment {
        return Some(Run { start, length: whole_segments(limit, segment), again: false });
    }
    // RFC 9293 section 3.8.6.2.1 (3): "if at least a fraction Fs of the maximum window can be sent", Fs 1/2.
    let by_window = usable <= allowed && limit > 0 && limit >= send.largest_window / 2;
    by_window.then_some(Run { start, length: limit, again: false })
}

/// How much that is new fills a segment that would end at `end`, less than full, where all before has been sent: the octet of
/// a window probe does not go out again alone. `room` is what there is in the segment.
fn fill(send: &Send, end: SeqNum, room: u32, closing: bool) -> u32 {
    let (unsent, usable) = (u32::try_from(send.unsent()).unwrap_or(u32::MAX), send.usable());
    if end != send.nxt || unsent == 0 {
        return 0;
    }
    let more = room.min(unsent).min(usable);
    more.saturating_add(u32::from(closing && more == unsent && usable > more))
}

/// Sends a run, or as much of it as the device takes in one packet.
#[inline(always)]
fn transmit<E>(
    core: &mut Core,
    context: &mut Context<'_, E>,
    bounds: &Bounds,
    run: Run,
) -> Result<(), SendError>
where
    E: Egress + ?Sized,
{
    // A list of slices is filled before it is used, and most segments need no long one.
    if core.send.busy.as_ref().is_some_and(|busy| busy.queue.is_short()) {
        transmit_slices::<E, FEW>(core, context, bounds, run)
    } else {
        transmit_slices::<E, SLICES>(core, context, bounds, run)
    }
}

#[inline(always)]
fn transmit_slices<E, const N: usize>(
    core: &mut Core,
    context: &mut Context<'_, E>,
    bounds: &Bounds,
    run: Run,
) -> Result<(), SendError>
where
    E: Egress + ?Sized,
{
    let Some(busy) = core.send.busy.as_ref() else { return Ok(()) };
    let offset = run.start.since(core.send.una) as usize;
    let after = busy.queue.len().saturating_sub(offset);
    // RFC 3168 section 6.1.2: CWR is for one segment, which is not one of many that a device cuts.
    let reduced = core.send.window_reduced && !run.again;
    let most = if reduced { bounds.segment as usize } else { usize::MAX };
    let wanted = (run.length as usize).min(after).min(most);
    let mut payload = busy.queue.slices::<N>(offset, wanted);
    if wanted > 0 {
        let fits = context.egress.fit(payload.as_slice()).min(payload.len());
        if fits < wanted {
            let fits = u32::try_from(fits).unwrap_or(u32::MAX);
            let whole =
                if fits > bounds.segment { whole_segments(fits, bounds.segment) } else { fits.max(1) };
            payload.truncate(whole as usize);
        }
    }
    let data = u32::try_from(payload.len()).unwrap_or_default();
    let fin = run.length as usize > after && data as usize == after;
    let length = data.saturating_add(u32::from(fin));
    let shift = core.agreed.receive_shift;
    let limit = context.shared.limits.receive;
    let announcement = core.receive.announce(limit, core.peer_segment(context.path_mss), shift);
    let header = Header {
        source: context.tuple.local_port,
        destination: context.tuple.remote_port,
        sequence: run.start.get(),
        acknowledgment: announcement.ack.get(),
        // RFC 9293 section 3.9.1.2: the last segment of what is queued "MUST" have PSH.
        flags: Flags::ACK
            .with_if(data > 0 && data as usize == after, Flags::PSH)
            .with_if(fin, Flags::FIN)
            .with_if(core.receive.marked, Flags::ECE)
            .with_if(reduced && data > 0, Flags::CWR),
        window: announcement.field,
        urgent: 0,
    };
    let mut header = header.emit(&bounds.options);
    let gso = (data > bounds.segment).then(|| u16::try_from(bounds.segment).unwrap_or(u16::MAX));
    let (local, remote) = (context.tuple.local, context.tuple.remote);
    // RFC 3168 sections 6.1.4 to 6.1.6: new data alone is marked, neither acknowledgments, nor what is sent again, nor probes.
    let capable = core.agreed.ecn && data > 0 && !run.again && core.send.window > 0;
    let ecn = if capable { Ecn::Capable } else { Ecn::NotCapable };
    match context.egress.send(local, remote, header.bytes_mut(), payload.as_slice(), gso, ecn) {
        Err(SendError::Full) => return Err(SendError::Full),
        // RFC 9293 section 3.8.3: what did not go out is as good as lost, and the timer repairs it.
        Ok(()) | Err(SendError::Unreachable) => (),
    }
    core.receive.announced(&announcement);
    core.send.window_reduced &= !(reduced && data > 0);
    sent(core, context, Run { length, ..run }, fin, bounds.segment);
    Ok(())
}

/// Takes note of a run that has gone out.
#[inline(always)]
fn sent<E: Egress + ?Sized>(
    core: &mut Core,
    context: &mut Context<'_, E>,
    run: Run,
    fin: bool,
    segment: u32,
) {
    let now = context.now;
    core.send.last_sent = now;
    if let Some(busy) = core.send.busy.as_mut() {
        busy.largest = busy.largest.max(segment.min(run.length));
        if run.again {
            context.shared.counters.tcp_retransmitted.count();
            let known = core.send.nxt.since(run.start).min(run.length);
            busy.flight.resent(run.start, known, now);
            // What fills the segment is new.
            let end = run.start.plus(run.length);
            if end.after(core.send.nxt) {
                busy.flight.sent(core.send.nxt, end.since(core.send.nxt), now);
                core.send.nxt = end;
            }
            if let Some(undo) = busy.undo.as_mut() {
                undo.sent_again(run.length.div_ceil(segment.max(1)), core.clock.value(now));
            }
        } else {
            busy.flight.sent(run.start, run.length, now);
        }
        if let Phase::Recovery(reduction) = &mut busy.phase {
            reduction.sent(run.length);
        }
    }
    if !run.again {
        // RFC 8985 section 7.2: the probe's time runs from the last new data.
        if let Some(busy) = core.send.busy.as_mut()
            && matches!(busy.timer, Timer::Probe(_))
        {
            busy.timer = Timer::Off;
        }
        core.send.nxt = core.send.nxt.plus(run.length);
    }
    if fin {
        core.state = core.state.fin_sent();
    }
}

/// An acknowledgment without data.
fn acknowledge<E>(core: &mut Core, context: &mut Context<'_, E>) -> Result<(), SendError>
where
    E: Egress + ?Sized,
{
    let segment = core.peer_segment(context.path_mss);
    let limit = context.shared.limits.receive;
    let announcement = core.receive.announce(limit, segment, core.agreed.receive_shift);
    let options = current_options(core, context.now);
    let sequence = core.send.bare_sequence().get();
    let flags = Flags::ACK.with_if(core.receive.marked, Flags::ECE);
    match context.reply(flags, sequence, announcement.ack.get(), announcement.field, &options) {
        Err(SendError::Full) => Err(SendError::Full),
        Ok(()) | Err(SendError::Unreachable) => {
            core.receive.announced(&announcement);
            Ok(())
        }
    }
}

/// RFC 6298 section 5.1 and RFC 9293 section 3.8.6.1: something that is under way has a retransmission timer, something
/// that waits for the peer's window has a persist timer, and nothing has both.
fn set_timer<E: Egress + ?Sized>(core: &mut Core, context: &Context<'_, E>) {
    let now = context.now;
    let segment = u32::from(segment_size(core, context));
    let pending = core.send.unsent() > 0 || (core.send.closing && core.state.sends());
    let shut = core.send.window == 0;
    let selective = core.agreed.sack;
    let send = &mut core.send;
    let Some(busy) = send.busy.as_mut() else { return };
    let under_way = !busy.flight.is_empty();
    busy.timer = match busy.timer {
        timer @ (Timer::Retransmit(_) | Timer::Probe(_)) if under_way && !shut => timer,
        _ if under_way && !shut => {
            // RFC 8985 section 7.2: with SACK, where nothing is amiss, and one probe at a time.
            let calm = selective && busy.phase == Phase::Open && busy.flight.is_undisturbed();
            let single = busy.flight.size() <= segment;
            match send.rtt.probe_timeout(single) {
                Some(span) if calm && send.probed.is_none() && busy.expirations == 0 => {
                    Timer::Probe(now + span)
                }
                _ => Timer::Retransmit(now + send.rtt.backed_off(busy.expirations)),
            }
        }
        Timer::Persist(at) if under_way || pending => Timer::Persist(at),
        _ if under_way || pending => Timer::Persist(now + send.rtt.backed_off(busy.expirations)),
        _ => Timer::Off,
    };
    if shut && busy.timer != Timer::Off {
        busy.shut.get_or_insert(now);
    }
}

/// Does what the timers of sending call for; the segments go out with the output that follows.
pub(super) fn timers<E>(core: &mut Core, context: &mut Context<'_, E>) -> Fate
where
    E: Egress + ?Sized,
{
    let now = context.now;
    let segment = u32::from(segment_size(core, context));
    let Some(busy) = core.send.busy.as_ref() else { return Fate::Lives };
    let silent = busy.since.map(|since| now.since(since));
    let timer = busy.timer;
    if busy.reorder.is_some_and(|at| at <= now) && core.send.reorder_expired(now, segment) {
        context.shared.counters.tcp_fast_recovery.count();
    }
    match timer {
        Timer::Retransmit(at) if at <= now => {
            if silent.is_some_and(|span| span >= context.shared.limits.unanswered_span) {
                context.shared.counters.tcp_unanswered.count();
                return Fate::Closed;
            }
            context.shared.counters.tcp_timeout.count();
            core.send.timed_out(now, segment);
            shrink(core, context, segment);
        }
        Timer::Probe(at) if at <= now => probe_tail(core, context),
        Timer::Persist(at) if at <= now => {
            if core.send.is_held_shut(now, context.shared.limits.window_shut_span) {
                context.shared.counters.tcp_window_shut.count();
                reset(core, context);
                return Fate::Closed;
            }
            probe(core, context);
        }
        _ => (),
    }
    Fate::Lives
}

/// RFC 1191's and RFC 2923 section 2.1's black hole: routers that drop large packets and do not say so, or whose word is
/// filtered. Where one segment after the other is sent again in vain, smaller ones are tried.
fn shrink<E: Egress + ?Sized>(core: &mut Core, context: &mut Context<'_, E>, segment: u32) {
    let expirations = core.send.busy.as_ref().map_or(0, |busy| busy.expirations);
    let size = match expirations {
        4 => 1_024,
        6 if context.tuple.remote.is_ipv4() => 536,
        _ => return,
    };
    let full = core.send.outstanding() >= segment;
    if full && segment > u32::from(size) {
        core.agreed.peer_mss = size;
        context.shared.counters.tcp_black_hole.count();
    }
}

/// RFC 9293 section 3.8.4: a segment with the number before SND.NXT, which the peer has to answer.
pub(super) fn keepalive<E: Egress + ?Sized>(core: &mut Core, context: &mut Context<'_, E>) {
    let segment = core.peer_segment(context.path_mss);
    let limit = context.shared.limits.receive;
    let announcement = core.receive.announce(limit, segment, core.agreed.receive_shift);
    let options = current_options(core, context.now);
    let sequence = core.send.nxt.minus(1).get();
    match context.reply(Flags::ACK, sequence, announcement.ack.get(), announcement.field, &options) {
        // The next one is soon enough.
        Err(SendError::Full) => (),
        Ok(()) | Err(SendError::Unreachable) => core.receive.announced(&announcement),
    }
}

/// RFC 9293 section 3.8.6.1: "at least one octet of new data (if available), or retransmit"; its acknowledgment tells the
/// window. A small window gets what it takes.
fn probe<E: Egress + ?Sized>(core: &mut Core, context: &mut Context<'_, E>) {
    let now = context.now;
    let bounds = bounds(core, context);
    let (usable, unsent) = (core.send.usable(), u32::try_from(core.send.unsent()).unwrap_or(u32::MAX));
    let send = &mut core.send;
    let Some(busy) = send.busy.as_mut() else { return };
    busy.expirations = busy.expirations.saturating_add(1);
    busy.timer = Timer::Persist(now + send.rtt.backed_off(busy.expirations));
    context.shared.counters.tcp_window_probe.count();
    let run = if busy.flight.is_empty() {
        let length = usable.min(unsent).min(bounds.segment).max(1);
        Run { start: send.nxt, length, again: false }
    } else {
        Run { start: send.una, length: 1, again: true }
    };
    // A full device is a lost probe: the timer comes again.
    let _ = transmit(core, context, &bounds, run);
}

/// RFC 8985 section 7.3: sends a segment, new where there is one, so that the peer's report tells what became of the tail.
fn probe_tail<E: Egress + ?Sized>(core: &mut Core, context: &mut Context<'_, E>) {
    let bounds = bounds(core, context);
    let (usable, unsent) = (core.send.usable(), u32::try_from(core.send.unsent()).unwrap_or(u32::MAX));
    let send = &mut core.send;
    let timeout = send.rtt.timeout();
    let Some(busy) = send.busy.as_mut() else { return };
    busy.timer = Timer::Retransmit(context.now + timeout);
    let length = unsent.min(bounds.segment);
    let run = if length > 0 && length <= usable {
        Run { start: send.nxt, length, again: false }
    } else {
        let Some((start, length)) = busy.flight.cut_tail(bounds.segment) else { return };
        Run { start, length, again: true }
    };
    context.shared.counters.tcp_tail_probe.count();
    if transmit(core, context, &bounds, run).is_ok() {
        core.send.probed = Some(Probed { end: core.send.nxt, again: run.again });
    }
}

/// Ends the connection towards the peer: RFC 9293 section 3.10.5, "<SEQ=SND.NXT><CTL=RST>"; but behind a shut window, the
/// number that the peer expects.
pub(super) fn reset<E: Egress + ?Sized>(core: &Core, context: &mut Context<'_, E>) {
    context.shared.counters.tcp_reset_sent.count();
    let (sequence, ack) = (core.send.bare_sequence().get(), core.receive.next.get());
    // What the device has no room for is lost as on the wire; the peer will be told when it asks.
    let _ = context.reply(Flags::RST.with(Flags::ACK), sequence, ack, 0, &Options::default());
}
