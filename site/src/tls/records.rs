//! Records on the wire (RFC 8446, section 5.1): where one ends. What is in them is rustls's business.

/// Type, version, length.
const HEADER: usize = 5;

/// The longest record that rustls takes: 2^14 bytes and what TLS 1.2 allows a cipher to add (RFC 5246, section 6.2.3).
const FRAGMENT: usize = 16_384 + 2_048;

/// The longest record with its header.
pub(super) const LONGEST: usize = HEADER + FRAGMENT;

/// How many of `bytes` are whole records, at most `room` of them.
///
/// A header that cannot be one counts as a record: there is nothing to wait for, and rustls knows the alert. `None` where the
/// first record is not yet whole.
pub(super) fn whole(bytes: &[u8], room: usize) -> Option<usize> {
    let mut end = 0_usize;
    loop {
        let rest = bytes.get(end..).unwrap_or_default();
        let length = match *rest {
            [kind @ 20..=23, 3, _, high, low, ..] => {
                let _ = kind;
                match usize::from(u16::from_be_bytes([high, low])) {
                    length if length <= FRAGMENT => length.saturating_add(HEADER),
                    _ => rest.len(),
                }
            }
            // Too short to tell, but for its type.
            [20..=23, ..] | [] if rest.len() < HEADER => return (end > 0).then_some(end),
            _ => rest.len(),
        };
        let next = end.saturating_add(length);
        if length > rest.len() || (end > 0 && next > room) {
            return (end > 0).then_some(end);
        }
        if next >= room {
            return Some(next.min(room));
        }
        end = next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
    use super::*;
    use alloc::vec;

    #[test]
    fn records_are_taken_whole() {
        let two = [&[23, 3, 3, 0, 2, 1, 2][..], &[22, 3, 1, 0, 1, 9]].concat();
        assert_eq!(whole(&two, 100), Some(13));
        assert_eq!(whole(&two, 12), Some(7), "the second has no room");
        for cut in 7..13 {
            assert_eq!(whole(&two[..cut], 100), Some(7), "{cut}");
        }
        for cut in 0..7 {
            assert_eq!(whole(&two[..cut], 100), None, "{cut}");
        }
    }

    #[test]
    fn what_is_no_record_is_not_waited_for() {
        assert_eq!(whole(b"G", 100), Some(1));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\n", 100), Some(18));
        assert_eq!(whole(&[22, 3, 1, 0xff, 0xff, 1], 100), Some(6), "longer than a record may be");
        assert_eq!(whole(&[22, 9, 1, 0, 9], 100), Some(5), "no version of TLS");
        let record = [&[22, 3, 1, 0, 1, 9][..], b"GET /"].concat();
        assert_eq!(whole(&record, 100), Some(11));
    }

    #[test]
    fn the_longest_record() {
        let mut longest = vec![0; 18_437];
        longest[..5].copy_from_slice(&[23, 3, 3, 0x48, 0x00]);
        assert_eq!(whole(&longest, LONGEST), Some(18_437));
        assert_eq!(whole(&longest[..18_436], LONGEST), None);
        longest[4] = 1;
        assert_eq!(whole(&longest[..5], LONGEST), Some(5));
    }
}
