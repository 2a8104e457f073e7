//! A link that goes and comes back: what is forgotten, what stays, what is asked again.

use crate::dhcp::{ACK, IDENTIFIER, NAK, SERVER, USUAL, YOURS, answer, bound, host, one, said};
use crate::host::{
    ALL, Host, Nobody, OUR_IP, OURS, THEIR_IP, THEIRS, arp, echo, fragment, ipv4, payload, tcp, to_us,
};
use crate::lease::connect;
use netstack::Duration;
use netstack::addressing::Addressing;
use netstack::device::TransmitError;
use netstack::stack::{Config, Event};
use netstack::wire::ethernet::Address;

/// The device says that the link is there, or gone; what is sent then.
fn link(host: &mut Host, up: bool) -> Vec<Vec<u8>> {
    host.device.fails = (!up).then_some(TransmitError::Down);
    host.stack.link(up, host.now, &mut host.device, &mut Nobody);
    host.sent()
}

#[test]
fn a_given_address_comes_back_by_itself() {
    let mut host = Host::new();
    host.meet();
    assert!(link(&mut host, false).is_empty());
    assert!(host.stack.addressing().is_some());
    let announcement = arp(ALL, 1, OURS, OUR_IP, [0; 6], OUR_IP);
    assert_eq!(link(&mut host, true), [announcement]);
    host.settle();
    let ask = arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP);
    assert_eq!(host.receive(&to_us(&ipv4(1, &echo(b"")))), [ask], "neighbours are forgotten");
    assert_eq!(host.stack.next_event(), None);
}

#[test]
fn what_waited_is_forgotten() {
    let network = "192.0.2.10/16".parse().unwrap();
    let router = Some("192.0.2.1".parse().unwrap());
    let mut host = Host::with(Config::Static(Addressing::new(network, router)));
    host.poll();
    host.sent();
    host.settle();
    host.meet();
    host.device.fails = Some(TransmitError::Full);
    host.receive(&to_us(&ipv4(1, &echo(b""))));
    host.receive(&to_us(&fragment(7, 17, 0, true, &[0; 8])));
    link(&mut host, false);
    assert_eq!(host.stack.next_deadline(), None);
    assert_eq!(link(&mut host, true).len(), 1, "the announcement alone");
    link(&mut host, false);
    assert_eq!(host.stack.next_deadline(), None, "its probes are over too");
    link(&mut host, true);
    // The routers stay what they are: the flood of strangers does not displace them.
    host.settle();
    host.receive(&arp(ALL, 1, THEIRS, [192, 0, 2, 1], [0; 6], OUR_IP));
    for n in 0..1_000_u16 {
        let [a, b] = n.to_be_bytes();
        host.receive(&arp(ALL, 1, THEIRS, [192, 0, 8 + a, b], [0; 6], OUR_IP));
    }
    let far = crate::host::ipv4_between([198, 51, 100, 7], OUR_IP, 1, &echo(b""));
    assert_eq!(payload(&host.receive(&to_us(&far))[0])[0], 0, "answered at once");
}

/// RFC 2131 sections 3.2 and 4.4.2: INIT-REBOOT, while the address is in use.
#[test]
fn a_lease_is_asked_for_again() {
    let (mut host, addressing) = bound(USUAL);
    connect(&mut host);
    link(&mut host, false);
    assert!(host.wait(Duration::from_secs(60)).is_empty());
    let sent = link(&mut host, true);
    assert_eq!(sent[0], arp(ALL, 1, OURS, YOURS, [0; 6], YOURS));
    let request = one(&sent[1..]);
    assert_eq!((request.kind(), request.destination), (3, ALL.0));
    assert_eq!((&request.source_ip[..], &request.destination_ip[..]), (&[0; 4][..], &[255; 4][..]));
    assert_eq!((request.option(50), request.option(54)), (Some(&YOURS[..]), None));
    assert_eq!((request.client(), request.option(12)), (&[0; 4][..], Some(&b"blog"[..])));
    assert_eq!(host.receive(&arp(ALL, 1, THEIRS, SERVER, [0; 6], YOURS)).len(), 1, "in use");
    host.receive(&answer(ACK, request.xid(), USUAL));
    assert_eq!(host.counter("dhcp_renewed"), 1);
    assert_eq!((host.stack.next_event(), host.stack.addressing()), (None, Some(&addressing)));
    assert_eq!(host.stack.tcp().lengths(), (0, 1, 0), "connections outlast it");
}

