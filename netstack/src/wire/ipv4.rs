//! IPv4 headers (RFC 791).

use super::checksum::Sum;
use crate::egress::Ecn;
use core::net::Ipv4Addr;

/// The bytes of a header without options.
pub const HEADER: usize = 20;

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

mod field {
    use core::ops::Range;
    pub const VERSION_IHL: usize = 0;
    pub const TYPE_OF_SERVICE: usize = 1;
    pub const TOTAL_LENGTH: Range<usize> = 2..4;
    pub const IDENTIFICATION: Range<usize> = 4..6;
    pub const FLAGS_FRAGMENT: Range<usize> = 6..8;
    pub const TIME_TO_LIVE: usize = 8;
    pub const PROTOCOL: usize = 9;
    pub const CHECKSUM: Range<usize> = 10..12;
    pub const SOURCE: Range<usize> = 12..16;
    pub const DESTINATION: Range<usize> = 16..20;
}

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Why bytes are no IPv4 packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 20 bytes.
    Short,
    /// The version is not 4.
    Version(u8),
    /// The header length is below 20 bytes or more than came.
    HeaderLength(usize),
    /// The total length is below the header's or more than came.
    TotalLength(usize),
    /// The header's checksum is wrong.
    Checksum,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("fewer than 20 bytes"),
            Self::Version(version) => write!(f, "version {version}"),
            Self::HeaderLength(length) => write!(f, "header length {length}"),
            Self::TotalLength(length) => write!(f, "total length {length}"),
            Self::Checksum => f.write_str("header checksum"),
        }
    }
}

/// A received packet: its lengths hold, its header's checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    fixed: &'a [u8; HEADER],
    /// The header with its options.
    header: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks a packet and trims what follows its total length (Ethernet's padding).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let packet = Self::quoted(bytes)?;
        let options = packet.header.get(HEADER..).unwrap_or_default();
        if Sum::new().header(packet.fixed).bytes(options).checksum() != 0 {
            return Err(Malformed::Checksum);
        }
        let total = usize::from(packet.total_length());
        let payload = bytes.get(packet.header.len()..total).ok_or(Malformed::TotalLength(total))?;
        Ok(Self { payload, ..packet })
    }

    /// Reads the start of a packet, as an ICMP error quotes it: the header whole, the payload cut anywhere, the checksum
    /// as a router left it.
    pub fn quoted(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let fixed = bytes.first_chunk::<HEADER>().ok_or(Malformed::Short)?;
        let version = fixed[field::VERSION_IHL] >> 4;
        if version != 4 {
            return Err(Malformed::Version(version));
        }
        let length = usize::from(fixed[field::VERSION_IHL] & 0xf).saturating_mul(4);
        let header = bytes.get(..length).filter(|header| header.len() >= HEADER);
        let header = header.ok_or(Malformed::HeaderLength(length))?;
        let payload = bytes.get(length..).unwrap_or_default();
        Ok(Self { fixed, header, payload })
    }

    /// The header with its options.
    pub fn header(&self) -> &'a [u8] {
        self.header
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Header and payload, in bytes.
    pub fn total_length(&self) -> u16 {
        self.word(field::TOTAL_LENGTH)
    }

    /// The identification.
    pub fn identification(&self) -> u16 {
        self.word(field::IDENTIFICATION)
    }

    /// Whether this is a part of a larger packet.
    pub fn is_fragment(&self) -> bool {
        self.word(field::FLAGS_FRAGMENT) & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0
    }

    /// Whether it is the start or the middle of a larger packet.
    pub fn more_fragments(&self) -> bool {
        self.word(field::FLAGS_FRAGMENT) & MORE_FRAGMENTS != 0
    }

    /// Where in the larger packet's payload this one's begins, in bytes.
    pub fn fragment_offset(&self) -> usize {
        usize::from(self.word(field::FLAGS_FRAGMENT) & FRAGMENT_OFFSET).saturating_mul(8)
    }

    /// What routers say of congestion on the way.
    pub fn ecn(&self) -> Ecn {
        Ecn::from_bits(self.fixed[field::TYPE_OF_SERVICE])
    }

    /// What the payload is.
    pub fn protocol(&self) -> u8 {
        self.fixed[field::PROTOCOL]
    }

    /// Who sent it.
    pub fn source(&self) -> Ipv4Addr {
        self.address(field::SOURCE)
    }

    /// Whom it is for.
    pub fn destination(&self) -> Ipv4Addr {
        self.address(field::DESTINATION)
    }

    fn word(&self, at: core::ops::Range<usize>) -> u16 {
        let word = self.fixed.get(at).and_then(|bytes| bytes.first_chunk());
        u16::from_be_bytes(word.copied().unwrap_or_default())
    }

    fn address(&self, at: core::ops::Range<usize>) -> Ipv4Addr {
        let octets = self.fixed.get(at).and_then(|bytes| bytes.first_chunk::<4>());
        Ipv4Addr::from(octets.copied().unwrap_or_default())
    }
}

