//! Sequence numbers: a circle of 2^32 (RFC 9293 section 3.4).

use core::fmt;

/// A sequence number. There is no order on a circle, so there is no `Ord`: one number is before another where it is less
/// than half the circle behind it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SeqNum(u32);

impl SeqNum {
    /// The number as the header carries it.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number as the header carries it.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number `n` further on.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// The number `n` further back.
    #[must_use]
    pub const fn minus(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }

    /// How far this number is on from `earlier`.
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether this number comes before `other`.
    pub const fn before(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) > i32::MAX.cast_unsigned()
    }

    /// Whether this number comes after `other`.
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// The earlier of two.
    #[must_use]
    pub const fn earlier(self, other: Self) -> Self {
        if other.before(self) { other } else { self }
    }

    /// The later of two.
    #[must_use]
    pub const fn later(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// Whether this number is in the `length` numbers from `start` on.
    pub const fn within(self, start: Self, length: u32) -> bool {
        self.since(start) < length
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNum;

    #[test]
    fn before_and_after_wrap() {
        let low = SeqNum::new(0xffff_fff0);
        let high = SeqNum::new(0x10);
        assert!(low.before(high) && high.after(low));
        assert!(!low.before(low) && !low.after(low));
        assert_eq!(high.since(low), 0x20);
        assert_eq!(low.plus(0x20), high);
        assert_eq!(high.minus(0x20), low);
        assert_eq!((low.later(high), low.earlier(high)), (high, low));
        assert_eq!((high.later(low), high.earlier(low)), (high, low));
    }

    #[test]
    fn half_a_circle_away_is_the_edge() {
        let zero = SeqNum::new(0);
        assert!(zero.before(SeqNum::new(0x7fff_ffff)));
        assert!(zero.after(SeqNum::new(0x8000_0001)));
        assert!(zero.within(SeqNum::new(0xffff_ffff), 2) && !zero.within(SeqNum::new(0xffff_ffff), 1));
    }
}
