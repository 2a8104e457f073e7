//! The whole stack over its device: frames of any kind, and the DHCP client through all its states.

use crate::choices::Choices;
use crate::depth;
use netstack::addressing::{Addressing, Prefix};
use netstack::device::{Capabilities, Frame, ReceiveChecksum, TransmitError};
use netstack::stack::Config;
use netstack::wire::{ethernet, ipv4, udp};
use netstack::{Device, Duration, Instant, Service, Stack, Stream};
use std::net::{Ipv4Addr, SocketAddr};

pub(super) const OURS: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 1]);
pub(super) const THEIRS: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 2]);
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

struct Nic {
    room: usize,
    frames: usize,
    /// The transaction of the DHCP client's last message.
    xid: [u8; 4],
}

impl Device for Nic {
    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: 1_500, checksum: false, gso_v4: None }
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        assert!(frame.header.len() >= 14 && frame.header[6..12] == OURS.0);
        let payload = frame.payload.iter().flat_map(|slice| slice.bytes()).copied();
        let bytes: Vec<u8> = frame.header.iter().copied().chain(payload).collect();
        assert!(bytes.len() <= 1_514, "{} bytes", bytes.len());
        if frame.header[12..14] == [8, 0] {
            let packet = ipv4::Packet::parse(&bytes[14..]).expect("a sound packet");
            if packet.protocol() == 17 && packet.payload().len() > 240 {
                self.xid.copy_from_slice(&packet.payload()[12..16]);
            }
        }
        self.frames += 1;
        if self.room == 0 {
            return Err(TransmitError::Full);
        }
        self.room = self.room.saturating_sub(1);
        Ok(())
    }
}

pub(super) struct Echo;

impl Service for Echo {
    type Connection = ();

    fn listens(&self, port: u16) -> bool {
        port == 80
    }

    fn accept(&mut self, _: SocketAddr, _: SocketAddr, _: &mut dyn Stream) {}

    fn receive(&mut self, (): &mut (), bytes: &[u8], _: bool, _: &mut dyn Stream) -> usize {
        bytes.len()
    }

    fn acknowledged(&mut self, (): &mut (), _: &mut dyn Stream) {}

    fn deadline(&mut self, (): &mut (), _: &mut dyn Stream) {}

    fn stopping(&mut self, (): &mut (), stream: &mut dyn Stream) {
        stream.close();
    }

    fn closed(&mut self, (): ()) {}
}

/// Frames and time: what is sent is sound, the work is bounded, and no deadline stays in the past.
pub fn stack(input: &[u8]) {
    let mut choices = Choices::new(input);
    let config = if choices.yes() {
        let prefix = Prefix::new(ADDRESS, 24).expect("a prefix");
        Config::Static(Addressing::new(prefix, Some(Ipv4Addr::new(192, 0, 2, 254))))
    } else {
        Config::Dhcp { name: Some("fuzz".into()) }
    };
    let mut stack = Stack::new(config, OURS, &[9; 32]);
    let mut nic = Nic { room: usize::MAX, frames: 0, xid: [0; 4] };
    let mut now = Instant::from_micros(1_000_000);
    for _ in 0..200 {
        nic.frames = 0;
        match choices.byte() % 8 {
            0..=3 => {
                let frame = frame(&mut choices, &nic);
                let checksum =
                    if choices.yes() { ReceiveChecksum::Unverified } else { ReceiveChecksum::Trusted };
                stack.receive(&frame, checksum, now, &mut nic, &mut Echo);
            }
            4 | 5 => {
                now = match (choices.byte(), stack.next_deadline()) {
                    (0..0x80, Some(deadline)) => now.max(deadline),
                    (span, _) => now + Duration::from_millis(u64::from(span) * 97),
                };
            }
            6 => nic.room = choices.of(&[0, 1, 3, usize::MAX]),
            _ => while stack.next_event().is_some() {},
        }
        let mut polls = 0;
        stack.poll(now, &mut nic, &mut Echo);
        while stack.next_deadline().is_some_and(|at| at <= now) {
            stack.poll(now, &mut nic, &mut Echo);
            polls += 1;
            assert!(polls <= 16, "a deadline that stays in the past");
        }
        assert!(nic.frames <= 1_200, "{} frames at once", nic.frames);
        if choices.is_empty() {
            break;
        }
    }
    if stack.addressing().is_some() {
        depth::reached();
    }
}

/// A frame to us: of any bytes, or with the layers below its payload in order.
fn frame(choices: &mut Choices<'_>, nic: &Nic) -> Vec<u8> {
    let kind = choices.byte();
    let length = usize::from(choices.byte());
    let destination = if kind & 0x80 == 0 { OURS } else { ethernet::Address::BROADCAST };
    let ethertype = if kind & 7 == 1 { 0x0806 } else { 0x0800 };
    let header = ethernet::Repr { destination, source: THEIRS, ethertype }.emit();
    let payload = match kind & 7 {
        0 => return choices.bytes(length).to_vec(),
        1 | 2 => choices.bytes(length).to_vec(),
        3 | 4 => dhcp(choices, nic),
        _ => {
            let data = choices.bytes(length);
            let protocol = choices.of(&[1, 6, 17, 6, 1, 2]);
            packet(Ipv4Addr::new(192, 0, 2, choices.byte() & 7), ADDRESS, protocol, data)
        }
    };
    [&header[..], &payload].concat()
}

pub(super) fn packet(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, data: &[u8]) -> Vec<u8> {
    let repr = ipv4::Repr {
        source,
        destination,
        protocol,
        payload: data.len() as u16,
        identification: Some(1),
        part: ipv4::Part::default(),
        ecn: netstack::egress::Ecn::NotCapable,
    };
    [&repr.emit()[..], data].concat()
}

/// A server's answer to the client's last message, its options as chosen.
fn dhcp(choices: &mut Choices<'_>, nic: &Nic) -> Vec<u8> {
    let server = Ipv4Addr::new(192, 0, 2, 254);
    let mut message = vec![0; 240];
    (message[0], message[1], message[2]) = (2, 1, 6);
    message[4..8].copy_from_slice(&nic.xid);
    message[16..20].copy_from_slice(&[192, 0, 2, 10 + (choices.byte() & 1)]);
    message[28..34].copy_from_slice(&OURS.0);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, choices.of(&[2, 5, 6, 2, 5])]);
    let with = choices.byte();
    if with & 1 == 0 {
        message.extend([54, 4, 192, 0, 2, 254]);
    }
    if with & 2 == 0 {
        message.extend([1, 4, 255, 255, 255, 0, 51, 4, 0, 0, choices.byte(), choices.byte()]);
    }
    if with & 4 == 0 {
        let length = choices.below(64);
        message.extend(choices.bytes(length));
    }
    message.push(255);
    let ports = udp::Repr { source_port: 67, destination_port: 68 };
    let header = ports.emit(server.into(), Ipv4Addr::BROADCAST.into(), &message);
    packet(server, Ipv4Addr::BROADCAST, 17, &[&header[..], &message].concat())
}
