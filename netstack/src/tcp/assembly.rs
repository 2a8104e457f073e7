//! Received bytes that wait: those in order that the service has left, then those behind a hole.

use super::seq::SeqNum;
use crate::wire::tcp::SackBlocks;
use alloc::vec::Vec;

/// The most runs out of order on one connection. A segment costs a walk over these and no more, however small it is.
const RANGES: usize = 16;
/// The smallest buffer, and the next: what an allocator keeps by size in between, when it is free, would be for buffers of
/// that size alone, and a peer could have one size after the other kept.
const LEAST: usize = 512;
const NEXT: usize = 4_096;

/// Bytes that buffers have in all connections together.
#[derive(Debug)]
pub(super) struct Budget {
    used: usize,
    limit: usize,
    refused: bool,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: 0, limit, refused: false }
    }

    /// Bytes out of order get at most half, so that a flood of them takes nothing from requests that come in pieces.
    fn take(&mut self, bytes: usize, in_order: bool) -> bool {
        let limit = if in_order { self.limit } else { self.limit / 2 };
        let used = self.used.saturating_add(bytes);
        if used > limit {
            self.refused = true;
            return false;
        }
        self.used = used;
        true
    }

    /// Whether bytes had no room since the last time this was asked.
    pub(super) fn was_refused(&mut self) -> bool {
        core::mem::take(&mut self.refused)
    }

    fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }
}

/// Why bytes were not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// All buffers together are as large as they may be.
    Budget,
    /// There are as many ranges as there may be.
    Ranges,
}

/// A contiguous buffer whose first byte is the first that the service has not consumed.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// As long as it was allocated.
    buffer: Vec<u8>,
    /// Consumed bytes that are still in front.
    start: usize,
    /// Bytes in order from `start` on; RCV.NXT is where they end.
    ready: usize,
    /// What has come behind RCV.NXT: left and right edge, disjoint, the latest first (RFC 2018 section 4).
    ranges: Vec<(SeqNum, SeqNum)>,
}

impl Assembly {
    /// Bytes in order.
    pub(super) fn ready(&self) -> &[u8] {
        self.buffer.get(self.start..self.start.saturating_add(self.ready)).unwrap_or_default()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0 && self.ranges.is_empty()
    }

    /// The service has consumed `count` of the bytes in order.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.ready);
        self.start = self.start.saturating_add(count);
        self.ready = self.ready.saturating_sub(count);
    }

    /// Adds bytes at RCV.NXT, and what they join on to; gives the new RCV.NXT.
    pub(super) fn append(
        &mut self,
        next: SeqNum,
        bytes: &[u8],
        budget: &mut Budget,
    ) -> Result<SeqNum, Refused> {
        self.write(0, bytes, budget, true)?;
        let mut end = next.plus(length(bytes));
        // A range that the bytes reach may reach the next one: as often as there are ranges.
        while let Some(at) = self.ranges.iter().position(|range| !range.0.after(end)) {
            end = end.later(self.ranges.swap_remove(at).1);
        }
        self.ready = self.ready.saturating_add(end.since(next) as usize);
        Ok(end)
    }

    /// Keeps bytes from `sequence` on, which is after RCV.NXT.
    pub(super) fn insert(
        &mut self,
        next: SeqNum,
        sequence: SeqNum,
        bytes: &[u8],
        budget: &mut Budget,
    ) -> Result<(), Refused> {
        let (mut left, mut right) = (sequence, sequence.plus(length(bytes)));
        let touches = |range: &(SeqNum, SeqNum)| !range.0.after(right) && !range.1.before(left);
        if self.ranges.len() >= RANGES && !self.ranges.iter().any(touches) {
            return Err(Refused::Ranges);
        }
        self.write(sequence.since(next) as usize, bytes, budget, false)?;
        self.ranges.retain(|range| {
            let joins = !range.0.after(right) && !range.1.before(left);
            if joins {
                (left, right) = (left.earlier(range.0), right.later(range.1));
            }
            !joins
        });
        self.ranges.insert(0, (left, right));
        Ok(())
    }

    /// What of the bytes from `sequence` on is here already, if it is one piece of one range.
    pub(super) fn overlap(&self, sequence: SeqNum, bytes: &[u8]) -> Option<(SeqNum, SeqNum)> {
        let end = sequence.plus(length(bytes));
        let pieces = self.ranges.iter().map(|range| (range.0.later(sequence), range.1.earlier(end)));
        pieces.into_iter().find(|piece| piece.0.before(piece.1))
    }

    /// The ranges, the latest first.
    pub(super) fn sack(&self, blocks: &mut SackBlocks) {
        for (left, right) in self.ranges.iter().take(SackBlocks::CAPACITY) {
            blocks.push(left.get(), right.get());
        }
    }

    /// Bytes that are allocated.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Gives the memory back.
    pub(super) fn release(self, budget: &mut Budget) {
        budget.give(self.buffer.len());
    }

    /// Writes at `offset` bytes behind RCV.NXT.
    fn write(
        &mut self,
        offset: usize,
        bytes: &[u8],
        budget: &mut Budget,
        in_order: bool,
    ) -> Result<(), Refused> {
        let needed = self.ready.saturating_add(offset).saturating_add(bytes.len());
        if self.start.saturating_add(needed) > self.buffer.len() {
            self.buffer.copy_within(self.start.., 0);
            self.start = 0;
        }
        if needed > self.buffer.len() {
            let length = if needed <= LEAST { LEAST } else { needed.next_power_of_two().max(NEXT) };
            if !budget.take(length.saturating_sub(self.buffer.len()), in_order) {
                return Err(Refused::Budget);
            }
            self.buffer.reserve_exact(length.saturating_sub(self.buffer.len()));
            self.buffer.resize(length, 0);
        }
        let from = self.start.saturating_add(self.ready).saturating_add(offset);
        if let Some(room) = self.buffer.get_mut(from..from.saturating_add(bytes.len())) {
            room.copy_from_slice(bytes);
        }
        Ok(())
    }
}

