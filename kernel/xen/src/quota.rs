//! So many in a period, and no more: for console lines that others can bring about.

/// What is left of a period's share.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    share: u32,
    period_micros: u64,
    left: u32,
    renewed_micros: u64,
}

impl Quota {
    /// `share` in each period; the first begins now. Times are microseconds of any clock that does not go back.
    pub const fn new(share: u32, period_micros: u64, now_micros: u64) -> Self {
        Self { share, period_micros, left: share, renewed_micros: now_micros }
    }

    /// Takes one; false where this period's are gone.
    pub const fn take(&mut self, now_micros: u64) -> bool {
        if now_micros >= self.renewed_micros.saturating_add(self.period_micros) {
            self.renewed_micros = now_micros;
            self.left = self.share;
        }
        let had = self.left > 0;
        self.left = self.left.saturating_sub(1);
        had
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;
    use alloc::vec::Vec;

    #[test]
    fn a_share_is_for_one_period() {
        let mut quota = Quota::new(2, 60_000_000, 1_000_000);
        let taken = |quota: &mut Quota, at| (0..4).map(|_| quota.take(at)).collect::<Vec<_>>();
        assert_eq!(taken(&mut quota, 1_000_000), [true, true, false, false]);
        assert_eq!(taken(&mut quota, 60_999_999), [false; 4]);
        // The next period begins when it is first asked for, and what was left of the last is not added.
        assert_eq!(taken(&mut quota, 200_000_000), [true, true, false, false]);
        assert_eq!(taken(&mut quota, 259_999_999), [false; 4]);
        assert_eq!(taken(&mut quota, 260_000_000), [true, true, false, false]);
    }

    #[test]
    fn a_share_of_none_gives_none() {
        let mut quota = Quota::new(0, 1, 0);
        assert!(!quota.take(0));
        assert!(!quota.take(u64::MAX));
    }
}
