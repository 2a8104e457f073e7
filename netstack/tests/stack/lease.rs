//! How an address ends: by a conflict, at the end of the stack; and what becomes of the connections that had it.

use crate::dhcp::{
    ACK, IDENTIFIER, NAK, OFFER, SERVER, USUAL, YOURS, answer, bound, host, one, requesting, said,
};
use crate::host::{ALL, Host, OURS, THEIRS, arp, ipv4_between, payload, segment_between, to_us};
use netstack::Duration;
use netstack::device::TransmitError;
use netstack::stack::Event;
use netstack::wire::ethernet::Address;

const OTHER: Address = Address([0x02, 0, 0, 0, 0, 0x66]);

/// Another station says that it has our address.
fn conflict() -> Vec<u8> {
    arp(ALL, 1, OTHER, YOURS, [0; 6], YOURS)
}

/// The server makes itself known and connects; our SYN-ACK's number.
pub fn connect(host: &mut Host) -> u32 {
    host.receive(&arp(ALL, 1, THEIRS, SERVER, [0; 6], YOURS));
    let syn = segment_between(SERVER, YOURS, 0x02, 1_000, 0, b"");
    let answer = host.receive(&to_us(&ipv4_between(SERVER, YOURS, 6, &syn)));
    let number = u32::from_be_bytes(payload(&answer[0])[4..8].try_into().unwrap());
    let ack = segment_between(SERVER, YOURS, 0x10, 1_001, number.wrapping_add(1), b"");
    assert!(host.receive(&to_us(&ipv4_between(SERVER, YOURS, 6, &ack))).is_empty());
    assert_eq!(host.stack.tcp().lengths(), (0, 1, 0));
    number
}

/// RFC 5227 section 2.1.1 and RFC 2131 section 4.4.4: declined, and 10 s of silence.
#[test]
fn a_conflict_at_the_start_declines_the_address() {
    let mut host = host();
    let request = requesting(&mut host, USUAL);
    host.receive(&answer(ACK, request.xid(), USUAL));
    assert!(matches!(host.stack.next_event(), Some(Event::AddressAcquired(_))));
    connect(&mut host);
    host.wait(Duration::from_millis(1_500));
    let sent = host.receive(&conflict());
    let reset = payload(&sent[0]);
    assert_eq!((&reset[..4], reset[13]), (&[0, 80, 0xc0, 0][..], 0x14), "RST, ACK");
    let decline = one(&sent[1..]);
    assert_eq!((decline.kind(), decline.destination), (4, ALL.0));
    assert_eq!((&decline.source_ip[..], &decline.destination_ip[..]), (&[0; 4][..], &[255; 4][..]));
    assert_eq!((decline.option(50), decline.option(54)), (Some(&YOURS[..]), Some(&SERVER[..])));
    assert_eq!((decline.client(), decline.option(12)), (&[0; 4][..], None));
    assert_eq!((host.stack.next_event(), host.stack.addressing()), (Some(Event::AddressLost), None));
    assert_eq!((host.counter("arp_yielded"), host.counter("dhcp_declined")), (1, 1));
    assert_eq!((host.stack.tcp().lengths(), host.counter("tcp_abandoned")), ((0, 0, 0), 0));
    assert!(host.receive(&arp(ALL, 1, THEIRS, SERVER, [0; 6], YOURS)).is_empty(), "it is not ours");
    assert!(host.wait(Duration::from_millis(9_999)).is_empty());
    assert_eq!(one(&host.wait(Duration::from_millis(1_001))).kind(), 1);
}

/// RFC 5227 section 2.1.1: after ten conflicts, an address a minute.
#[test]
fn a_segment_full_of_conflicts_is_asked_ever_more_slowly() {
    let mut host = host();
    let mut waits = Vec::new();
    for _ in 0..11 {
        let discover = one(&host.wait(Duration::ZERO));
        let request = one(&host.receive(&answer(OFFER, discover.xid(), USUAL)));
        host.receive(&answer(ACK, request.xid(), USUAL));
        assert_eq!(one(&host.receive(&conflict())).kind(), 4);
        let from = host.now;
        host.now = host.stack.next_deadline().unwrap();
        host.poll();
        waits.push(host.now.since(from).secs());
    }
    assert_eq!(waits, [10, 10, 10, 10, 10, 10, 10, 10, 10, 60, 60]);
}

/// RFC 5227 section 2.4 (b).
#[test]
fn later_it_is_defended_once() {
    let (mut host, _) = bound(USUAL);
    let announcement = arp(ALL, 1, OURS, YOURS, [0; 6], YOURS);
    assert_eq!(host.receive(&conflict()), std::slice::from_ref(&announcement)[..]);
    host.wait(Duration::from_secs(10));
    assert_eq!(host.receive(&conflict()), [announcement]);
    assert!(host.stack.addressing().is_some());
    host.wait(Duration::from_millis(9_999));
    assert_eq!(one(&host.receive(&conflict())).kind(), 4);
    assert_eq!((host.counter("arp_defended"), host.counter("arp_conflict")), (2, 3));
    assert_eq!(host.stack.addressing(), None);
}

