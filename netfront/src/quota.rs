//! So many in a period, and no more: for what a backend can make us say.

use crate::device::Microseconds;

/// What is left of a period's share.
#[derive(Debug)]
pub struct Quota {
    share: u32,
    period: u64,
    left: u32,
    renewed: Microseconds,
}

impl Quota {
    /// `share` in each period of so many microseconds; the first begins with time.
    pub fn new(share: u32, period: u64) -> Self {
        Self { share, period, left: share, renewed: Microseconds(0) }
    }

    /// Takes one; false where this period's are gone.
    pub fn take(&mut self, now: Microseconds) -> bool {
        if now.0.saturating_sub(self.renewed.0) >= self.period {
            self.renewed = now;
            self.left = self.share;
        }
        let had = self.left > 0;
        self.left = self.left.saturating_sub(1);
        had
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_for_each_period() {
        let mut quota = Quota::new(2, 100);
        let taken = [5, 6, 99, 104, 105, 150, 199, 205].map(|now| quota.take(Microseconds(now)));
        assert_eq!(taken, [true, true, false, true, true, false, false, true]);
        assert!(
            quota.take(Microseconds(0)),
            "a clock that stands still or goes back costs nothing but lines"
        );
    }
}
