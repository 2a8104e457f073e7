//! Range requests (RFC 9110, section 14).

use super::field;

/// Bytes of a representation, from `start` on and before `end`: never none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

/// The most parts of a response; who asks for more gets the whole.
pub const PARTS: usize = 16;

/// Gaps shorter than this, in bytes, are sent too: a part's own head is about as long (section 15.3.7.2).
const GAP: usize = 80;

/// What a Range comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selection {
    /// All of it: the field is none of ours, malformed, or asks for too much.
    Whole,
    /// One part.
    One(Span),
    /// Several; [`Parts::read`] tells which.
    Several,
    /// Nothing of it is there: 416.
    Unsatisfiable,
}

/// Reads the value of a Range, of a representation of this length.
pub fn select(value: &[u8], length: usize) -> Selection {
    match Parts::read(value, length) {
        None => Selection::Whole,
        Some(parts) => match parts.spans() {
            [] => Selection::Unsatisfiable,
            [span] => Selection::One(*span),
            _ => Selection::Several,
        },
    }
}

/// The parts of a response, in the order in which they were first asked for. No two overlap, nor are they close.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    spans: [Span; PARTS],
    count: usize,
}

impl Parts {
    /// Reads the value of a Range; `None` where it is malformed, of another unit, or leads to too many parts.
    pub fn read(value: &[u8], length: usize) -> Option<Self> {
        let (unit, set) = value.split_at_checked(value.iter().position(|byte| *byte == b'=')?)?;
        // Of nothing there is no part, though a suffix of it would be satisfiable.
        if !unit.eq_ignore_ascii_case(b"bytes") || length == 0 {
            return None;
        }
        let (mut parts, mut any) = (Self::default(), false);
        for spec in field::list(set.get(1..)?) {
            any = true;
            if let Some(span) = span(spec, length)? {
                parts.add(span)?;
            }
        }
        any.then_some(parts)
    }

    /// The parts.
    pub fn spans(&self) -> &[Span] {
        self.spans.get(..self.count).unwrap_or_default()
    }

    /// Adds a part. Those that it is close to are joined to it, and it takes the place of the first of them.
    fn add(&mut self, mut span: Span) -> Option<()> {
        let mut place = self.count;
        while let Some(at) = self.spans().iter().position(|other| other.is_close(span)) {
            let other = self.spans().get(at).copied()?;
            self.spans.get_mut(at..self.count)?.rotate_left(1);
            self.count = self.count.checked_sub(1)?;
            span = Span { start: span.start.min(other.start), end: span.end.max(other.end) };
            place = place.min(at);
        }
        self.count = self.count.checked_add(1).filter(|count| *count <= PARTS)?;
        let after = self.spans.get_mut(place..self.count)?;
        after.rotate_right(1);
        *after.first_mut()? = span;
        Some(())
    }
}

