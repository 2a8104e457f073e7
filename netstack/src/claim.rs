//! Whether an address is ours alone: address conflict detection (RFC 5227), beside the use of the address.
//!
//! Service is never delayed: the address is used and announced from its first moment, and the probes that RFC 5227 section
//! 2.1.1 sends before go out meanwhile.

use crate::random::Random;
use crate::time::{Duration, Instant};

/// PROBE_NUM and ANNOUNCE_NUM of RFC 5227 section 1.1: what is said, in this order.
const SAID: [Say; 5] = [Say::Probe, Say::Probe, Say::Probe, Say::Announcement, Say::Announcement];
/// PROBE_WAIT: the first probe comes within this time.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// PROBE_MIN; PROBE_MAX is twice that.
const PROBE_MIN: Duration = Duration::from_secs(1);
/// ANNOUNCE_WAIT and ANNOUNCE_INTERVAL.
const ANNOUNCE: Duration = Duration::from_secs(2);
/// DEFEND_INTERVAL.
const DEFEND: Duration = Duration::from_secs(10);

/// A packet that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Say {
    /// Who has our address? From nobody, so that no cache is changed.
    Probe,
    /// It is ours.
    Announcement,
}

/// What to do about another station that says it has our address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Say that it is ours.
    Defend,
    /// That was said just before: two stations that both defend would not end.
    Bear,
    /// Give it up.
    Yield,
}

/// Our claim to an address.
#[derive(Debug)]
pub(crate) struct Claim {
    /// What of [`SAID`] comes next, and when.
    next: Option<(usize, Instant)>,
    /// The last conflict that counted.
    conflict: Option<Instant>,
    /// A person gave us the address: it is not given up (section 2.4 (c)).
    steadfast: bool,
}

impl Claim {
    pub(crate) fn new(steadfast: bool, now: Instant, random: &mut Random) -> Self {
        let next = Some((0, now + random.span(PROBE_WAIT)));
        Self { next, conflict: None, steadfast }
    }

    /// When [`Self::poll`] has something to say.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    /// What is due.
    pub(crate) fn poll(&mut self, now: Instant, random: &mut Random) -> Option<Say> {
        let (number, _) = self.next.filter(|(_, at)| *at <= now)?;
        let say = SAID.get(number).copied()?;
        let following = number.saturating_add(1);
        self.next = SAID.get(following).map(|next| {
            let wait = match next {
                Say::Probe => PROBE_MIN + random.span(PROBE_MIN),
                Say::Announcement => ANNOUNCE,
            };
            (following, now + wait)
        });
        Some(say)
    }

    /// Another station says that it has our address.
    pub(crate) fn conflict(&mut self, now: Instant) -> Verdict {
        let again = self.conflict.is_some_and(|last| now.since(last) < DEFEND);
        if self.steadfast {
            if again {
                return Verdict::Bear;
            }
        } else if again || self.is_probing() {
            return Verdict::Yield;
        }
        self.conflict = Some(now);
        Verdict::Defend
    }

    /// Its probes have not gone unanswered yet.
    fn is_probing(&self) -> bool {
        let last = self.next.map(|(number, _)| number.saturating_sub(1));
        last.and_then(|last| SAID.get(last)) == Some(&Say::Probe)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;
    use alloc::vec::Vec;

    const START: Instant = Instant::from_micros(5_000_000);

    fn after(millis: u64) -> Instant {
        START + Duration::from_millis(millis)
    }

    /// What is said, each with the milliseconds since what was said before.
    fn said(claim: &mut Claim, random: &mut Random) -> Vec<(Say, u64)> {
        let (mut said, mut last) = (Vec::new(), START);
        while let Some(at) = claim.next_deadline() {
            assert_eq!(claim.poll(Instant::from_micros(at.micros() - 1), random), None);
            said.push((claim.poll(at, random).unwrap(), at.since(last).millis()));
            last = at;
        }
        said
    }

    /// RFC 5227 section 1.1: three probes, the first within 1 s, then 1 to 2 s apart; two announcements, 2 s apart.
    #[test]
    fn probes_then_announcements() {
        let mut seen = Vec::new();
        for seed in 0..20 {
            let mut random = Random::new(&[seed; 32]);
            let mut claim = Claim::new(false, START, &mut random);
            let said = said(&mut claim, &mut random);
            seen.extend([said[0].1, said[1].1 - 1_000, said[2].1 - 1_000]);
            assert!(
                matches!(
                    said[..],
                    [
                        (Say::Probe, 0..1_000),
                        (Say::Probe, 1_000..2_000),
                        (Say::Probe, 1_000..2_000),
                        (Say::Announcement, 2_000),
                        (Say::Announcement, 2_000),
                    ]
                ),
                "{said:?}"
            );
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 40, "each at its own time: {seen:?}");
    }

    #[test]
    fn a_conflict_while_probing_ends_it() {
        let mut random = Random::new(&[1; 32]);
        for polls in 0..=3 {
            let mut claim = Claim::new(false, START, &mut random);
            for number in 0..polls {
                claim.poll(after(2_000 * (number + 1)), &mut random);
            }
            assert_eq!(claim.conflict(after(7_000)), Verdict::Yield, "after {polls} probes");
        }
    }

    /// Section 2.4 (b).
    #[test]
    fn afterwards_it_is_defended_once_in_ten_seconds() {
        let mut random = Random::new(&[1; 32]);
        let mut claim = Claim::new(false, START, &mut random);
        said(&mut claim, &mut random);
        assert_eq!(claim.conflict(after(20_000)), Verdict::Defend);
        assert_eq!(claim.conflict(after(30_000)), Verdict::Defend);
        assert_eq!(claim.conflict(after(39_999)), Verdict::Yield);
    }

    /// Section 2.4 (c).
    #[test]
    fn what_a_person_gave_is_never_given_up() {
        let mut random = Random::new(&[1; 32]);
        let mut claim = Claim::new(true, START, &mut random);
        let verdicts = [0, 1, 9_999, 10_000, 10_001, 20_000].map(|millis| claim.conflict(after(millis)));
        use Verdict::{Bear, Defend};
        assert_eq!(verdicts, [Defend, Bear, Bear, Defend, Bear, Defend]);
    }
}
