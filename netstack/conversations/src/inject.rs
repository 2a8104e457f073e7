//! From a `peer` line to a frame.

use crate::frame::{Segment, checksum, pseudo_header};
use crate::play::Flow;
use crate::script::{Body, Bound, Choice, Mark, Packet, Quote, Tcp};
use crate::{HOST, HOST_STATION, PEER, PEER_STATION, PORT, peer_byte};
use std::net::Ipv4Addr;

/// What a frame may refer to.
pub struct Setting<'a> {
    /// The connection.
    pub flow: &'a mut Flow,
    /// Milliseconds since the conversation began.
    pub millis: u32,
    /// The host's last IP packet.
    pub last: &'a [u8],
}

/// The frame of a `peer` line.
pub fn frame(packet: &Packet, setting: &mut Setting<'_>) -> Vec<u8> {
    let marks = &packet.marks;
    let (mut to, mut from) = (HOST_STATION, PEER_STATION);
    for mark in marks {
        match mark {
            Mark::Station(station) => to = *station,
            Mark::Source(station) => from = *station,
            _ => (),
        }
    }
    let (ethertype, mut payload) = match &packet.body {
        Body::Arp { operation, sender, target } => {
            let mut bytes = vec![0, 1, 8, 0, 6, 4];
            bytes.extend(operation.to_be_bytes());
            bytes.extend(from);
            bytes.extend(sender.octets());
            bytes.extend([0; 6]);
            bytes.extend(target.octets());
            if *operation == 1 && to == HOST_STATION {
                to = [0xff; 6];
            }
            (0x0806_u16, bytes)
        }
        Body::Raw(bytes) => (u16::from_be_bytes([bytes[0], bytes[1]]), bytes[2..].to_vec()),
        body => (0x0800, ip(body, marks, setting)),
    };
    for mark in marks {
        match mark {
            Mark::Trailing(count) => payload.extend(std::iter::repeat_n(0xee, *count)),
            Mark::Cut(count) => payload.truncate(payload.len().saturating_sub(*count)),
            _ => (),
        }
    }
    [&to[..], &from, &ethertype.to_be_bytes(), &payload].concat()
}

