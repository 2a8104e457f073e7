//! What the two ends have agreed on in their SYNs.

use crate::egress::Path;
use crate::wire::tcp::{Flags, MAX_WINDOW_SHIFT, Options};
use core::net::IpAddr;

/// RFC 9293 section 3.7.1: "If an MSS Option is not received at connection setup, TCP implementations MUST assume a default
/// send MSS of 536 (576 - 40) for IPv4 or 1220 (1280 - 60) for IPv6".
const DEFAULT_MSS_V4: u16 = 536;
const DEFAULT_MSS_V6: u16 = 1_220;
/// A peer that asks for less gets this: smaller segments are an attack on our own work (RFC 9293 leaves the floor open;
/// 536 - 488 bytes would still reach the smallest link that RFC 791 allows, of 68 bytes).
const LEAST_MSS: u16 = 48;

/// The bounds of segments and windows, and which options go along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Agreed {
    /// The largest segment that the peer takes, in bytes, options counted as data (RFC 6691).
    pub(super) peer_mss: u16,
    /// By how much the peer's windows are to be shifted left, at most 14.
    pub(super) send_shift: u8,
    /// By how much ours are to be shifted right.
    pub(super) receive_shift: u8,
    /// Both ends scale their windows.
    pub(super) scaling: bool,
    pub(super) timestamps: bool,
    pub(super) sack: bool,
    /// Both ends heed congestion marks (RFC 3168).
    pub(super) ecn: bool,
}

/// TCP header bytes without options.
const HEADER: u16 = 20;

/// IP header bytes without options.
pub(super) fn ip_header(address: IpAddr) -> u16 {
    if address.is_ipv4() { 20 } else { 40 }
}

/// The largest segment, in bytes of data and options, that goes out on `path` whole.
pub(super) fn path_mss(remote: IpAddr, path: &Path) -> u16 {
    path.mtu.saturating_sub(ip_header(remote)).saturating_sub(HEADER).max(LEAST_MSS)
}

impl Agreed {
    /// By the peer's SYN: an option is used where the peer offered it, for we offer all of them.
    pub(super) fn from_syn(remote: IpAddr, flags: Flags, options: &Options, receive_limit: u32) -> Self {
        let default = if remote.is_ipv4() { DEFAULT_MSS_V4 } else { DEFAULT_MSS_V6 };
        Self {
            peer_mss: options.maximum_segment_size.unwrap_or(default).max(LEAST_MSS),
            // RFC 7323 section 2.3: "If a Window Scale option is received with a shift.cnt value larger than 14, the TCP
            // SHOULD log the error but MUST use 14 instead of the specified value".
            send_shift: options.window_scale.unwrap_or(0).min(MAX_WINDOW_SHIFT),
            receive_shift: options.window_scale.map_or(0, |_| shift_for(receive_limit)),
            scaling: options.window_scale.is_some(),
            timestamps: options.timestamps.is_some(),
            sack: options.sack_permitted,
            // RFC 3168 section 6.1.1: an "ECN-setup SYN packet" has both flags.
            ecn: flags.has(Flags::ECE.with(Flags::CWR)),
        }
    }
}

/// The least shift with which a window of `limit` bytes fits 16 bits.
pub(super) fn shift_for(limit: u32) -> u8 {
    (0..MAX_WINDOW_SHIFT).find(|shift| limit >> shift <= 65_535).unwrap_or(MAX_WINDOW_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn defaults_without_options() {
        let agreed = Agreed::from_syn(V4, Flags::SYN, &Options::default(), 1 << 20);
        assert_eq!(
            agreed,
            Agreed {
                peer_mss: 536,
                send_shift: 0,
                receive_shift: 0,
                scaling: false,
                timestamps: false,
                sack: false,
                ecn: false
            }
        );
        assert_eq!(Agreed::from_syn(V6, Flags::SYN, &Options::default(), 1 << 20).peer_mss, 1_220);
    }

    #[test]
    fn a_shift_above_14_is_14() {
        let options =
            Options { window_scale: Some(200), maximum_segment_size: Some(0), ..Options::default() };
        let agreed = Agreed::from_syn(V4, Flags::SYN, &options, 1 << 20);
        assert_eq!((agreed.send_shift, agreed.receive_shift, agreed.peer_mss), (14, 5, 48));
    }

    #[test]
    fn the_largest_window_fits() {
        assert_eq!(shift_for(65_535), 0);
        assert_eq!(shift_for(65_536), 1);
        assert_eq!(shift_for(1_073_725_440), 14);
        assert_eq!(shift_for(u32::MAX), 14);
    }

    #[test]
    fn path_mss_leaves_the_headers_out() {
        let path = |mtu| Path { mtu, gso: None };
        assert_eq!(path_mss(V4, &path(1_500)), 1_460);
        assert_eq!(path_mss(V6, &path(1_500)), 1_440);
        assert_eq!(path_mss(V4, &path(0)), 48);
    }
}
