use crate::host::{
    ALL, Host, OUR_IP, THEIR_IP, THEIRS, echo, frame, icmp, ipv4, ipv4_between, payload, to_us, udp,
};
use netstack::Duration;
use netstack::device::TransmitError;
use netstack::wire::checksum::Sum;

/// RFC 1122 section 3.2.2.6: the data come back whole.
#[test]
fn echo_is_answered_up_to_the_mtu() {
    for length in [0, 1, 56, 1471, 1472] {
        let mut host = Host::new();
        host.meet();
        let data: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let sent = host.receive(&to_us(&ipv4(1, &echo(&data))));
        assert_eq!(sent.len(), 1);
        let reply = payload(&sent[0]);
        assert_eq!(reply[..2], [0, 0]);
        assert_eq!(reply[4..8], [0x12, 0x34, 0, 1]);
        assert_eq!(reply[8..], data);
        assert_eq!(Sum::new().bytes(reply).checksum(), 0);
        assert_eq!(sent[0][26..34], [OUR_IP, THEIR_IP].concat(), "from us to them");
        assert_eq!(host.counter("icmp_echo"), 1);
    }
}

#[test]
fn echo_that_cannot_be_answered_is_counted() {
    let mut host = Host::new();
    host.meet();
    host.receive(&to_us(&ipv4(1, &echo(&[0; 1473]))));
    assert_eq!((host.counter("ipv4_too_long"), host.counter("icmp_echo_lost")), (1, 1));
    host.device.fails = Some(TransmitError::Full);
    host.receive(&to_us(&ipv4(1, &echo(b""))));
    assert_eq!((host.counter("device_full"), host.counter("icmp_echo_lost")), (1, 2));
}

#[test]
fn echo_to_everybody_is_not_answered() {
    let mut host = Host::new();
    host.meet();
    for destination in [[192, 0, 2, 255], [255, 255, 255, 255]] {
        let packet = ipv4_between(THEIR_IP, destination, 1, &echo(b""));
        assert!(host.receive(&frame(ALL, THEIRS, 0x0800, &packet)).is_empty());
    }
    assert_eq!(host.counter("icmp_ignored"), 2);
}

#[test]
fn bad_messages() {
    let mut host = Host::new();
    host.meet();
    let mut message = echo(b"");
    message[4] ^= 1;
    assert!(host.receive(&to_us(&ipv4(1, &message))).is_empty());
    assert_eq!(host.counter("icmp_checksum"), 1);
    assert!(host.receive(&to_us(&ipv4(1, &[8, 0, 0]))).is_empty());
    assert_eq!(host.counter("icmp_short"), 1);
    assert!(host.receive(&to_us(&ipv4(1, &icmp(13, 0, [0; 4], &[])))).is_empty());
    assert_eq!(host.counter("icmp_ignored"), 1);
    assert!(host.receive(&to_us(&ipv4(1, &icmp(3, 3, [0; 4], &[0x45, 0])))).is_empty());
    assert_eq!(host.counter("icmp_quoted"), 1);
}

/// RFC 1122 section 4.1.3.1 and 3.2.2.1: port unreachable, quoting the packet as it came.
#[test]
fn a_closed_port_is_unreachable() {
    let mut host = Host::new();
    host.meet();
    let packet = ipv4(17, &udp(5000, 53, b"question"));
    let sent = host.receive(&to_us(&packet));
    let message = payload(&sent[0]);
    assert_eq!(message[..2], [3, 3]);
    assert_eq!(message[4..8], [0; 4]);
    assert_eq!(message[8..], packet);
    assert_eq!(Sum::new().bytes(message).checksum(), 0);
    assert_eq!((host.counter("udp_no_port"), host.counter("icmp_refused")), (1, 1));
}

/// RFC 1812 section 4.3.2.3: 576 bytes in all.
#[test]
fn a_long_packet_is_quoted_in_part() {
    let mut host = Host::new();
    host.meet();
    let packet = ipv4(17, &udp(5000, 53, &[9; 1000]));
    let sent = host.receive(&to_us(&packet));
    assert_eq!(sent[0].len(), 14 + 576);
    assert_eq!(payload(&sent[0])[8..], packet[..548]);
}

/// RFC 1122 section 3.2.2.1.
#[test]
fn an_unknown_protocol_is_unreachable() {
    let mut host = Host::new();
    host.meet();
    let packet = ipv4(132, &[0; 12]);
    let sent = host.receive(&to_us(&packet));
    assert_eq!(payload(&sent[0])[..2], [3, 2]);
    assert_eq!(host.counter("ipv4_protocol"), 1);
}

#[test]
fn nothing_is_refused_that_went_to_everybody() {
    let mut host = Host::new();
    host.meet();
    let packet = ipv4_between(THEIR_IP, [192, 0, 2, 255], 17, &udp(5000, 53, b""));
    assert!(host.receive(&frame(ALL, THEIRS, 0x0800, &packet)).is_empty());
    assert_eq!(host.counter("udp_no_port"), 1);
    let packet = ipv4_between(THEIR_IP, [255, 255, 255, 255], 132, &[]);
    assert!(host.receive(&frame(ALL, THEIRS, 0x0800, &packet)).is_empty());
    assert_eq!(host.counter("ipv4_protocol"), 1);
    assert_eq!(host.counter("ipv4_no_route"), 0, "nothing was tried");
}

#[test]
fn refusals_come_in_a_burst_of_fifty_then_a_hundred_a_second() {
    let mut host = Host::new();
    host.meet();
    let packet = to_us(&ipv4(17, &udp(5000, 53, b"")));
    let refused = |host: &mut Host| (0..200).map(|_| host.receive(&packet).len()).sum::<usize>();
    assert_eq!(refused(&mut host), 50);
    assert_eq!(host.counter("icmp_limited"), 150);
    host.wait(Duration::from_millis(100));
    assert_eq!(refused(&mut host), 10);
}
