//! Searches through a head, eight bytes at a time: every byte of every request goes through them.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first line feed.
pub fn line_feed(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b'\n'))
}

/// The first control character, tab and DEL among them.
pub fn control(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, b' ') | equal(word, 0x7f))
}

/// The first byte that no target has: not a visible ASCII character, or `#`.
pub fn no_target(bytes: &[u8]) -> Option<usize> {
    first(bytes, not_in_targets)
}

/// The first byte that no target has, or that means something in a path: `%` or `?`.
#[inline(always)]
pub fn no_plain_path(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| not_in_targets(word) | equal(word, b'%') | equal(word, b'?'))
}

/// The first byte that is neither a letter nor `-`: most names of fields have nothing else.
pub fn no_letter(bytes: &[u8]) -> Option<usize> {
    /// What has to be added to a letter, or to what comes after the last, to make 0x80.
    const A: u64 = 0x1f;
    const BEYOND_Z: u64 = 0x05;
    first(bytes, |word| {
        // No addition carries over into the next byte, so each is marked rightly.
        let seven = word & !HIGH;
        let lower = seven | ONES.wrapping_mul(0x20);
        let from_a = lower.wrapping_add(ONES.wrapping_mul(A));
        let beyond_z = lower.wrapping_add(ONES.wrapping_mul(BEYOND_Z));
        let no_dash = (seven ^ ONES.wrapping_mul(b'-' as u64)).wrapping_add(!HIGH);
        (!(from_a & !beyond_z) & no_dash | word) & HIGH
    })
}

/// The first byte that `marks` marks. It gets eight bytes, the first in the lowest bits, and may also mark bytes behind one
/// that it marks rightly.
#[inline]
fn first(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let place = |mark: u64| mark.trailing_zeros() as usize / 8;
    let mut at = 0_usize;
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let mark = marks(u64::from_le_bytes(*word));
        if mark != 0 {
            return Some(at.wrapping_add(place(mark)));
        }
        (at, rest) = (at.wrapping_add(8), after);
    }
    if rest.is_empty() {
        return None;
    }
    // The last eight, though some of them have been looked at: they need no copy.
    let (word, start) = match bytes.last_chunk::<8>() {
        Some(last) => (*last, bytes.len().wrapping_sub(8)),
        None => {
            let mut word = [b'a'; 8];
            word.get_mut(..rest.len())?.copy_from_slice(rest);
            (word, 0)
        }
    };
    let mark = marks(u64::from_le_bytes(word));
    if mark == 0 { None } else { Some(start.wrapping_add(place(mark))) }
}

const fn not_in_targets(word: u64) -> u64 {
    below(word, b'!') | equal(word, 0x7f) | equal(word, b'#') | (word & HIGH)
}

/// Marks bytes below `limit`, which is at most 0x80, and perhaps bytes behind the first such.
const fn below(word: u64, limit: u8) -> u64 {
    // A byte borrows from the next only if it is below the limit itself.
    word.wrapping_sub(ONES.wrapping_mul(limit as u64)) & !word & HIGH
}

/// Marks bytes that are `byte`, and perhaps bytes behind the first such.
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ ONES.wrapping_mul(byte as u64), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn is_target(byte: u8) -> bool {
        (0x21..=0x7e).contains(&byte) && byte != b'#'
    }

    fn is_letter(byte: u8) -> bool {
        byte.is_ascii_alphabetic() || byte == b'-'
    }

    proptest! {
        #[test]
        fn agree_with_a_search_byte_by_byte(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(vec![b'\n', b'\t', 0x1f, 0x20, b'!', b'#', b'%', b'?', b',', b'-', b'.', b'@', b'A', b'Z', b'[', b'`', b'z', b'{', 0x7e, 0x7f, 0x80, 0xff])], 0..40,
        )) {
            prop_assert_eq!(line_feed(&bytes), bytes.iter().position(|byte| *byte == b'\n'));
            prop_assert_eq!(control(&bytes), bytes.iter().position(|byte| *byte < 0x20 || *byte == 0x7f));
            prop_assert_eq!(no_target(&bytes), bytes.iter().position(|byte| !is_target(*byte)));
            prop_assert_eq!(no_plain_path(&bytes), bytes.iter().position(|byte| !is_target(*byte) || b"%?".contains(byte)));
            prop_assert_eq!(no_letter(&bytes), bytes.iter().position(|byte| !is_letter(*byte)));
        }
    }

    #[test]
    fn each_byte_in_each_place_is_told() {
        for byte in 0..=255_u8 {
            for place in 0..17 {
                let mut bytes = [b'a'; 17];
                bytes[place] = byte;
                assert_eq!(line_feed(&bytes), (byte == 0x0a).then_some(place));
                assert_eq!(control(&bytes), (byte < 0x20 || byte == 0x7f).then_some(place), "{byte}");
                assert_eq!(no_target(&bytes), (!is_target(byte)).then_some(place), "{byte}");
                let means_something = !is_target(byte) || byte == b'%' || byte == b'?';
                assert_eq!(no_plain_path(&bytes), means_something.then_some(place), "{byte}");
                assert_eq!(no_letter(&bytes), (!is_letter(byte)).then_some(place), "{byte}");
            }
        }
    }
}
