//! IPv4, ICMP and UDP.

use super::checksum::naive;
use crate::choices::Choices;
use core::net::{IpAddr, Ipv4Addr};
use netstack::egress::Ecn;
use netstack::wire::{icmpv4, ipv4, udp};

/// A packet's lengths hold and its checksum is right, or it is not read; what is emitted is read back.
pub fn ipv4(input: &[u8]) {
    match ipv4::Packet::parse(input) {
        Ok(packet) => {
            let header = usize::from(input[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([input[2], input[3]]));
            assert_eq!(input[0] >> 4, 4);
            assert_eq!(packet.header(), &input[..header]);
            assert_eq!(packet.payload(), &input[header..total]);
            assert_eq!(naive(&input[..header]), 0);
            assert_eq!(packet.source().octets(), input[12..16]);
            assert_eq!(packet.destination().octets(), input[16..20]);
            let fragment = u16::from_be_bytes([input[6], input[7]]);
            assert_eq!(packet.is_fragment(), fragment & 0x3fff != 0);
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(quoted) = ipv4::Packet::quoted(input) {
        assert_eq!([quoted.header(), quoted.payload()].concat(), input);
    }
    let mut choices = Choices::new(input);
    let repr = ipv4::Repr {
        source: Ipv4Addr::from(choices.array::<4>()),
        destination: Ipv4Addr::from(choices.array::<4>()),
        protocol: choices.byte(),
        payload: u16::from(choices.byte()),
        identification: choices.yes().then(|| choices.word()),
        part: ipv4::Part { offset: choices.word() & 0xfff8, more: choices.yes() },
        ecn: Ecn::from_bits(choices.byte()),
    };
    let mut bytes = repr.emit().to_vec();
    bytes.resize(bytes.len() + usize::from(repr.payload), 7);
    let packet = ipv4::Packet::parse(&bytes).expect("what we emit");
    assert_eq!((packet.source(), packet.destination()), (repr.source, repr.destination));
    assert_eq!((packet.protocol(), packet.ecn()), (repr.protocol, repr.ecn));
    assert_eq!(packet.payload().len(), usize::from(repr.payload));
    let part = ipv4::Part { offset: packet.fragment_offset() as u16, more: packet.more_fragments() };
    assert_eq!(part, repr.part);
    assert_eq!(packet.is_fragment(), repr.part != ipv4::Part::default());
    assert_eq!(packet.identification(), repr.identification.unwrap_or(0));
}

/// A message: read if its checksum is right; an echo's answer has a right one.
pub fn icmpv4(input: &[u8]) {
    let mut sealed = input.to_vec();
    if let [_, _, c0, c1, ..] = sealed.as_mut_slice() {
        (*c0, *c1) = (0, 0);
        let checksum = naive(&sealed).to_be_bytes();
        sealed[2..4].copy_from_slice(&checksum);
    }
    for bytes in [input, &sealed] {
        match icmpv4::Packet::parse(bytes) {
            Ok(packet) => {
                assert_eq!(naive(bytes), 0);
                if let icmpv4::Packet::Echo(echo) = packet {
                    let reply = [&echo.reply(), echo.data].concat();
                    assert_eq!(naive(&reply), 0);
                    assert_eq!((reply[0], &reply[4..]), (0, &bytes[4..]));
                }
            }
            Err(error) => assert!(bytes.len() < 8 || naive(bytes) != 0, "{error}"),
        }
    }
    for refusal in [icmpv4::Refusal::Protocol, icmpv4::Refusal::Port] {
        let message = [&refusal.emit(input), input].concat();
        assert!(matches!(
            icmpv4::Packet::parse(&message),
            Ok(icmpv4::Packet::Unreachable { quoted, .. }) if quoted == input
        ));
    }
}

/// A datagram: its length holds, its checksum is the naive one; what is emitted is read back and verifies.
pub fn udp(input: &[u8]) {
    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const DESTINATION: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 255));
    match udp::Packet::parse(input) {
        Ok(datagram) => {
            let length = u16::from_be_bytes([input[4], input[5]]);
            let whole = &input[..usize::from(length)];
            assert_eq!(datagram.payload, &whole[8..]);
            let mut summed = vec![192, 0, 2, 1, 192, 0, 2, 255, 0, 17];
            summed.extend(length.to_be_bytes());
            summed.extend(whole);
            let right = input[6..8] == [0, 0] || naive(&summed) == 0;
            assert_eq!(datagram.verify(SOURCE, DESTINATION), right);
        }
        Err(error) => drop(error.to_string()),
    }
    let mut choices = Choices::new(input);
    let repr = udp::Repr { source_port: choices.word(), destination_port: choices.word() };
    let payload = choices.rest();
    let bytes = [&repr.emit(SOURCE, DESTINATION, payload), payload].concat();
    let datagram = udp::Packet::parse(&bytes).expect("what we emit");
    assert!(datagram.verify(SOURCE, DESTINATION));
    assert_ne!(bytes[6..8], [0, 0]);
    assert_eq!((datagram.source_port, datagram.payload), (repr.source_port, payload));
}
