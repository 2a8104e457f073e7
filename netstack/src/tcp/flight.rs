//! The scoreboard: what has been sent and is not acknowledged, and what is thought to have become of it.

use super::seq::SeqNum;
use crate::{Duration, Instant};
use alloc::collections::VecDeque;

/// The most runs on a scoreboard. At the bound, neighbours are joined and blocks that would split a run are not heeded:
/// SACK is advice (RFC 2018 section 8), only the cumulative acknowledgment counts.
const RUNS: usize = 1_024;
/// The sizes of scoreboards: few, see `assembly`.
const SIZES: [usize; 3] = [KEPT, ROOMY, RUNS];
/// What a large response takes.
const ROOMY: usize = 128;
/// Room that a scoreboard keeps when it is used again.
const KEPT: usize = 8;

/// A run of sequence numbers, sent together.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: SeqNum,
    /// At least 1; a FIN counts.
    length: u32,
    /// When it was sent last.
    sent: Instant,
    resent: bool,
    fate: RunFate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RunFate {
    /// On its way, as far as is known.
    InFlight,
    /// Reported by SACK.
    Sacked,
    /// To be sent again.
    Lost,
}

impl Run {
    fn end(&self) -> SeqNum {
        self.start.plus(self.length)
    }
}

/// Runs in the order of their sequence numbers, without gaps.
#[derive(Debug)]
pub(super) struct Flight {
    runs: VecDeque<Run>,
    in_flight: u32,
    sacked: u32,
    lost: u32,
    latest: Option<Latest>,
    /// The highest number delivered so far.
    highest: SeqNum,
    reordered: bool,
    /// RFC 8985 section 6.2, step 4: RACK.reo_wnd_mult less one, and what was sent last when it grew.
    patience: u8,
    patience_grew: Option<SeqNum>,
    /// All scoreboards together take as much as they may: this one does not grow.
    pub(super) confined: bool,
}

/// RACK (RFC 8985 section 5.3): of the runs known to be delivered, the one that was sent last.
#[derive(Clone, Copy, Debug)]
struct Latest {
    sent: Instant,
    end: SeqNum,
    rtt: Duration,
}

/// What an acknowledgment has brought.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Delivered {
    /// Bytes newly known to have arrived, by the cumulative acknowledgment or by SACK.
    pub(super) bytes: u32,
    /// A round trip measured on a run that was sent once.
    pub(super) rtt: Option<Duration>,
}

/// What loss detection has found.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Detected {
    pub(super) lost: bool,
    /// When to look again.
    pub(super) again: Option<Instant>,
}

impl Flight {
    pub(super) fn new() -> Self {
        Self {
            runs: VecDeque::with_capacity(KEPT),
            in_flight: 0,
            sacked: 0,
            lost: 0,
            latest: None,
            highest: SeqNum::new(0),
            reordered: false,
            patience: 0,
            patience_grew: None,
            confined: false,
        }
    }

    /// Bytes of the heap.
    pub(super) fn held(&self) -> usize {
        self.runs.capacity().saturating_mul(size_of::<Run>())
    }

    fn is_full(&self) -> bool {
        self.runs.len() >= if self.confined { KEPT } else { RUNS }
    }

    /// Whether it has outgrown what every scoreboard has.
    pub(super) fn is_roomy(&self) -> bool {
        self.runs.capacity() > KEPT
    }

    /// Empties it for another connection; a roomy one may stay so.
    #[inline(always)]
    pub(super) fn clear(&mut self, roomy: bool) {
        if !self.runs.is_empty() {
            self.runs.clear();
        }
        if self.is_roomy() {
            self.runs.shrink_to(if roomy { ROOMY } else { KEPT });
        }
        (self.in_flight, self.sacked, self.lost) = (0, 0, 0);
        (self.latest, self.reordered) = (None, false);
        (self.patience, self.patience_grew) = (0, None);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes thought to be in the network (RFC 6675 "pipe").
    pub(super) fn pipe(&self) -> u32 {
        self.in_flight
    }

    /// Whether everything is on its way, as far as is known.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.sacked == 0 && self.lost == 0
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost != 0
    }

