//! FIN and RST in every order, and that nothing is left behind.

use crate::rig::{ACK, FIN_ACK, FIN_PSH_ACK, Peer, RST, RST_ACK, Rig, SYN, last_request, request};
use crate::server::TEXT;
use netstack::tcp::Limits;
use netstack::wire::tcp::{Header, Options};
use netstack::{Duration, Instant};

/// Both tables empty, TIME-WAIT holding `time_wait`.
#[track_caller]
fn over(rig: &Rig, time_wait: usize) {
    assert_eq!(rig.tcp.lengths(), (0, 0, time_wait));
    assert_eq!(rig.server.accepted, rig.server.closed);
}

/// A response with our FIN behind it, not yet acknowledged.
fn closing(rig: &mut Rig, port: u16) -> Peer {
    let mut peer = rig.open(port);
    rig.ask(&mut peer, last_request(10));
    let answer = rig.one();
    assert_eq!((answer.header.flags, &answer.payload[..]), (FIN_PSH_ACK, &TEXT[..10]));
    peer
}

/// The address is gone: nothing may be sent from it.
#[test]
fn abandoned_without_a_word() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(FIN_ACK), &[]);
    rig.one();
    rig.open(5_001);
    let mut busy = rig.open(5_002);
    rig.ask(&mut busy, request(5_000));
    rig.take();
    let half = Peer { port: 5_003, next: 1, expected: 0, window: 100 };
    rig.bare(Header { acknowledgment: 0, ..half.header(SYN) }, &[]);
    rig.one();
    assert_eq!(rig.tcp.lengths(), (1, 2, 1));
    rig.tcp.abandon(rig.now, &mut rig.server);
    rig.none();
    assert_eq!(rig.counter("tcp_abandoned"), 2);
    over(&rig, 0);
    assert_eq!(rig.tcp.next_deadline(), None);
    rig.open(5_002);
}

#[test]
fn we_close_first() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(ACK), &[]);
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
    rig.bare(peer.header(FIN_ACK), &[]);
    let ack = rig.one();
    assert_eq!((ack.header.flags, ack.header.acknowledgment), (ACK, peer.next + 1));
    over(&rig, 1);
    rig.millis(59_000);
    over(&rig, 1);
    rig.millis(2_000);
    over(&rig, 0);
}

#[test]
fn the_peer_closes_first() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.bare(peer.header(FIN_ACK), &[]);
    let fin = rig.one();
    assert_eq!((fin.header.flags, fin.header.acknowledgment), (FIN_ACK, peer.next + 1));
    assert_eq!(rig.server.ended, 1);
    peer.next += 1;
    peer.expected += 1;
    rig.bare(peer.header(ACK), &[]);
    over(&rig, 0);
}

#[test]
fn the_peer_closes_with_its_request_and_hears_the_response() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    let bytes = request(10).bytes();
    rig.bare(peer.header(FIN_PSH_ACK), &bytes);
    let answer = rig.one();
    assert_eq!((answer.header.flags, &answer.payload[..]), (FIN_PSH_ACK, &TEXT[..10]));
    assert_eq!(answer.header.acknowledgment, peer.next + 14);
    peer.next += 14;
    peer.expected += 11;
    rig.bare(peer.header(ACK), &[]);
    over(&rig, 0);
}

#[test]
fn both_close_at_once() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    // Its FIN crosses ours.
    rig.bare(peer.header(FIN_ACK), &[]);
    assert_eq!(rig.one().header.acknowledgment, peer.next + 1);
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
    peer.next += 1;
    peer.expected += 11;
    rig.bare(peer.header(ACK), &[]);
    over(&rig, 1);
}

#[test]
fn its_fin_acknowledges_ours() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(FIN_ACK), &[]);
    assert_eq!(rig.one().header.acknowledgment, peer.next + 1);
    over(&rig, 1);
}

#[test]
fn a_fin_before_its_data_waits() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    let bytes = request(10).bytes();
    rig.bare(Header { sequence: peer.next + 13, ..peer.header(FIN_ACK) }, &[]);
    assert_eq!(rig.one().header.acknowledgment, peer.next);
    assert_eq!(rig.server.ended, 0);
    rig.bare(peer.header(ACK), &bytes);
    let answer = rig.one();
    assert_eq!((answer.header.flags, answer.header.acknowledgment), (FIN_PSH_ACK, peer.next + 14));
    assert_eq!(rig.server.ended, 1);
}

