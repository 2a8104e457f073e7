//! The seam between TCP and IP: TCP hands segments down through it, and knows nothing of frames or neighbours.

use crate::device::Slice;
use core::net::IpAddr;

/// Sends TCP segments. Implemented by the stack over its device, and by the links of TCP's own tests.
pub trait Egress {
    /// What the path to `remote` takes now.
    fn path(&self, remote: IpAddr) -> Path;

    /// How many bytes of `payload` one packet can carry; see [`crate::Device::fit`].
    fn fit(&self, payload: &[Slice<'_>]) -> usize;

    /// Sends one segment. `header` is a whole TCP header with its options, its checksum field still zero: IP fills it
    /// (or leaves it to the device). With `gso`, the payload is to be cut into segments of that many bytes.
    fn send(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        header: &mut [u8],
        payload: &[Slice<'_>],
        gso: Option<u16>,
        ecn: Ecn,
    ) -> Result<(), SendError>;

    /// A router has no room for packets to `remote` above `mtu` bytes. TCP has checked that the router saw one of ours
    /// (RFC 5927 section 4), or has found it out by itself; [`Self::path`] tells the new limit, if there is one.
    fn packet_too_big(&mut self, remote: IpAddr, mtu: u16);
}

/// The two bits of explicit congestion notification in an IP header (RFC 3168 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ecn {
    /// Not-ECT (00): routers drop it where there is congestion.
    #[default]
    NotCapable,
    /// ECT(1) (01).
    Capable1,
    /// ECT(0) (10): what RFC 3168 lets senders use.
    Capable,
    /// CE (11): a router on the way met congestion.
    Congestion,
}

impl Ecn {
    /// From the low two bits of the type of service, or of the traffic class.
    pub const fn from_bits(octet: u8) -> Self {
        match octet & 0b11 {
            0b00 => Self::NotCapable,
            0b01 => Self::Capable1,
            0b10 => Self::Capable,
            _ => Self::Congestion,
        }
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotCapable => 0b00,
            Self::Capable1 => 0b01,
            Self::Capable => 0b10,
            Self::Congestion => 0b11,
        }
    }
}

/// The limits of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// Largest IP packet in bytes.
    pub mtu: u16,
    /// The largest packet, from its IP header on, that may be handed down with `gso`; `None` where segments are cut by TCP.
    pub gso: Option<u32>,
}

/// Why a segment did not go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The device is full: nothing was sent. Try again when the stack says that the device has room.
    Full,
    /// No device, address or route: as good as lost on the wire.
    Unreachable,
}

/// What the network reports of a packet of ours: ICMPv4 type 3 (codes in brackets), later ICMPv6 types 1 and 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreachable {
    /// The host, or the way to it: it may come back (0, 1, 5 to 8, 11, 12).
    Host,
    /// The host does not speak the protocol (2).
    Protocol,
    /// Nothing listens at the port (3).
    Port,
    /// Too large for the next link, which takes `mtu` bytes (4, RFC 1191).
    PacketTooBig {
        /// The next link's largest packet, from its IP header on; in a message as it is on the wire 0 where an old router
        /// does not say, but never so where it reaches TCP.
        mtu: u16,
    },
    /// Forbidden by an administrator (9, 10, 13 to 15).
    Prohibited,
}
