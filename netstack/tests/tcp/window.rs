//! Windows that shut, open, and pretend to.

use crate::rig::{ACK, FIN_ACK, PSH_ACK, RST_ACK, Rig, request};
use netstack::wire::tcp::{Header, Options};

/// The peer's FIN stands at the edge of a window that is full: it takes a number, and makes no room.
#[test]
fn a_fin_at_the_edge_of_a_full_window_leaves_it_shut() {
    let mut rig = Rig::new();
    rig.server.stuck = true;
    let mut peer = rig.open(5_000);
    let mut left = 65_535;
    while left > 0 {
        let count = left.min(1_460);
        rig.bare(peer.header(ACK), &vec![7; count as usize]);
        (peer.next, left) = (peer.next.wrapping_add(count), left - count);
    }
    rig.millis(50);
    assert_eq!(rig.take().last().map(|reply| reply.header.window), Some(0));
    rig.bare(peer.header(FIN_ACK), &[]);
    let answer = rig.one().header;
    assert_eq!((answer.acknowledgment, answer.window), (peer.next.wrapping_add(1), 0));
    // And what comes after it is not acceptable.
    rig.bare(Header { sequence: peer.next.wrapping_add(20_000), ..peer.header(PSH_ACK) }, b"late");
    rig.one();
    assert_eq!(rig.counter("tcp_out_of_window"), 1);
}

/// The octet of an unanswered probe goes out again at the head of a whole segment.
#[test]
fn what_opens_the_window_lets_whole_segments_go() {
    let mut rig = Rig::new();
    let mss = Options { maximum_segment_size: Some(500), ..Options::default() };
    let mut peer = rig.open_with(5_000, 1_000, &mss);
    rig.ask(&mut peer, request(2_000));
    assert_eq!(rig.take().len(), 2);
    peer.expected = peer.expected.wrapping_add(1_000);
    peer.window = 0;
    rig.bare(peer.header(ACK), &[]);
    rig.millis(300);
    assert_eq!(rig.one().payload.len(), 1);
    peer.window = 1_000;
    rig.bare(peer.header(ACK), &[]);
    let sent: Vec<_> = rig
        .take()
        .iter()
        .map(|reply| (reply.header.sequence.wrapping_sub(peer.expected), reply.payload.len()))
        .collect();
    assert_eq!(sent, [(0, 500), (500, 500)]);
    // The probe had arrived after all: the number is one that was sent.
    peer.expected = peer.expected.wrapping_add(1_000);
    rig.bare(peer.header(ACK), &[]);
    rig.millis(1_000);
    rig.none();
}

/// RFC 6429: a peer that opens the window a little again and again, and takes nothing, holds it shut all the same.
#[test]
fn a_window_that_opens_to_no_purpose_is_given_up() {
    let mut rig = Rig::new();
    let mut peer = rig.open_with(5_000, 0, &Options::default());
    rig.ask(&mut peer, request(1_000));
    let start = rig.now;
    while rig.tcp.lengths().1 == 1 {
        for window in [0, 1] {
            peer.window = window;
            rig.bare(peer.header(ACK), &[]);
            rig.millis(100);
        }
        assert!(rig.now.since(start).secs() < 310);
    }
    assert!(rig.now.since(start).secs() >= 299, "{:?}", rig.now.since(start));
    assert_eq!(rig.counter("tcp_window_shut"), 1);
    assert!(rig.take().iter().any(|reply| reply.header.flags == RST_ACK));
}