#[test]
fn a_fin_has_one_place() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    let bytes = request(10).bytes();
    for place in [13, 5, 40] {
        rig.bare(Header { sequence: peer.next + place, ..peer.header(FIN_ACK) }, &[]);
        rig.one();
    }
    rig.bare(peer.header(ACK), &bytes);
    assert_eq!(rig.one().header.acknowledgment, peer.next + 14);
}

#[test]
fn data_behind_a_fin_is_not_data() {
    let mut rig = Rig::new();
    rig.server.stuck = true;
    let peer = rig.open(5_000);
    rig.bare(peer.header(FIN_ACK), b"abc");
    rig.take();
    rig.bare(Header { sequence: peer.next + 4, ..peer.header(ACK) }, b"defg");
    assert_eq!(rig.one().header.acknowledgment, peer.next + 4);
    assert_eq!(rig.counter("tcp_data_after_fin"), 1);
}

#[test]
fn a_reset_ends_every_state() {
    // After each of these the peer resets at the number that is expected.
    let steps: [fn(&mut Rig, &mut Peer); 5] = [
        |_, _| (),
        |rig, peer| rig.ask(peer, request(10)),
        |rig, peer| rig.ask(peer, last_request(10)),
        |rig, peer| {
            rig.ask(peer, last_request(10));
            peer.expected += 11;
            rig.bare(peer.header(ACK), &[]);
        },
        |rig, peer| {
            rig.bare(peer.header(FIN_ACK), &[]);
            peer.next += 1;
        },
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let mut rig = Rig::new();
        let mut peer = rig.open(5_000);
        step(&mut rig, &mut peer);
        rig.take();
        rig.bare(peer.header(RST), &[]);
        rig.none();
        assert_eq!(rig.counter("tcp_reset_received"), 1, "step {number}");
        over(&rig, 0);
        rig.millis(200_000);
        rig.none();
    }
}

#[test]
fn a_reset_of_a_half_open_connection_leaves_nothing() {
    let mut rig = Rig::new();
    let peer = Peer { port: 5_000, next: 1_000, expected: 0, window: 1_000 };
    rig.bare(Header { acknowledgment: 0, ..peer.header(SYN) }, &[]);
    rig.one();
    rig.bare(Header { sequence: 1_001, ..peer.header(RST) }, &[]);
    over(&rig, 0);
    assert_eq!(rig.counter("tcp_half_open_reset"), 1);
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 10;
    rig.bare(peer.header(ACK), &[]);
    rig.none();
    rig.millis(400);
    let fin = rig.one();
    assert_eq!((fin.header.flags, fin.header.sequence), (FIN_ACK, peer.expected));
}

#[test]
fn a_peer_that_never_closes_is_let_go() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(ACK), &[]);
    rig.millis(61_000);
    assert_eq!(rig.counter("tcp_fin_wait_timeout"), 1);
    over(&rig, 0);
    // What it says after that belongs to no connection.
    rig.bare(peer.header(ACK), b"x");
    assert_eq!(rig.one().header.flags, RST);
}

#[test]
fn a_fin_into_a_shut_window_goes_out_when_it_opens() {
    let mut rig = Rig::new();
    let mss = Options { maximum_segment_size: Some(1_460), ..Options::default() };
    let mut peer = rig.open_with(5_000, 10, &mss);
    rig.ask(&mut peer, last_request(10));
    let answer = rig.one();
    assert_eq!(answer.payload.len(), 10);
    assert!(!answer.header.flags.has(FIN_ACK));
    peer.expected += 10;
    peer.window = 0;
    rig.bare(peer.header(ACK), &[]);
    rig.none();
    peer.window = 100;
    rig.bare(peer.header(ACK), &[]);
    assert_eq!(rig.one().header.flags, FIN_ACK);
}

