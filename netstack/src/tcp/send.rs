//! The sending half of a connection: RFC 9293's SND variables, and, while there is something to send, what that takes.

use super::congestion::Congestion;
use super::flight::Flight;
use super::hystart::{Growth, HyStart};
use super::queue::Queue;
use super::recovery::{Phase, Reduction};
use super::rtt::Rtt;
use super::seq::SeqNum;
use super::undo::{self, Undo};
use crate::wire::tcp::SackBlocks;
use crate::{Duration, Instant};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Duplicate acknowledgments that tell of a loss (RFC 5681 section 3.2).
const DUPLICATES: u8 = 3;

/// How far the time-out stays backed off while data is acknowledged and no round trip can be measured.
const KARN_EXPIRATIONS: u8 = 3;

/// SND of RFC 9293 section 3.3.1.
#[derive(Debug)]
pub(super) struct Send {
    /// SND.UNA.
    pub(super) una: SeqNum,
    /// SND.NXT.
    pub(super) nxt: SeqNum,
    /// SND.WND, scaled.
    pub(super) window: u32,
    /// The largest window the peer has offered.
    pub(super) largest_window: u32,
    /// SND.WL1 and SND.WL2: the segment that last set the window.
    wl1: SeqNum,
    wl2: SeqNum,
    /// CLOSE has been called: a FIN follows what is queued.
    pub(super) closing: bool,
    /// The window of congestion was what held the last segment back, so it may grow.
    pub(super) limited: bool,
    /// RFC 3168 section 6.1.2: the next new data says that the window was reduced.
    pub(super) window_reduced: bool,
    pub(super) last_sent: Instant,
    /// The tail that has been probed: what became of it may only be known when nothing is under way any more.
    pub(super) probed: Option<Probed>,
    pub(super) congestion: Congestion,
    pub(super) rtt: Rtt,
    /// Absent on an idle connection.
    pub(super) busy: Option<Box<Busy>>,
}

/// What a connection needs while something of its is queued or under way.
#[derive(Debug)]
pub(super) struct Busy {
    pub(super) queue: Queue,
    pub(super) flight: Flight,
    pub(super) phase: Phase,
    pub(super) timer: Timer,
    /// RFC 8985 section 6.3: when to look again for what was only reordered.
    pub(super) reorder: Option<Instant>,
    /// How often in a row the timer has expired.
    pub(super) expirations: u8,
    /// Since when the peer has answered nothing.
    pub(super) since: Option<Instant>,
    /// Since when it has held its window shut, or opened it to no purpose.
    pub(super) shut: Option<Instant>,
    /// The largest segment that may be under way, in bytes of data; 0 where none is.
    pub(super) largest: u32,
    /// Duplicate acknowledgments in a row.
    pub(super) duplicates: u8,
    /// What was sent last when a mark reduced the window.
    marked_to: Option<SeqNum>,
    /// What to go back to if nothing was lost.
    pub(super) undo: Option<Undo>,
    hystart: HyStart,
}

/// RFC 8985 section 7.1: a tail loss probe is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Probed {
    /// TLP.end_seq.
    pub(super) end: SeqNum,
    /// TLP.is_retrans.
    pub(super) again: bool,
}

/// What a connection waits for that has sent, or has to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    Off,
    /// RFC 6298: the acknowledgment of what was sent.
    Retransmit(Instant),
    /// RFC 8985 section 7: the same, but sooner, and with a probe.
    Probe(Instant),
    /// RFC 9293 section 3.8.6.1: the opening of the peer's window.
    Persist(Instant),
}

impl Busy {
    fn new() -> Self {
        Self {
            queue: Queue::new(),
            flight: Flight::new(),
            phase: Phase::Open,
            timer: Timer::Off,
            reorder: None,
            expirations: 0,
            since: None,
            shut: None,
            largest: 0,
            duplicates: 0,
            marked_to: None,
            undo: None,
            hystart: HyStart::new(),
        }
    }

    fn is_roomy(&self) -> bool {
        self.queue.is_roomy() || self.flight.is_roomy()
    }