/// Makes a first fragment's header the whole packet's, `total` bytes long: no fragment any more, its checksum right.
pub fn make_whole(header: &mut [u8], total: u16, ecn: Ecn) {
    let Some(fixed) = header.first_chunk_mut::<HEADER>() else { return };
    fixed[field::TYPE_OF_SERVICE] = (fixed[field::TYPE_OF_SERVICE] & !0b11) | ecn.bits();
    fixed[field::TOTAL_LENGTH].copy_from_slice(&total.to_be_bytes());
    fixed[field::FLAGS_FRAGMENT].fill(0);
    fixed[field::CHECKSUM].fill(0);
    let checksum = Sum::new().bytes(header).checksum();
    if let Some(fixed) = header.first_chunk_mut::<HEADER>() {
        fixed[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Which part of a larger packet's payload a packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Where it begins there: a multiple of 8 bytes, at most 65,528.
    pub offset: u16,
    /// More of it follows.
    pub more: bool,
}

/// A header to send: never with options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Who sends it.
    pub source: Ipv4Addr,
    /// Whom it is for.
    pub destination: Ipv4Addr,
    /// What the payload is.
    pub protocol: u8,
    /// The payload's bytes.
    pub payload: u16,
    /// The identification; `None` forbids routers to cut the packet, and then it has no meaning (RFC 6864).
    pub identification: Option<u16>,
    /// Which part of a packet it is; the default is a whole one.
    pub part: Part,
    /// Whether routers may mark it.
    pub ecn: Ecn,
}

impl Repr {
    /// The default time to live (RFC 1700, page 64).
    pub const TIME_TO_LIVE: u8 = 64;

    /// The header's bytes with their checksum.
    pub fn emit(&self) -> [u8; HEADER] {
        let total = self.payload.saturating_add(20);
        let mut fragment = self.part.offset / 8;
        fragment |= if self.identification.is_none() { DONT_FRAGMENT } else { 0 };
        fragment |= if self.part.more { MORE_FRAGMENTS } else { 0 };
        let mut header = [0; HEADER];
        header[field::VERSION_IHL] = 0x45;
        header[field::TYPE_OF_SERVICE] = self.ecn.bits();
        header[field::TOTAL_LENGTH].copy_from_slice(&total.to_be_bytes());
        header[field::IDENTIFICATION].copy_from_slice(&self.identification.unwrap_or(0).to_be_bytes());
        header[field::FLAGS_FRAGMENT].copy_from_slice(&fragment.to_be_bytes());
        header[field::TIME_TO_LIVE] = Self::TIME_TO_LIVE;
        header[field::PROTOCOL] = self.protocol;
        header[field::SOURCE].copy_from_slice(&self.source.octets());
        header[field::DESTINATION].copy_from_slice(&self.destination.octets());
        let checksum = Sum::new().header(&header).checksum();
        header[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UDP packet of 115 bytes; the checksum b861 is Wikipedia's worked example of the RFC 1071 sum.
    const HEADER: [u8; 20] =
        [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];

    fn packet() -> [u8; 120] {
        let mut bytes = [0xaa; 120];
        bytes[..20].copy_from_slice(&HEADER);
        bytes
    }

    #[test]
    fn golden_bytes() {
        let bytes = packet();
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.total_length(), 115);
        assert_eq!(packet.payload().len(), 95, "trailing bytes are trimmed");
        assert_eq!(packet.protocol(), 17);
        assert_eq!(packet.source(), Ipv4Addr::new(192, 168, 0, 1));
        assert_eq!(packet.destination(), Ipv4Addr::new(192, 168, 0, 199));
        assert!(!packet.is_fragment());
        let repr = Repr {
            source: packet.source(),
            destination: packet.destination(),
            protocol: 17,
            payload: 95,
            identification: None,
            part: Part::default(),
            ecn: Ecn::NotCapable,
        };
        assert_eq!(repr.emit(), HEADER);
        let header = Repr { identification: Some(0x1234), ..repr }.emit();
        assert_eq!(header[4..8], [0x12, 0x34, 0, 0]);
        let part = Part { offset: 1480, more: true };
        let header = Repr { identification: Some(0x1234), part, ..repr }.emit();
        assert_eq!(header[4..8], [0x12, 0x34, 0x20, 0xb9]);
        assert_eq!(Packet::quoted(&header).unwrap().fragment_offset(), 1480);
        assert!(Packet::quoted(&header).unwrap().more_fragments());
        let part = Part { offset: 65_528, more: false };
        let header = Repr { identification: Some(0x1234), part, ..repr }.emit();
        assert_eq!(header[6..8], [0x1f, 0xff]);
        assert_eq!(Sum::new().bytes(&header).checksum(), 0);
    }

    /// RFC 3168 section 5.
    #[test]
    fn congestion_bits() {
        let all = [(0, Ecn::NotCapable), (1, Ecn::Capable1), (2, Ecn::Capable), (3, Ecn::Congestion)];
        for (bits, ecn) in all {
            let mut bytes = packet();
            // Above them stand the six bits of RFC 2474, which say nothing here.
            bytes[1] = 0xb8 | bits;
            assert_eq!(Packet::quoted(&bytes).unwrap().ecn(), ecn);
            let (source, destination) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
            let (protocol, part) = (6, Part::default());
            let repr = Repr { source, destination, protocol, payload: 0, identification: None, part, ecn };
            assert_eq!(repr.emit()[1], bits);
        }
    }

    #[test]
    fn what_is_no_packet() {
        let parse = |change: fn(&mut [u8; 120])| {
            let mut bytes = packet();
            change(&mut bytes);
            bytes[10..12].fill(0);
            let length = usize::from(bytes[0] & 0xf) * 4;
            let checksum = Sum::new().bytes(&bytes[..length]).checksum();
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            Packet::parse(&bytes).map(|packet| packet.payload().len())
        };
        assert_eq!(parse(|_| ()), Ok(95));
        assert_eq!(parse(|bytes| bytes[0] = 0x65), Err(Malformed::Version(6)));
        assert_eq!(parse(|bytes| bytes[0] = 0x44), Err(Malformed::HeaderLength(16)));
        assert_eq!(parse(|bytes| bytes[0] = 0x46), Ok(91), "options are skipped");
        assert_eq!(parse(|bytes| bytes[3] = 19), Err(Malformed::TotalLength(19)));
        assert_eq!(parse(|bytes| bytes[3] = 20), Ok(0));
        assert_eq!(parse(|bytes| bytes[3] = 121), Err(Malformed::TotalLength(121)));
        let mut bytes = packet();
        bytes[10] ^= 1;
        assert_eq!(Packet::parse(&bytes).err(), Some(Malformed::Checksum));
        assert_eq!(Packet::parse(&bytes[..19]).err(), Some(Malformed::Short));
    }

    #[test]
    fn fragments() {
        for (flags, fragment) in [(0x4000_u16, false), (0x2000, true), (0x0001, true), (0x8000, false)] {
            let mut bytes = packet();
            bytes[6..8].copy_from_slice(&flags.to_be_bytes());
            assert_eq!(Packet::quoted(&bytes).unwrap().is_fragment(), fragment, "{flags:#x}");
        }
    }
}
