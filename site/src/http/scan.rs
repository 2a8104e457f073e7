//! Searches through a head, eight bytes at a time: every byte of every request goes through them.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first line feed.
pub fn line_feed(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b'\n'))
}

/// The first space.
pub fn space(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b' '))
}

/// The first control character, tab and DEL among them.
pub fn control(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, b' ') | equal(word, 0x7f))
}

/// The first byte that no target has, or only behind its end: not a visible ASCII character, or `#`.
pub fn no_target(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, b'!') | equal(word, 0x7f) | equal(word, b'#') | (word & HIGH))
        .filter(|at| *at < bytes.len())
}

/// The first `?`, of bytes that are all ASCII.
pub fn question_mark(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b'?'))
}

/// The first `%`.
pub fn percent(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| equal(word, b'%'))
}

/// The first byte that `marks` marks. It gets eight bytes, the first in the lowest bits, 0xff behind the last, and may
/// also mark bytes behind one that it marks rightly.
fn first(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let place = |mark: u64| mark.trailing_zeros() as usize / 8;
    for (number, word) in words.iter().enumerate() {
        let mark = marks(u64::from_le_bytes(*word));
        if mark != 0 {
            return number.checked_mul(8)?.checked_add(place(mark));
        }
    }
    if rest.is_empty() {
        return None;
    }
    // The last eight, though some of them have been looked at: they need no copy.
    let (word, start) = match bytes.last_chunk::<8>() {
        Some(last) => (*last, bytes.len().checked_sub(8)?),
        None => {
            let mut word = [0xff; 8];
            word.get_mut(..rest.len())?.copy_from_slice(rest);
            (word, 0)
        }
    };
    let mark = marks(u64::from_le_bytes(word));
    if mark == 0 { None } else { start.checked_add(place(mark)) }
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

    proptest! {
        #[test]
        fn agree_with_a_search_byte_by_byte(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(vec![b'\n', b'\t', 0x1f, 0x20, b'!', b'#', b'%', b'?', 0x7e, 0x7f, 0x80, 0xff])], 0..40,
        )) {
            prop_assert_eq!(line_feed(&bytes), bytes.iter().position(|byte| *byte == b'\n'));
            prop_assert_eq!(control(&bytes), bytes.iter().position(|byte| *byte < 0x20 || *byte == 0x7f));
            let place = |wanted: u8| bytes.iter().position(|byte| *byte == wanted);
            prop_assert_eq!((percent(&bytes), question_mark(&bytes)), (place(b'%'), place(b'?')));
            prop_assert_eq!(space(&bytes), place(b' '));
            prop_assert_eq!(no_target(&bytes), bytes.iter().position(|byte| !is_target(*byte)));
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
            }
        }
    }
}