#[test]
fn on_another_segment_the_lease_is_refused() {
    let (mut host, _) = bound(USUAL);
    connect(&mut host);
    // A backend that came back by itself: it was never said to be gone.
    let request = said(&link(&mut host, true)).remove(0);
    let discover = one(&host.receive(&answer(NAK, request.xid(), &[IDENTIFIER])));
    assert_eq!(discover.kind(), 1);
    assert_eq!((host.stack.next_event(), host.stack.addressing()), (Some(Event::AddressLost), None));
    assert_eq!((host.stack.tcp().lengths(), host.counter("tcp_abandoned")), ((0, 0, 0), 1));
}

/// RFC 2131 section 3.2, point 3: without an answer it is used for as long as it was given.
#[test]
fn without_an_answer_the_lease_goes_on() {
    let (mut host, addressing) = bound(USUAL);
    link(&mut host, false);
    host.wait(Duration::from_secs(100));
    link(&mut host, true);
    let kinds: Vec<u8> = said(&host.wait(Duration::from_secs(300))).iter().map(|said| said.kind()).collect();
    assert_eq!(kinds, [3, 3, 3], "four with the first");
    assert_eq!(host.stack.addressing(), Some(&addressing));
    let renewal = said(&host.wait(Duration::from_secs(2_000)));
    assert!(renewal.is_empty(), "T1: the server is asked for in vain");
    assert!(host.counter("arp_asked") > 0);
}

#[test]
fn a_lease_runs_out_while_the_link_is_gone() {
    let (mut host, _) = bound(USUAL);
    connect(&mut host);
    link(&mut host, false);
    assert!(host.wait(Duration::from_secs(3_590)).is_empty());
    assert_eq!(host.stack.next_event(), None);
    host.wait(Duration::from_secs(1));
    assert_eq!((host.stack.next_event(), host.stack.addressing()), (Some(Event::AddressLost), None));
    assert_eq!(host.stack.tcp().lengths(), (0, 0, 0));
    assert_eq!(host.stack.next_deadline(), None);
    assert_eq!(one(&link(&mut host, true)).kind(), 1);
}

#[test]
fn while_there_is_no_lease() {
    let mut host = host();
    host.wait(Duration::ZERO);
    link(&mut host, false);
    assert_eq!(host.stack.next_deadline(), None);
    assert_eq!(one(&link(&mut host, true)).kind(), 1);
}

/// A snapshot that is restored twice must not give the same numbers twice.
#[test]
fn fresh_entropy_reaches_tcp() {
    let number = |seed: Option<u8>| {
        let mut host = Host::new();
        host.meet();
        if let Some(seed) = seed {
            host.stack.reseed(&[seed; 32]);
        }
        payload(&host.receive(&to_us(&ipv4(6, &tcp(0x02))))[0])[4..8].to_vec()
    };
    assert_eq!(number(Some(1)), number(Some(1)));
    assert_ne!(number(None), number(Some(1)));
    assert_ne!(number(Some(1)), number(Some(2)));
}

/// Another interface in the place of the old one: frames have its address, and a given IP address moves along.
#[test]
fn a_given_address_moves_to_another_interface() {
    const NEW: Address = Address([0x02, 0, 0, 0, 0, 0x11]);
    let mut host = Host::new();
    host.meet();
    host.device.fails = Some(TransmitError::Full);
    host.receive(&to_us(&ipv4(1, &echo(b""))));
    link(&mut host, false);
    host.stack.set_hardware(NEW, host.now, &mut host.device, &mut Nobody);
    assert_eq!(link(&mut host, true), [arp(ALL, 1, NEW, OUR_IP, [0; 6], OUR_IP)]);
    host.settle();
    assert_eq!(host.stack.next_event(), None);
    assert!(host.receive(&to_us(&ipv4(1, &echo(b"")))).is_empty(), "the old address is another's");
    assert_eq!(host.counter("ethernet_not_ours"), 1);
    let asked = host.receive(&arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP));
    assert_eq!(asked, [arp(THEIRS, 2, NEW, OUR_IP, THEIRS.0, THEIR_IP)]);
    // The same address again changes nothing.
    host.stack.set_hardware(NEW, host.now, &mut host.device, &mut Nobody);
    host.receive(&arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP));
    assert!(host.sent().is_empty());
}

/// A lease stays with the link address that it was given to.
#[test]
fn another_interface_asks_for_an_address_of_its_own() {
    const NEW: Address = Address([0x02, 0, 0, 0, 0, 0x11]);
    let (mut host, _) = bound(USUAL);
    connect(&mut host);
    link(&mut host, false);
    host.stack.set_hardware(NEW, host.now, &mut host.device, &mut Nobody);
    assert_eq!(host.stack.next_event(), Some(Event::AddressLost));
    assert_eq!(host.stack.tcp().lengths(), (0, 0, 0));
    let sent = link(&mut host, true);
    let discover = one(&sent);
    assert_eq!((discover.kind(), &discover.message[28..34], &sent[0][6..12]), (1, &NEW.0[..], &NEW.0[..]));
}