fn ip(body: &Body, marks: &[Mark], setting: &mut Setting<'_>) -> Vec<u8> {
    let (mut source, mut destination) = (PEER, HOST);
    let (mut tos, mut ttl, mut id, mut options) = (0, 64, 0x1234_u16, Vec::new());
    let mut field = 0_u16;
    let mut part = None;
    for mark in marks {
        match mark {
            Mark::From(address) => source = *address,
            Mark::To(address) => destination = *address,
            Mark::Tos(value) => tos = *value,
            Mark::Ttl(value) => ttl = *value,
            Mark::Id(value) => id = *value,
            Mark::Options(bytes) => options = bytes.clone(),
            Mark::Reserved => field |= 0x8000,
            Mark::Df => field |= 0x4000,
            Mark::Mf => field |= 0x2000,
            Mark::Offset(bytes) => field |= bytes / 8,
            Mark::Part(from, to) => part = Some((*from, *to)),
            _ => (),
        }
    }
    let (protocol, mut payload) = transport(body, marks, setting, source, destination);
    if let Some((from, to)) = part {
        field |= (from / 8) as u16;
        if to < payload.len() {
            field |= 0x2000;
        }
        payload = payload[from.min(payload.len())..to.min(payload.len())].to_vec();
    }
    options.resize(options.len().next_multiple_of(4), 0);
    let words = ((20 + options.len()) / 4) as u8;
    let total = (20 + options.len() + payload.len()) as u16;
    let mut header = vec![0x40 | words, tos];
    header.extend(total.to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(field.to_be_bytes());
    header.extend([ttl, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header.extend(options);
    for mark in marks {
        match mark {
            Mark::Length(value) => header[2..4].copy_from_slice(&value.to_be_bytes()),
            Mark::Words(value) => header[0] = header[0] & 0xf0 | value,
            Mark::Version(value) => header[0] = header[0] & 0x0f | value << 4,
            _ => (),
        }
    }
    let summed = (usize::from(header[0] & 0xf) * 4).clamp(20, header.len());
    let mut sum = checksum([&header[..summed]]);
    if marks.contains(&Mark::BadHeader) {
        sum ^= 0x0101;
    }
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(payload);
    header
}

fn transport(
    body: &Body,
    marks: &[Mark],
    setting: &mut Setting<'_>,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> (u8, Vec<u8>) {
    let (protocol, mut bytes, at) = match body {
        Body::Tcp(tcp) => (6, segment(tcp, marks, setting), 16),
        Body::Udp { source, destination, length } => {
            let mut bytes = Vec::new();
            bytes.extend(source.to_be_bytes());
            bytes.extend(destination.to_be_bytes());
            bytes.extend(((length + 8) as u16).to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend((0..*length).map(|at| at as u8));
            for mark in marks {
                if let Mark::UdpLength(length) = mark {
                    bytes[4..6].copy_from_slice(&length.to_be_bytes());
                }
            }
            (17, bytes, 6)
        }
        Body::Echo { reply, id, seq, length } => {
            let mut bytes = vec![if *reply { 0 } else { 8 }, 0, 0, 0];
            bytes.extend(id.to_be_bytes());
            bytes.extend(seq.to_be_bytes());
            bytes.extend((0..*length).map(echo_byte));
            (1, bytes, 2)
        }
        Body::Error { kind, code, mtu, quote } => {
            let mut bytes = vec![*kind, *code, 0, 0, 0, 0];
            bytes.extend(mtu.to_be_bytes());
            match quote {
                Quote::Last => bytes.extend(&setting.last[..setting.last.len().min(28)]),
                Quote::Segment(seq) => bytes.extend(quoted(*seq, setting.flow)),
            }
            (1, bytes, 2)
        }
        Body::Icmp(bytes) => {
            let mut bytes = bytes.clone();
            bytes.splice(2..2, [0, 0]);
            (1, bytes, 2)
        }
        Body::Protocol { number, length } => return (*number, vec![0xab; *length]),
        Body::Arp { .. } | Body::Raw(_) => unreachable!("no IP"),
    };
    let pseudo = pseudo_header(source, destination, protocol, bytes.len());
    let mut sum = if protocol == 1 { checksum([&bytes[..]]) } else { checksum([&pseudo[..], &bytes]) };
    if protocol == 17 && sum == 0 {
        sum = 0xffff;
    }
    if marks.contains(&Mark::BadSum) {
        sum ^= 0x0101;
    }
    if !marks.contains(&Mark::NoSum) {
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    (protocol, bytes)
}

/// The byte of an echo's data.
pub fn echo_byte(at: usize) -> u8 {
    (at as u32).wrapping_mul(0x27d4_eb2f).to_be_bytes()[0]
}

/// The first 28 bytes of a segment of the host's in a packet of 1,500, as a router quotes them.
fn quoted(seq: i64, flow: &Flow) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 63, 6, 0, 0];
    bytes.extend(HOST.octets());
    bytes.extend(PEER.octets());
    let sum = checksum([&bytes[..]]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend(PORT.to_be_bytes());
    bytes.extend(flow.port.to_be_bytes());
    bytes.extend(flow.host_number(seq).to_be_bytes());
    bytes
}

fn segment(tcp: &Tcp, marks: &[Mark], setting: &mut Setting<'_>) -> Vec<u8> {
    let flow = &mut *setting.flow;
    let seq = flow.peer_number(tcp.seq);
    let syn = tcp.flags & 2 != 0;
    let window = match tcp.window {
        Some(Bound::Is(value)) => value as u16,
        _ => flow.window,
    };
    flow.window = window;
    let mut options = Vec::new();
    match &tcp.options {
        Some(choices) => {
            for choice in choices {
                option(choice, flow, &mut options);
            }
        }
        None if flow.stamped && !syn => {
            let value = flow.stamp_base.wrapping_add(setting.millis);
            stamps(value, flow.stamp, &mut options);
        }
        None => (),
    }
    if syn {
        flow.offered = tcp.options.iter().flatten().any(|choice| matches!(choice, Choice::Stamps(..)));
        if let Some(Choice::Stamps(Bound::Is(value), _)) =
            tcp.options.iter().flatten().find(|choice| matches!(choice, Choice::Stamps(..)))
        {
            flow.stamp_base = value.wrapping_sub(setting.millis);
        }
    }
    let mut destination = PORT;
    for mark in marks {
        if let Mark::DestinationPort(port) = mark {
            destination = *port;
        }
    }
    let data = (0..tcp.length).map(|at| peer_byte((tcp.seq as u32).wrapping_add(at)));
    let segment = Segment {
        source: flow.port,
        destination,
        seq,
        ack: tcp.ack.map_or(0, |ack| flow.host_number(ack)),
        flags: tcp.flags,
        window,
        urgent: tcp.urgent,
        options,
        data: data.collect(),
    };
    let mut bytes = segment.emit();
    for mark in marks {
        if let Mark::DataOffset(words) = mark {
            bytes[12] = words << 4;
        }
    }
    bytes
}

fn stamps(value: u32, echo: u32, out: &mut Vec<u8>) {
    out.extend([1, 1, 8, 10]);
    out.extend(value.to_be_bytes());
    out.extend(echo.to_be_bytes());
}

fn option(choice: &Choice, flow: &Flow, out: &mut Vec<u8>) {
    let number = |bound: &Bound| match bound {
        Bound::Is(value) => *value,
        _ => flow.stamp,
    };
    match choice {
        Choice::Mss(size) => {
            out.extend([2, 4]);
            out.extend((number(size) as u16).to_be_bytes());
        }
        Choice::Scale(shift) => out.extend([1, 3, 3, number(shift) as u8]),
        Choice::SackPermitted => out.extend([1, 1, 4, 2]),
        Choice::Stamps(value, echo) => stamps(number(value), number(echo), out),
        Choice::Sack(blocks) => {
            out.extend([1, 1, 5, 2 + 8 * blocks.len() as u8]);
            for (left, right) in blocks {
                out.extend(flow.host_number(*left).to_be_bytes());
                out.extend(flow.host_number(*right).to_be_bytes());
            }
        }
        Choice::Nop => out.push(1),
        Choice::End => out.push(0),
        Choice::Raw(bytes) => out.extend(bytes),
    }
}