    /// Everything sent and neither acknowledged nor reported, in bytes.
    pub(super) fn unreported(&self) -> u32 {
        self.in_flight.saturating_add(self.lost)
    }

    /// Everything sent and not acknowledged, in bytes.
    pub(super) fn size(&self) -> u32 {
        self.in_flight.saturating_add(self.sacked).saturating_add(self.lost)
    }

    /// `length` new bytes (a FIN counts) have gone out from `start`, the end of those before.
    #[inline(always)]
    pub(super) fn sent(&mut self, start: SeqNum, length: u32, now: Instant) {
        self.in_flight = self.in_flight.saturating_add(length);
        let full = self.is_full();
        if let Some(last) = self.runs.back_mut()
            && last.fate == RunFate::InFlight
            && ((last.sent == now && !last.resent) || full)
        {
            last.length = last.length.saturating_add(length);
            last.sent = now;
            return;
        }
        if let Some(last) = self.runs.back_mut().filter(|_| full) {
            // What was known of it is forgotten: the timer repairs what it may have to.
            let (fate, known) = (last.fate, last.length);
            last.length = known.saturating_add(length);
            (last.fate, last.sent) = (RunFate::InFlight, now);
            self.count(fate, known, false);
            self.count(RunFate::InFlight, known, true);
            return;
        }
        self.grow();
        self.runs.push_back(Run { start, length, sent: now, resent: false, fate: RunFate::InFlight });
    }

    /// Makes room for one run more.
    #[inline(always)]
    fn grow(&mut self) {
        let length = self.runs.len();
        if length == self.runs.capacity()
            && let Some(size) = SIZES.into_iter().find(|size| *size > length)
        {
            self.runs.reserve_exact(size.saturating_sub(length));
        }
    }

    /// Everything before `una` has been acknowledged.
    pub(super) fn acknowledged(&mut self, una: SeqNum, now: Instant, least: Option<Duration>) -> Delivered {
        let mut delivered = Delivered::default();
        let mut resent = false;
        // Half a circle on it would stand before us again.
        self.patience_grew = self.patience_grew.filter(|grew| una.before(*grew));
        while let Some(first) = self.runs.front().copied() {
            if !una.after(first.start) {
                break;
            }
            resent |= first.resent;
            let part = una.since(first.start).min(first.length);
            if first.fate != RunFate::Sacked {
                self.delivered(&first, una.earlier(first.end()), now, least, &mut delivered);
                delivered.bytes = delivered.bytes.saturating_add(part);
            }
            self.count(first.fate, part, false);
            if part == first.length {
                self.runs.pop_front();
            } else if let Some(first) = self.runs.front_mut() {
                first.start = una;
                first.length = first.length.saturating_sub(part);
            }
        }
        if resent {
            // Karn: what came behind a hole waited for the retransmission that filled it.
            delivered.rtt = None;
        }
        delivered
    }

    /// SACK reports `left..right`, which lies between the cumulative acknowledgment and what was sent last.
    pub(super) fn sack(
        &mut self,
        left: SeqNum,
        right: SeqNum,
        now: Instant,
        least: Option<Duration>,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut at = self.runs.partition_point(|run| !run.end().after(left));
        while let Some(run) = self.runs.get(at).copied() {
            if !run.start.before(right) {
                break;
            }
            if run.fate != RunFate::Sacked {
                if run.start.before(left) {
                    // What is left of the block comes next.
                    self.split(at, left);
                } else if run.end().after(right) {
                    if self.split(at, right) {
                        continue;
                    }
                } else {
                    self.count(run.fate, run.length, false);
                    self.count(RunFate::Sacked, run.length, true);
                    if let Some(run) = self.runs.get_mut(at) {
                        run.fate = RunFate::Sacked;
                    }
                    self.delivered(&run, run.end(), now, least, &mut delivered);
                    delivered.bytes = delivered.bytes.saturating_add(run.length);
                }
            }
            at = at.saturating_add(1);
        }
        delivered
    }

