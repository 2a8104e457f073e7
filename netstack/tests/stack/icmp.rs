use crate::host::{
    ALL, Host, OUR_IP, OURS, THEIR_IP, THEIRS, arp, echo, frame, icmp, ipv4, ipv4_between, payload, to_us,
    udp,
};
use netstack::Duration;
use netstack::addressing::Addressing;
use netstack::device::TransmitError;
use netstack::stack::Config;
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
    let far = ipv4_between([198, 51, 100, 7], OUR_IP, 1, &echo(b""));
    let mut host = Host::with(Config::Static(Addressing::new("192.0.2.10/24".parse().unwrap(), None)));
    host.poll();
    host.sent();
    assert!(host.receive(&to_us(&far)).is_empty());
    assert_eq!((host.counter("ipv4_no_route"), host.counter("icmp_echo_lost")), (1, 1));
    host.device.fails = Some(TransmitError::Down);
    host.meet_silently();
    host.receive(&to_us(&ipv4(1, &echo(b""))));
    assert_eq!((host.counter("device_down"), host.counter("icmp_echo_lost")), (2, 2));
}

/// What has nobody who would send it again waits for a full device, in order, and not without end.
#[test]
fn answers_wait_for_a_full_device() {
    let mut host = Host::new();
    host.meet();
    host.device.fails = Some(TransmitError::Full);
    assert!(host.receive(&to_us(&ipv4(1, &echo(b"first")))).is_empty());
    assert!(host.receive(&arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP)).is_empty());
    assert!(host.receive(&to_us(&ipv4(17, &udp(5000, 53, b"closed")))).is_empty());
    assert_eq!(host.counter("backlog_kept"), 3);
    assert_eq!((host.counter("icmp_echo"), host.counter("icmp_echo_lost")), (1, 0));
    host.device.fails = None;
    host.poll();
    let sent = host.sent();
    assert_eq!(payload(&sent[0])[8..], *b"first");
    assert_eq!(sent[1], arp(THEIRS, 2, OURS, OUR_IP, THEIRS.0, THEIR_IP));
    assert_eq!(payload(&sent[2])[..2], [3, 3]);
    assert_eq!(sent.len(), 3);

    host.device.fails = Some(TransmitError::Full);
    host.receive(&to_us(&ipv4(1, &echo(b"second"))));
    host.device.fails = None;
    let sent = host.receive(&to_us(&ipv4(1, &echo(b"third"))));
    assert_eq!((&payload(&sent[0])[8..], &payload(&sent[1])[8..]), (&b"second"[..], &b"third"[..]));

    host.device.fails = Some(TransmitError::Full);
    for _ in 0..100 {
        host.receive(&to_us(&ipv4(1, &echo(b""))));
    }
    assert_eq!((host.counter("backlog_kept"), host.counter("backlog_full")), (4 + 64, 36));
    assert_eq!(host.counter("icmp_echo_lost"), 36);
    host.device.fails = None;
    host.poll();
    assert_eq!(host.sent().len(), 64);
    // 96 KiB: 64 frames of 1,514 bytes are 96,896.
    host.device.fails = Some(TransmitError::Full);
    for _ in 0..70 {
        host.receive(&to_us(&ipv4(1, &echo(&[0; 1472]))));
    }
    host.device.fails = None;
    host.poll();
    assert_eq!(host.sent().len(), 64);
    host.device.capabilities.mtu = 9_000;
    host.device.fails = Some(TransmitError::Full);
    for _ in 0..70 {
        host.receive(&to_us(&ipv4(1, &echo(&[0; 8972]))));
    }
    host.device.fails = None;
    host.poll();
    assert_eq!(host.sent().len(), 10, "of 9,014 bytes");
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
