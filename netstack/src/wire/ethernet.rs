//! Ethernet II frames (IEEE 802.3 clause 3), as far as a station on one segment needs them.

/// The bytes of a header.
pub const HEADER: usize = 14;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;

mod field {
    use core::ops::Range;
    pub const DESTINATION: Range<usize> = 0..6;
    pub const SOURCE: Range<usize> = 6..12;
    pub const TYPE: Range<usize> = 12..14;
}

/// A 48-bit link address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 6]);

impl Address {
    /// Every station.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// A group of stations, the broadcast among them: never a source.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether one station can have it: neither a group nor all zero.
    pub fn is_station(self) -> bool {
        !self.is_multicast() && self.0 != [0; 6]
    }
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Whom it is for.
    pub destination: Address,
    /// Who sent it.
    pub source: Address,
    /// What it carries; below 0x0600 a length (IEEE 802.2), which nobody here speaks.
    pub ethertype: u16,
}

impl Repr {
    /// The header and what follows it; `None` where the frame is shorter than a header.
    pub fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let (header, payload) = frame.split_first_chunk::<HEADER>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let repr = Self {
            destination: Address([d0, d1, d2, d3, d4, d5]),
            source: Address([s0, s1, s2, s3, s4, s5]),
            ethertype: u16::from_be_bytes([t0, t1]),
        };
        Some((repr, payload))
    }

    /// The header's bytes.
    pub fn emit(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[field::DESTINATION].copy_from_slice(&self.destination.0);
        header[field::SOURCE].copy_from_slice(&self.source.0);
        header[field::TYPE].copy_from_slice(&self.ethertype.to_be_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 16] =
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x16, 0x3e, 0x01, 0x02, 0x03, 0x08, 0x06, 0xaa, 0xbb];

    #[test]
    fn golden_bytes() {
        let (repr, payload) = Repr::parse(&BYTES).unwrap();
        assert_eq!(repr.destination, Address::BROADCAST);
        assert_eq!(repr.source, Address([0x02, 0x16, 0x3e, 0x01, 0x02, 0x03]));
        assert_eq!(repr.ethertype, 0x0806);
        assert_eq!(payload, [0xaa, 0xbb]);
        assert_eq!(repr.emit(), BYTES[..14]);
    }

    #[test]
    fn thirteen_bytes_are_no_header() {
        assert_eq!(Repr::parse(&BYTES[..13]), None);
        assert!(Repr::parse(&BYTES[..14]).is_some());
    }

    #[test]
    fn kinds_of_address() {
        assert!(Address::BROADCAST.is_multicast());
        assert!(Address([0x01, 0, 0x5e, 0, 0, 1]).is_multicast());
        assert!(Address([0x02, 0, 0, 0, 0, 1]).is_station());
        assert!(!Address([0; 6]).is_station());
    }
}
