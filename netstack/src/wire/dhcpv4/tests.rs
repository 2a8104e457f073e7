#![allow(clippy::arithmetic_side_effects)]
use super::*;
use alloc::string::ToString;
use alloc::vec;

const HARDWARE: Address = Address([0x02, 0x16, 0x3e, 0x01, 0x02, 0x03]);

/// A reply to transaction 01020304 for 10.0.0.5 with these options.
fn reply(options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..8].copy_from_slice(&[2, 1, 6, 0, 1, 2, 3, 4]);
    bytes[16..20].copy_from_slice(&[10, 0, 0, 5]);
    bytes[28..34].copy_from_slice(&[0x02, 0x16, 0x3e, 0x01, 0x02, 0x03]);
    bytes.extend([0x63, 0x82, 0x53, 0x63]);
    bytes.extend(options);
    bytes
}

fn read(options: &[u8]) -> Result<Reply, Malformed> {
    Packet::parse(&reply(options)).unwrap().reply()
}

fn fault(options: &[u8]) -> (u8, usize, Fault) {
    match read(options) {
        Err(Malformed::Option { code, at, fault }) => (code, at, fault),
        other => panic!("{other:?}"),
    }
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn discover_golden_bytes() {
    let message = Repr {
        operation: Operation::Discover,
        xid: 0x0102_0304,
        secs: 5,
        client: Ipv4Addr::UNSPECIFIED,
        hardware: HARDWARE,
        requested: None,
        server: None,
        name: Some("blog"),
    }
    .emit();
    let mut expected = vec![1, 1, 6, 0, 1, 2, 3, 4, 0, 5, 0, 0];
    expected.extend([0; 16]);
    expected.extend([0x02, 0x16, 0x3e, 0x01, 0x02, 0x03]);
    expected.extend([0; 10 + 64 + 128]);
    expected.extend([99, 130, 83, 99]);
    expected.extend([53, 1, 1]);
    expected.extend([12, 4, b'b', b'l', b'o', b'g']);
    expected.extend([57, 2, 0x05, 0xc0]);
    expected.extend([55, 8, 1, 121, 3, 26, 51, 54, 58, 59]);
    expected.push(255);
    expected.resize(300, 0);
    assert_eq!(message, expected);
}

/// RFC 2131 table 5: the message type, the address or the server, and nothing that asks.
#[test]
fn decline_and_release_golden_bytes() {
    let decline = Repr {
        operation: Operation::Decline,
        xid: 0x0102_0304,
        secs: 0,
        client: Ipv4Addr::UNSPECIFIED,
        hardware: HARDWARE,
        requested: Some(address("10.0.0.5")),
        server: Some(address("10.0.0.1")),
        name: Some("blog"),
    };
    let message = decline.emit();
    assert_eq!(message[12..16], [0; 4]);
    assert_eq!(message[240..256], [53, 1, 4, 50, 4, 10, 0, 0, 5, 54, 4, 10, 0, 0, 1, 255]);
    let client = address("10.0.0.5");
    let release = Repr { operation: Operation::Release, client, requested: None, ..decline };
    let message = release.emit();
    assert_eq!(message[12..16], [10, 0, 0, 5]);
    assert_eq!(message[240..250], [53, 1, 7, 54, 4, 10, 0, 0, 1, 255]);
    assert_eq!(message.len(), 300);
}

#[test]
fn request_golden_bytes() {
    let message = Repr {
        operation: Operation::Request,
        xid: 0x0102_0304,
        secs: 0,
        client: address("10.0.0.5"),
        hardware: HARDWARE,
        requested: Some(address("10.0.0.5")),
        server: Some(address("10.0.0.1")),
        name: None,
    }
    .emit();
    assert_eq!(message[12..16], [10, 0, 0, 5]);
    assert_eq!(message[240..255], [53, 1, 3, 50, 4, 10, 0, 0, 5, 54, 4, 10, 0, 0, 1]);
}

#[test]
fn an_acknowledgement() {
    let options = [
        &[53, 1, 5][..],
        &[54, 4, 10, 0, 0, 1],
        &[51, 4, 0, 0, 0x0e, 0x10],
        &[58, 4, 0, 0, 0x07, 0x08],
        &[59, 4, 0, 0, 0x0c, 0x4e],
        &[1, 4, 255, 255, 240, 0],
        &[3, 8, 10, 0, 0, 1, 10, 0, 0, 2],
        &[15, 3, b'l', b'a', b'n'],
        &[26, 2, 0x23, 0x29],
        &[57, 2, 0x05, 0xdc],
        &[255, 1, 2, 3],
    ]
    .concat();
    let packet = reply(&options);
    let packet = Packet::parse(&packet).unwrap();
    assert_eq!(packet.xid(), 0x0102_0304);
    assert_eq!(packet.client_hardware(), HARDWARE);
    let reply = packet.reply().unwrap();
    assert_eq!(
        reply,
        Reply {
            answer: Answer::Ack,
            your: address("10.0.0.5"),
            server: Some(address("10.0.0.1")),
            prefix: "10.0.0.5/20".parse().unwrap(),
            router: Some(address("10.0.0.1")),
            mtu: Some(9001),
            lease: Some(3600),
            renewal: Some(1800),
            rebinding: Some(3150),
            routes: None,
        }
    );
}

#[test]
fn padding_between_options_and_no_end() {
    assert_eq!(read(&[0, 0, 53, 1, 2, 0, 51, 4, 0, 0, 0, 60]).unwrap().lease, Some(60));
    assert_eq!(read(&[53, 1, 6]).unwrap().answer, Answer::Nak);
}

#[test]
fn without_a_mask_the_class_counts() {
    assert_eq!(read(&[53, 1, 5]).unwrap().prefix.to_string(), "10.0.0.5/8");
}

#[test]
fn what_is_no_reply() {
    assert_eq!(Packet::parse(&[2; 239]).err(), Some(Malformed::Short));
    for (at, error) in [
        (0, Malformed::Operation(1)),
        (1, Malformed::Hardware),
        (2, Malformed::Hardware),
        (236, Malformed::Cookie),
    ] {
        let mut bytes = reply(&[53, 1, 5]);
        bytes[at] = 1 + u8::from(at == 1);
        assert_eq!(Packet::parse(&bytes).err(), Some(error));
    }
    assert_eq!(read(&[]), Err(Malformed::NoMessageType));
}

/// What ended the network of the first unikernels on EC2: options 26 and 57 that did not add up.
#[test]
fn a_broken_option_is_named_with_its_byte() {
    assert_eq!(fault(&[53, 1, 5, 26, 3, 5, 220, 0, 255]), (26, 243, Fault::Length(3)));
    assert_eq!(fault(&[53, 1, 5, 26, 1, 5, 255]), (26, 243, Fault::Length(1)));
    assert_eq!(fault(&[53, 1, 5, 57, 200, 5, 220, 255]), (57, 243, Fault::Truncated));
    assert_eq!(fault(&[53, 1, 5, 57]), (57, 243, Fault::Truncated));
    assert_eq!(fault(&[53, 1, 5, 51, 2, 0, 60]), (51, 243, Fault::Length(2)));
    assert_eq!(fault(&[53, 1, 5, 1, 4, 255, 0, 255, 0]), (1, 243, Fault::Value));
    assert_eq!(fault(&[53, 1, 5, 3, 0]), (3, 243, Fault::Length(0)));
    assert_eq!(fault(&[53, 1, 5, 3, 5, 10, 0, 0, 1, 0]), (3, 243, Fault::Length(5)));
    assert_eq!(fault(&[53, 1, 9]), (53, 240, Fault::Value));
    assert_eq!(fault(&[53, 1, 5, 52, 1, 4]), (52, 243, Fault::Value));
    let text = Malformed::Option { code: 26, at: 243, fault: Fault::Length(3) }.to_string();
    assert_eq!(text, "option 26 at byte 243 has length 3");
}

/// RFC 2132 section 9.3.
#[test]
fn overload_reads_the_file_field_then_the_name() {
    let mut bytes = reply(&[52, 1, 3, 255]);
    bytes[108..117].copy_from_slice(&[53, 1, 5, 54, 4, 10, 0, 0, 1]);
    bytes[117] = 255;
    bytes[44..50].copy_from_slice(&[51, 4, 0, 0, 0, 60]);
    let reply = Packet::parse(&bytes).unwrap().reply().unwrap();
    assert_eq!(reply.server, Some(address("10.0.0.1")));
    assert_eq!(reply.lease, Some(60));
    bytes[242] = 1;
    assert_eq!(Packet::parse(&bytes).unwrap().reply().unwrap().lease, None);
    bytes[242] = 2;
    assert_eq!(Packet::parse(&bytes).unwrap().reply(), Err(Malformed::NoMessageType));
}

/// RFC 3442, its own examples of destination descriptors, in two parts (RFC 3396).
#[test]
fn classless_routes() {
    let first = [121, 10, 0, 10, 0, 0, 1, 8, 10, 10, 0, 0];
    let second = [121, 9, 2, 24, 10, 17, 0, 0, 0, 0, 0];
    let options = [&[53, 1, 5][..], &first, &[1, 4, 255, 255, 255, 255], &second].concat();
    let routes = read(&options).unwrap().routes.unwrap();
    let text =
        |route: &Route| (route.destination.to_string(), route.gateway.map(|gateway| gateway.to_string()));
    assert_eq!(
        routes.iter().map(text).collect::<Vec<_>>(),
        [
            ("0.0.0.0/0".into(), Some("10.0.0.1".into())),
            ("10.0.0.0/8".into(), Some("10.0.0.2".into())),
            ("10.17.0.0/24".into(), None),
        ]
    );
    assert_eq!(fault(&[53, 1, 5, 121, 5, 33, 10, 0, 0, 1]), (121, 243, Fault::Value));
    assert_eq!(fault(&[53, 1, 5, 121, 6, 24, 10, 0, 0, 1, 1]), (121, 243, Fault::Value));
}

mod any_bytes {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn are_read_or_refused(options in proptest::collection::vec(any::<u8>(), 0..200), overload in 0_u8..5) {
            let mut bytes = reply(&[&[52, 1, overload][..], &options].concat());
            let copied = options.len().min(192);
            bytes[44..44 + copied].copy_from_slice(&options[..copied]);
            let _ = Packet::parse(&bytes).unwrap().reply();
        }

        #[test]
        fn of_any_length_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Packet::parse(&bytes).map(|packet| packet.reply());
        }
    }
}
