//! The receiving half of a connection: RFC 9293's RCV variables, when to acknowledge, and how large the window is.

use super::assembly::{Assembly, Budget, Refused};
use super::seq::SeqNum;
use crate::wire::tcp::SackBlocks;
use crate::{Duration, Instant};
use alloc::boxed::Box;

/// RFC 9293 section 3.8.6.3: an acknowledgment is delayed by less than half a second. Peers measure this.
const DELAY: Duration = Duration::from_millis(40);

/// RCV of RFC 9293 section 3.3.1.
#[derive(Debug)]
pub(super) struct Receive {
    /// RCV.NXT.
    pub(super) next: SeqNum,
    /// RCV.NXT + RCV.WND as the peer has been told.
    edge: SeqNum,
    /// RFC 7323 section 4.3: Last.ACK.sent.
    pub(super) acknowledged: SeqNum,
    pub(super) ack: Ack,
    /// Where the peer's FIN stands, once one has been seen.
    pub(super) fin: Option<SeqNum>,
    /// The service knows of the end.
    pub(super) end_shown: bool,
    /// What came twice last, until it is reported (RFC 2883).
    pub(super) duplicate: Option<(SeqNum, SeqNum)>,
    /// A packet came with a mark, and the peer has not said yet that it sends less (RFC 3168 section 6.1.3).
    pub(super) marked: bool,
    assembly: Option<Box<Assembly>>,
}

/// What is owed to the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ack {
    Nothing,
    /// An acknowledgment, with the next data or at this time.
    By(Instant),
    Now,
}

impl Receive {
    /// After the peer's SYN, acknowledged with a window of `window` bytes.
    pub(super) fn new(next: SeqNum, window: u32) -> Self {
        Self {
            next,
            edge: next.plus(window),
            acknowledged: next,
            ack: Ack::Nothing,
            fin: None,
            end_shown: false,
            duplicate: None,
            marked: false,
            assembly: None,
        }
    }

    /// RCV.WND.
    pub(super) fn window(&self) -> u32 {
        self.edge.since(self.next)
    }

    /// The four cases of RFC 9293 section 3.10.7.4, table 6. `length` counts SYN and FIN.
    ///
    /// A shut window still takes what starts at RCV.NXT, for its ACK and its control bits: "special allowance should be
    /// made to accept valid ACKs, URGs, and RSTs".
    pub(super) fn acceptable(&self, sequence: SeqNum, length: u32) -> bool {
        let window = self.window();
        if window == 0 {
            return sequence == self.next;
        }
        sequence.within(self.next, window)
            || (length > 0 && sequence.plus(length.wrapping_sub(1)).within(self.next, window))
    }

    /// Bytes in order that the service has left.
    pub(super) fn ready(&self) -> &[u8] {
        self.assembly.as_ref().map_or(&[], |assembly| assembly.ready())
    }

    /// Nothing is buffered: bytes in order may be shown where they lie.
    pub(super) fn is_empty(&self) -> bool {
        self.assembly.is_none()
    }

    /// Keeps bytes at RCV.NXT.
    pub(super) fn append(&mut self, bytes: &[u8], budget: &mut Budget) -> Result<(), Refused> {
        let assembly = self.assembly.get_or_insert_default();
        let result = assembly.append(self.next, bytes, budget).map(|next| self.next = next);
        self.tidy(budget);
        result
    }

    /// Keeps bytes behind a hole.
    pub(super) fn insert(
        &mut self,
        sequence: SeqNum,
        bytes: &[u8],
        budget: &mut Budget,
    ) -> Result<(), Refused> {
        let assembly = self.assembly.get_or_insert_default();
        let twice = assembly.overlap(sequence, bytes);
        self.duplicate = twice.or(self.duplicate);
        let result = assembly.insert(self.next, sequence, bytes, budget);
        self.tidy(budget);
        result
    }

    /// The service has consumed `count` of the bytes in order.
    pub(super) fn consume(&mut self, count: usize, budget: &mut Budget) {
        if let Some(assembly) = self.assembly.as_mut() {
            assembly.consume(count);
        }
        self.tidy(budget);
    }

    /// The FIN takes its number. A shut window takes one too, and has moved on by it.
    pub(super) fn end(&mut self) {
        self.next = self.next.plus(1);
        self.edge = self.edge.later(self.next);
        self.ack = Ack::Now;
    }

    /// Frees the buffer when nothing is in it.
    fn tidy(&mut self, budget: &mut Budget) {
        if self.assembly.as_ref().is_some_and(|assembly| assembly.is_empty()) {
            self.release(budget);
        }
    }

    /// Frees the buffer.
    pub(super) fn release(&mut self, budget: &mut Budget) {
        if let Some(assembly) = self.assembly.take() {
            assembly.release(budget);
        }
    }