/// What the device has no room for is not lost with the address.
#[test]
fn a_decline_waits_for_a_full_device() {
    let (mut host, _) = bound(USUAL);
    host.receive(&conflict());
    host.device.fails = Some(TransmitError::Full);
    assert!(host.receive(&conflict()).is_empty());
    host.device.fails = None;
    host.poll();
    assert_eq!(one(&host.sent()).kind(), 4);
}

#[test]
fn connections_end_with_their_address() {
    let (mut host, _) = bound(USUAL);
    host.wait_for_deadline();
    let request = one(&host.receive(&arp(OURS, 2, THEIRS, SERVER, OURS.0, YOURS)));
    connect(&mut host);
    // The same address with another network keeps them.
    let mask: &[u8] = &[1, 4, 255, 255, 0, 0];
    host.receive(&answer(ACK, request.xid(), &[IDENTIFIER, USUAL[1], mask]));
    assert_eq!(host.stack.tcp().lengths(), (0, 1, 0));
    assert!(matches!(host.stack.next_event(), Some(Event::AddressAcquired(_))));
    host.settle();
    let request = loop {
        let sent = host.wait(Duration::from_secs(1));
        if let Some(request) = said(&sent).pop() {
            break request;
        }
        if !sent.is_empty() {
            break one(&host.receive(&arp(OURS, 2, THEIRS, SERVER, OURS.0, YOURS)));
        }
    };
    let discover = one(&host.receive(&answer(NAK, request.xid(), &[IDENTIFIER])));
    assert_eq!(discover.kind(), 1);
    assert_eq!((host.stack.tcp().lengths(), host.counter("tcp_abandoned")), ((0, 0, 0), 1));
    // And another one serves again.
    let request = one(&host.receive(&answer(OFFER, discover.xid(), USUAL)));
    host.receive(&answer(ACK, request.xid(), USUAL));
    connect(&mut host);
}

/// RFC 2131 section 4.4.6: to the server, from the address, and it is over when that has gone out.
#[test]
fn released_at_the_end() {
    let (mut host, _) = bound(USUAL);
    assert!(!host.stack.is_stopped());
    host.stack.stop(host.now, &mut host.device, &mut crate::host::Nobody);
    assert_eq!(host.sent(), [arp(ALL, 1, OURS, YOURS, [0; 6], SERVER)]);
    assert!(!host.stack.is_stopped(), "the server is asked for");
    let release = one(&host.receive(&arp(OURS, 2, THEIRS, SERVER, OURS.0, YOURS)));
    assert_eq!((release.kind(), release.destination), (7, THEIRS.0));
    assert_eq!((&release.source_ip[..], &release.destination_ip[..]), (&YOURS[..], &SERVER[..]));
    assert_eq!((release.client(), release.option(54)), (&YOURS[..], Some(&SERVER[..])));
    assert_eq!((release.option(50), release.option(55)), (None, None));
    assert!(host.stack.is_stopped());
    assert_eq!(host.counter("dhcp_released"), 1);
    assert!(host.wait(Duration::from_secs(7_200)).is_empty(), "nothing is renewed");
}

#[test]
fn released_after_the_last_connection() {
    let (mut host, _) = bound(USUAL);
    let number = connect(&mut host);
    host.stack.stop(host.now, &mut host.device, &mut crate::host::Nobody);
    assert!(said(&host.sent()).is_empty(), "it is in use");
    assert!(!host.stack.is_stopped());
    let reset = segment_between(SERVER, YOURS, 0x04, 1_001, number.wrapping_add(1), b"");
    host.receive(&to_us(&ipv4_between(SERVER, YOURS, 6, &reset)));
    host.poll();
    assert_eq!(one(&host.sent()).kind(), 7);
    assert!(host.stack.is_stopped());
}

#[test]
fn a_full_device_holds_up_the_end() {
    let (mut host, _) = bound(USUAL);
    host.receive(&arp(ALL, 1, THEIRS, SERVER, [0; 6], YOURS));
    host.device.fails = Some(TransmitError::Full);
    host.stack.stop(host.now, &mut host.device, &mut crate::host::Nobody);
    assert!(!host.stack.is_stopped());
    host.device.fails = None;
    host.poll();
    assert_eq!(one(&host.sent()).kind(), 7);
    assert!(host.stack.is_stopped());
}

#[test]
fn a_server_that_is_gone_does_not_hold_up_the_end() {
    let (mut host, _) = bound(USUAL);
    host.stack.stop(host.now, &mut host.device, &mut crate::host::Nobody);
    host.wait(Duration::from_secs(4));
    assert!(host.stack.is_stopped());
    let mut host = self::host();
    host.wait(Duration::ZERO);
    host.stack.stop(host.now, &mut host.device, &mut crate::host::Nobody);
    assert!(host.stack.is_stopped(), "nothing to release");
    assert!(host.wait(Duration::from_secs(600)).is_empty());
}
