//! Peers that acknowledge what they have not, piecemeal or too often, to be sent more than their share (Savage et al.,
//! "TCP Congestion Control with a Misbehaving Receiver", 1999).

use crate::network::{LOCAL, REMOTE};
use crate::rig::{ACK, Peer, Rig, request};
use netstack::egress::Unreachable;
use netstack::wire::tcp::{Header, Options};

/// A response of which `count` segments are under way.
fn asking(rig: &mut Rig, count: usize) -> Peer {
    let options = Options { maximum_segment_size: Some(1_460), window_scale: Some(6), ..Options::default() };
    let mut peer = rig.open_with(5_000, 65_535, &options);
    rig.ask(&mut peer, request(1_000_000));
    assert_eq!(rig.take().len(), 10);
    let mut sent = 10;
    while sent < count {
        peer.expected = peer.expected.wrapping_add(1_460);
        rig.bare(peer.header(ACK), &[]);
        sent = sent + rig.take().len() - 1;
    }
    peer
}

fn bytes(rig: &mut Rig) -> usize {
    rig.take().iter().map(|reply| reply.payload.len()).sum()
}

/// In slow start the window grows by what is acknowledged, not by how often (RFC 3465).
#[test]
fn acknowledgments_in_pieces_open_the_window_no_faster() {
    let sent = |pieces: u32| {
        let mut rig = Rig::new();
        let peer = asking(&mut rig, 10);
        for piece in 1..=pieces {
            let acknowledgment = peer.expected.wrapping_add(1_460 * piece / pieces);
            rig.bare(Header { acknowledgment, ..peer.header(ACK) }, &[]);
        }
        bytes(&mut rig)
    };
    assert_eq!((sent(1), sent(1_460)), (2 * 1_460, 2 * 1_460));
}

/// RFC 9937: duplicates without SACK stand for what was under way, and no more.
#[test]
fn duplicates_without_end_bring_no_data_without_end() {
    let mut rig = Rig::new();
    let peer = asking(&mut rig, 40);
    for _ in 0..10_000 {
        rig.bare(peer.header(ACK), &[]);
    }
    let sent = bytes(&mut rig);
    assert!(sent <= 30 * 1_460, "{sent} bytes");
}

/// A partial acknowledgment asks for the next segment (RFC 6582); a thousand of them within a segment ask for no more.
#[test]
fn partial_acknowledgments_in_pieces_repeat_nothing() {
    let mut rig = Rig::new();
    let peer = asking(&mut rig, 40);
    for _ in 0..3 {
        rig.bare(peer.header(ACK), &[]);
    }
    rig.take();
    let again = rig.counter("tcp_retransmitted");
    for byte in 1..14_600 {
        let acknowledgment = peer.expected.wrapping_add(byte);
        rig.bare(Header { acknowledgment, ..peer.header(ACK) }, &[]);
    }
    rig.take();
    let again = rig.counter("tcp_retransmitted") - again;
    assert!((5..=11).contains(&again), "{again} sent again");
}

/// What was never sent cannot be acknowledged.
#[test]
fn an_acknowledgment_ahead_of_what_was_sent_opens_nothing() {
    let mut rig = Rig::new();
    let peer = asking(&mut rig, 10);
    for ahead in [1, 1_460, 100_000] {
        let acknowledgment = peer.expected.wrapping_add(14_600 + ahead);
        rig.bare(Header { acknowledgment, ..peer.header(ACK) }, &[]);
    }
    assert_eq!((bytes(&mut rig), rig.counter("tcp_ack_unacceptable")), (0, 3));
}

/// A window that shuts and opens says nothing of what is under way: it is on its way, or the timer repairs it.
#[test]
fn a_window_that_shuts_and_opens_repeats_nothing() {
    let mut rig = Rig::new();
    let mut peer = asking(&mut rig, 40);
    let wide = peer.window;
    for window in [0, wide].repeat(100) {
        peer.window = window;
        rig.bare(peer.header(ACK), &[]);
    }
    let again = rig.counter("tcp_retransmitted");
    assert!(again <= 1, "{again} sent again");
    // And the timer does.
    rig.millis(1_100);
    assert!(rig.counter("tcp_timeout") >= 1);
}

/// Each report of a narrower path has what was too large sent again, but not all of it at once.
#[test]
fn a_path_that_narrows_by_a_byte_at_a_time_repeats_little() {
    let mut rig = Rig::new();
    let peer = asking(&mut rig, 200);
    let mut quoted = [0; 8];
    quoted[..2].copy_from_slice(&80_u16.to_be_bytes());
    quoted[2..4].copy_from_slice(&peer.port.to_be_bytes());
    quoted[4..].copy_from_slice(&peer.expected.to_be_bytes());
    for mtu in (1_400..1_500).rev() {
        let (server, nic, error) = (&mut rig.server, &mut rig.nic, Unreachable::PacketTooBig { mtu });
        rig.tcp.unreachable(LOCAL, REMOTE, &quoted, error, rig.now, server, nic);
        let sent = bytes(&mut rig);
        assert!((1..=14_600).contains(&sent), "{sent} bytes for one report");
    }
}
