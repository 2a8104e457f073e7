use crate::host::{
    ALL, Host, OUR_IP, OURS, THEIR_IP, THEIRS, echo, frame, ipv4, ipv4_between, payload, summed, to_us, udp,
};
use netstack::wire::ethernet::Address;

#[test]
fn frames_that_are_none_or_not_ours() {
    let mut host = Host::new();
    let none: [Vec<u8>; 0] = [];
    let packet = ipv4(1, &echo(b""));
    assert_eq!(host.receive(&to_us(&packet)[..13]), none);
    assert_eq!(host.counter("ethernet_short"), 1);
    assert_eq!(host.receive(&frame(THEIRS, OURS, 0x0800, &packet)), none);
    let group = Address([0x01, 0, 0x5e, 0, 0, 1]);
    assert_eq!(host.receive(&frame(group, THEIRS, 0x0800, &packet)), none);
    assert_eq!(host.counter("ethernet_not_ours"), 2);
    assert_eq!(host.receive(&frame(OURS, group, 0x0800, &packet)), none);
    assert_eq!(host.counter("ethernet_source"), 1);
    assert_eq!(host.receive(&frame(OURS, THEIRS, 0x86dd, &packet)), none);
    assert_eq!(host.counter("ethernet_type"), 1);
}

/// RFC 1122 section 3.2.1: each malformed header is dropped, and says why in its counter.
#[test]
fn malformed_headers() {
    let change = |at: usize, value: u8| {
        let mut packet = ipv4(1, &echo(b""));
        packet[at] = value;
        packet
    };
    let wrong_sum = change(10, 0xab);
    for (counter, packet) in [
        ("ipv4_short", vec![0x45; 19]),
        ("ipv4_version", change(0, 0x65)),
        ("ipv4_header_length", change(0, 0x44)),
        ("ipv4_header_length", change(0, 0x4f)),
        ("ipv4_total_length", summed(change(3, 19))),
        ("ipv4_total_length", summed(change(3, 200))),
        ("ipv4_checksum", wrong_sum),
    ] {
        let mut host = Host::new();
        host.meet();
        assert!(host.receive(&to_us(&packet)).is_empty());
        assert_eq!(host.counter(counter), 1, "{counter}");
    }
}

#[test]
fn options_are_skipped_and_padding_is_trimmed() {
    let mut host = Host::new();
    host.meet();
    let mut packet = ipv4(1, &echo(b"data"));
    packet.splice(20..20, [1, 1, 1, 0]);
    packet[0] = 0x46;
    packet[3] += 4;
    let mut packet = summed(packet);
    packet.extend([0xee; 14]);
    let sent = host.receive(&to_us(&packet));
    assert_eq!(payload(&sent[0])[8..], *b"data");
}

/// RFC 1122 section 3.2.1.3.
#[test]
fn martians() {
    let sources = [
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
        [192, 0, 2, 255],
        OUR_IP,
    ];
    let mut host = Host::new();
    for source in sources {
        assert!(host.receive(&to_us(&ipv4_between(source, OUR_IP, 1, &echo(b"")))).is_empty());
    }
    assert_eq!(host.counter("ipv4_martian"), 7);
    assert!(host.receive(&to_us(&ipv4_between(THEIR_IP, [127, 0, 0, 1], 1, &echo(b"")))).is_empty());
    assert_eq!(host.counter("ipv4_martian"), 8);
}

#[test]
fn addresses_that_are_not_ours() {
    let mut host = Host::new();
    host.meet();
    for destination in [[192, 0, 2, 11], [224, 0, 0, 1], [198, 51, 100, 255]] {
        assert!(host.receive(&to_us(&ipv4_between(THEIR_IP, destination, 17, &udp(1, 68, b"")))).is_empty());
    }
    assert_eq!(host.counter("ipv4_not_ours"), 3);
}

/// RFC 1122 section 3.3.6.
#[test]
fn one_address_in_a_frame_for_everybody() {
    let mut host = Host::new();
    host.meet();
    assert!(host.receive(&frame(ALL, THEIRS, 0x0800, &ipv4(1, &echo(b"")))).is_empty());
    assert_eq!(host.counter("ipv4_link_broadcast"), 1);
}

#[test]
fn datagrams_that_are_none() {
    let mut host = Host::new();
    host.meet();
    let mut datagram = udp(5000, 53, b"hi");
    datagram[6] = 0xaa;
    assert!(host.receive(&to_us(&ipv4(17, &datagram))).is_empty());
    assert_eq!(host.counter("udp_checksum"), 1);
    datagram[5] = 200;
    assert!(host.receive(&to_us(&ipv4(17, &datagram))).is_empty());
    assert_eq!(host.counter("udp_malformed"), 1);
}

/// RFC 9293 section 3.1: no segment passes with a wrong checksum, and none to a broadcast address (section 3.10.7).
#[test]
fn segments_that_are_none() {
    let mut host = Host::new();
    host.meet();
    assert!(host.receive(&to_us(&ipv4(6, &[0; 20]))).is_empty());
    assert_eq!(host.counter("tcp_checksum"), 1);
    let packet = ipv4_between(THEIR_IP, [192, 0, 2, 255], 6, &[0; 20]);
    assert!(host.receive(&frame(ALL, THEIRS, 0x0800, &packet)).is_empty());
    assert_eq!(host.counter("tcp_broadcast"), 1);
}
