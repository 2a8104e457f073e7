use crate::host::{ALL, Host, OUR_IP, OURS, THEIR_IP, THEIRS, arp, icmp, ipv4, payload, tcp, to_us};
use netstack::Duration;
use netstack::device::{Offload, PartialChecksum, ReceiveChecksum, TransmitError};
use netstack::wire::checksum::Sum;

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

fn sum(segment: &[u8]) -> Sum {
    Sum::pseudo_header(OUR_IP.into(), THEIR_IP.into(), 6, segment.len() as u32)
}

#[test]
fn a_segment_goes_out_whole_where_the_device_does_nothing() {
    let mut host = Host::new();
    host.meet();
    let sent = host.receive(&to_us(&ipv4(6, &tcp(SYN))));
    assert_eq!(sent.len(), 1);
    let segment = payload(&sent[0]);
    assert_eq!(segment[..4], [0, 80, 0xc0, 0]);
    assert_eq!(segment[13], SYN_ACK);
    assert_eq!(sum(segment).bytes(segment).checksum(), 0);
    assert_eq!(host.device.offload, Offload::default());
    // RFC 1191: not to be cut; RFC 6864: so it needs no identification.
    assert_eq!(sent[0][18..22], [0, 0, 0x40, 0]);
}

#[test]
fn a_device_that_sums_is_given_the_pseudo_headers_part() {
    let mut host = Host::new();
    host.device.capabilities.checksum = true;
    host.meet();
    let sent = host.receive(&to_us(&ipv4(6, &tcp(SYN))));
    let segment = payload(&sent[0]);
    assert_eq!(host.device.offload.checksum, Some(PartialChecksum { start: 34, offset: 16 }));
    assert_eq!(host.device.offload.gso, None);
    assert_eq!(segment[16..18], sum(segment).partial().to_be_bytes());
}

#[test]
fn a_segment_that_waited_for_a_neighbour_is_whole_in_any_case() {
    let mut host = Host::new();
    host.device.capabilities.checksum = true;
    let asked = host.receive(&to_us(&ipv4(6, &tcp(SYN))));
    assert_eq!(asked, [arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP)]);
    let sent = host.receive(&arp(OURS, 2, THEIRS, THEIR_IP, OURS.0, OUR_IP));
    let segment = payload(&sent[0]);
    assert_eq!(sum(segment).bytes(segment).checksum(), 0);
    assert_eq!(host.device.offload, Offload::default());
}

#[test]
fn a_blank_checksum_is_taken_where_the_device_vouches_for_it() {
    let mut host = Host::new();
    host.meet();
    let mut segment = tcp(SYN);
    segment[16..18].fill(0);
    let frame = to_us(&ipv4(6, &segment));
    assert!(host.receive(&frame).is_empty());
    assert_eq!(host.counter("tcp_checksum"), 1);
    host.stack.receive(
        &frame,
        ReceiveChecksum::Trusted,
        host.now,
        &mut host.device,
        &mut crate::host::Nobody,
    );
    assert_eq!(host.sent().len(), 1);
}

/// RFC 9293 section 3.5.2; what `nmap -sO` sees of TCP.
#[test]
fn a_closed_port_resets() {
    let mut host = Host::new();
    host.meet();
    let mut segment = tcp(SYN);
    segment[3] = 81;
    segment[16..18].fill(0);
    let checksum = Sum::pseudo_header(THEIR_IP.into(), OUR_IP.into(), 6, 20).bytes(&segment).checksum();
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    let sent = host.receive(&to_us(&ipv4(6, &segment)));
    assert_eq!(payload(&sent[0])[13], RST_ACK);
}

/// RFC 1122 section 4.2.3.9: an error reaches the connection that it quotes, and no other.
#[test]
fn an_unreachable_reaches_tcp() {
    let mut host = Host::new();
    host.meet();
    let sent = host.receive(&to_us(&ipv4(6, &tcp(SYN))));
    let ours = &sent[0][14..];
    assert!(host.receive(&to_us(&ipv4(1, &icmp(3, 2, [0; 4], &ours[..28])))).is_empty());
    assert_eq!((host.counter("tcp_unreachable"), host.counter("icmp_quoted")), (1, 0));
    let mut foreign = ours[..28].to_vec();
    foreign[15] ^= 1;
    host.receive(&to_us(&ipv4(1, &icmp(3, 2, [0; 4], &foreign))));
    assert_eq!((host.counter("tcp_unreachable"), host.counter("icmp_quoted")), (1, 1));
}

#[test]
fn frames_that_the_device_does_not_take_are_counted_by_why() {
    for (why, counter) in [
        (TransmitError::Full, "device_full"),
        (TransmitError::Down, "device_down"),
        (TransmitError::Length, "device_length"),
    ] {
        let mut host = Host::new();
        host.meet();
        host.device.fails = Some(why);
        assert!(host.receive(&to_us(&ipv4(6, &tcp(SYN)))).is_empty());
        assert_eq!(host.counter(counter), 1, "{counter}");
        host.device.fails = None;
        // The SYN-ACK's own timer, or the queue of those that met a full device.
        let sent = host.wait(Duration::from_millis(1_010));
        assert_eq!(sent.iter().filter(|frame| payload(frame)[13] == SYN_ACK).count(), 1, "{counter}");
    }
}

#[test]
fn a_neighbour_that_did_not_answer_is_not_asked_at_once_again() {
    let mut host = Host::new();
    let syn = to_us(&ipv4(6, &tcp(SYN)));
    assert_eq!(host.receive(&syn).len(), 1, "the question");
    host.wait(Duration::from_millis(3_010));
    assert_eq!(host.counter("arp_asked"), 3);
    let before = host.counter("neighbour_failed");
    assert!(host.receive(&syn).is_empty());
    assert_eq!(host.counter("neighbour_failed"), before + 1);
    host.wait(Duration::from_secs(3));
    assert_eq!(host.receive(&syn), [arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP)]);
}