    /// Bytes that are allocated.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn held(&self) -> usize {
        self.assembly.as_ref().map_or(0, |assembly| assembly.held())
    }

    /// Whether [`Self::sack`] has anything to say.
    pub(super) fn has_to_report(&self) -> bool {
        self.duplicate.is_some() || self.assembly.is_some()
    }

    /// Reports what came twice, then what came behind a hole.
    #[inline(always)]
    pub(super) fn sack(&self, blocks: &mut SackBlocks) {
        if let Some((left, right)) = self.duplicate {
            blocks.push(left.get(), right.get());
        }
        if let Some(assembly) = self.assembly.as_ref() {
            assembly.sack(blocks);
        }
    }

    /// Data has come in order. RFC 5681 section 4.2: "an ACK SHOULD be generated for at least every second full-sized
    /// segment".
    pub(super) fn owe(&mut self, now: Instant, segment: u32) {
        let unacknowledged = self.next.since(self.acknowledged);
        self.ack = match self.ack {
            _ if unacknowledged >= segment.saturating_mul(2) => Ack::Now,
            Ack::Nothing => Ack::By(now + DELAY),
            owed => owed,
        };
    }

    /// The right edge that could be told now. It never moves back (RFC 9293 section 3.8.6: "SHOULD NOT shrink").
    fn reach(&self, limit: u32) -> SeqNum {
        let held = u32::try_from(self.ready().len()).unwrap_or(u32::MAX);
        self.edge.later(self.next.plus(limit.saturating_sub(held)))
    }

    /// Silly window avoidance, RFC 9293 section 3.8.6.2.2: the edge moves when it can move by a segment or half the buffer.
    fn next_edge(&self, limit: u32, segment: u32) -> SeqNum {
        let reach = self.reach(limit);
        if reach.since(self.edge) >= segment.min(limit / 2) { reach } else { self.edge }
    }

    /// The service has read on, and the peer, who may wait for it, should be told of the window.
    pub(super) fn window_opened(&self, limit: u32, segment: u32) -> bool {
        self.window() < limit / 2 && self.reach(limit).since(self.edge) >= segment.min(limit / 2)
    }

    /// The window field of a segment that goes out now, and the edge that it tells.
    pub(super) fn announce(&self, limit: u32, segment: u32, shift: u8) -> Announcement {
        let window = self.next_edge(limit, segment).since(self.next);
        let field = u16::try_from(window >> shift).unwrap_or(u16::MAX);
        let told = self.next.plus(u32::from(field) << shift);
        Announcement { ack: self.next, field, edge: self.edge.later(told) }
    }

    /// The segment has gone out.
    pub(super) fn announced(&mut self, announcement: &Announcement) {
        self.acknowledged = announcement.ack;
        self.edge = announcement.edge;
        self.ack = Ack::Nothing;
        self.duplicate = None;
    }
}

/// What a segment of ours says about what we received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcement {
    pub(super) ack: SeqNum,
    pub(super) field: u16,
    edge: SeqNum,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: SeqNum = SeqNum::new(1_000);

    #[test]
    fn the_four_cases_of_acceptance() {
        let mut receive = Receive::new(NEXT, 100);
        for (sequence, length, acceptable) in [
            (999, 0, false),
            (1_000, 0, true),
            (1_099, 0, true),
            (1_100, 0, false),
            (999, 1, false),
            (999, 2, true),
            (1_099, 500, true),
            (1_100, 1, false),
            (900, 300, false),
        ] {
            assert_eq!(receive.acceptable(SeqNum::new(sequence), length), acceptable, "{sequence}+{length}");
        }
        receive.edge = NEXT;
        assert!(receive.acceptable(NEXT, 0) && receive.acceptable(NEXT, 1));
        assert!(!receive.acceptable(SeqNum::new(1_001), 0) && !receive.acceptable(SeqNum::new(999), 1));
    }

    #[test]
    fn the_window_shuts_and_opens_in_no_silly_steps() {
        let mut budget = Budget::new(1 << 20);
        let mut receive = Receive::new(NEXT, 4_000);
        receive.append(&[1; 4_000], &mut budget).unwrap();
        let shut = receive.announce(4_000, 1_460, 0);
        assert_eq!((shut.ack, shut.field), (SeqNum::new(5_000), 0));
        receive.announced(&shut);
        receive.consume(1_000, &mut budget);
        assert!(!receive.window_opened(4_000, 1_460));
        assert_eq!(receive.announce(4_000, 1_460, 0).field, 0);
        receive.consume(460, &mut budget);
        assert!(receive.window_opened(4_000, 1_460));
        assert_eq!(receive.announce(4_000, 1_460, 0).field, 1_460);
    }

    #[test]
    fn a_shut_window_stays_shut_behind_a_fin() {
        let mut budget = Budget::new(1 << 20);
        let mut receive = Receive::new(NEXT, 4_000);
        receive.append(&[1; 4_000], &mut budget).unwrap();
        let shut = receive.announce(4_000, 1_460, 0);
        receive.announced(&shut);
        receive.end();
        assert_eq!((receive.next, receive.window()), (SeqNum::new(5_001), 0));
        assert_eq!(receive.announce(4_000, 1_460, 0).field, 0);
    }

    #[test]
    fn every_second_segment_is_acknowledged_at_once() {
        let mut receive = Receive::new(NEXT, 4_000);
        receive.next = NEXT.plus(1_460);
        receive.owe(Instant::ZERO, 1_460);
        assert_eq!(receive.ack, Ack::By(Instant::from_micros(40_000)));
        receive.next = NEXT.plus(2_920);
        receive.owe(Instant::ZERO, 1_460);
        assert_eq!(receive.ack, Ack::Now);
    }
}
