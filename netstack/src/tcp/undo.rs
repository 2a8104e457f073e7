//! Spurious retransmissions: the Eifel algorithm (RFC 3522) by timestamps, and D-SACK (RFC 3708) for the rest; the response
//! is RFC 4015's.

use super::congestion::Congestion;
use super::send::Report;
use super::seq::SeqNum;

/// What stood before a loss was presumed, as long as it may turn out that there was none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undo {
    pub(super) congestion: Congestion,
    /// What was sent again lies between these.
    from: SeqNum,
    to: SeqNum,
    /// Segments sent again and not reported to have come twice.
    again: u32,
    /// The timestamp of the first that was sent again.
    stamp: Option<u32>,
}

impl Undo {
    /// `from` is SND.UNA, `to` is SND.NXT.
    pub(super) fn new(congestion: Congestion, from: SeqNum, to: SeqNum) -> Self {
        Self { congestion, from, to, again: 0, stamp: None }
    }

    /// `segments` were sent again, with the timestamp `stamp`.
    pub(super) fn sent_again(&mut self, segments: u32, stamp: u32) {
        self.again = self.again.saturating_add(segments);
        self.stamp.get_or_insert(stamp);
    }

    /// RFC 3522 section 3.2 (5): the acknowledgment echoes a timestamp from before anything was sent again, so it is the
    /// original that has arrived.
    pub(super) fn original_arrived(&self, echo: u32) -> bool {
        self.stamp.is_some_and(|stamp| SeqNum::new(echo).before(SeqNum::new(stamp)))
    }

    /// The peer reports `block` to have come twice. Says whether everything that was sent again has.
    pub(super) fn came_twice(&mut self, block: (SeqNum, SeqNum), mss: u32) -> bool {
        let (left, right) = block;
        if left.before(self.from) || right.after(self.to) || self.again == 0 {
            return false;
        }
        let segments = right.since(left).div_ceil(mss.max(1));
        self.again = self.again.saturating_sub(segments);
        self.again == 0
    }
}

/// RFC 2883 section 4: a first block that the acknowledgment covers, or the second block, is of what came twice.
pub(super) fn duplicate(report: &Report<'_>) -> Option<(SeqNum, SeqNum)> {
    let mut blocks =
        report.sack.as_slice().iter().map(|&(left, right)| (SeqNum::new(left), SeqNum::new(right)));
    let first = blocks.next().filter(|first| report.selective && first.0.before(first.1))?;
    let below = !first.1.after(report.ack);
    let within = blocks.next().is_some_and(|second| !first.0.before(second.0) && !first.1.after(second.1));
    (below || within).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::SackBlocks;

    fn number(number: u32) -> SeqNum {
        SeqNum::new(number)
    }

    #[test]
    fn an_echo_from_before_tells_of_the_original() {
        let mut undo = Undo::new(Congestion::new(1_000, false), number(0), number(10_000));
        assert!(!undo.original_arrived(5));
        undo.sent_again(1, 7);
        undo.sent_again(1, 9);
        assert!(undo.original_arrived(6) && !undo.original_arrived(7));
    }

    #[test]
    fn all_that_was_sent_again_has_to_come_twice() {
        let mut undo = Undo::new(Congestion::new(1_000, false), number(1_000), number(10_000));
        assert!(!undo.came_twice((number(1_000), number(2_000)), 1_000));
        undo.sent_again(3, 7);
        assert!(!undo.came_twice((number(0), number(1_000)), 1_000), "an old one");
        assert!(!undo.came_twice((number(1_000), number(3_000)), 1_000));
        assert!(undo.came_twice((number(3_000), number(3_500)), 1_000));
    }

    #[test]
    fn which_block_is_a_duplicate() {
        for (ack, blocks, expected) in [
            (5_000, &[(1_000, 2_000)][..], true),
            (5_000, &[(5_000, 6_000)], false),
            (5_000, &[(6_000, 7_000), (6_000, 9_000)], true),
            (5_000, &[(6_000, 7_000), (8_000, 9_000)], false),
            (5_000, &[(2_000, 1_000)], false),
        ] {
            let mut sack = SackBlocks::default();
            blocks.iter().for_each(|&(left, right)| sack.push(left, right));
            let report = Report {
                ack: number(ack),
                sack: &sack,
                selective: true,
                bare: true,
                echo: None,
                stamp: None,
                mss: 1_000,
            };
            assert_eq!(duplicate(&report).is_some(), expected, "{blocks:?}");
        }
    }
}
