//! A limit on how often something is sent because a peer provoked it.

use crate::time::Instant;

/// A token bucket: `burst` at once, then `per_second`.
#[derive(Debug)]
pub struct Bucket {
    burst: u64,
    per_second: u64,
    /// Millionths of a token, so that a microsecond brings `per_second` of them.
    level: u64,
    filled: Instant,
}

impl Bucket {
    const TOKEN: u64 = 1_000_000;

    /// A full bucket.
    pub const fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst: burst as u64,
            per_second: per_second as u64,
            level: (burst as u64).saturating_mul(Self::TOKEN),
            filled: Instant::ZERO,
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let came = now.since(self.filled).micros().saturating_mul(self.per_second);
        self.level = self.level.saturating_add(came).min(self.burst.saturating_mul(Self::TOKEN));
        self.filled = now;
        match self.level.checked_sub(Self::TOKEN) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_burst_then_a_rate() {
        let mut bucket = Bucket::new(50, 100);
        let start = Instant::from_micros(5_000_000);
        let taken = |bucket: &mut Bucket, now| (0..1_000).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, start), 50);
        assert_eq!(taken(&mut bucket, start + Duration::from_micros(9_999)), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_micros(10_000)), 1);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(110)), 10);
        assert_eq!(
            taken(&mut bucket, start + Duration::from_secs(60)),
            50,
            "no more than the burst is saved up"
        );
    }
}
