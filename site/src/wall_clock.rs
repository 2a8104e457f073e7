//! The time of day, and the `Date` field.

use crate::http::date;
use netstack::Instant;
use netstack::service::Inline;

/// What the time of day was at one instant of the stack's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallClock {
    /// Microseconds since 1970-01-01 00:00 UTC, leap seconds not counted.
    pub unix_micros: u64,
    /// When that was so.
    pub at: Instant,
}

impl WallClock {
    fn second(self, now: Instant) -> u64 {
        self.unix_micros.saturating_add(now.since(self.at).micros()) / 1_000_000
    }
}

/// The `Date` of now, rendered once a second.
pub struct DateField {
    clock: WallClock,
    second: u64,
    text: Inline,
}

impl DateField {
    /// A date by this clock.
    pub fn new(clock: WallClock) -> Self {
        let second = clock.unix_micros / 1_000_000;
        Self { clock, second, text: date::end_of_head(second) }
    }

    /// Sets the clock, which may have been wrong before.
    pub fn set(&mut self, clock: WallClock) {
        *self = Self::new(clock);
    }

    /// The seconds since 1970.
    pub fn second(&self, now: Instant) -> u64 {
        self.clock.second(now)
    }

    /// The date of `now`, 29 bytes, and the end of a head.
    #[inline(always)]
    pub fn at(&mut self, now: Instant) -> Inline {
        let second = self.clock.second(now);
        if second != self.second {
            self.second = second;
            self.text = date::end_of_head(second);
        }
        self.text
    }
}
