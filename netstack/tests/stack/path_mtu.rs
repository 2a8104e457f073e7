//! Path MTU discovery (RFC 1191), from the router's message to the next segment.

use crate::host::{Host, Nobody, OUR_IP, THEIR_IP, icmp, ipv4, payload, segment, tcp, to_us};
use netstack::Duration;

/// A host that has been asked for its page; the segments that it sent, of 1,460 bytes where the peer took that many.
fn asked() -> (Host, Vec<Vec<u8>>) {
    let mut host = Host::new();
    host.meet();
    let mut syn = tcp(0x02);
    // The largest segment that the peer takes (option 2): 1,460 bytes.
    syn[12] = 0x60;
    syn.extend([2, 4, 0x05, 0xb4]);
    let answer = host.receive(&to_us(&ipv4(6, &summed(syn))));
    let number = u32::from_be_bytes(payload(&answer[0])[4..8].try_into().unwrap());
    let request = segment(0x18, 0x1001, number.wrapping_add(1), b"GET");
    let sent = host.receive(&to_us(&ipv4(6, &request)));
    assert_eq!(lengths(&sent), [1_500, 1_500, 1_120], "4,000 bytes");
    (host, sent)
}

fn summed(mut segment: Vec<u8>) -> Vec<u8> {
    use netstack::wire::checksum::Sum;
    segment[16..18].fill(0);
    let sum = Sum::pseudo_header(THEIR_IP.into(), OUR_IP.into(), 6, segment.len() as u32);
    let checksum = sum.bytes(&segment).checksum();
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

/// Each packet's length.
fn lengths(frames: &[Vec<u8>]) -> Vec<usize> {
    frames.iter().map(|frame| frame.len() - 14).collect()
}

/// Fragmentation needed, about this packet; the router takes `mtu` bytes.
fn too_big(frame: &[u8], mtu: u16) -> Vec<u8> {
    let [high, low] = mtu.to_be_bytes();
    to_us(&ipv4(1, &icmp(3, 4, [0, 0, high, low], &frame[14..42])))
}

#[test]
fn the_path_is_believed_and_forgotten() {
    let (mut host, sent) = asked();
    host.receive(&too_big(&sent[0], 1_000));
    assert_eq!(host.counter("path_mtu_lowered"), 1);
    // Whatever is sent again now fits, and may not be cut.
    let again = host.wait(Duration::from_secs(10));
    assert!(
        !again.is_empty() && lengths(&again).iter().all(|length| *length <= 1_000),
        "{:?}",
        lengths(&again)
    );
    assert!(lengths(&again).contains(&1_000));
    assert_eq!(again[0][18..22], [0, 0, 0x40, 0]);
    // Another link, another path.
    host.stack.link(true, host.now, &mut host.device, &mut Nobody);
    host.sent();
    host.meet();
    let first = u32::from_be_bytes(payload(&sent[0])[4..8].try_into().unwrap());
    let request = segment(0x18, 0x1004, first.wrapping_add(4_000), b"GET");
    let page = host.receive(&to_us(&ipv4(6, &request)));
    assert!(lengths(&page).contains(&1_500), "{:?}", lengths(&page));
}

/// RFC 1191 section 5: an old router says 0.
#[test]
fn a_router_that_does_not_say() {
    let (mut host, sent) = asked();
    host.receive(&too_big(&sent[0], 0));
    let again = host.wait(Duration::from_secs(10));
    assert!(lengths(&again).contains(&1_492), "{:?}", lengths(&again));
}

/// Where the path takes hardly any, segments stay at 552 bytes and routers cut them.
#[test]
fn a_path_that_takes_hardly_any() {
    let (mut host, sent) = asked();
    host.receive(&too_big(&sent[0], 296));
    let again = host.wait(Duration::from_secs(10));
    assert!(lengths(&again).contains(&552), "{:?}", lengths(&again));
    assert!(again.iter().filter(|frame| frame[12..14] == [8, 0]).all(|frame| frame[20..22] == [0, 0]));
}

/// RFC 5927 section 4.1 and RFC 1191 section 3.
#[test]
fn messages_that_are_not_believed() {
    let (mut host, sent) = asked();
    for mtu in [1_500, 1_501, 65_535] {
        host.receive(&too_big(&sent[0], mtu));
    }
    assert_eq!(host.counter("icmp_too_big_ignored"), 3);
    let mut elsewhere = sent[0].clone();
    elsewhere[14 + 20 + 4] ^= 0x40;
    host.receive(&too_big(&elsewhere, 1_000));
    assert_eq!((host.counter("tcp_unreachable_ignored"), host.counter("path_mtu_lowered")), (1, 0));
    let mut other_port = sent[0].clone();
    other_port[14 + 20 + 2] ^= 1;
    host.receive(&too_big(&other_port, 1_000));
    assert_eq!((host.counter("tcp_unreachable_ignored"), host.counter("path_mtu_lowered")), (2, 0));
    // A quotation of a longer packet than ours can be says more than the link takes: nothing is lowered.
    let mut long = sent[0].clone();
    long[14 + 2..14 + 4].copy_from_slice(&9_000_u16.to_be_bytes());
    host.receive(&too_big(&long, 1_500));
    assert_eq!(host.counter("path_mtu_lowered"), 0);
}