    #[inline(always)]
    fn clear(&mut self, roomy: bool) {
        self.queue.clear(roomy);
        self.flight.clear(roomy);
        (self.phase, self.timer, self.reorder) = (Phase::Open, Timer::Off, None);
        (self.expirations, self.since, self.shut, self.duplicates) = (0, None, None, 0);
        (self.undo, self.hystart, self.largest, self.marked_to) = (None, HyStart::new(), 0, None);
    }

    /// Bytes of the heap that it takes.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>().saturating_add(self.queue.held()).saturating_add(self.flight.held())
    }

    /// Whether queue and scoreboard may grow.
    pub(super) fn confine(&mut self, confined: bool) {
        self.queue.confined = confined;
        self.flight.confined = confined;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timer = match self.timer {
            Timer::Off => None,
            Timer::Retransmit(at) | Timer::Probe(at) | Timer::Persist(at) => Some(at),
        };
        Instant::earliest(timer, self.reorder)
    }
}

/// Busy states that are ready to be used again, so that a request and its response allocate nothing; and what all that are
/// in use take of the heap.
#[derive(Debug)]
pub(super) struct Pool {
    used: usize,
    limit: usize,
    #[expect(clippy::vec_box, reason = "boxes move in and out; their contents do not")]
    free: Vec<Box<Busy>>,
    /// Those that have grown with a large response, so that the next one finds their room.
    #[expect(clippy::vec_box, reason = "as above")]
    roomy: Vec<Box<Busy>>,
}

impl Pool {
    /// The most that wait here.
    const KEPT: usize = 256;
    /// The most of them that stay roomy, of 8 KiB each.
    const ROOMY: usize = 4;

    pub(super) fn new(limit: usize) -> Self {
        Self { used: 0, limit, free: Vec::new(), roomy: Vec::with_capacity(Self::ROOMY) }
    }

    /// Whether queues and scoreboards may not grow: the last quarter is for new ones.
    pub(super) fn is_full(&self) -> bool {
        self.used >= self.limit.saturating_sub(self.limit / 4)
    }

    /// Whether all together take more than they may.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.used > self.limit
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// A connection that took `before` bytes takes `after` now.
    pub(super) fn account(&mut self, before: usize, after: usize) {
        self.used = self.used.saturating_add(after).saturating_sub(before);
    }

    #[inline(always)]
    pub(super) fn take(&mut self) -> Box<Busy> {
        self.roomy.pop().or_else(|| self.free.pop()).unwrap_or_else(|| Box::new(Busy::new()))
    }

    #[inline(always)]
    pub(super) fn give(&mut self, mut busy: Box<Busy>) {
        let roomy = busy.is_roomy() && self.roomy.len() < Self::ROOMY;
        let (kept, most) = match roomy {
            true => (&mut self.roomy, Self::ROOMY),
            false => (&mut self.free, Self::KEPT.min(self.limit / 8_192)),
        };
        if kept.len() < most {
            busy.clear(roomy);
            kept.push(busy);
        }
    }
}

/// What an acknowledgment did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Acknowledged {
    /// Bytes of the queue.
    pub(super) data: usize,
    /// Our FIN.
    pub(super) fin: bool,
    /// A fast recovery has begun.
    pub(super) recovery: bool,
    /// A loss turned out to be none, and its consequences were undone.
    pub(super) undone: bool,
}

/// What a segment says about what we sent. Its ACK field is between SND.UNA and SND.NXT.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) ack: SeqNum,
    pub(super) sack: &'a SackBlocks,
    /// SACK was agreed on.
    pub(super) selective: bool,
    /// It carries no data and leaves the window as it was.
    pub(super) bare: bool,
    /// The round trip by its timestamp.
    pub(super) echo: Option<Duration>,
    /// The timestamp itself.
    pub(super) stamp: Option<u32>,
    /// Bytes of data in a full segment of ours.
    pub(super) mss: u32,
}

