//! DHCP messages.

use crate::choices::Choices;
use netstack::wire::dhcpv4::{Operation, Packet, Repr};
use netstack::wire::ethernet::Address;

/// A server's message, any bytes; and ours, as its other end would see it.
pub fn message(input: &[u8]) {
    read(input);
    // The fixed part and the cookie given, so that the options are reached.
    let mut framed = vec![0; 240];
    (framed[0], framed[1], framed[2]) = (2, 1, 6);
    framed[236..].copy_from_slice(&[99, 130, 83, 99]);
    framed.extend(input);
    read(&framed);
    // Overload: options go on in the two fields of the fixed part.
    let (first, rest) = input.split_at(input.len().min(192));
    framed[44..44 + first.len()].copy_from_slice(first);
    framed.truncate(240);
    framed.extend([52, 1, 3]);
    framed.extend(rest);
    read(&framed);

    let mut choices = Choices::new(input);
    let name = String::from_utf8_lossy(choices.bytes(40)).into_owned();
    let repr = Repr {
        operation: choices.of(&[Operation::Discover, Operation::Request]),
        xid: choices.half(),
        secs: choices.word(),
        client: choices.array::<4>().into(),
        hardware: Address(choices.array()),
        requested: choices.yes().then(|| choices.array::<4>().into()),
        server: choices.yes().then(|| choices.array::<4>().into()),
        name: choices.yes().then_some(&name),
    };
    let mut ours = repr.emit();
    assert!((300..=576 - 28).contains(&ours.len()), "{} bytes", ours.len());
    assert!(Packet::parse(&ours).is_err(), "a request is no reply");
    ours[0] = 2;
    let packet = Packet::parse(&ours).expect("but for that");
    assert_eq!((packet.xid(), packet.client_hardware()), (repr.xid, repr.hardware));
    assert!(packet.reply().is_err(), "neither is its type");
}

fn read(bytes: &[u8]) {
    match Packet::parse(bytes).and_then(|packet| packet.reply()) {
        Ok(reply) => {
            assert_eq!(reply.your.octets(), bytes[16..20]);
            assert_eq!(reply.prefix.address(), reply.your);
            assert!(reply.routes.is_none_or(|routes| routes.len() <= bytes.len() / 5));
        }
        Err(error) => assert!(error.to_string().len() < 200),
    }
}