    /// RFC 8985 section 6.2, steps 1 to 3: the measurement, the latest delivery, reordering.
    fn delivered(
        &mut self,
        run: &Run,
        end: SeqNum,
        now: Instant,
        least: Option<Duration>,
        delivered: &mut Delivered,
    ) {
        let rtt = now.since(run.sent);
        if run.resent {
            // "If the segment was retransmitted ... RTT less than the minimum: the acknowledgment is of the original".
            if least.is_none_or(|least| rtt < least) {
                return;
            }
        } else {
            delivered.rtt = Some(rtt);
            self.reordered |= self.latest.is_some() && end.before(self.highest);
        }
        if self.latest.is_none() || end.after(self.highest) {
            self.highest = end;
        }
        if self.latest.is_none_or(|latest| sent_after(run.sent, end, latest.sent, latest.end)) {
            self.latest = Some(Latest { sent: run.sent, end, rtt });
        }
    }

    /// RFC 8985 section 6.2, step 5: what was sent before the latest delivery, by more than the reordering window, is lost.
    #[inline(always)]
    pub(super) fn detect(
        &mut self,
        now: Instant,
        least: Option<Duration>,
        recovering: bool,
        mss: u32,
    ) -> Detected {
        let mut detected = Detected::default();
        let (Some(latest), false) = (self.latest, self.sacked == 0 && !recovering) else { return detected };
        // Section 6.2, step 4: no window at all where nothing was ever reordered and three segments have been reported.
        let window = if !self.reordered && (recovering || self.sacked > mss.saturating_mul(2)) {
            Duration::ZERO
        } else {
            let quarters = u64::from(self.patience).saturating_add(1);
            let window = (least.unwrap_or_default().micros() / 4).saturating_mul(quarters);
            Duration::from_micros(window.min(latest.rtt.micros()))
        };
        let (mut in_flight, mut lost) = (self.in_flight, self.lost);
        for run in &mut self.runs {
            // Within one instant, segments go out in the order of their numbers; but not those that are sent again.
            let tie = run.sent == latest.sent && run.resent;
            let later = !sent_after(latest.sent, latest.end, run.sent, run.end());
            if run.fate != RunFate::InFlight || later || tie {
                continue;
            }
            let due = run.sent + latest.rtt + window;
            if due <= now {
                run.fate = RunFate::Lost;
                in_flight = in_flight.saturating_sub(run.length);
                lost = lost.saturating_add(run.length);
                detected.lost = true;
            } else {
                detected.again = Some(detected.again.map_or(due, |again| again.max(due)));
            }
        }
        (self.in_flight, self.lost) = (in_flight, lost);
        detected
    }

    /// Without SACK: the first `length` bytes are lost (RFC 6582 section 3.2). Gives where they end.
    pub(super) fn lose_first(&mut self, length: u32) -> Option<SeqNum> {
        let first = self.runs.front().copied().filter(|first| first.fate == RunFate::InFlight)?;
        if first.length > length {
            self.split(0, first.start.plus(length));
        }
        let first = self.runs.front_mut()?;
        first.fate = RunFate::Lost;
        let (length, end) = (first.length, first.end());
        self.count(RunFate::InFlight, length, false);
        self.count(RunFate::Lost, length, true);
        Some(end)
    }

    /// RFC 8985 section 7.3: the last `length` bytes, as a run of their own that may be sent again.
    pub(super) fn cut_tail(&mut self, length: u32) -> Option<(SeqNum, u32)> {
        let at = self.runs.len().checked_sub(1)?;
        let last = *self.runs.get(at)?;
        if last.length <= length {
            return Some((last.start, last.length));
        }
        let start = last.end().minus(length);
        self.split(at, start).then_some((start, length))
    }

