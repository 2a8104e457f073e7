//! The Internet checksum (RFC 1071), eight bytes at a time.

use core::net::IpAddr;

/// A one's complement sum over bytes that may come in several runs, of odd lengths too.
///
/// It is kept in the machine's byte order (RFC 1071 section 2B) and swapped once, at the end.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum {
    sum: u64,
    /// An odd number of bytes went in: the next one is the second of its word.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self { sum: 0, odd: false }
    }

    /// The sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1): `length` is the transport header and
    /// its payload, in bytes. The addresses are of one family.
    pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: u32) -> Self {
        let addresses = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                run(&source.octets()).wrapping_add(run(&destination.octets()))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                run(&source.octets()).wrapping_add(run(&destination.octets()))
            }
            _ => 0,
        };
        let rest = run(&length.to_be_bytes()).wrapping_add(run(&[0, protocol]));
        Self { sum: addresses.wrapping_add(rest), odd: false }
    }

    /// Adds the next run of bytes.
    #[must_use]
    #[inline(always)]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let run = run(bytes);
        let run = if self.odd { u64::from(fold(run).swap_bytes()) } else { run };
        Self { sum: self.sum.wrapping_add(run), odd: self.odd ^ (bytes.len() % 2 == 1) }
    }

    /// Adds a header of 20 bytes where no odd run came before: the usual length, whose carries 64 bits can hold.
    #[must_use]
    pub fn header(self, bytes: &[u8; 20]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let words = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word)));
        Self { sum: words.fold(self.sum, u64::wrapping_add), ..self }
    }

    /// Adds a 16-bit word in host order: for a checksum that is corrected, not computed anew (RFC 1624).
    #[must_use]
    pub fn word(self, word: u16) -> Self {
        self.bytes(&word.to_be_bytes())
    }

    /// The folded sum, in host order, not complemented: what a device is given to finish.
    pub fn partial(self) -> u16 {
        u16::from_be(fold(self.sum))
    }

    /// The checksum: the complement of the sum. Over bytes that hold a right checksum it is 0.
    pub fn checksum(self) -> u16 {
        !self.partial()
    }
}

/// The sum of eight-byte words, each carry added back in, folded to 33 bits: as many runs can be added up as a packet can
/// have bytes. Four sums, as the next carry into one has to wait for the last.
#[inline]
fn run(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut sums = [0_u64; 4];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum = with_carry(*sum, u64::from_ne_bytes(*word));
        }
    }
    let [a, b, c, d] = sums;
    let mut sum = with_carry(with_carry(a, b), with_carry(c, d));
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        sum = with_carry(sum, u64::from_ne_bytes(*word));
    }
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum = with_carry(sum, u64::from(u32::from_ne_bytes(*word)));
    }
    let (words, rest) = rest.as_chunks::<2>();
    for word in words {
        sum = with_carry(sum, u64::from(u16::from_ne_bytes(*word)));
    }
    if let [last] = rest {
        sum = with_carry(sum, u64::from(u16::from_ne_bytes([*last, 0])));
    }
    (sum >> 32).wrapping_add(sum & 0xffff_ffff)
}

/// The sum of two words, the carry out of it added back in (RFC 1071 section 2C).
#[inline]
fn with_carry(sum: u64, word: u64) -> u64 {
    let (sum, carry) = sum.overflowing_add(word);
    sum.wrapping_add(u64::from(carry))
}

/// Adds the carries back in until 16 bits are left.
#[inline]
fn fold(sum: u64) -> u16 {
    // An end-around carry: the halves' sum, and one more where it overflowed.
    let [low, high] = [sum & 0xffff_ffff, sum >> 32].map(|half| u32::try_from(half).unwrap_or_default());
    let (sum, carry) = low.overflowing_add(high);
    let sum = sum.wrapping_add(u32::from(carry));
    let [low, high] = [sum & 0xffff, sum >> 16].map(|half| u16::try_from(half).unwrap_or_default());
    let (sum, carry) = low.overflowing_add(high);
    sum.wrapping_add(u16::from(carry))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;

    /// The definition, two bytes at a time.
    fn slowly(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let sum = Sum::new().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.partial(), 0xddf2);
        assert_eq!(sum.checksum(), 0x220d);
    }

    #[test]
    fn an_ipv4_header_with_a_right_checksum_sums_to_zero() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01,
            0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(Sum::new().bytes(&header).checksum(), 0);
        assert_eq!(Sum::new().header(&header).checksum(), 0);
        assert_eq!(Sum::new().bytes(&header[..10]).bytes(&[0, 0]).bytes(&header[12..]).checksum(), 0xb861);
    }

    #[test]
    fn a_pseudo_header() {
        let sum =
            Sum::pseudo_header(Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into(), 6, 20);
        // c000 + 0201 + c000 + 0202 + 0006 + 0014, the carry added back
        assert_eq!(sum.partial(), 0x841e);
    }

    #[test]
    fn sixty_four_kilobytes_of_ones_do_not_overflow() {
        assert_eq!(Sum::new().bytes(&[0xff; 65_536]).checksum(), 0);
        assert_eq!(Sum::new().bytes(&[0xff; 65_535]).checksum(), 0x00ff);
    }

    proptest! {
        #[test]
        fn any_cut_into_runs_gives_the_same_sum(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            cuts in proptest::collection::vec(0_usize..300, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut sum, mut from) = (Sum::new(), 0);
            for cut in cuts {
                sum = sum.bytes(&bytes[from..cut]);
                from = cut;
            }
            let sum = sum.bytes(&bytes[from..]).checksum();
            // 0 and 0xffff are the same number in one's complement; over all-zero bytes the sum is 0.
            prop_assert_eq!(sum, slowly(&bytes));
        }
    }
}
