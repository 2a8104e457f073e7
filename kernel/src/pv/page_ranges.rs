//! A few ranges of page numbers.

use core::ops::Range;

/// At most this many ranges; what comes after is forgotten, which wastes its pages and breaks nothing.
const MOST: usize = 8;

/// Ranges of page numbers, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct PageRanges {
    ranges: [Range<usize>; MOST],
    used: usize,
}

impl PageRanges {
    /// Adds a range, joined to the last where it follows on from it. Empty ones are left out.
    pub fn push(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if let Some(last) = self.used.checked_sub(1).and_then(|last| self.ranges.get_mut(last))
            && last.end == range.start
        {
            last.end = range.end;
        } else if let Some(slot) = self.ranges.get_mut(self.used) {
            *slot = range;
            self.used = self.used.saturating_add(1);
        }
    }

    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.ranges.iter().take(self.used).cloned()
    }

    /// Pages in all of them.
    pub fn pages(&self) -> usize {
        self.iter().map(|range| range.len()).sum()
    }

    /// Sorts them by where they begin.
    pub fn sort(&mut self) {
        if let Some(used) = self.ranges.get_mut(..self.used) {
            used.sort_unstable_by_key(|range| range.start);
        }
    }
}
