//! Losses that were none, duplicates, congestion marks, paths that swallow large packets, peers that fell silent.

use crate::network::{LOCAL, REMOTE};
use crate::rig::{ACK, PSH_ACK, Peer, RST_ACK, Reply, Rig, SYN, SYN_ACK, request};
use crate::server::Request;
use netstack::Duration;
use netstack::egress::Ecn;
use netstack::tcp::Limits;
use netstack::wire::tcp::{Flags, Header, Options, Timestamps};

fn sack() -> Options {
    Options { maximum_segment_size: Some(1_460), sack_permitted: true, ..Options::default() }
}

fn stamps(value: u32, echo: u32) -> Options {
    Options { timestamps: Some(Timestamps { value, echo }), ..Options::default() }
}

fn blocks(blocks: &[(u32, u32)]) -> Options {
    let mut options = Options::default();
    blocks.iter().for_each(|&(left, right)| options.sack.push(left, right));
    options
}

fn numbers(replies: &[Reply], from: u32) -> Vec<u32> {
    replies.iter().map(|reply| reply.header.sequence.wrapping_sub(from)).collect()
}

/// RFC 3522: after a time-out the acknowledgment echoes the first transmission, so nothing more is sent again.
#[test]
fn a_spurious_timeout_is_undone_by_timestamps() {
    let mut rig = Rig::new();
    let offered = Options { sack_permitted: true, ..stamps(1, 0) };
    rig.give(
        Header {
            source: 5_000,
            destination: 80,
            sequence: 1_000,
            flags: SYN,
            window: 65_535,
            ..Header::default()
        },
        &Options { maximum_segment_size: Some(1_460), ..offered },
        &[],
    );
    let answer = rig.one();
    let first = answer.header.sequence.wrapping_add(1);
    let mut peer = Peer { port: 5_000, next: 1_001, expected: first, window: 65_535 };
    let echo = |reply: &Reply| reply.options.timestamps.unwrap().value;
    rig.millis(100);
    let bytes = request(100_000).bytes();
    rig.give(peer.header(PSH_ACK), &stamps(100, echo(&answer)), &bytes);
    peer.next += bytes.len() as u32;
    let flight = rig.take();
    assert_eq!(flight.len(), 10);
    let original = echo(&flight[0]);
    // The path stalls for a second.
    rig.millis(1_000);
    assert!(rig.counter("tcp_timeout") >= 1);
    rig.take();
    // What was sent first has arrived, two segments of it.
    peer.expected += 2 * 1_448;
    rig.give(peer.header(ACK), &stamps(1_100, original), &[]);
    assert_eq!(rig.counter("tcp_spurious"), 1);
    let sent = rig.take();
    assert!(!sent.is_empty());
    assert!(
        sent.iter().all(|reply| reply.header.sequence.wrapping_sub(first) >= 10 * 1_448),
        "new data only: {:?}",
        numbers(&sent, first)
    );
    // And where the acknowledgment is of what was sent again, it is not undone.
    assert_eq!(rig.counter("tcp_spurious"), 1);
}

/// RFC 3708: every segment that was sent again has come twice.
#[test]
fn a_spurious_fast_recovery_is_undone_by_d_sack() {
    let mut rig = Rig::new();
    let mut peer = rig.open_with(5_000, 65_535, &sack());
    let first = peer.expected;
    rig.ask(&mut peer, request(100_000));
    assert_eq!(rig.take().len(), 10);
    let at = |segment: u32| first.wrapping_add(segment * 1_460);
    // Three segments overtake the first.
    rig.millis(1);
    rig.give(peer.header(ACK), &blocks(&[(at(1), at(4))]), &[]);
    let again = rig.take();
    assert_eq!(again[0].header.sequence, first);
    assert_eq!((rig.counter("tcp_fast_recovery"), rig.counter("tcp_spurious")), (1, 0));
    let open = |rig: &mut Rig, header: Header, options: &Options| {
        rig.give(header, options, &[]);
        rig.take().len()
    };
    let ack = |segment: u32| Header { acknowledgment: at(segment), ..peer.header(ACK) };
    open(&mut rig, ack(4), &Options::default());
    // The first segment came after all, and then the one that was sent again.
    open(&mut rig, ack(4), &blocks(&[(at(0), at(1))]));
    assert_eq!(rig.counter("tcp_spurious"), 1);
    // The window is as it was: ten segments may be under way.
    rig.give(ack(10), &Options::default(), &[]);
    assert!(rig.take().len() >= 5);
}