/// A segment's data is shorter than 2^16.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    const NEXT: SeqNum = SeqNum::new(0xffff_ff00);

    #[test]
    fn blocks_come_latest_first() {
        let (mut assembly, mut budget) = (Assembly::default(), Budget::new(1 << 20));
        for offset in [10, 30, 20, 40] {
            assembly.insert(NEXT, NEXT.plus(offset), &[1; 5], &mut budget).unwrap();
        }
        let mut blocks = SackBlocks::default();
        assembly.sack(&mut blocks);
        let lefts: Vec<u32> =
            blocks.as_slice().iter().map(|block| block.0.wrapping_sub(NEXT.get())).collect();
        assert_eq!(lefts, [40, 20, 30, 10]);
    }

    #[test]
    fn one_byte_segments_make_no_more_than_16_ranges() {
        let (mut assembly, mut budget) = (Assembly::default(), Budget::new(1 << 20));
        let results: Vec<_> =
            (0..10_000_u32).map(|n| assembly.insert(NEXT, NEXT.plus(1 + 2 * n), &[7], &mut budget)).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 16);
        assert!(results[16..].iter().all(|result| *result == Err(Refused::Ranges)));
        assert_eq!(assembly.ranges.len(), 16);
        assert_eq!(budget.used(), 512);
    }

    #[test]
    fn out_of_order_takes_half_the_budget_in_order_the_rest() {
        let (mut assembly, mut budget) = (Assembly::default(), Budget::new(8_192));
        assert_eq!(assembly.insert(NEXT, NEXT.plus(5_000), &[1], &mut budget), Err(Refused::Budget));
        assert!(assembly.insert(NEXT, NEXT.plus(2_000), &[1], &mut budget).is_ok());
        assert_eq!(budget.used(), 4_096);
        assert_eq!(assembly.append(NEXT, &[2; 5_000], &mut budget), Ok(NEXT.plus(5_000)));
        assert_eq!(budget.used(), 8_192);
        assembly.release(&mut budget);
        assert_eq!(budget.used(), 0);
    }

    proptest! {
        /// Segments of one stream, in any order, again and again: what comes out is the stream.
        #[test]
        fn agrees_with_the_stream(
            pieces in prop::collection::vec((0_usize..1_000, 1_usize..120, 0_usize..300), 1..200),
        ) {
            let stream: Vec<u8> = (0..1_200_u32).map(|n| (n * 7 + n / 251) as u8).collect();
            let (mut assembly, mut budget) = (Assembly::default(), Budget::new(1 << 20));
            let (mut next, mut out) = (NEXT, vec![]);
            for (from, count, consume) in pieces {
                let at = next.since(NEXT) as usize;
                let from = from.max(at);
                let bytes = &stream[from..(from + count).min(1_200).max(from)];
                let sequence = NEXT.plus(from as u32);
                if sequence == next {
                    next = assembly.append(next, bytes, &mut budget).unwrap();
                } else if !bytes.is_empty() {
                    let _ = assembly.insert(next, sequence, bytes, &mut budget);
                }
                let consume = consume.min(assembly.ready().len());
                out.extend_from_slice(&assembly.ready()[..consume]);
                assembly.consume(consume);
                prop_assert_eq!(&stream[..out.len()], &out[..]);
                prop_assert_eq!(out.len() + assembly.ready().len(), next.since(NEXT) as usize);
                prop_assert!(stream[out.len()..].starts_with(assembly.ready()));
                for (number, range) in assembly.ranges.iter().enumerate() {
                    prop_assert!(range.0.before(range.1) && range.0.after(next));
                    for other in &assembly.ranges[number + 1..] {
                        prop_assert!(range.1.before(other.0) || other.1.before(range.0));
                    }
                }
            }
        }
    }
}
