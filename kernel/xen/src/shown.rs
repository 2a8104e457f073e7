//! The counters that stand in the store (`data/counters`): which have changed since, and when they may be written again.

use alloc::vec::Vec;

/// What stands in the store. A counter that never counted has no key there.
#[derive(Debug)]
pub struct Shown {
    /// By the counter's place in the list.
    values: Vec<u64>,
    period_micros: u64,
    not_before_micros: u64,
}

impl Shown {
    /// Nothing stands there yet; between two rewrites lies `period_micros` at least.
    pub const fn new(period_micros: u64) -> Self {
        Self { values: Vec::new(), period_micros, not_before_micros: 0 }
    }

    /// When the counters may be written again, in microseconds of the clock that [`Shown::rewrite`] is given.
    pub const fn not_before(&self) -> u64 {
        self.not_before_micros
    }

    /// Calls `write` for each counter that has changed. One that `write` refuses, and all after it, are left for the
    /// next time. The list is in the same order each time; it may grow at its end.
    pub fn rewrite(
        &mut self,
        now_micros: u64,
        counters: impl Iterator<Item = (&'static str, u64)>,
        mut write: impl FnMut(&'static str, u64) -> bool,
    ) {
        self.not_before_micros = now_micros.saturating_add(self.period_micros);
        let mut refused = false;
        for (place, (name, value)) in counters.enumerate() {
            // Each has its place from the first time on, refused or not: what this takes of the heap is settled then.
            if place >= self.values.len() {
                self.values.push(0);
            }
            let Some(shown) = self.values.get_mut(place).filter(|shown| **shown != value) else { continue };
            refused = refused || !write(name, value);
            if !refused {
                *shown = value;
            }
        }
    }

    /// The store knows nothing any more, as after a restore: all is written the next time, which may be at once.
    pub fn forget(&mut self) {
        self.values.clear();
        self.not_before_micros = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;
    use alloc::vec::Vec;

    fn written(shown: &mut Shown, now: u64, counters: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
        let mut written = Vec::new();
        shown.rewrite(now, counters.iter().copied(), |name, value| {
            written.push((name, value));
            true
        });
        written
    }

    #[test]
    fn what_has_changed_is_written_and_no_more() {
        let mut shown = Shown::new(5_000_000);
        assert_eq!(shown.not_before(), 0);
        assert_eq!(written(&mut shown, 7, &[("a", 1), ("b", 0)]), [("a", 1)]);
        assert_eq!(shown.not_before(), 5_000_007);
        assert_eq!(written(&mut shown, 8, &[("a", 1), ("b", 0)]), []);
        assert_eq!(written(&mut shown, 9, &[("a", 1), ("b", 2), ("c", 3)]), [("b", 2), ("c", 3)]);
    }

    #[test]
    fn what_is_refused_is_written_the_next_time() {
        let mut shown = Shown::new(5_000_000);
        let mut room = 1_u32;
        shown.rewrite(0, [("a", 1), ("b", 2), ("c", 3)].into_iter(), |_, _| {
            let had = room > 0;
            room = room.saturating_sub(1);
            had
        });
        assert_eq!(written(&mut shown, 0, &[("a", 1), ("b", 2), ("c", 3)]), [("b", 2), ("c", 3)]);
    }

    #[test]
    fn after_a_restore_all_is_written_at_once() {
        let mut shown = Shown::new(5_000_000);
        written(&mut shown, 1, &[("a", 1), ("b", 0)]);
        shown.forget();
        assert_eq!(shown.not_before(), 0);
        assert_eq!(written(&mut shown, 2, &[("a", 1), ("b", 0)]), [("a", 1)]);
    }
}