#[test]
fn what_comes_twice_is_reported() {
    let mut rig = Rig::new();
    let peer = rig.open_with(5_000, 65_535, &sack());
    let bytes = Request { body: 3_000, ..request(9) }.bytes();
    let piece = |from: u32| Header { sequence: peer.next + from, ..peer.header(ACK) };
    rig.bare(piece(0), &bytes[..1_000]);
    rig.bare(piece(2_000), &bytes[2_000..2_500]);
    rig.take();
    let report = |rig: &mut Rig| {
        let reply = rig.one();
        let blocks = reply.options.sack.as_slice().to_vec();
        blocks.iter().map(|block| (block.0 - peer.next, block.1 - peer.next)).collect::<Vec<_>>()
    };
    // RFC 2883 section 4.1.1: below the acknowledgment; 4.2: part of a segment; 4.1.3: within a block.
    rig.bare(piece(0), &bytes[..1_000]);
    assert_eq!(report(&mut rig), [(0, 1_000), (2_000, 2_500)]);
    rig.bare(piece(2_100), &bytes[2_100..2_200]);
    assert_eq!(report(&mut rig), [(2_100, 2_200), (2_000, 2_500)]);
    rig.bare(piece(500), &bytes[500..1_500]);
    assert_eq!(report(&mut rig), [(500, 1_000), (2_000, 2_500)]);
    // Once each.
    rig.bare(piece(2_500), &bytes[2_500..2_600]);
    assert_eq!(report(&mut rig), [(2_000, 2_600)]);
    // And to none who has not agreed.
    let peer = rig.open(5_001);
    rig.bare(peer.header(ACK), &bytes[..5]);
    rig.millis(50);
    rig.take();
    rig.bare(peer.header(ACK), &bytes[..5]);
    assert_eq!(rig.one().options, Options::default());
}

/// RFC 3042.
#[test]
fn two_duplicates_without_sack_let_a_new_segment_out_each() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    let first = peer.expected;
    rig.ask(&mut peer, request(100_000));
    assert_eq!(rig.take().len(), 10);
    for number in [10, 11] {
        rig.bare(peer.header(ACK), &[]);
        assert_eq!(numbers(&rig.take(), first), [number * 1_460]);
    }
    rig.bare(peer.header(ACK), &[]);
    assert_eq!(numbers(&rig.take(), first)[0], 0);
    assert_eq!(rig.counter("tcp_fast_recovery"), 1);
}

const ECN_SYN: Flags = SYN.with(Flags::ECE).with(Flags::CWR);

fn marked(rig: &mut Rig, header: Header, ecn: Ecn, payload: &[u8]) {
    let mut bytes = header.emit(&Options::default()).bytes().to_vec();
    bytes.extend_from_slice(payload);
    rig.tcp.receive(LOCAL, REMOTE, ecn, &bytes, rig.now, &mut rig.server, &mut rig.nic);
}

fn open_with_ecn(rig: &mut Rig, port: u16) -> Peer {
    let mut peer = Peer { port, next: 1_000, expected: 0, window: 65_535 };
    rig.give(Header { acknowledgment: 0, ..peer.header(ECN_SYN) }, &sack(), &[]);
    let answer = rig.one();
    assert_eq!(answer.header.flags, SYN_ACK.with(Flags::ECE));
    assert_eq!(rig.nic.marks.pop(), Some(Ecn::NotCapable));
    (peer.next, peer.expected) = (1_001, answer.header.sequence.wrapping_add(1));
    rig.bare(peer.header(ACK), &[]);
    peer
}

