//! ICMP for IPv4 (RFC 792): echo and the errors that concern a server.

use super::checksum::Sum;
use crate::egress::Unreachable;

/// The bytes of a header, the four that depend on the type among them.
pub const HEADER: usize = 8;

mod field {
    use core::ops::Range;
    pub const TYPE: usize = 0;
    pub const CODE: usize = 1;
    pub const CHECKSUM: Range<usize> = 2..4;
}

const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 8 bytes.
    Short,
    /// The checksum is wrong.
    Checksum,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Short => "fewer than 8 bytes",
            Self::Checksum => "checksum",
        })
    }
}

/// A received message, its checksum right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// Echo: to be sent back as it came.
    Echo(Echo<'a>),
    /// A packet of ours was not delivered; `quoted` is its start.
    Unreachable {
        /// Why.
        why: Unreachable,
        /// Our packet's IP header and at least 8 bytes more, if the sender kept the rules.
        quoted: &'a [u8],
    },
    /// A packet of ours was dropped on its way, for its time to live or its header (types 11 and 12).
    Dropped {
        /// As above.
        quoted: &'a [u8],
    },
    /// Anything else.
    Other {
        /// Its type.
        kind: u8,
    },
}

/// An echo request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo<'a> {
    /// Identifier and sequence number.
    pub tag: [u8; 4],
    /// What follows them.
    pub data: &'a [u8],
    checksum: u16,
}

impl Echo<'_> {
    /// The reply's header: `data` follows it as it came. The checksum is corrected for the type (RFC 1624), so the data
    /// is summed only once.
    pub fn reply(&self) -> [u8; HEADER] {
        let sum = Sum::new().word(!self.checksum).word(!u16::from_be_bytes([ECHO, 0]));
        // A corrected sum cannot tell 0 from 0xffff: over an all-zero message only 0xffff is right, else both are.
        let [c0, c1] = match sum.word(u16::from_be_bytes([ECHO_REPLY, 0])).checksum() {
            0 => [0xff, 0xff],
            checksum => checksum.to_be_bytes(),
        };
        let [t0, t1, t2, t3] = self.tag;
        [ECHO_REPLY, 0, c0, c1, t0, t1, t2, t3]
    }
}

impl<'a> Packet<'a> {
    /// Reads a message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed::Short)?;
        if Sum::new().bytes(bytes).checksum() != 0 {
            return Err(Malformed::Checksum);
        }
        let [kind, code, c0, c1, tag @ ..] = *header;
        Ok(match (kind, code) {
            (ECHO, 0) => Self::Echo(Echo { tag, data: rest, checksum: u16::from_be_bytes([c0, c1]) }),
            (DESTINATION_UNREACHABLE, code) => {
                let [_, _, mtu @ ..] = tag;
                let why = match code {
                    0 | 1 | 5..=8 | 11 | 12 => Unreachable::Host,
                    2 => Unreachable::Protocol,
                    3 => Unreachable::Port,
                    4 => Unreachable::PacketTooBig { mtu: u16::from_be_bytes(mtu) },
                    9 | 10 | 13..=15 => Unreachable::Prohibited,
                    _ => return Ok(Self::Other { kind }),
                };
                Self::Unreachable { why, quoted: rest }
            }
            (TIME_EXCEEDED | PARAMETER_PROBLEM, _) => Self::Dropped { quoted: rest },
            (kind, _) => Self::Other { kind },
        })
    }
}

/// Whether the start of a message is that of an echo request or reply, and so no error message.
pub fn is_echo(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(&(ECHO | ECHO_REPLY)))
}

/// An error message that this stack sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Destination unreachable, code 2.
    Protocol,
    /// Destination unreachable, code 3.
    Port,
    /// Time exceeded, code 1: fragments did not come in time.
    Reassembly,
}