impl Send {
    pub(super) fn new(nxt: SeqNum, congestion: Congestion, rtt: Rtt, now: Instant) -> Self {
        Self {
            una: nxt,
            nxt,
            window: 0,
            largest_window: 0,
            wl1: SeqNum::new(0),
            wl2: nxt,
            closing: false,
            limited: false,
            window_reduced: false,
            last_sent: now,
            probed: None,
            congestion,
            rtt,
            busy: None,
        }
    }

    /// The window of the segment that completes the handshake.
    pub(super) fn first_window(&mut self, sequence: SeqNum, ack: SeqNum, window: u32) {
        (self.wl1, self.wl2) = (sequence, ack);
        (self.window, self.largest_window) = (window, window);
    }

    /// RFC 9293 section 3.10.7.4: "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK), set SND.WND".
    /// And where SND.UNA moves: a retransmission has an old number and a new acknowledgment, and with the old window the
    /// edge would move as well. Says whether the window is another now.
    pub(super) fn update_window(&mut self, sequence: SeqNum, ack: SeqNum, window: u32) -> bool {
        let newer = ack.after(self.una)
            || self.wl1.before(sequence)
            || (self.wl1 == sequence && !self.wl2.after(ack));
        if !newer {
            return false;
        }
        (self.wl1, self.wl2) = (sequence, ack);
        self.largest_window = self.largest_window.max(window);
        core::mem::replace(&mut self.window, window) != window
    }