#[test]
fn time_wait_answers_a_fin_and_ignores_a_reset() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(FIN_ACK), &[]);
    rig.one();
    rig.millis(50_000);
    rig.bare(peer.header(FIN_ACK), &[]);
    let again = rig.one();
    assert_eq!((again.header.acknowledgment, again.header.sequence), (peer.next + 1, peer.expected));
    // The time has begun anew.
    rig.millis(50_000);
    over(&rig, 1);
    rig.bare(Header { sequence: peer.next + 1, ..peer.header(RST) }, &[]);
    assert_eq!(rig.counter("tcp_time_wait_reset_ignored"), 1);
    over(&rig, 1);
    rig.millis(11_000);
    over(&rig, 0);
}

#[test]
fn time_wait_gives_way_to_a_newer_syn_and_not_to_an_older() {
    let mut rig = Rig::new();
    let mut peer = closing(&mut rig, 5_000);
    peer.expected += 11;
    rig.bare(peer.header(FIN_ACK), &[]);
    let last = rig.one().header.sequence;
    let old = Header { sequence: peer.next - 500, acknowledgment: 0, ..peer.header(SYN) };
    rig.bare(old, &[]);
    assert_eq!(rig.one().header.flags, ACK);
    over(&rig, 1);
    rig.bare(Header { sequence: peer.next + 500, ..old }, &[]);
    let answer = rig.one().header;
    assert_eq!(answer.acknowledgment, peer.next + 501);
    assert!((answer.sequence.wrapping_sub(last) as i32) > 0, "our numbers go on where they ended");
    assert_eq!((rig.tcp.lengths(), rig.counter("tcp_time_wait_reused")), ((1, 0, 0), 1));
}

#[test]
fn time_wait_is_bounded_and_the_oldest_goes() {
    let mut rig = Rig::with_limits(Limits { time_wait: 3, ..Limits::default() });
    for port in 5_000..5_005 {
        let mut peer = closing(&mut rig, port);
        peer.expected += 11;
        rig.bare(peer.header(FIN_ACK), &[]);
        rig.one();
    }
    over(&rig, 3);
    assert_eq!(rig.counter("tcp_time_wait_evicted"), 2);
}

#[test]
fn a_service_may_reset() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.server.resets = true;
    rig.ask(&mut peer, request(10));
    let reset = rig.one().header;
    assert_eq!((reset.flags, reset.sequence), (RST_ACK, peer.expected));
    over(&rig, 0);
}

#[test]
fn a_deadline_comes_once_and_on_time() {
    let mut rig = Rig::new();
    rig.server.patience = Some(Duration::from_secs(15));
    let peer = rig.open(5_000);
    rig.millis(14_990);
    rig.none();
    rig.millis(15);
    assert_eq!(rig.one().header.flags, FIN_ACK);
    assert_eq!(rig.server.deadlines, 1);
    rig.bare(Header { acknowledgment: peer.expected + 1, ..peer.header(FIN_ACK) }, &[]);
    over(&rig, 1);
}

#[test]
fn stopping_closes_everything_and_opens_nothing() {
    let mut rig = Rig::new();
    let peers = [rig.open(5_000), rig.open(5_001)];
    let half = Header { acknowledgment: 0, source: 5_002, ..peers[0].header(SYN) };
    rig.bare(half, &[]);
    rig.take();
    rig.tcp.stop(rig.now, &mut rig.server, &mut rig.nic);
    let fins = rig.take();
    assert!(fins.len() == 2 && fins.iter().all(|fin| fin.header.flags == FIN_ACK));
    rig.bare(half, &[]);
    assert_eq!(rig.one().header.flags, RST_ACK);
    assert!(!rig.tcp.is_empty());
    for mut peer in peers {
        peer.expected += 1;
        rig.bare(peer.header(FIN_ACK), &[]);
    }
    assert!(rig.tcp.is_empty());
    over(&rig, 2);
}

#[test]
fn the_fin_goes_out_however_often_the_device_is_full() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.nic.room = 0;
    rig.ask(&mut peer, last_request(5_000));
    rig.none();
    assert!(rig.counter("tcp_device_full") > 0);
    let mut heard = Vec::new();
    let start: Instant = rig.now;
    while rig.now.since(start).millis() < 100 {
        rig.nic.room = 1;
        rig.poll();
        for reply in rig.take() {
            heard.extend_from_slice(&reply.payload);
            if reply.header.flags.has(FIN_ACK) {
                assert_eq!(heard, &TEXT[..5_000]);
                return;
            }
        }
        rig.now = rig.now + Duration::from_millis(1);
    }
    panic!("no FIN");
}
