//! What a peer can make grow, and what happens at the bound.

use crate::rig::{ACK, FIN_ACK, PSH_ACK, RST, Rig, last_request, request};
use crate::server::Request;
use netstack::tcp::Limits;
use netstack::wire::tcp::Header;

#[test]
fn seventy_thousand_connections_one_after_the_other() {
    let mut rig = Rig::with_limits(Limits { time_wait: 1_000, ..Limits::default() });
    for number in 0..70_000_u32 {
        let port = 1 + (number % 65_000) as u16;
        let mut peer = rig.open(port);
        rig.ask(&mut peer, last_request(10));
        assert_eq!(rig.one().payload.len(), 10, "connection {number}");
        peer.expected += 11;
        rig.bare(peer.header(FIN_ACK), &[]);
        rig.one();
        rig.millis(10);
    }
    assert_eq!(rig.server.closed, 70_000);
    rig.millis(100_000);
    assert_eq!(rig.tcp.lengths(), (0, 0, 0));
    assert_eq!(rig.tcp.next_deadline().filter(|_| !rig.tcp.is_empty()), None);
}

#[test]
fn a_flood_of_single_bytes_out_of_order_is_bounded() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    let bytes = Request { body: 40_000, ..request(5) }.bytes();
    for at in (1..40_000).step_by(2) {
        let header = Header { sequence: peer.next + at as u32, ..peer.header(ACK) };
        rig.bare(header, &bytes[at..at + 1]);
    }
    assert_eq!(rig.take().len(), 20_000);
    assert_eq!(rig.counter("tcp_ranges_full"), 20_000 - 16);
    // The stream goes on when it comes in order.
    let mut peer = peer;
    rig.ask(&mut peer, Request { body: 1_000, ..request(5) });
    assert_eq!(rig.take().last().unwrap().payload.len(), 5);
}

#[test]
fn the_gauges_show_what_is_held() {
    let mut rig = Rig::new();
    let nothing = [
        ("tcp_half_open", 0),
        ("tcp_connections", 0),
        ("tcp_time_wait", 0),
        ("tcp_bytes_sending", 0),
        ("tcp_bytes_received", 0),
    ];
    assert_eq!(rig.tcp.gauges(), nothing);
    let peer = rig.open(5_000);
    assert_eq!(rig.tcp.gauges()[1], ("tcp_connections", 1));
    rig.bare(Header { sequence: peer.next + 1, ..peer.header(ACK) }, b"x");
    rig.one();
    assert!(rig.tcp.gauges()[4].1 > 0);
    rig.bare(peer.header(RST), &[]);
    assert_eq!(rig.tcp.gauges(), nothing);
}

#[test]
fn out_of_order_bytes_of_all_connections_are_bounded() {
    let mut rig = Rig::with_limits(Limits { receive_all: 1 << 20, ..Limits::default() });
    for port in 1..200 {
        let peer = rig.open(port);
        rig.bare(Header { sequence: peer.next + 30_000, ..peer.header(ACK) }, b"x");
        rig.one();
    }
    // 32,768 bytes each, and half of a mebibyte.
    assert_eq!(rig.counter("tcp_buffers_full"), 199 - 16);
    // A request in two pieces is served all the same.
    let mut peer = rig.open(1_000);
    let bytes = request(5).bytes();
    rig.bare(peer.header(PSH_ACK), &bytes[..5]);
    peer.next += 5;
    rig.bare(peer.header(PSH_ACK), &bytes[5..]);
    assert_eq!(rig.take().last().unwrap().payload.len(), 5);
}

#[test]
fn bytes_that_could_not_be_kept_come_again() {
    let mut rig = Rig::with_limits(Limits { receive_all: 0, ..Limits::default() });
    let mut peer = rig.open(5_000);
    let bytes = request(5).bytes();
    rig.bare(peer.header(PSH_ACK), &bytes[..5]);
    rig.millis(50);
    assert!(rig.take().iter().all(|reply| reply.header.acknowledgment == peer.next));
    assert_eq!(rig.counter("tcp_buffers_full"), 1);
    rig.ask(&mut peer, request(5));
    assert_eq!(rig.one().payload.len(), 5);
}

#[test]
fn what_a_connection_buffered_goes_with_it() {
    let mut rig = Rig::with_limits(Limits { receive_all: 1 << 17, ..Limits::default() });
    for _ in 0..100 {
        let peer = rig.open(5_000);
        rig.bare(Header { sequence: peer.next + 30_000, ..peer.header(ACK) }, b"x");
        rig.bare(peer.header(RST), &[]);
        rig.take();
    }
    assert_eq!(rig.counter("tcp_buffers_full"), 0);
}