impl Refusal {
    /// The message's header; `quoted`, the start of the refused packet, follows it.
    pub fn emit(self, quoted: &[u8]) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        (header[field::TYPE], header[field::CODE]) = match self {
            Self::Protocol => (DESTINATION_UNREACHABLE, 2),
            Self::Port => (DESTINATION_UNREACHABLE, 3),
            Self::Reassembly => (TIME_EXCEEDED, 1),
        };
        let checksum = Sum::new().bytes(&header).bytes(quoted).checksum();
        header[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// 0800 + 1234 + 0001 + 6869 + 2100 = a39e, its complement 5c61.
    const ECHO_REQUEST: [u8; 11] = [8, 0, 0x5c, 0x61, 0x12, 0x34, 0, 1, b'h', b'i', b'!'];
    const REPLY: [u8; 8] = [0, 0, 0x64, 0x61, 0x12, 0x34, 0, 1];

    fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = Sum::new().bytes(&bytes).checksum();
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    #[test]
    fn echo_golden_bytes() {
        let Packet::Echo(echo) = Packet::parse(&ECHO_REQUEST).unwrap() else { panic!("no echo") };
        assert_eq!(echo.tag, [0x12, 0x34, 0, 1]);
        assert_eq!(echo.data, b"hi!");
        assert_eq!(echo.reply(), REPLY);
        assert_eq!(Sum::new().bytes(&REPLY).bytes(b"hi!").checksum(), 0);
    }

    #[test]
    fn every_reply_has_a_right_checksum() {
        for word in 0..=u16::MAX {
            let [high, low] = word.to_be_bytes();
            let request = with_checksum([8, 0, 0, 0, high, low, 0, 0].to_vec());
            let Packet::Echo(echo) = Packet::parse(&request).unwrap() else { panic!("no echo") };
            assert_eq!(Sum::new().bytes(&echo.reply()).checksum(), 0, "{word:#x}");
        }
    }

    #[test]
    fn unreachables() {
        let parse = |code: u8| {
            let bytes = with_checksum([3, code, 0, 0, 0, 0, 0x05, 0x78, 0x45].to_vec());
            match Packet::parse(&bytes).unwrap() {
                Packet::Unreachable { why, quoted } => {
                    assert_eq!(quoted, [0x45]);
                    Some(why)
                }
                _ => None,
            }
        };
        assert_eq!(parse(0), Some(Unreachable::Host));
        assert_eq!(parse(1), Some(Unreachable::Host));
        assert_eq!(parse(2), Some(Unreachable::Protocol));
        assert_eq!(parse(3), Some(Unreachable::Port));
        assert_eq!(parse(4), Some(Unreachable::PacketTooBig { mtu: 1400 }));
        assert_eq!(parse(13), Some(Unreachable::Prohibited));
        assert_eq!(parse(16), None);
        let exceeded = with_checksum([11, 0, 0, 0, 0, 0, 0, 0, 0x45].to_vec());
        assert_eq!(Packet::parse(&exceeded), Ok(Packet::Dropped { quoted: &[0x45] }));
    }

    #[test]
    fn refusal_golden_bytes() {
        // 0303 + 4500 = 4803, its complement b7fc.
        assert_eq!(Refusal::Port.emit(&[0x45, 0x00]), [3, 3, 0xb7, 0xfc, 0, 0, 0, 0]);
        assert_eq!(Refusal::Protocol.emit(&[0x45, 0x00]), [3, 2, 0xb7, 0xfd, 0, 0, 0, 0]);
        // 0b01 + 4500 = 5001, its complement affe.
        assert_eq!(Refusal::Reassembly.emit(&[0x45, 0x00]), [11, 1, 0xaf, 0xfe, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_message() {
        assert_eq!(Packet::parse(&ECHO_REQUEST[..7]), Err(Malformed::Short));
        let mut bytes = ECHO_REQUEST;
        bytes[8] ^= 1;
        assert_eq!(Packet::parse(&bytes), Err(Malformed::Checksum));
    }
}
