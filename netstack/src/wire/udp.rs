//! UDP (RFC 768).

use super::checksum::Sum;
use super::ipv4;
use core::net::IpAddr;

/// The bytes of a header.
pub const HEADER: usize = 8;

mod field {
    use core::ops::Range;
    pub const SOURCE_PORT: Range<usize> = 0..2;
    pub const DESTINATION_PORT: Range<usize> = 2..4;
    pub const LENGTH: Range<usize> = 4..6;
    pub const CHECKSUM: Range<usize> = 6..8;
}

/// Why bytes are no datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 8 bytes.
    Short,
    /// The length is below 8 or more than came.
    Length(u16),
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("fewer than 8 bytes"),
            Self::Length(length) => write!(f, "length {length}"),
        }
    }
}

/// A received datagram, its length checked.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// What follows the header.
    pub payload: &'a [u8],
    checksum: u16,
    /// Header and payload, without what followed them.
    whole: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram; what follows its length is left out.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let [s0, s1, d0, d1, l0, l1, c0, c1] = *bytes.first_chunk::<HEADER>().ok_or(Malformed::Short)?;
        let length = u16::from_be_bytes([l0, l1]);
        let whole = bytes.get(..usize::from(length)).ok_or(Malformed::Length(length))?;
        let payload = whole.get(HEADER..).ok_or(Malformed::Length(length))?;
        Ok(Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            payload,
            checksum: u16::from_be_bytes([c0, c1]),
            whole,
        })
    }

    /// Whether the checksum is right; over IPv4 a checksum of 0 says that the sender made none.
    pub fn verify(&self, source: IpAddr, destination: IpAddr) -> bool {
        if self.checksum == 0 {
            return source.is_ipv4();
        }
        let length = u32::try_from(self.whole.len()).unwrap_or(u32::MAX);
        Sum::pseudo_header(source, destination, ipv4::UDP, length).bytes(self.whole).checksum() == 0
    }
}

/// A header to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

impl Repr {
    /// The header's bytes for `payload`, with the checksum; a sum of 0 is sent as 0xffff. `payload` is at most
    /// 65,527 bytes.
    pub fn emit(&self, source: IpAddr, destination: IpAddr, payload: &[u8]) -> [u8; HEADER] {
        let length = u16::try_from(payload.len().saturating_add(HEADER)).unwrap_or(u16::MAX);
        let mut header = [0; HEADER];
        header[field::SOURCE_PORT].copy_from_slice(&self.source_port.to_be_bytes());
        header[field::DESTINATION_PORT].copy_from_slice(&self.destination_port.to_be_bytes());
        header[field::LENGTH].copy_from_slice(&length.to_be_bytes());
        let sum = Sum::pseudo_header(source, destination, ipv4::UDP, u32::from(length));
        let checksum = match sum.bytes(&header).bytes(payload).checksum() {
            0 => 0xffff,
            checksum => checksum,
        };
        header[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const DESTINATION: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    /// c000 + 0201 + c000 + 0202 + 0011 + 000a (pseudo-header) + 0035 + 8000 + 000a + 6869 = 16cc7 -> 6cc8, its
    /// complement 9337.
    const BYTES: [u8; 12] = [0x00, 0x35, 0x80, 0x00, 0x00, 0x0a, 0x93, 0x37, b'h', b'i', 0xee, 0xee];

    #[test]
    fn golden_bytes() {
        let packet = Packet::parse(&BYTES).unwrap();
        assert_eq!((packet.source_port, packet.destination_port), (53, 32_768));
        assert_eq!(packet.payload, b"hi");
        let header = Repr { source_port: 53, destination_port: 32_768 }.emit(SOURCE, DESTINATION, b"hi");
        assert_eq!(header, BYTES[..8]);
        assert!(packet.verify(SOURCE, DESTINATION));
        assert!(!packet.verify(SOURCE, SOURCE));
    }

    #[test]
    fn a_checksum_of_zero_was_not_made() {
        let mut bytes = BYTES;
        bytes[6..8].fill(0);
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.verify(SOURCE, DESTINATION));
        assert!(!packet.verify(core::net::Ipv6Addr::LOCALHOST.into(), core::net::Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_ones() {
        let repr = Repr { source_port: 53, destination_port: 32_768 };
        // The checksum over two zero bytes is what is missing to ffff: put there, it leaves 0.
        let header = repr.emit(SOURCE, DESTINATION, &[0, 0]);
        let missing = u16::from_be_bytes([header[6], header[7]]);
        let header = repr.emit(SOURCE, DESTINATION, &missing.to_be_bytes());
        assert_eq!(header[6..8], [0xff, 0xff]);
    }

    #[test]
    fn what_is_no_datagram() {
        assert_eq!(Packet::parse(&BYTES[..7]).err(), Some(Malformed::Short));
        let length = |length: u8| {
            let mut bytes = BYTES;
            bytes[5] = length;
            Packet::parse(&bytes).map(|packet| packet.payload.len())
        };
        assert_eq!(length(7), Err(Malformed::Length(7)));
        assert_eq!(length(8), Ok(0));
        assert_eq!(length(12), Ok(4));
        assert_eq!(length(13), Err(Malformed::Length(13)));
    }
}