#[test]
fn a_mark_is_echoed_until_the_peer_says_that_it_sends_less() {
    let mut rig = Rig::new();
    let mut peer = open_with_ecn(&mut rig, 5_000);
    let bytes = Request { body: 10_000, ..request(5) }.bytes();
    let start = peer.next;
    let mut send = |rig: &mut Rig, flags: Flags, ecn: Ecn| {
        let at = (peer.next - start) as usize;
        marked(rig, peer.header(flags), ecn, &bytes[at..at + 100]);
        peer.next += 100;
        rig.millis(50);
        rig.one().header.flags.has(Flags::ECE)
    };
    assert!(!send(&mut rig, ACK, Ecn::Capable));
    assert!(send(&mut rig, ACK, Ecn::Congestion));
    assert!(send(&mut rig, ACK, Ecn::Capable));
    assert!(!send(&mut rig, ACK.with(Flags::CWR), Ecn::Capable));
    assert!(send(&mut rig, ACK.with(Flags::CWR), Ecn::Congestion), "a mark on the word itself");
    // None who has not agreed is told.
    let peer = rig.open(5_001);
    marked(&mut rig, peer.header(ACK), Ecn::Congestion, b"x");
    rig.millis(50);
    assert_eq!(rig.one().header.flags, ACK);
}

#[test]
fn an_echoed_mark_reduces_the_window_once_a_round_trip() {
    let mut rig = Rig::new();
    rig.nic.gso = Some(65_535);
    let mut peer = open_with_ecn(&mut rig, 5_000);
    let first = peer.expected;
    rig.ask(&mut peer, request(300_000));
    assert_eq!(rig.take().len(), 10);
    assert!(rig.nic.marks.drain(..).all(|mark| mark == Ecn::Capable));
    let ack = |segment: u32| Header {
        acknowledgment: first.wrapping_add(segment * 1_460),
        ..peer.header(ACK.with(Flags::ECE))
    };
    rig.bare(ack(2), &[]);
    rig.bare(ack(4), &[]);
    // Seven tenths of what was under way, and CWR on the first that is new, whatever the device could cut.
    let sent = rig.take();
    assert_eq!(numbers(&sent, first), [14_600]);
    assert!(sent[0].header.flags.has(Flags::CWR));
    rig.bare(ack(10), &[]);
    let sent = rig.take();
    assert!((5..=7).contains(&sent.len()), "{:?}", numbers(&sent, first));
    assert!(!sent.iter().any(|reply| reply.header.flags.has(Flags::CWR)));
    assert_eq!(rig.counter("tcp_congestion_marked"), 1);
    rig.bare(ack(11), &[]);
    assert_eq!(rig.counter("tcp_congestion_marked"), 2, "the next round trip");
}

#[test]
fn what_is_sent_again_and_bare_acknowledgments_are_not_ecn_capable() {
    let mut rig = Rig::new();
    let mut peer = open_with_ecn(&mut rig, 5_000);
    rig.ask(&mut peer, request(1_000));
    rig.take();
    assert_eq!(rig.nic.marks.pop(), Some(Ecn::Capable));
    rig.millis(3_000);
    assert!(!rig.take().is_empty());
    assert!(rig.nic.marks.drain(..).all(|mark| mark == Ecn::NotCapable));
}

/// RFC 3168 section 6.1.1.1.
#[test]
fn a_second_syn_without_ecn_takes_it_back() {
    let mut rig = Rig::new();
    let peer = Peer { port: 5_000, next: 1_000, expected: 0, window: 65_535 };
    for (flags, answer) in [(ECN_SYN, SYN_ACK.with(Flags::ECE)), (SYN, SYN_ACK)] {
        rig.bare(Header { acknowledgment: 0, ..peer.header(flags) }, &[]);
        assert_eq!(rig.one().header.flags, answer);
    }
}

#[test]
fn a_path_that_swallows_large_segments_gets_small_ones() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    let first = peer.expected;
    rig.ask(&mut peer, request(5_000));
    rig.take();
    let mut sizes = Vec::new();
    for _ in 0..40 {
        rig.millis(1_000);
        sizes.extend(rig.take().iter().map(|reply| reply.payload.len()));
    }
    // Apart from what is left over where a large segment is sent as two.
    sizes.retain(|size| [1_460, 1_024, 536].contains(size));
    sizes.dedup();
    assert_eq!(sizes, [1_460, 1_024, 536]);
    assert_eq!(rig.counter("tcp_black_hole"), 2);
    rig.bare(Header { acknowledgment: first.wrapping_add(536), ..peer.header(ACK) }, &[]);
    assert!(rig.take().iter().all(|reply| reply.payload.len() <= 536));
}