    /// The timer has expired: nothing that is not reported has arrived. A first run that is reported and yet not
    /// acknowledged tells that the peer has forgotten its reports (RFC 2018 section 8).
    pub(super) fn lose_all(&mut self) {
        let forgotten = self.runs.front().is_some_and(|first| first.fate == RunFate::Sacked);
        for run in &mut self.runs {
            if run.fate != RunFate::Sacked || forgotten {
                run.fate = RunFate::Lost;
            }
        }
        if forgotten {
            self.sacked = 0;
        }
        self.lost = self
            .runs
            .iter()
            .filter(|run| run.fate == RunFate::Lost)
            .fold(0, |sum, run| sum.saturating_add(run.length));
        self.in_flight = 0;
    }

    /// What was thought to be lost is on its way.
    pub(super) fn lose_none(&mut self) {
        for run in &mut self.runs {
            if run.fate == RunFate::Lost {
                run.fate = RunFate::InFlight;
            }
        }
        self.in_flight = self.in_flight.saturating_add(self.lost);
        self.lost = 0;
    }

    /// A segment came twice, so one was sent again too early. RFC 8985 section 6.2, step 4: "RACK_update_reo_wnd", once a
    /// round trip.
    pub(super) fn came_twice(&mut self, una: SeqNum, nxt: SeqNum) {
        if self.patience_grew.is_none_or(|grew| !una.before(grew)) {
            self.patience = self.patience.saturating_add(1);
            self.patience_grew = Some(nxt);
            self.reordered = true;
        }
    }

    /// The first run to be sent again: its start and its length.
    pub(super) fn next_lost(&self) -> Option<(SeqNum, u32)> {
        if self.lost == 0 {
            return None;
        }
        self.runs.iter().find(|run| run.fate == RunFate::Lost).map(|run| (run.start, run.length))
    }

    /// The first `length` bytes of the lost run at `start` have been sent again.
    pub(super) fn resent(&mut self, start: SeqNum, length: u32, now: Instant) {
        let at = self.runs.partition_point(|run| run.start.before(start));
        let Some(run) = self.runs.get(at).copied() else { return };
        if run.length > length {
            self.split(at, start.plus(length));
        }
        if let Some(run) = self.runs.get_mut(at) {
            let (fate, length) = (run.fate, run.length);
            (run.fate, run.sent, run.resent) = (RunFate::InFlight, now, true);
            self.count(fate, length, false);
            self.count(RunFate::InFlight, length, true);
        }
    }

    /// Cuts a run in two at `middle`, where there is room.
    fn split(&mut self, at: usize, middle: SeqNum) -> bool {
        if self.is_full() {
            return false;
        }
        self.grow();
        let Some(run) = self.runs.get_mut(at) else { return false };
        let first = middle.since(run.start);
        let second = Run { start: middle, length: run.length.saturating_sub(first), ..*run };
        run.length = first;
        self.runs.insert(at.saturating_add(1), second);
        true
    }

    fn count(&mut self, fate: RunFate, bytes: u32, add: bool) {
        let sum = match fate {
            RunFate::InFlight => &mut self.in_flight,
            RunFate::Sacked => &mut self.sacked,
            RunFate::Lost => &mut self.lost,
        };
        *sum = if add { sum.saturating_add(bytes) } else { sum.saturating_sub(bytes) };
    }
}

