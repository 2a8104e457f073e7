//! The Internet checksum, against the sum of RFC 1071 section 4.1, one word after the other.

use crate::choices::Choices;
use netstack::wire::checksum::Sum;

/// RFC 1071's checksum.
pub fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// The sum is the same in whatever pieces the bytes come.
pub fn checksum(input: &[u8]) {
    let mut choices = Choices::new(input);
    let cuts: [u8; 4] = choices.array();
    let bytes = choices.rest();
    let expected = naive(bytes);
    assert_eq!(Sum::new().bytes(bytes).checksum(), expected);
    let (mut sum, mut rest) = (Sum::new(), bytes);
    for cut in cuts {
        let (now, later) = rest.split_at(usize::from(cut).min(rest.len()));
        (sum, rest) = (sum.bytes(now), later);
    }
    assert_eq!(sum.bytes(rest).checksum(), expected);
    assert_eq!(!sum.bytes(rest).partial(), expected);
}
