//! Frames: made by hand for the peer, and taken apart when they come from the host.

use std::net::Ipv4Addr;

/// The one's complement sum of RFC 1071, folded and inverted.
pub fn checksum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let bytes: Vec<u8> = parts.into_iter().flatten().copied().collect();
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// What TCP and UDP sum besides themselves (RFC 9293 section 3.1).
pub fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: usize) -> Vec<u8> {
    let [high, low] = (length as u16).to_be_bytes();
    [&source.octets()[..], &destination.octets(), &[0, protocol, high, low]].concat()
}

/// A TCP header without options, in host order.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub source: u16,
    pub destination: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub data: Vec<u8>,
}

impl Segment {
    /// The segment with its checksum left out. The options are padded with zeros.
    pub fn emit(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let words = (20 + options.len()) / 4;
        let mut bytes = Vec::new();
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([(words as u8) << 4, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(self.urgent.to_be_bytes());
        bytes.extend(options);
        bytes.extend(&self.data);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let header = usize::from(*bytes.get(12)? >> 4) * 4;
        if header < 20 || bytes.len() < header {
            return None;
        }
        Some(Self {
            source: half(0),
            destination: half(2),
            seq: word(4),
            ack: word(8),
            flags: bytes[13],
            window: half(14),
            urgent: half(18),
            options: bytes[20..header].to_vec(),
            data: bytes[header..].to_vec(),
        })
    }

    /// The options: kind and body, without NOP and END.
    pub fn options(&self) -> Vec<(u8, &[u8])> {
        let mut out = Vec::new();
        let mut rest = &self.options[..];
        while let [kind, after @ ..] = rest {
            match kind {
                0 => break,
                1 => rest = after,
                _ => {
                    let Some(length) = after.first().map(|length| usize::from(*length)) else { break };
                    if length < 2 || length > rest.len() {
                        break;
                    }
                    out.push((*kind, &rest[2..length]));
                    rest = &rest[length..];
                }
            }
        }
        out
    }

    /// TSval and TSecr.
    pub fn stamps(&self) -> Option<(u32, u32)> {
        let (_, body) = self.options().into_iter().find(|(kind, body)| *kind == 8 && body.len() == 8)?;
        let word = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        Some((word(0), word(4)))
    }
}

/// A frame from the host.
#[derive(Clone, Debug)]
pub struct Seen {
    pub destination: [u8; 6],
    pub source: [u8; 6],
    /// From the type's end on.
    pub bytes: Vec<u8>,
    pub content: Content,
}

/// What it carries.
#[derive(Clone, Debug)]
pub enum Content {
    Ip(Header, Payload),
    Arp { operation: u16, sender: Ipv4Addr, target: Ipv4Addr },
    Other(u16),
}

/// An IPv4 header.
#[derive(Clone, Debug)]
pub struct Header {
    pub tos: u8,
    pub id: u16,
    pub df: bool,
    pub mf: bool,
    pub offset: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub payload: Vec<u8>,
}

/// What an IPv4 packet carries.
#[derive(Clone, Debug)]
pub enum Payload {
    Tcp(Segment),
    /// Type, code, the second word, the rest.
    Icmp(u8, u8, [u8; 4], Vec<u8>),
    Udp,
    Other,
}

/// Takes a frame apart, and finds what no host may send: wrong lengths, wrong checksums.
pub fn parse(frame: &[u8]) -> Result<Seen, String> {
    if frame.len() < 14 {
        return Err("a frame shorter than its header".into());
    }
    let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
    let bytes = frame[14..].to_vec();
    let content = match ethertype {
        0x0800 => ip(&bytes)?,
        0x0806 if bytes.len() >= 28 => {
            let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
            let operation = u16::from_be_bytes([bytes[6], bytes[7]]);
            Content::Arp { operation, sender: address(14), target: address(24) }
        }
        other => Content::Other(other),
    };
    Ok(Seen {
        destination: frame[..6].try_into().unwrap(),
        source: frame[6..12].try_into().unwrap(),
        bytes,
        content,
    })
}

fn ip(bytes: &[u8]) -> Result<Content, String> {
    let header = usize::from(bytes.first().unwrap_or(&0) & 0xf) * 4;
    if header < 20 || bytes.len() < header || bytes[0] >> 4 != 4 {
        return Err("not an IPv4 header".into());
    }
    let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    if checksum([&bytes[..header]]) != 0 {
        return Err("a wrong checksum in the IP header".into());
    }
    let total = usize::from(half(2));
    if total < header || total > bytes.len() {
        return Err(format!("an IP length of {total} in {} bytes", bytes.len()));
    }
    let payload = bytes[header..total].to_vec();
    let header = Header {
        tos: bytes[1],
        id: half(4),
        df: bytes[6] & 0x40 != 0,
        mf: bytes[6] & 0x20 != 0,
        offset: (half(6) & 0x1fff) * 8,
        ttl: bytes[8],
        protocol: bytes[9],
        source: address(12),
        destination: address(16),
        payload,
    };
    let payload = if header.mf || header.offset != 0 { Payload::Other } else { transport(&header)? };
    Ok(Content::Ip(header, payload))
}

fn transport(header: &Header) -> Result<Payload, String> {
    let bytes = &header.payload[..];
    let pseudo = pseudo_header(header.source, header.destination, header.protocol, bytes.len());
    match header.protocol {
        1 => {
            if bytes.len() < 8 || checksum([bytes]) != 0 {
                return Err("a short ICMP message, or a wrong checksum".into());
            }
            Ok(Payload::Icmp(bytes[0], bytes[1], bytes[4..8].try_into().unwrap(), bytes[8..].to_vec()))
        }
        6 => {
            if checksum([&pseudo[..], bytes]) != 0 {
                return Err("a wrong checksum in a segment".into());
            }
            Segment::parse(bytes).map(Payload::Tcp).ok_or_else(|| "a segment's header is cut".into())
        }
        17 => {
            if bytes.len() < 8 || (bytes[6..8] != [0, 0] && checksum([&pseudo[..], bytes]) != 0) {
                return Err("a short datagram, or a wrong checksum".into());
            }
            Ok(Payload::Udp)
        }
        _ => Ok(Payload::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 section 3: the sum of 0001 f203 f4f5 f6f7 is ddf2.
    #[test]
    fn the_sum_of_rfc_1071() {
        assert_eq!(checksum([&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7][..]]), !0xddf2);
    }

    #[test]
    fn options_without_padding() {
        let segment = Segment {
            options: vec![1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 2, 4, 5, 0xb4],
            ..Segment::default()
        };
        assert_eq!(segment.stamps(), Some((7, 9)));
        assert_eq!(segment.options()[1], (2, &[5, 0xb4][..]));
    }
}
