//! Frames on their way through the driver: what is sent by copy and what by reference, and what the backend has to
//! finish.

use core::convert::Infallible;

/// A run of payload bytes. `L` is what a hold on lent bytes is taken of; without one nothing is lent.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a, L = Infallible> {
    /// Lives only as long as the call: it is copied.
    Borrowed(&'a [u8]),
    /// Lives for ever and never changes: the backend reads it where it lies, if its pages may be granted.
    Static(&'static [u8]),
    /// Stays as it is while there is a hold on it: the backend reads it where it lies, and the driver takes a hold of its own for
    /// so long. Its pages hold nothing secret.
    Lent(&'a [u8], L),
}

impl<'a, L> Slice<'a, L> {
    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Borrowed(bytes) | Self::Lent(bytes, _) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}

/// What the backend has to finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// The checksum field holds the pseudo-header's sum. netif says no more than that: the backend parses the headers
    /// to find the place.
    pub checksum: Option<PartialChecksum>,
    /// Cut the packet into segments.
    pub gso: Option<Gso>,
}

/// Where a partial checksum stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartialChecksum {
    /// Bytes from the start of the frame to where summing starts (the transport header).
    pub start: u16,
    /// Bytes from `start` to the checksum field (TCP 16, UDP 6).
    pub offset: u16,
}

/// How to cut a large packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gso {
    /// Payload bytes of each segment, TCP options left out.
    pub size: u16,
    /// Which protocol the packet is.
    pub kind: GsoKind,
}

/// The protocol of a large packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GsoKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
}

/// A received frame.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Ethernet header first. At least 14 bytes, at most 18 pages.
    pub bytes: &'a [u8],
    /// What is known of its checksum.
    pub checksum: ReceiveChecksum,
}

/// What is known of a received frame's transport checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveChecksum {
    /// Nothing.
    Unverified,
    /// It is blank, or was checked (`NETRXF_csum_blank`, `NETRXF_data_validated`).
    Trusted,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransmitError {
    /// Ring slots, blocks or grants are used up: try again after the backend has finished some.
    Full,
    /// There is no connection to a backend: the frame is lost, as on a pulled cable.
    Down,
    /// The frame is longer than the backend takes, shorter than an Ethernet header, or asks for an offload that the
    /// backend does not do.
    Length,
}

impl core::fmt::Display for TransmitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the transmit ring is full",
            Self::Down => "the device is not connected",
            Self::Length => "the frame is not one that the backend takes",
        })
    }
}
