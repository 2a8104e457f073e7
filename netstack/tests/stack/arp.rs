use crate::host::{
    ALL, Host, Nobody, OUR_IP, OURS, THEIR_IP, THEIRS, arp, echo, ipv4, ipv4_between, payload, to_us,
};
use netstack::Duration;
use netstack::addressing::Addressing;
use netstack::stack::Config;
use netstack::wire::ethernet::Address;

/// RFC 5227 section 3.
#[test]
fn an_address_is_announced() {
    let mut host = Host::with(Config::Static(Addressing::new("192.0.2.10/24".parse().unwrap(), None)));
    host.poll();
    assert_eq!(host.sent(), [arp(ALL, 1, OURS, OUR_IP, [0; 6], OUR_IP)]);
}

/// RFC 826.
#[test]
fn a_request_for_us_is_answered_padding_and_all() {
    let mut host = Host::new();
    let mut request = arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP);
    request.resize(60, 0);
    let reply = arp(THEIRS, 2, OURS, OUR_IP, THEIRS.0, THEIR_IP);
    assert_eq!(host.receive(&request), [reply]);
    assert_eq!(host.counter("arp_answered"), 1);
}

/// RFC 5227 section 2.1.1: a probe has no sender address, and is answered to keep ours.
#[test]
fn a_probe_for_our_address_is_answered() {
    let mut host = Host::new();
    let reply = arp(THEIRS, 2, OURS, OUR_IP, THEIRS.0, [0; 4]);
    assert_eq!(host.receive(&arp(ALL, 1, THEIRS, [0; 4], [0; 6], OUR_IP)), [reply]);
}

#[test]
fn what_does_not_concern_us_is_ignored() {
    let mut host = Host::new();
    let none: [Vec<u8>; 0] = [];
    assert_eq!(host.receive(&arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], [192, 0, 2, 11])), none);
    assert_eq!(host.counter("arp_ignored"), 1);
    assert_eq!(host.receive(&arp(ALL, 1, OURS, OUR_IP, [0; 6], OUR_IP)), none, "our own, come back");
    assert_eq!(host.counter("arp_ignored"), 2);
    assert_eq!(host.receive(&arp(ALL, 3, THEIRS, THEIR_IP, [0; 6], OUR_IP)), none);
    assert_eq!(host.counter("arp_malformed"), 1);
}

/// RFC 5227 section 2.4 (c): an address that a person gave is defended, once in 10 s, and never given up.
#[test]
fn a_given_address_is_defended() {
    let mut host = Host::new();
    let none: [Vec<u8>; 0] = [];
    let announcement = arp(ALL, 1, OURS, OUR_IP, [0; 6], OUR_IP);
    for conflict in [
        arp(ALL, 1, THEIRS, OUR_IP, [0; 6], OUR_IP),
        arp(OURS, 2, THEIRS, OUR_IP, OURS.0, OUR_IP),
        arp(ALL, 1, THEIRS, OUR_IP, [0; 6], THEIR_IP),
    ] {
        assert_eq!(host.receive(&conflict), std::slice::from_ref(&announcement)[..]);
        assert_eq!(host.receive(&conflict), none);
        host.wait(Duration::from_secs(10));
    }
    assert_eq!((host.counter("arp_conflict"), host.counter("arp_defended")), (6, 3));
    assert_eq!(host.counter("arp_yielded"), 0);
    assert!(host.stack.addressing().is_some());
    // Nobody learns the other station by it.
    assert_eq!(host.receive(&to_us(&ipv4(1, &echo(b"")))).len(), 1);
    assert_eq!(host.counter("arp_asked"), 1);
}

/// RFC 5227 section 2.1.1, beside the use of the address: probes from nobody, then two announcements.
#[test]
fn a_new_address_is_probed_for_while_it_is_in_use() {
    let mut host = Host::with(Config::Static(Addressing::new("192.0.2.10/24".parse().unwrap(), None)));
    host.poll();
    let announcement = arp(ALL, 1, OURS, OUR_IP, [0; 6], OUR_IP);
    assert_eq!(host.sent(), std::slice::from_ref(&announcement)[..]);
    host.meet();
    assert_eq!(host.receive(&to_us(&ipv4(1, &echo(b"")))).len(), 1, "in use at once");
    let probe = arp(ALL, 1, OURS, [0; 4], [0; 6], OUR_IP);
    let sent = host.wait(Duration::from_secs(9));
    assert_eq!(sent, [probe.clone(), probe.clone(), probe, announcement.clone(), announcement]);
    assert!(host.wait(Duration::from_secs(600)).is_empty());
}

/// RFC 1122 section 2.3.2.2: the frame that needs the answer is not lost.
#[test]
fn the_first_answer_to_a_stranger_waits_for_its_address() {
    let mut host = Host::new();
    let asked = host.receive(&to_us(&ipv4(1, &echo(b"hello"))));
    assert_eq!(asked, [arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP)]);
    let sent = host.receive(&arp(OURS, 2, THEIRS, THEIR_IP, OURS.0, OUR_IP));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][..12], [THEIRS.0, OURS.0].concat());
    assert_eq!(payload(&sent[0])[8..], *b"hello");
}

#[test]
fn a_stranger_is_asked_for_three_times() {
    let mut host = Host::new();
    let request = arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP);
    assert_eq!(host.receive(&to_us(&ipv4(1, &echo(b""))))[..], std::slice::from_ref(&request)[..]);
    assert_eq!(host.wait(Duration::from_secs(30)), [request.clone(), request.clone()]);
    assert_eq!(host.counter("neighbour_lost"), 1);
    assert_eq!(host.receive(&to_us(&ipv4(1, &echo(b"")))), [request], "long after, it is asked for again");
}

#[test]
fn beyond_the_network_the_gateway_is_asked_for() {
    let mut host = Host::new();
    let far = ipv4_between([198, 51, 100, 7], OUR_IP, 1, &echo(b""));
    assert_eq!(host.receive(&to_us(&far)), [arp(ALL, 1, OURS, OUR_IP, [0; 6], [192, 0, 2, 1])]);
}

#[test]
fn a_station_that_moved_is_found_at_its_new_address() {
    let mut host = Host::new();
    host.meet();
    let moved = Address([0x02, 0, 0, 0, 0, 0x21]);
    host.receive(&arp(ALL, 1, moved, THEIR_IP, [0; 6], THEIR_IP));
    let sent = host.receive(&to_us(&ipv4(1, &echo(b""))));
    assert_eq!(sent[0][..6], moved.0);
}

/// The way that the last packet took is not taken any more once the neighbour has said otherwise, or the link was gone.
#[test]
fn a_neighbour_that_moves_is_followed_at_once() {
    let mut host = Host::new();
    host.meet();
    let question = to_us(&ipv4(1, &echo(b"")));
    let elsewhere = Address([0x02, 0, 0, 0, 0, 0x21]);
    for (say, at) in [(None, THEIRS), (Some(elsewhere), elsewhere), (Some(THEIRS), THEIRS)] {
        if let Some(say) = say {
            assert!(host.receive(&arp(ALL, 2, say, THEIR_IP, OURS.0, THEIR_IP)).is_empty());
        }
        let answer = host.receive(&question);
        assert_eq!(answer[0][..6], at.0);
    }
    host.stack.link(false, host.now, &mut host.device, &mut Nobody);
    host.stack.link(true, host.now, &mut host.device, &mut Nobody);
    host.sent();
    assert_eq!(host.receive(&question), [arp(ALL, 1, OURS, OUR_IP, [0; 6], THEIR_IP)]);
}