    /// Bytes queued and not acknowledged.
    pub(super) fn queued(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.queue.len())
    }

    /// Sequence numbers sent and not acknowledged.
    pub(super) fn outstanding(&self) -> u32 {
        self.nxt.since(self.una)
    }

    /// Bytes queued and never sent.
    pub(super) fn unsent(&self) -> usize {
        self.queued().saturating_sub(self.outstanding() as usize)
    }

    /// Whether anything waits to be sent, or sent again.
    pub(super) fn has_more(&self) -> bool {
        self.closing
            || self.unsent() > 0
            || self.busy.as_ref().is_some_and(|busy| busy.flight.next_lost().is_some())
    }

    /// How many more sequence numbers the peer's window takes.
    pub(super) fn usable(&self) -> u32 {
        self.window.saturating_sub(self.outstanding())
    }

    /// SEG.SEQ of what has no data: SND.NXT, unless a probe went beyond the window. With a number beyond it, an ACK or a RST
    /// would not be acceptable to the peer (RFC 9293 section 3.10.7.4), and it would lose its acknowledgment, or never learn
    /// that the connection is over.
    pub(super) fn bare_sequence(&self) -> SeqNum {
        self.nxt.earlier(self.una.plus(self.window))
    }

    /// Takes in what the peer reports.
    pub(super) fn acknowledge(&mut self, report: &Report<'_>, now: Instant) -> Acknowledged {
        let mut result = Acknowledged::default();
        let advance = report.ack.since(self.una);
        self.probe_answered(report, advance);
        let Some(busy) = self.busy.as_mut() else { return result };
        // Forgotten once it is passed, as half a circle on it would stand before us again.
        busy.marked_to = busy.marked_to.filter(|marked| !report.ack.after(*marked));
        let least = self.rtt.least();
        let before = busy.flight.size();

        let mut delivered = busy.flight.acknowledged(report.ack, now, least);
        for &(left, right) in report.sack.as_slice() {
            let (left, right) = (SeqNum::new(left), SeqNum::new(right));
            // D-SACK and blocks from another life tell nothing about what is in flight.
            let sane = !left.before(report.ack) && left.before(right) && !right.after(self.nxt);
            if report.selective && sane {
                let more = busy.flight.sack(left, right, now, least);
                delivered.bytes = delivered.bytes.saturating_add(more.bytes);
                delivered.rtt = delivered.rtt.or(more.rtt);
            }
        }
        if advance != 0 {
            self.una = report.ack;
            if busy.flight.is_empty() {
                busy.largest = 0;
            }
            result.data = (advance as usize).min(busy.queue.len());
            result.fin = advance as usize > busy.queue.len();
            busy.queue.release(result.data);
            (busy.timer, busy.since, busy.shut) = (Timer::Off, None, None);
            // Karn: the backed-off time-out stands until a round trip could be measured. But where all that is left was
            // sent twice already, and there are no timestamps, that may be a long way off: progress tells that the path
            // lives, so the time-out comes down to eight times what it was.
            if let Some(rtt) = delivered.rtt.or(report.echo) {
                self.rtt.measured(rtt);
                busy.expirations = 0;
            } else {
                busy.expirations = busy.expirations.min(KARN_EXPIRATIONS);
            }
        } else if report.bare && !busy.flight.is_empty() {
            busy.duplicates = busy.duplicates.saturating_add(1);
            if !report.selective {
                // RFC 6937 section 3: without SACK, a duplicate stands for a segment delivered.
                delivered.bytes = report.mss;
            }
        }
        let in_order = delivered.bytes.min(advance);
        if let Phase::Recovery(reduction) = &mut busy.phase
            && !report.selective
        {
            delivered.bytes = match advance {
                0 => reduction.duplicate(delivered.bytes),
                _ => reduction.advanced(delivered.bytes),
            };
        }
        if busy.was_spurious(report, advance, self.nxt) {
            busy.undo(report.mss, &mut self.congestion);
            result.undone = true;
        }
        result.recovery = busy.recover(
            report,
            delivered.bytes,
            advance,
            before,
            (self.una, self.nxt),
            &mut self.congestion,
        );
        let detected = busy.flight.detect(now, least, busy.phase != Phase::Open, report.mss);
        if detected.lost && busy.phase == Phase::Open {
            let sent = (self.una, self.nxt);
            busy.begin_recovery(sent, before, report.mss, delivered.bytes, &mut self.congestion);
            result.recovery = true;
        }
        busy.reorder = detected.again;
        // After a time-out it is the window that holds the repair back, whether or not there is more to send after it.
        let limited = self.limited || matches!(busy.phase, Phase::Loss { .. });
        if !limited {
            self.congestion.unused(now);
        } else if !matches!(busy.phase, Phase::Recovery(_)) && advance != 0 {
            let rtt = self.rtt.smoothed().unwrap_or_default();
            // What was reported before it was acknowledged has had its share of the window in recovery.
            let bytes = in_order;
            let growth = if self.congestion.is_first_slow_start() {
                busy.hystart.acknowledged(bytes, report.ack, self.nxt, delivered.rtt)
            } else {
                Growth::By(bytes)
            };
            match growth {
                Growth::By(bytes) => self.congestion.acknowledged(bytes, report.mss, now, rtt),
                Growth::End => self.congestion.end_slow_start(),
            }
        }
        result
    }

    /// RFC 8985 section 7.4.2: an acknowledgment beyond a tail that was sent again, without word of it having come twice,
    /// tells that the probe has repaired a loss; so the window answers to it.
    fn probe_answered(&mut self, report: &Report<'_>, advance: u32) {
        let Some(probed) = self.probed.filter(|probed| !report.ack.before(probed.end)) else { return };
        if probed.again && undo::duplicate(report).is_none() {
            if report.ack == probed.end {
                // Of the tail itself or of the probe: only a second acknowledgment of the same number tells that both came.
                if advance != 0 || !report.bare || !report.sack.as_slice().is_empty() {
                    return;
                }
            } else if self.busy.as_ref().is_none_or(|busy| busy.phase == Phase::Open) {
                self.congestion.lost(self.congestion.window(), report.mss);
                self.congestion.set_window(self.congestion.threshold(), report.mss);
            }
        }
        self.probed = None;
    }

    /// Whether the window is shut, and has let nothing through for `span`.
    pub(super) fn is_held_shut(&self, now: Instant, span: Duration) -> bool {
        let since = self.busy.as_ref().and_then(|busy| busy.shut);
        self.window == 0 && since.is_some_and(|since| now.since(since) >= span)
    }

    /// RFC 3168 section 6.1.2: the peer has seen a mark. "TCP should not react to congestion indications more than once
    /// every window of data". `in_flight` is what was under way before it said so. Says whether the window was reduced.
    pub(super) fn congestion_marked(&mut self, ack: SeqNum, in_flight: u32, mss: u32) -> bool {
        let Some(busy) = self.busy.as_mut() else { return false };
        if busy.marked_to.is_some_and(|marked| !ack.after(marked)) {
            return false;
        }
        busy.marked_to = Some(self.nxt);
        self.window_reduced = true;
        if busy.phase == Phase::Open {
            self.congestion.lost(in_flight, mss);
            self.congestion.set_window(self.congestion.threshold(), mss);
        }
        true
    }

    /// RFC 8985 section 6.3: the reordering timer has expired. Says whether a fast recovery has begun.
    pub(super) fn reorder_expired(&mut self, now: Instant, mss: u32) -> bool {
        let least = self.rtt.least();
        let Some(busy) = self.busy.as_mut() else { return false };
        let before = busy.flight.size();
        let detected = busy.flight.detect(now, least, busy.phase != Phase::Open, mss);
        busy.reorder = detected.again;
        let begins = detected.lost && busy.phase == Phase::Open;
        if begins {
            busy.begin_recovery((self.una, self.nxt), before, mss, 0, &mut self.congestion);
        }
        begins
    }

    /// RFC 6298 section 5, steps 5.4 to 5.6, and RFC 5681 section 3.1.
    pub(super) fn timed_out(&mut self, now: Instant, mss: u32) {
        let nxt = self.nxt;
        let Some(busy) = self.busy.as_mut() else { return };
        match busy.phase {
            Phase::Open => busy.undo = Some(Undo::new(self.congestion, self.una, nxt)),
            Phase::Recovery(_) => busy.undo = None,
            Phase::Loss { .. } => (),
        }
        // A timer that expires again for the same loss leaves the threshold alone.
        if !matches!(busy.phase, Phase::Loss { .. }) || busy.expirations == 0 {
            self.congestion.timed_out(busy.flight.size(), mss);
        } else {
            self.congestion.set_window(mss, mss);
        }
        busy.flight.lose_all();
        busy.phase = Phase::Loss { point: nxt };
        busy.expirations = busy.expirations.saturating_add(1);
        busy.since.get_or_insert(now);
        (busy.timer, busy.reorder, busy.duplicates) = (Timer::Off, None, 0);
        self.probed = None;
    }
}

