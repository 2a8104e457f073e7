//! HyStart++ (RFC 9406): the first slow start ends when the round trip grows, before the path's queue overflows.
//!
//! Section 4.3 bounds the growth by one acknowledgment to 8 segments where sending is not paced. That bound is left out: a
//! peer that merges received segments acknowledges up to 44 at once, and they left here in one packet as well.

use super::seq::SeqNum;
use crate::Duration;

/// N_RTT_SAMPLE.
const SAMPLES: u8 = 8;
/// MIN_RTT_THRESH and MAX_RTT_THRESH, in microseconds; the threshold is an eighth of the round trip between them.
const LEAST: u32 = 4_000;
const MOST: u32 = 16_000;
/// CSS_GROWTH_DIVISOR.
const DIVISOR: u32 = 4;
/// CSS_ROUNDS.
const ROUNDS: u8 = 5;
/// No sample yet.
const UNKNOWN: u32 = u32::MAX;

/// Rounds of the first slow start; times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    /// windowEnd: the round ends when this is acknowledged.
    end: Option<SeqNum>,
    /// lastRoundMinRTT.
    last: u32,
    /// currentRoundMinRTT.
    current: u32,
    samples: u8,
    conservative: Option<Conservative>,
}

/// Conservative slow start.
#[derive(Clone, Copy, Debug)]
struct Conservative {
    /// cssBaselineMinRtt.
    baseline: u32,
    rounds: u8,
}

/// What an acknowledgment of `bytes` lets the window do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// Grow by so many bytes.
    By(u32),
    /// Slow start is over.
    End,
}

impl HyStart {
    pub(super) fn new() -> Self {
        Self { end: None, last: UNKNOWN, current: UNKNOWN, samples: 0, conservative: None }
    }

    /// Section 4.2. `bytes` were acknowledged up to `ack`, `nxt` is what goes out next.
    pub(super) fn acknowledged(
        &mut self,
        bytes: u32,
        ack: SeqNum,
        nxt: SeqNum,
        rtt: Option<Duration>,
    ) -> Growth {
        let growth = if self.conservative.is_some() { bytes.div_ceil(DIVISOR) } else { bytes };
        if let Some(rtt) = rtt {
            self.current = self.current.min(u32::try_from(rtt.micros()).unwrap_or(UNKNOWN));
            self.samples = self.samples.saturating_add(1);
        }
        if self.samples >= SAMPLES && self.current != UNKNOWN {
            match self.conservative {
                None if self.last != UNKNOWN => {
                    let threshold = (self.last / 8).clamp(LEAST, MOST);
                    if self.current >= self.last.saturating_add(threshold) {
                        self.conservative = Some(Conservative { baseline: self.current, rounds: 0 });
                    }
                }
                // The round trip is as it was: it was no queue of ours.
                Some(Conservative { baseline, .. }) if self.current < baseline => self.conservative = None,
                _ => (),
            }
        }
        if self.end.is_none_or(|end| !ack.before(end)) {
            if self.end.replace(nxt).is_none() {
                return Growth::By(growth);
            }
            (self.last, self.current, self.samples) = (self.current, UNKNOWN, 0);
            if let Some(conservative) = self.conservative.as_mut() {
                conservative.rounds = conservative.rounds.saturating_add(1);
                if conservative.rounds >= ROUNDS {
                    return Growth::End;
                }
            }
        }
        Growth::By(growth)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;

    /// A round of ten acknowledgments of 1,000 bytes, each after `micros`; the growth of the last.
    fn round(hystart: &mut HyStart, number: u32, micros: u64) -> Growth {
        let mut growth = Growth::By(0);
        for segment in 1..=10 {
            let ack = SeqNum::new(number * 10_000 + segment * 1_000);
            let nxt = ack.plus(10_000);
            growth = hystart.acknowledged(1_000, ack, nxt, Some(Duration::from_micros(micros)));
            if growth == Growth::End {
                break;
            }
        }
        growth
    }

    #[test]
    fn a_steady_round_trip_lets_slow_start_go_on() {
        let mut hystart = HyStart::new();
        assert!((0..30).all(|number| round(&mut hystart, number, 50_000) == Growth::By(1_000)));
    }

    #[test]
    fn a_growing_round_trip_slows_down_and_ends_after_five_rounds() {
        let mut hystart = HyStart::new();
        for number in 0..3 {
            assert_eq!(round(&mut hystart, number, 50_000), Growth::By(1_000));
        }
        // An eighth of 50 ms is 6.25 ms.
        assert_eq!(round(&mut hystart, 3, 56_249), Growth::By(1_000));
        for number in 4..9 {
            assert_eq!(round(&mut hystart, number, 64_000), Growth::By(250));
        }
        assert_eq!(round(&mut hystart, 9, 64_000), Growth::End);
    }

    #[test]
    fn a_round_trip_that_shrinks_again_resumes() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 0, 50_000);
        round(&mut hystart, 1, 50_000);
        assert_eq!(round(&mut hystart, 2, 70_000), Growth::By(250));
        round(&mut hystart, 3, 50_000);
        assert_eq!(round(&mut hystart, 4, 50_000), Growth::By(1_000));
    }
}
