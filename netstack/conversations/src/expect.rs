//! Whether a frame is what a `host` line says.

use crate::frame::{Content, Header, Payload, Seen, Segment};
use crate::inject::echo_byte;
use crate::play::Flow;
use crate::script::{Body, Bound, Choice, FLAGS, Mark, Packet, Quote, Side, Tcp};
use crate::{PEER, PORT, host_byte};
use std::fmt::Write;

/// Compares; the error says what differs.
pub fn compare(packet: &Packet, seen: &Seen, flow: &mut Flow, side: Side, last: &[u8]) -> Result<(), String> {
    marks(packet, seen)?;
    match (&packet.body, &seen.content) {
        (Body::Tcp(tcp), Content::Ip(header, Payload::Tcp(segment))) => {
            if header.destination != PEER && !packet.marks.iter().any(|mark| matches!(mark, Mark::To(_))) {
                return Err(format!("it goes to {}", header.destination));
            }
            let port = packet.marks.iter().find_map(|mark| match mark {
                Mark::SourcePort(port) => Some(*port),
                _ => None,
            });
            if segment.source != port.unwrap_or(PORT) {
                return Err("another port".into());
            }
            compare_tcp(tcp, segment, flow, side)
        }
        (Body::Echo { reply, id, seq, length }, Content::Ip(_, Payload::Icmp(kind, 0, word, data))) => {
            let expected = (if *reply { 0 } else { 8 }, *id, *seq);
            let got = (*kind, u16::from_be_bytes([word[0], word[1]]), u16::from_be_bytes([word[2], word[3]]));
            if expected != got {
                return Err("another type, identifier or number".into());
            }
            if data.len() != *length || !data.iter().enumerate().all(|(at, byte)| *byte == echo_byte(at)) {
                return Err("other data".into());
            }
            Ok(())
        }
        (Body::Error { kind, code, quote, .. }, Content::Ip(_, Payload::Icmp(k, c, _, data))) => {
            if (kind, code) != (k, c) {
                return Err(format!("type {k} code {c}"));
            }
            if *quote == Quote::Last && (data.len() < last.len().min(28) || !last.starts_with(data)) {
                return Err("it does not quote the packet".into());
            }
            Ok(())
        }
        (Body::Protocol { number, length }, Content::Ip(header, Payload::Other)) => {
            if header.protocol != *number || header.payload.len() != *length {
                return Err(format!("protocol {} with {} bytes", header.protocol, header.payload.len()));
            }
            Ok(())
        }
        (Body::Arp { operation, sender, target }, Content::Arp { operation: o, sender: s, target: t }) => {
            if (operation, sender, target) != (o, s, t) {
                return Err("another question or answer".into());
            }
            Ok(())
        }
        _ => Err("something else".into()),
    }
}

fn marks(packet: &Packet, seen: &Seen) -> Result<(), String> {
    let header = match &seen.content {
        Content::Ip(header, _) => Some(header),
        _ => None,
    };
    for mark in &packet.marks {
        let right = match (mark, header) {
            (Mark::Station(station), _) => seen.destination == *station,
            (Mark::Source(station), _) => seen.source == *station,
            (Mark::SourcePort(_), _) => true,
            (Mark::Tos(tos), Some(header)) => header.tos == *tos,
            (Mark::Ttl(ttl), Some(header)) => header.ttl == *ttl,
            (Mark::Id(id), Some(header)) => header.id == *id,
            (Mark::Df, Some(header)) => header.df,
            (Mark::Mf, Some(header)) => header.mf,
            (Mark::Offset(offset), Some(header)) => header.offset == *offset,
            (Mark::To(address), Some(header)) => header.destination == *address,
            (Mark::From(address), Some(header)) => header.source == *address,
            (Mark::Length(length), Some(header)) => header.payload.len() + 20 == usize::from(*length),
            _ => return Err(format!("{mark:?} cannot be expected")),
        };
        if !right {
            return Err(format!("not {mark:?}"));
        }
    }
    Ok(())
}

fn compare_tcp(tcp: &Tcp, segment: &Segment, flow: &mut Flow, side: Side) -> Result<(), String> {
    if segment.destination != flow.port {
        return Err("other ports".into());
    }
    let syn = tcp.flags & segment.flags & 2 != 0;
    if syn && flow.host_isn.is_none() {
        flow.host_isn = Some(segment.seq.wrapping_sub(tcp.seq as u32));
        flow.stamped = flow.offered && segment.stamps().is_some();
    }
    // Where to push is left to the sender (RFC 9293 section 3.9.1.2), but for the last segment.
    let loose = if side == Side::Linux && (tcp.length > 0 || tcp.flags & 1 != 0) { 8 } else { 0 };
    if (tcp.flags ^ segment.flags) & !loose != 0 {
        return Err("other flags".into());
    }
    if segment.seq != flow.host_number(tcp.seq) || segment.data.len() != tcp.length as usize {
        return Err("another sequence number or length".into());
    }
    if let Some(ack) = tcp.ack
        && segment.ack != flow.peer_number(ack)
    {
        return Err("another acknowledgment".into());
    }
    if tcp.window.is_some_and(|window| !window.admits(segment.window.into())) {
        return Err("another window".into());
    }
    if tcp.flags & 32 != 0 && segment.urgent != tcp.urgent {
        return Err("another urgent pointer".into());
    }
    let bytes = (0..tcp.length).map(|at| host_byte((tcp.seq as u32).wrapping_add(at)));
    if !segment.data.iter().copied().eq(bytes) {
        return Err("other bytes".into());
    }
    if let Some(choices) = &tcp.options {
        options(choices, segment, flow)?;
    }
    Ok(())
}