/// RFC 8985 section 6.2: `RACK_sent_after`.
fn sent_after(sent: Instant, end: SeqNum, other_sent: Instant, other_end: SeqNum) -> bool {
    sent > other_sent || (sent == other_sent && end.after(other_end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const START: SeqNum = SeqNum::new(0xffff_f000);
    const MSS: u32 = 1_000;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn flight(segments: u32) -> Flight {
        let mut flight = Flight::new();
        for number in 0..segments {
            flight.sent(START.plus(number * MSS), MSS, at(u64::from(number)));
        }
        flight
    }

    fn sack(flight: &mut Flight, left: u32, right: u32, now: Instant) -> Delivered {
        flight.sack(START.plus(left), START.plus(right), now, None)
    }

    #[test]
    fn karn_takes_nothing_from_what_waited_behind_a_hole() {
        let mut flight = flight(3);
        assert_eq!(
            flight.acknowledged(START.plus(1_000), at(100), None).rtt,
            Some(Duration::from_millis(100))
        );
        flight.lose_first(MSS);
        flight.resent(START.plus(1_000), MSS, at(200));
        let delivered = flight.acknowledged(START.plus(3_000), at(300), None);
        assert_eq!((delivered.bytes, delivered.rtt), (2_000, None));
        assert!(flight.is_empty());
    }

    #[test]
    fn three_reported_segments_tell_of_a_loss_two_do_not() {
        let mut flight = flight(5);
        sack(&mut flight, 1_000, 3_000, at(10));
        let detected = flight.detect(at(10), Some(Duration::from_millis(8)), false, MSS);
        // Sent at 0, the latest delivery took 8 ms, and a quarter of the least round trip is 2 ms: due by now.
        assert!(detected.lost);
        let mut flight = self::flight(5);
        sack(&mut flight, 1_000, 3_000, at(10));
        let detected = flight.detect(at(10), Some(Duration::from_millis(20)), false, MSS);
        assert_eq!((detected.lost, detected.again), (false, Some(at(13))));
        sack(&mut flight, 3_000, 4_000, at(10));
        assert!(flight.detect(at(10), None, false, MSS).lost);
        assert_eq!(flight.next_lost(), Some((START, 1_000)));
        assert_eq!((flight.pipe(), flight.size()), (1_000, 5_000));
    }

    #[test]
    fn a_forgetful_peer_gets_everything_again() {
        let mut flight = flight(3);
        sack(&mut flight, 1_000, 2_000, at(10));
        flight.lose_all();
        assert_eq!((flight.lost, flight.sacked), (2_000, 1_000));
        flight.acknowledged(START.plus(1_000), at(20), None);
        flight.lose_all();
        assert_eq!((flight.lost, flight.sacked), (2_000, 0));
    }

    #[test]
    fn the_scoreboard_is_bounded_and_loses_no_byte() {
        let mut flight = flight(5_000);
        assert_eq!((flight.runs.len(), flight.size()), (1_024, 5_000_000));
        for number in 0..5_000 {
            sack(&mut flight, number * MSS + 1, number * MSS + 2, at(9_000));
        }
        assert_eq!((flight.runs.len(), flight.size()), (1_024, 5_000_000));
    }

    proptest! {
        /// Whatever happens, the runs cover what was sent without gaps, and the sums are theirs.
        #[test]
        fn the_sums_are_those_of_the_runs(steps in prop::collection::vec((0_u8..7, 0_u32..8_000, 1_u32..3_000), 0..120)) {
            let mut flight = Flight::new();
            let (mut una, mut nxt) = (0_u32, 0_u32);
            for (number, (step, from, length)) in steps.into_iter().enumerate() {
                let now = at(number as u64);
                let (left, right) = (una + from, (una + from + length).min(nxt));
                match step {
                    0 | 1 => {
                        flight.sent(START.plus(nxt), length, now);
                        nxt += length;
                    }
                    2 => {
                        una = (una + length).min(nxt);
                        flight.acknowledged(START.plus(una), now, None);
                    }
                    3 if left < right => {
                        sack(&mut flight, left, right, now);
                    }
                    4 => {
                        flight.lose_first(length);
                    }
                    5 => flight.lose_all(),
                    _ => {
                        flight.detect(now, None, false, MSS);
                        if let Some((start, lost)) = flight.next_lost() {
                            flight.resent(start, lost.min(length), now);
                        }
                    }
                }
                let mut next = START.plus(una);
                let mut sums = vec![0; 3];
                for run in &flight.runs {
                    prop_assert_eq!(run.start, next);
                    prop_assert!(run.length > 0);
                    next = run.end();
                    sums[run.fate as usize] += run.length;
                }
                prop_assert_eq!(next, START.plus(nxt));
                let expected: Vec<u32> = vec![flight.in_flight, flight.sacked, flight.lost];
                prop_assert_eq!(sums, expected);
            }
        }
    }
}
