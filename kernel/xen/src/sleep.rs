//! Sleeps that fail: said once, borne for a while, and not for ever.

/// What a failed or a good sleep means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing to say: it slept, or it failed as it did before.
    Quiet,
    /// It failed, and not as the last one did: worth a line.
    Say,
    /// It failed for the last time that is borne.
    GiveUp,
}

/// Sleeps that failed since the last that did not.
#[derive(Clone, Copy, Debug)]
pub struct Sleeps<E> {
    limit: u32,
    failures: u32,
    last: Option<E>,
}

impl<E: Copy + PartialEq> Sleeps<E> {
    /// Gives up at the `limit`th failure in a row: without sleep the guest only burns its processor.
    pub const fn new(limit: u32) -> Self {
        Self { limit, failures: 0, last: None }
    }

    /// Judges a sleep by its error, if it had one.
    pub fn judge(&mut self, error: Option<E>) -> Verdict {
        let before = core::mem::replace(&mut self.last, error);
        if error.is_none() {
            self.failures = 0;
            return Verdict::Quiet;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.limit {
            Verdict::GiveUp
        } else if before == error {
            Verdict::Quiet
        } else {
            Verdict::Say
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{GiveUp, Quiet, Say};
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_failure_is_said_once_until_another_comes() {
        let mut sleeps = Sleeps::new(1000);
        let errors = [None, Some(22), Some(22), Some(14), Some(22), None, Some(22)];
        assert_eq!(errors.map(|error| sleeps.judge(error)), [Quiet, Say, Quiet, Say, Say, Quiet, Say]);
    }

    #[test]
    fn a_thousand_in_a_row_are_the_end_and_a_good_one_begins_anew() {
        let mut sleeps = Sleeps::new(1000);
        assert!((1..1000).all(|_| sleeps.judge(Some(22)) != GiveUp));
        assert_eq!(sleeps.judge(None), Quiet);
        let verdicts: Vec<Verdict> = (0..1000).map(|_| sleeps.judge(Some(22))).collect();
        assert_eq!(verdicts.iter().position(|verdict| *verdict == GiveUp), Some(999));
    }
}