impl Busy {
    /// `sent` is SND.UNA and SND.NXT.
    fn begin_recovery(
        &mut self,
        sent: (SeqNum, SeqNum),
        in_flight: u32,
        mss: u32,
        delivered: u32,
        congestion: &mut Congestion,
    ) {
        self.undo = Some(Undo::new(*congestion, sent.0, sent.1));
        congestion.lost(in_flight, mss);
        let mut reduction = Reduction::new(sent.1, self.flight.unreported().saturating_add(delivered));
        let window = reduction.window(delivered, self.flight.pipe(), congestion.threshold(), mss);
        congestion.set_window(window, mss);
        self.phase = Phase::Recovery(reduction);
    }

    /// Whether what was presumed lost has arrived all the same.
    fn was_spurious(&mut self, report: &Report<'_>, advance: u32, nxt: SeqNum) -> bool {
        let twice = undo::duplicate(report);
        if twice.is_some() {
            self.flight.came_twice(report.ack, nxt);
        }
        let Some(undo) = self.undo.as_mut() else { return false };
        let original = self.phase != Phase::Open
            && advance != 0
            && report.stamp.is_some_and(|stamp| undo.original_arrived(stamp));
        original || twice.is_some_and(|block| undo.came_twice(block, report.mss))
    }

    /// RFC 4015 section 3.2: the window is as large as before, but what was not in flight does not go out in one burst.
    fn undo(&mut self, mss: u32, congestion: &mut Congestion) {
        let Some(undo) = self.undo.take() else { return };
        if self.phase != Phase::Open {
            self.flight.lose_none();
        }
        congestion.restore(&undo.congestion, self.flight.pipe(), mss);
        (self.phase, self.expirations, self.duplicates) = (Phase::Open, 0, 0);
    }