impl Span {
    /// How many bytes it has.
    pub fn bytes(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the two overlap, or leave less between them than a part's own head.
    fn is_close(self, other: Self) -> bool {
        self.start <= other.end.saturating_add(GAP) && other.start <= self.end.saturating_add(GAP)
    }
}

/// `first-pos "-" [ last-pos ]` or `"-" suffix-length` (section 14.1.1). `None` where it is malformed, `Some(None)` where
/// nothing of it is there.
fn span(spec: &[u8], length: usize) -> Option<Option<Span>> {
    let (first, last) = spec.split_at_checked(spec.iter().position(|byte| *byte == b'-')?)?;
    let (first, last) = (number(first)?, number(last.get(1..)?)?);
    let span = match (first, last) {
        (None, None) => return None,
        (None, Some(suffix)) => Span { start: length.saturating_sub(suffix), end: length },
        (Some(first), None) => Span { start: first, end: length },
        (Some(first), Some(last)) if first <= last => {
            Span { start: first, end: last.saturating_add(1).min(length) }
        }
        _ => return None,
    };
    Some((span.start < span.end).then_some(span))
}

/// A number, the largest where it is larger than that; `Some(None)` where there is none.
fn number(digits: &[u8]) -> Option<Option<usize>> {
    if digits.is_empty() {
        return Some(None);
    }
    let number = digits.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(number.saturating_mul(10).saturating_add(usize::from(digit)))
    });
    number.map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a failure is the test's failure")]
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn spans(value: &str, length: usize) -> Option<Vec<(usize, usize)>> {
        let parts = Parts::read(value.as_bytes(), length)?;
        Some(parts.spans().iter().map(|span| (span.start, span.end)).collect())
    }

    #[test]
    fn ranges_are_those_of_section_14_1_2() {
        // The section's examples, of a representation of 10,000 bytes.
        for (value, parts) in [
            ("bytes=0-499", vec![(0, 500)]),
            ("bytes=500-999", vec![(500, 1_000)]),
            ("bytes=-500", vec![(9_500, 10_000)]),
            ("bytes=9500-", vec![(9_500, 10_000)]),
            ("bytes=0-0,-1", vec![(0, 1), (9_999, 10_000)]),
            ("bytes= 0-0 , ,\t-1,", vec![(0, 1), (9_999, 10_000)]),
            // Close, and overlapping.
            ("bytes= 0-999, 4500-5499, -1000", vec![(0, 1_000), (4_500, 5_500), (9_000, 10_000)]),
            ("bytes=500-600,601-999", vec![(500, 1_000)]),
            ("bytes=500-700,601-999", vec![(500, 1_000)]),
            ("bytes=0-0,81-81", vec![(0, 82)]),
            ("bytes=0-0,82-82", vec![(0, 1), (82, 83)]),
            ("bytes=82-82,0-0", vec![(82, 83), (0, 1)]),
            ("bytes=81-81,0-0", vec![(0, 82)]),
            // The third joins the first two; the place is the first's.
            ("bytes=5000-5009,200-209,0-9,10-199", vec![(5_000, 5_010), (0, 210)]),
            ("bytes=0-9,5000-5009,200-209,10-199", vec![(0, 210), (5_000, 5_010)]),
            // Beyond the end.
            ("bytes=9999-10000", vec![(9_999, 10_000)]),
            ("bytes=0-99999999999999999999999", vec![(0, 10_000)]),
            ("bytes=-99999999999999999999999", vec![(0, 10_000)]),
            ("bytes=10000-", vec![]),
            ("bytes=99999999999999999999999-", vec![]),
            ("bytes=-0", vec![]),
            ("bytes=-0,10000-10001,5-5", vec![(5, 6)]),
            ("BYTES=5-5", vec![(5, 6)]),
        ] {
            assert_eq!(spans(value, 10_000), Some(parts), "{value}");
        }
    }

    #[test]
    fn what_is_no_range_is_none() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=--1",
            "bytes=1-0",
            "bytes=0-1,2-1",
            "bytes=a-b",
            "bytes=0x1-2",
            "bytes=1",
            "bytes=1 -2",
            "bytes=+1-2",
            "bytes =1-2",
            "lines=1-2",
            "=1-2",
            "bytes=1-2;",
            "bytes=1-2,x",
            "bytes=\"1-2\"",
        ] {
            assert_eq!(spans(value, 10_000), None, "{value}");
        }
        assert_eq!(spans("bytes=-5", 0), None);
    }

    #[test]
    fn there_are_at_most_16_parts() {
        let value = |parts: usize| {
            let specs: Vec<_> = (0..parts).map(|part| alloc::format!("{0}-{0}", part * 100)).collect();
            alloc::format!("bytes={}", specs.join(","))
        };
        assert_eq!(spans(&value(16), 10_000).map(|parts| parts.len()), Some(16));
        assert_eq!(spans(&value(17), 10_000), None);
        assert_eq!(spans(&alloc::format!("{},0-", value(16)), 10_000), Some(vec![(0, 10_000)]));
    }

    proptest! {
        #[test]
        fn parts_are_what_was_asked_for_and_no_two_are_close(
            asked in prop::collection::vec((0_usize..3_000, 0_usize..200), 1..20), length in 1_usize..3_000,
        ) {
            let specs: Vec<_> = asked.iter().map(|(start, more)| alloc::format!("{start}-{}", start + more)).collect();
            let value = alloc::format!("bytes={}", specs.join(","));
            let Some(parts) = Parts::read(value.as_bytes(), length) else { return Ok(()) };
            let covers = |at: usize| parts.spans().iter().any(|span| span.start <= at && at < span.end);
            let wanted = |at: usize| asked.iter().any(|(start, more)| (*start..=start + more).contains(&at));
            for at in 0..length {
                prop_assert!(covers(at) || !wanted(at), "{at} is missing");
            }
            for (at, one) in parts.spans().iter().enumerate() {
                prop_assert!(one.start < one.end && one.end <= length && wanted(one.start) && wanted(one.end - 1));
                prop_assert!(parts.spans().iter().skip(at + 1).all(|other| !one.is_close(*other)));
            }
        }
    }
}
