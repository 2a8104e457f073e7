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

/// A limit on console lines that a peer can bring about: ten at once, then one a second. What is left out is counted, and the
/// next line tells it.
#[derive(Debug)]
pub struct Complaints {
    bucket: Bucket,
    left_out: u64,
}

impl Complaints {
    /// One that has said nothing.
    pub const fn new() -> Self {
        Self { bucket: Bucket::new(10, 1), left_out: 0 }
    }

    /// Whether there is to be a line now, and what to put at its end.
    pub fn take(&mut self, now: Instant) -> Option<LeftOut> {
        if self.bucket.take(now) {
            return Some(LeftOut(core::mem::take(&mut self.left_out)));
        }
        self.left_out = self.left_out.saturating_add(1);
        None
    }
}

/// How many lines were left out before this one; empty where none were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftOut(u64);

impl core::fmt::Display for LeftOut {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(out, " ({count} such lines left out)"),
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

    #[test]
    fn complaints_left_out_are_told_once() {
        let mut complaints = Complaints::new();
        let start = Instant::from_micros(5_000_000);
        let said = |complaints: &mut Complaints, now| complaints.take(now).map(|left| std::format!("{left}"));
        for _ in 0..10 {
            assert_eq!(said(&mut complaints, start).as_deref(), Some(""));
        }
        for _ in 0..7 {
            assert_eq!(said(&mut complaints, start), None);
        }
        let later = start + Duration::from_secs(2);
        assert_eq!(said(&mut complaints, later).as_deref(), Some(" (7 such lines left out)"));
        assert_eq!(said(&mut complaints, later).as_deref(), Some(""));
        assert_eq!(said(&mut complaints, later), None);
    }
}