    /// Moves on in recovery, or into it by duplicates. Says whether it has begun.
    fn recover(
        &mut self,
        report: &Report<'_>,
        delivered: u32,
        advance: u32,
        before: u32,
        sent: (SeqNum, SeqNum),
        congestion: &mut Congestion,
    ) -> bool {
        if advance != 0 {
            self.duplicates = 0;
        }
        match &mut self.phase {
            Phase::Open => {
                // With SACK it is the scoreboard that tells of losses.
                if report.selective || self.duplicates < DUPLICATES || self.flight.has_lost() {
                    return false;
                }
                let repaired = self.flight.lose_first(report.mss);
                self.begin_recovery(sent, before, report.mss, delivered, congestion);
                if let (Phase::Recovery(reduction), Some(repaired)) = (&mut self.phase, repaired) {
                    reduction.repaired = repaired;
                }
                return true;
            }
            Phase::Recovery(reduction) => {
                if !report.ack.before(reduction.point) {
                    congestion.set_window(congestion.threshold(), report.mss);
                    self.phase = Phase::Open;
                } else {
                    // RFC 6582 section 3.2 (3), partial acknowledgments: "retransmit the first unacknowledged segment". One
                    // that ends within what was sent again last tells of no further loss, and a peer could send many.
                    if !report.selective
                        && advance != 0
                        && !report.ack.before(reduction.repaired)
                        && let Some(repaired) = self.flight.lose_first(report.mss)
                    {
                        reduction.repaired = repaired;
                    }
                    let pipe = self.flight.pipe();
                    let window = reduction.window(delivered, pipe, congestion.threshold(), report.mss);
                    congestion.set_window(window, report.mss);
                }
            }
            Phase::Loss { point } => {
                if !report.ack.before(*point) {
                    self.phase = Phase::Open;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Chunk;

    const START: SeqNum = SeqNum::new(1_000);

    /// An acknowledgment of all that was sent; whether its mark reduced the window.
    fn marked(send: &mut Send, ack: SeqNum, marked: bool) -> bool {
        let report = Report {
            ack,
            sack: &SackBlocks::default(),
            selective: false,
            bare: true,
            echo: None,
            stamp: None,
            mss: 1_000,
        };
        send.nxt = ack;
        send.acknowledge(&report, Instant::ZERO);
        send.una = ack;
        marked && send.congestion_marked(ack, 1_000, 1_000)
    }

    /// A large response takes more than every queue and scoreboard has: the next one allocates nothing for it.
    #[test]
    fn the_room_of_large_responses_is_kept() {
        let mut pool = Pool::new(1 << 20);
        let grown = |mut busy: Box<Busy>| {
            for number in 0..9 {
                busy.queue.push(Chunk::Static(b"x")).unwrap();
                busy.flight.sent(SeqNum::new(2 * number), 1, Instant::ZERO);
            }
            busy
        };
        let several: Vec<_> = (0..6).map(|_| grown(pool.take())).collect();
        let held = several[0].held();
        several.into_iter().for_each(|busy| pool.give(busy));
        let again: Vec<_> = (0..6).map(|_| pool.take()).collect();
        assert!(again.iter().all(|busy| busy.queue.len() == 0 && busy.flight.is_empty()));
        assert_eq!(
            again.iter().map(|busy| busy.held() == held).collect::<Vec<_>>(),
            [true, true, true, true, false, false]
        );
        assert!(again[4..].iter().all(|busy| busy.held() == Busy::new().held()));
    }

    #[test]
    fn a_mark_counts_however_far_behind_the_last_one_is() {
        let congestion = Congestion::new(1_000, false);
        let mut send = Send::new(START, congestion, crate::tcp::rtt::Rtt::new(), Instant::ZERO);
        send.busy = Some(Box::new(Busy::new()));
        assert!(marked(&mut send, START.plus(1_000), true));
        assert!(!marked(&mut send, START.plus(1_000), true), "once a round trip");
        // Without marks, past half the circle of sequence numbers.
        for gibibyte in 1..=2 {
            marked(&mut send, START.plus(gibibyte << 30), false);
        }
        assert!(marked(&mut send, START.plus((1 << 31) + 2_000), true));
    }
}
