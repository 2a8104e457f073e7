//! The network device below the stack.

#[cfg(feature = "records")]
use crate::record::Record;

/// Takes frames. Implemented by the kernel over netfront, by the tap, and by the links of tests.
pub trait Device {
    /// What the device can do now. It may change between two connections to its backend.
    fn capabilities(&self) -> Capabilities;

    /// How many bytes of `payload`, counted from its start, one packet can carry (a limit on slots, say). Never more than their sum.
    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        payload.iter().fold(0, |sum, slice| sum.saturating_add(slice.bytes().len()))
    }

    /// Queues one frame: Ethernet header first, no checksum sequence.
    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError>;
}

/// What a device can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Largest IP packet, in bytes, that goes out as one frame on the wire.
    pub mtu: u16,
    /// The device fills in TCP and UDP checksums from a partial sum ([`Offload::checksum`]).
    pub checksum: bool,
    /// The largest IPv4 TCP packet, in bytes from the IP header on, that the device cuts into segments itself ([`Offload::gso`]).
    pub gso_v4: Option<u32>,
}

/// A frame to send: the headers, then the payload, joined by the device.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Ethernet, IP and transport headers (and whatever else the sender put together), at least 14 bytes.
    pub header: &'a [u8],
    /// What follows the header.
    pub payload: &'a [Slice<'a>],
    /// What the device has to finish.
    pub offload: Offload,
}

/// A run of payload bytes.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a> {
    /// Lives only as long as the call: the device copies it.
    Borrowed(&'a [u8]),
    /// Lives for ever and never changes: the device may point at it.
    Static(&'static [u8]),
    /// Lies in a record's pages, and stays as it is while there is a hold on it: the device may take one and point at it.
    #[cfg(feature = "records")]
    Record(&'a [u8], &'a Record),
}

impl<'a> Slice<'a> {
    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Static(bytes) => bytes,
            #[cfg(feature = "records")]
            Self::Record(bytes, _) => bytes,
        }
    }

    /// The first `length` bytes; all where there are no more.
    pub(crate) fn first(self, length: usize) -> Self {
        match self {
            Self::Borrowed(bytes) => Self::Borrowed(bytes.get(..length).unwrap_or(bytes)),
            Self::Static(bytes) => Self::Static(bytes.get(..length).unwrap_or(bytes)),
            #[cfg(feature = "records")]
            Self::Record(bytes, record) => Self::Record(bytes.get(..length).unwrap_or(bytes), record),
        }
    }
}

/// What the device has to finish: the form that netif, a tap's `virtio_net_hdr` and IPv6 share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// The transport checksum holds the pseudo-header's sum; the device adds the rest.
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

/// What is known of a received frame's transport checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveChecksum {
    /// Nothing: the stack sums.
    Unverified,
    /// It is blank or already checked (`NETRXF_csum_blank`, `NETRXF_data_validated`): the stack does not look.
    Trusted,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransmitError {
    /// The ring or the blocks are used up: try again after the device has finished some.
    Full,
    /// The device has no backend: the frame is lost, as on a pulled cable.
    Down,
    /// Longer than the device takes, or shorter than an Ethernet header.
    Length,
}

impl core::fmt::Display for TransmitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the transmit ring is full",
            Self::Down => "the device is not connected",
            Self::Length => "the frame's length is not one the device takes",
        })
    }
}
