//! So many in a period, and no more.

use netstack::{Duration, Instant};

/// What is left of a period's share.
pub struct Quota {
    share: u32,
    period: Duration,
    left: u32,
    renewed: Instant,
}

impl Quota {
    /// `share` in each period; the first begins now.
    pub fn new(share: u32, period: Duration, now: Instant) -> Self {
        Self { share, period, left: share, renewed: now }
    }

    /// Takes one; false where this period's are gone.
    pub fn take(&mut self, now: Instant) -> bool {
        if now >= self.renewed + self.period {
            self.renewed = now;
            self.left = self.share;
        }
        let had = self.left > 0;
        self.left = self.left.saturating_sub(1);
        had
    }
}
