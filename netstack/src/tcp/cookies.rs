//! SYN cookies (RFC 4987 section 3.6): once the half-open table is full, a SYN is answered and nothing is kept of it.
//! What has to be known later lies in the numbers that the peer must give back.
//!
//! ```text
//!  initial sequence number                     our timestamp, its low bits
//! +-------+------------------------------+    +-----+------+--------------+
//! | size  | keyed hash of the addresses, |    | ECN | SACK | window shift |
//! | (3)   | the peer's number and the    |    | (1) | (1)  | (4), 15 none |
//! |       | time in 67 s  (29)           |    +-----+------+--------------+
//! +-------+------------------------------+
//! ```
//!
//! A peer without timestamps gets neither window scaling, SACK nor ECN: there is no room to note them.

use super::demux::Tuple;
use super::isn::Secrets;
use super::options::Agreed;
use super::seq::SeqNum;
use crate::Instant;
use crate::wire::tcp::MAX_WINDOW_SHIFT;

/// A cookie is good in the span of 2^26 microseconds in which it was made, and in the next one.
const SPAN_BITS: u32 = 26;
/// Segment sizes that a cookie can tell: the one at or below the peer's is used.
const SIZES: [u16; 8] = [48, 536, 1_220, 1_360, 1_400, 1_440, 1_460, 8_960];
const SIZE_SHIFT: u32 = 29;
/// Bits of our timestamp that carry options.
const OPTION_BITS: u32 = 0x3f;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;
const NO_SHIFT: u32 = 15;

/// Our initial sequence number for a peer whose SYN had the number `irs` and allowed `peer_mss`.
pub(super) fn make(secrets: &Secrets, tuple: &Tuple, irs: SeqNum, peer_mss: u16, now: Instant) -> SeqNum {
    let size = SIZES.partition_point(|size| *size <= peer_mss).saturating_sub(1);
    let size = u32::try_from(size).unwrap_or_default();
    SeqNum::new(sealed(secrets, tuple, irs, size, now.micros() >> SPAN_BITS))
}

/// The segment size that a cookie of ours tells, `None` where it is none or too old.
pub(super) fn open(
    secrets: &Secrets,
    tuple: &Tuple,
    irs: SeqNum,
    cookie: SeqNum,
    now: Instant,
) -> Option<u16> {
    let size = cookie.get() >> SIZE_SHIFT;
    let span = now.micros() >> SPAN_BITS;
    let good = [Some(span), span.checked_sub(1)]
        .into_iter()
        .flatten()
        .any(|span| sealed(secrets, tuple, irs, size, span) == cookie.get());
    if good { SIZES.get(size as usize).copied() } else { None }
}

fn sealed(secrets: &Secrets, tuple: &Tuple, irs: SeqNum, size: u32, span: u64) -> u32 {
    let hash = secrets.cookie(tuple, irs, size, span);
    (size << SIZE_SHIFT) | (hash & (u32::MAX >> 3))
}

/// Our timestamp with the options in it; as late as `clock`, or up to 64 ms earlier, so that none after it is older.
pub(super) fn timestamp(clock: u32, agreed: &Agreed) -> u32 {
    let shift = if agreed.scaling { u32::from(agreed.send_shift) } else { NO_SHIFT };
    let bits = shift | if agreed.sack { SACK } else { 0 } | if agreed.ecn { ECN } else { 0 };
    let value = (clock & !OPTION_BITS) | bits;
    if value & OPTION_BITS > clock & OPTION_BITS {
        value.wrapping_sub(OPTION_BITS.wrapping_add(1))
    } else {
        value
    }
}

/// What was agreed on, by what the peer has given back: the size, and its echo where it sends timestamps.
pub(super) fn agreed(peer_mss: u16, echo: Option<u32>, receive_shift: u8) -> Agreed {
    let bits = echo.map_or(NO_SHIFT, |echo| echo & OPTION_BITS);
    let scaling = bits & NO_SHIFT != NO_SHIFT;
    let shift =
        if scaling { u8::try_from(bits & NO_SHIFT).unwrap_or_default().min(MAX_WINDOW_SHIFT) } else { 0 };
    Agreed {
        peer_mss,
        send_shift: shift,
        receive_shift: if scaling { receive_shift } else { 0 },
        scaling,
        timestamps: echo.is_some(),
        sack: bits & SACK != 0,
        ecn: bits & ECN != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};
    use proptest::prelude::*;

    fn tuple(port: u16) -> Tuple {
        let address = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        Tuple { local: address(1), local_port: 80, remote: address(2), remote_port: port }
    }

    #[test]
    fn a_cookie_opens_for_who_got_it_and_for_a_minute_or_two() {
        let (secrets, irs) = (Secrets::new(&[7; 32]), SeqNum::new(5));
        let seconds = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let cookie = make(&secrets, &tuple(1), irs, 1_460, seconds(1_000));
        let opened =
            |secrets: &Secrets, port, irs, cookie, at| open(secrets, &tuple(port), irs, cookie, seconds(at));
        assert_eq!(opened(&secrets, 1, irs, cookie, 1_000), Some(1_460));
        assert_eq!(opened(&secrets, 1, irs, cookie, 1_067), Some(1_460));
        assert_eq!(opened(&secrets, 1, irs, cookie, 1_135), None);
        assert_eq!(opened(&secrets, 2, irs, cookie, 1_000), None);
        assert_eq!(opened(&secrets, 1, irs.plus(1), cookie, 1_000), None);
        assert_eq!(opened(&secrets, 1, irs, cookie.plus(1), 1_000), None);
        assert_eq!(opened(&Secrets::new(&[8; 32]), 1, irs, cookie, 1_000), None);
    }

    #[test]
    fn the_size_is_never_above_the_peers() {
        let secrets = Secrets::new(&[7; 32]);
        for (asked, told) in [(48, 48), (535, 48), (536, 536), (1_459, 1_440), (1_460, 1_460), (9_000, 8_960)]
        {
            let cookie = make(&secrets, &tuple(1), SeqNum::new(5), asked, Instant::ZERO);
            assert_eq!(
                open(&secrets, &tuple(1), SeqNum::new(5), cookie, Instant::ZERO),
                Some(told),
                "{asked}"
            );
        }
    }

    proptest! {
        #[test]
        fn options_come_back_in_the_echo(clock: u32, shift in 0_u8..=14, scaling: bool, sack: bool, ecn: bool) {
            let offered = Agreed {
                peer_mss: 1_460, send_shift: if scaling { shift } else { 0 },
                receive_shift: if scaling { 3 } else { 0 }, scaling, timestamps: true, sack, ecn,
            };
            let value = timestamp(clock, &offered);
            prop_assert!(clock.wrapping_sub(value) < 128);
            prop_assert_eq!(agreed(1_460, Some(value), 3), offered);
            let plain = Agreed { timestamps: false, sack: false, ecn: false, scaling: false, send_shift: 0,
                receive_shift: 0, ..offered };
            prop_assert_eq!(agreed(1_460, None, 3), plain);
        }
    }
}