#[test]
fn a_silent_peer_is_asked_after_two_hours_and_given_up_after_nine_times() {
    let mut rig = Rig::new();
    rig.server.keepalive = true;
    let peer = rig.open(5_000);
    rig.millis(7_199_000);
    rig.none();
    rig.millis(2_000);
    let probe = rig.one();
    assert_eq!((probe.header.flags, probe.header.sequence), (ACK, peer.expected.wrapping_sub(1)));
    assert!(probe.payload.is_empty());
    // One that answers is left alone for another two hours.
    rig.bare(peer.header(ACK), &[]);
    rig.millis(7_199_000);
    rig.none();
    rig.millis(2_000 + 8 * 75_000);
    assert_eq!(rig.take().len(), 9);
    rig.millis(75_000);
    assert_eq!(rig.one().header.flags, RST_ACK);
    assert!(rig.tcp.is_empty());
    assert_eq!((rig.counter("tcp_keepalive"), rig.counter("tcp_keepalive_unanswered")), (10, 1));
}

/// RFC 9293 section 3.8.4: MUST-24 and MUST-25, off unless asked for; MUST-27, the interval is the user's.
#[test]
fn keepalives_are_asked_for_and_as_often_as_one_likes() {
    let limits = Limits {
        keepalive_idle: Duration::from_secs(10),
        keepalive_interval: Duration::from_secs(2),
        keepalives: 3,
        ..Limits::default()
    };
    let mut rig = Rig::with_limits(limits);
    rig.open(5_000);
    rig.millis(100_000_000);
    rig.none();
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
    rig.server.keepalive = true;
    rig.open(5_001);
    rig.millis(9_990);
    rig.none();
    rig.millis(20 + 2 * 2_000);
    assert_eq!(rig.take().len(), 3);
    rig.millis(2_000);
    assert_eq!(rig.one().header.flags, RST_ACK);
    assert_eq!((rig.tcp.lengths(), rig.counter("tcp_keepalive")), ((0, 1, 0), 3));
}

/// RFC 8985 section 7.4.2: a tail that the probe has repaired was lost, which the window answers to; but not where both
/// the tail and the probe came, and the peer says so when nothing is under way any more.
#[test]
fn a_tail_that_a_probe_repaired_was_a_loss() {
    let flight = |twice: bool| {
        let mut rig = Rig::new();
        let mut peer = rig.open_with(5_000, 65_535, &sack());
        rig.ask(&mut peer, request(5 * 1_460));
        assert_eq!(rig.take().len(), 5);
        rig.millis(5);
        assert_eq!((rig.one().payload.len(), rig.counter("tcp_tail_probe")), (1_460, 1));
        peer.expected = peer.expected.wrapping_add(5 * 1_460);
        rig.bare(peer.header(ACK), &[]);
        if twice {
            let end = peer.expected;
            rig.give(peer.header(ACK), &blocks(&[(end.wrapping_sub(1_460), end)]), &[]);
        }
        rig.ask(&mut peer, request(100_000));
        let first = rig.take().len();
        peer.expected = peer.expected.wrapping_add(1_460);
        rig.bare(peer.header(ACK), &[]);
        (first, rig.take().len())
    };
    // Ten segments; the first of them acknowledged, one more, or, of a window of seven, none.
    assert_eq!(flight(true), (10, 2));
    assert_eq!(flight(false), (10, 0));
}

/// RFC 9293 section 3.8.6: the window that it tells is told, and not taken back.
#[test]
fn a_keep_alive_tells_the_window_for_good() {
    let mut rig = Rig::with_limits(Limits { receive: 4_000, ..Limits::default() });
    rig.server.keepalive = true;
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, Request { start: 0, length: 1, body: 1_000, close: false });
    peer.expected = peer.expected.wrapping_add(1);
    rig.bare(peer.header(ACK), &[]);
    assert_eq!(rig.one().header.window, 2_987);
    // On a path of small segments the window opens in small steps.
    rig.nic.mtu = 576;
    rig.millis(7_201_000);
    assert_eq!(rig.one().header.window, 4_000);
    rig.nic.mtu = 1_500;
    rig.millis(75_000);
    assert_eq!(rig.one().header.window, 4_000);
}

/// RFC 6093: urgent bytes are bytes of the stream.
#[test]
fn urgent_bytes_are_taken_in_line() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    let header = Header { urgent: 3, ..peer.header(PSH_ACK.with(Flags::URG)) };
    rig.bare(header, &request(5).bytes());
    assert_eq!(rig.one().payload.len(), 5);
    assert_eq!(rig.counter("tcp_urgent"), 1);
}
