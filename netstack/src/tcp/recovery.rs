//! How lost segments are repaired: fast recovery with proportional rate reduction (RFC 6937), or after a time-out.

use super::seq::SeqNum;

/// Where the sender stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// A loss was found by acknowledgments; the window shrinks step by step.
    Recovery(Reduction),
    /// The timer expired; slow start from one segment.
    Loss {
        /// What was sent last when the timer expired.
        point: SeqNum,
    },
}

/// RFC 6937 section 3, and RFC 9937, which replaces it, for its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reduction {
    /// RFC 6675 "RecoveryPoint": what was sent last when the loss was found.
    pub(super) point: SeqNum,
    /// RecoverFS, as RFC 9937 counts it: bytes sent at that time and not yet known to have arrived. Those reported before
    /// will not count as delivered either.
    in_flight: u32,
    /// `prr_delivered`.
    delivered: u32,
    /// `prr_out`.
    sent: u32,
    /// Without SACK: what duplicates have stood for, and no acknowledgment has covered since.
    presumed: u32,
    /// Without SACK: the end of what was sent again last.
    pub(super) repaired: SeqNum,
}

impl Reduction {
    pub(super) fn new(point: SeqNum, in_flight: u32) -> Self {
        Self { point, in_flight: in_flight.max(1), delivered: 0, sent: 0, presumed: 0, repaired: point }
    }

    /// RFC 9937 on DeliveredData without SACK: a duplicate stands for a segment of `mss` bytes, but all of them for no more
    /// than was under way, so that duplicates made up by the peer gain it nothing.
    pub(super) fn duplicate(&mut self, mss: u32) -> u32 {
        let delivered = mss.min(self.in_flight.saturating_sub(self.delivered));
        self.presumed = self.presumed.saturating_add(delivered);
        delivered
    }

    /// And an acknowledgment of `bytes` brings what duplicates have not stood for already.
    pub(super) fn advanced(&mut self, bytes: u32) -> u32 {
        let counted = self.presumed.min(bytes);
        self.presumed = self.presumed.saturating_sub(counted);
        bytes.saturating_sub(counted)
    }

    pub(super) fn sent(&mut self, bytes: u32) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// The window after `delivered` more bytes are known to have arrived, with `pipe` bytes in the network.
    pub(super) fn window(&mut self, delivered: u32, pipe: u32, threshold: u32, mss: u32) -> u32 {
        self.delivered = self.delivered.saturating_add(delivered);
        let may_send = if pipe > threshold {
            // "sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out".
            let share = u64::from(self.delivered).saturating_mul(u64::from(threshold));
            let share = share.div_ceil(u64::from(self.in_flight.max(1)));
            u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(self.sent)
        } else {
            // Slow start reduction bound: "limit = MAX(prr_delivered - prr_out, DeliveredData) + MSS".
            let limit = self.delivered.saturating_sub(self.sent).max(delivered).saturating_add(mss);
            threshold.saturating_sub(pipe).min(limit)
        };
        // The first retransmission goes out in any case.
        let least = if self.sent == 0 { mss } else { 0 };
        pipe.saturating_add(may_send.max(least))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;

    #[test]
    fn duplicates_stand_for_what_was_under_way_and_no_more() {
        let mut reduction = Reduction::new(SeqNum::new(0), 5_000);
        let mut delivered = 0;
        for _ in 0..1_000 {
            let bytes = reduction.duplicate(1_000);
            reduction.window(bytes, 9_000, 3_500, 1_000);
            delivered += bytes;
        }
        assert_eq!(delivered, 5_000);
        // An acknowledgment of 7,000 bytes: for 5,000 of them duplicates have come.
        assert_eq!((reduction.advanced(7_000), reduction.advanced(1_000)), (2_000, 1_000));
    }

    #[test]
    fn proportional_then_slow_start() {
        let mut reduction = Reduction::new(SeqNum::new(0), 20_000);
        // A loss of one in 20: 19 segments in the pipe, the target is 14.
        assert_eq!(reduction.window(1_000, 18_000, 14_000, 1_000), 19_000);
        reduction.sent(1_000);
        // 2,000 delivered * 14 / 20 = 1,400, of which 1,000 are sent.
        assert_eq!(reduction.window(1_000, 18_000, 14_000, 1_000), 18_400);
        // Under the target: at most a segment more than what arrived.
        assert_eq!(reduction.window(1_000, 5_000, 14_000, 1_000), 5_000 + 3_000);
        assert_eq!(reduction.window(0, 13_500, 14_000, 1_000), 14_000);
    }
}
