//! Which counter a frame has moved.

use super::Verdict;
use alloc::vec::Vec;

/// Finds the counter that frames have moved, at the price of a sum where they moved none.
#[derive(Debug)]
pub struct Watch {
    total: u64,
    values: Vec<u64>,
    careful: u32,
}

impl Watch {
    /// Looks in a row, after a counter has moved, before which each frame is looked at by itself.
    const CAREFUL: u32 = 64;

    /// One that has seen nothing.
    pub const fn new() -> Self {
        Self { total: 0, values: Vec::new(), careful: 0 }
    }

    /// Whether frames are to be looked at one by one: something has moved of late.
    pub const fn is_careful(&self) -> bool {
        self.careful > 0
    }

    /// Whether no counter has moved since the last time: `total` is a sum that each moves.
    #[inline]
    pub fn is_still(&mut self, total: u64) -> bool {
        let still = total == self.total;
        if still {
            self.careful = self.careful.saturating_sub(1);
        }
        self.total = total;
        still
    }

    /// The first counter that has moved since the last time that this was asked, but those that do so `usual`ly.
    #[cold]
    pub fn moved(&mut self, counters: impl Iterator<Item = (&'static str, u64)>, usual: &[&str]) -> Verdict {
        self.careful = Self::CAREFUL;
        let mut found = None;
        for (place, (name, value)) in counters.enumerate() {
            if place >= self.values.len() {
                self.values.push(0);
            }
            if let Some(known) = self.values.get_mut(place).filter(|known| **known != value) {
                *known = value;
                if found.is_none() && !usual.contains(&name) {
                    found = Some(name);
                }
            }
        }
        found
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}
