//! ARP for IPv4 over Ethernet (RFC 826).

use super::ethernet;
use core::net::Ipv4Addr;

/// The bytes of a packet; Ethernet pads it with 18 more.
pub const LENGTH: usize = 28;

mod field {
    use core::ops::Range;
    pub const HARDWARE_TYPE: Range<usize> = 0..2;
    pub const PROTOCOL_TYPE: Range<usize> = 2..4;
    pub const HARDWARE_LENGTH: usize = 4;
    pub const PROTOCOL_LENGTH: usize = 5;
    pub const OPERATION: Range<usize> = 6..8;
    pub const SENDER_HARDWARE: Range<usize> = 8..14;
    pub const SENDER_PROTOCOL: Range<usize> = 14..18;
    pub const TARGET_HARDWARE: Range<usize> = 18..24;
    pub const TARGET_PROTOCOL: Range<usize> = 24..28;
}

/// Hardware type 1 (Ethernet), protocol type 0x0800, their lengths.
const FORMAT: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// What a packet asks or says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Who has the target's address? (1)
    Request,
    /// The sender has it. (2)
    Reply,
}

/// Why a packet was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 28 bytes.
    Short,
    /// Not IPv4 over Ethernet, or its address lengths are not 6 and 4.
    Format,
    /// Neither a request nor a reply.
    Operation(u16),
    /// The sender's link address is not one that a station can have.
    Sender(ethernet::Address),
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("fewer than 28 bytes"),
            Self::Format => f.write_str("not IPv4 over Ethernet"),
            Self::Operation(operation) => write!(f, "operation {operation}"),
            Self::Sender(address) => write!(f, "sender {address}"),
        }
    }
}

/// A packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's link address.
    pub sender_hardware: ethernet::Address,
    /// The sender's IPv4 address; 0.0.0.0 in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// The target's link address; of no meaning in a request.
    pub target_hardware: ethernet::Address,
    /// The target's IPv4 address.
    pub target: Ipv4Addr,
}

impl Repr {
    /// Reads a packet; what follows its 28 bytes is padding.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let packet = bytes.first_chunk::<LENGTH>().ok_or(Malformed::Short)?;
        let [f0, f1, f2, f3, f4, f5, o0, o1, rest @ ..] = *packet;
        if [f0, f1, f2, f3, f4, f5] != FORMAT {
            return Err(Malformed::Format);
        }
        let operation = match u16::from_be_bytes([o0, o1]) {
            1 => Operation::Request,
            2 => Operation::Reply,
            other => return Err(Malformed::Operation(other)),
        };
        let [a, b, c, d, e, f, s0, s1, s2, s3, g, h, i, j, k, l, t0, t1, t2, t3] = rest;
        let sender_hardware = ethernet::Address([a, b, c, d, e, f]);
        if !sender_hardware.is_station() {
            return Err(Malformed::Sender(sender_hardware));
        }
        Ok(Self {
            operation,
            sender_hardware,
            sender: Ipv4Addr::new(s0, s1, s2, s3),
            target_hardware: ethernet::Address([g, h, i, j, k, l]),
            target: Ipv4Addr::new(t0, t1, t2, t3),
        })
    }

    /// The packet's bytes.
    pub fn emit(&self) -> [u8; LENGTH] {
        let [h0, h1, p0, p1, hardware_length, protocol_length] = FORMAT;
        let operation = match self.operation {
            Operation::Request => 1_u16,
            Operation::Reply => 2,
        };
        let mut packet = [0; LENGTH];
        packet[field::HARDWARE_TYPE].copy_from_slice(&[h0, h1]);
        packet[field::PROTOCOL_TYPE].copy_from_slice(&[p0, p1]);
        packet[field::HARDWARE_LENGTH] = hardware_length;
        packet[field::PROTOCOL_LENGTH] = protocol_length;
        packet[field::OPERATION].copy_from_slice(&operation.to_be_bytes());
        packet[field::SENDER_HARDWARE].copy_from_slice(&self.sender_hardware.0);
        packet[field::SENDER_PROTOCOL].copy_from_slice(&self.sender.octets());
        packet[field::TARGET_HARDWARE].copy_from_slice(&self.target_hardware.0);
        packet[field::TARGET_PROTOCOL].copy_from_slice(&self.target.octets());
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: [u8; 28] = [
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x16, 0x3e, 0x01, 0x02, 0x03, 192, 0, 2, 10,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192, 0, 2, 1,
    ];

    #[test]
    fn golden_bytes() {
        let repr = Repr::parse(&REQUEST).unwrap();
        assert_eq!(repr.operation, Operation::Request);
        assert_eq!(repr.sender_hardware, ethernet::Address([0x02, 0x16, 0x3e, 0x01, 0x02, 0x03]));
        assert_eq!(repr.sender, Ipv4Addr::new(192, 0, 2, 10));
        assert_eq!(repr.target_hardware, ethernet::Address([0; 6]));
        assert_eq!(repr.target, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(repr.emit(), REQUEST);
        let reply = Repr { operation: Operation::Reply, ..repr }.emit();
        assert_eq!(reply[7], 2);
        assert_eq!(Repr::parse(&reply).unwrap().operation, Operation::Reply);
    }

    #[test]
    fn what_is_not_understood() {
        assert_eq!(Repr::parse(&REQUEST[..27]), Err(Malformed::Short));
        for (at, value) in [(0, 1), (1, 6), (2, 0x86), (3, 0xdd), (4, 8), (5, 16)] {
            let mut bytes = REQUEST;
            bytes[at] = value;
            assert_eq!(Repr::parse(&bytes), Err(Malformed::Format), "byte {at}");
        }
        let mut bytes = REQUEST;
        bytes[7] = 3;
        assert_eq!(Repr::parse(&bytes), Err(Malformed::Operation(3)));
        let mut bytes = REQUEST;
        bytes[8] = 0xff;
        assert!(matches!(Repr::parse(&bytes), Err(Malformed::Sender(_))));
    }
}