fn options(choices: &[Choice], segment: &Segment, flow: &Flow) -> Result<(), String> {
    let mut seen = segment.options();
    let word = |body: &[u8], at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
    for choice in choices {
        let kind = match choice {
            Choice::Mss(_) => 2,
            Choice::Scale(_) => 3,
            Choice::SackPermitted => 4,
            Choice::Sack(_) => 5,
            Choice::Stamps(..) => 8,
            Choice::Nop | Choice::End | Choice::Raw(_) => return Err("it cannot be expected".into()),
        };
        let Some(at) = seen.iter().position(|option| option.0 == kind) else {
            return Err(format!("option {kind} is missing"));
        };
        let (_, body) = seen.remove(at);
        let meets = |bound: &Bound, value: u32, last: u32| match bound {
            Bound::Last => value == last,
            bound => bound.admits(value),
        };
        let right = match (choice, body.len()) {
            (Choice::Mss(size), 2) => size.admits(u16::from_be_bytes([body[0], body[1]]).into()),
            (Choice::Scale(shift), 1) => shift.admits(body[0].into()),
            (Choice::SackPermitted, 0) => true,
            (Choice::Stamps(value, echo), 8) => {
                meets(value, word(body, 0), flow.stamp) && echo.admits(word(body, 4))
            }
            (Choice::Sack(blocks), length) if length == blocks.len() * 8 => {
                blocks.iter().enumerate().all(|(at, (left, right))| {
                    word(body, at * 8) == flow.peer_number(*left)
                        && word(body, at * 8 + 4) == flow.peer_number(*right)
                })
            }
            _ => false,
        };
        if !right {
            return Err(format!("another option {kind}"));
        }
    }
    match seen.first() {
        Some((kind, _)) => Err(format!("option {kind} as well")),
        None => Ok(()),
    }
}

/// A frame as a `host` line would say it.
pub fn show(seen: &Seen, flow: &Flow) -> String {
    match &seen.content {
        Content::Ip(header, Payload::Tcp(segment)) => show_tcp(header, segment, flow),
        Content::Ip(_, Payload::Icmp(kind, code, word, data)) => {
            format!("icmp type {kind} code {code} word {word:02x?} with {} bytes", data.len())
        }
        Content::Ip(header, _) => format!(
            "protocol {} {} {{offset {}, {}}}",
            header.protocol,
            header.payload.len(),
            header.offset,
            if header.mf { "mf" } else { "last" }
        ),
        Content::Arp { operation, sender, target } => format!("arp {operation} {sender} {target}"),
        Content::Other(ethertype) => format!("a frame of type {ethertype:#06x}"),
    }
}

fn show_tcp(header: &Header, segment: &Segment, flow: &Flow) -> String {
    let mut out: String =
        FLAGS.iter().filter(|flag| segment.flags & flag.1 != 0).map(|flag| flag.0).collect();
    let relative = |number: u32, base: u32| i64::from(number.wrapping_sub(base).cast_signed());
    let seq = relative(segment.seq, flow.host_isn.unwrap_or(0));
    let _ = write!(out, " {seq}");
    if !segment.data.is_empty() {
        let _ = write!(out, ":{}", seq + segment.data.len() as i64);
    }
    if segment.flags & 16 != 0 {
        let _ = write!(out, " ack {}", relative(segment.ack, flow.peer_isn));
    }
    let _ = write!(out, " win {}", segment.window);
    let mut options = Vec::new();
    for (kind, body) in segment.options() {
        let word = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        options.push(match (kind, body.len()) {
            (2, 2) => format!("mss {}", u16::from_be_bytes([body[0], body[1]])),
            (3, 1) => format!("ws {}", body[0]),
            (4, 0) => "sackok".into(),
            (5, length) => (0..length / 8).fold("sack".into(), |text, at| {
                let (left, right) = (word(at * 8), word(at * 8 + 4));
                format!("{text} {}:{}", relative(left, flow.peer_isn), relative(right, flow.peer_isn))
            }),
            (8, 8) => format!("ts {} {}", word(0), word(4)),
            _ => format!("option {kind}"),
        });
    }
    if !options.is_empty() {
        let _ = write!(out, " <{}>", options.join(", "));
    }
    if header.tos != 0 {
        let _ = write!(out, " {{tos {}}}", header.tos);
    }
    if segment.destination != flow.port {
        let _ = write!(out, " to port {}", segment.destination);
    }
    out
}
