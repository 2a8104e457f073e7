//! RFC 9293 section 3.10.7.4 and its neighbours, segment by segment.

use crate::network::{LOCAL, REMOTE};
use crate::rig::{ACK, FIN_PSH_ACK, PSH_ACK, RST, RST_ACK, Rig, SYN, SYN_ACK, last_request, request};
use crate::server::{Request, TEXT};
use netstack::egress::{Ecn, Unreachable};
use netstack::wire::tcp::{Flags, Header, Options, SackBlocks, Timestamps};

fn syn(port: u16) -> Header {
    Header { source: port, destination: 80, sequence: 1_000, flags: SYN, window: 65_535, ..Header::default() }
}

#[test]
fn the_syn_ack_answers_each_option_that_was_offered() {
    let mut rig = Rig::new();
    let offered = Options {
        maximum_segment_size: Some(1_460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 77, echo: 0 }),
        sack: SackBlocks::default(),
    };
    rig.give(syn(5_000), &offered, &[]);
    let answer = rig.one();
    assert_eq!(answer.header.flags, SYN_ACK);
    assert_eq!((answer.header.acknowledgment, answer.header.window), (1_001, 65_535));
    assert_eq!(answer.options.maximum_segment_size, Some(1_460));
    assert_eq!(answer.options.window_scale, Some(0));
    assert!(answer.options.sack_permitted);
    assert_eq!(answer.options.timestamps.unwrap().echo, 77);

    rig.give(syn(5_001), &Options::default(), &[]);
    let answer = rig.one();
    let mss_only = Options { maximum_segment_size: Some(1_460), ..Options::default() };
    assert_eq!(answer.options, mss_only);
}

#[test]
fn a_lost_syn_ack_is_sent_again_five_times() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let first = rig.one().header;
    rig.millis(990);
    rig.none();
    rig.millis(20);
    assert_eq!(rig.one().header, first);
    rig.bare(syn(5_000), &[]);
    assert_eq!(rig.one().header, first, "and when the SYN comes again");
    rig.millis(70_000);
    assert_eq!(rig.take().len(), 4);
    assert!(rig.tcp.is_empty());
    assert_eq!(rig.counter("tcp_half_open_timeout"), 1);
}

#[test]
fn a_peer_that_starts_anew_during_the_handshake_is_not_locked_out() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let first = rig.one().header;
    // It has forgotten its SYN, and tries again from the same port.
    let again = Header { sequence: 77_000, ..syn(5_000) };
    rig.bare(again, &[]);
    let answer = rig.one().header;
    assert_eq!((answer.flags, answer.acknowledgment), (ACK, 1_001));
    assert_eq!(rig.counter("tcp_syn_unexpected"), 1);
    // An acknowledgment of what it never sent: it resets that, and its next SYN is the first of its kind.
    rig.bare(Header { sequence: first.acknowledgment, flags: RST, ..syn(5_000) }, &[]);
    rig.none();
    rig.bare(again, &[]);
    assert_eq!(rig.one().header.acknowledgment, 77_001);
}

#[test]
fn after_a_lost_syn_ack_data_waits_three_seconds() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let iss = rig.one().header.sequence;
    rig.millis(1_010);
    rig.one();
    let ack = Header { sequence: 1_001, acknowledgment: iss.wrapping_add(1), flags: PSH_ACK, ..syn(5_000) };
    rig.bare(ack, &request(100).bytes());
    rig.one();
    rig.millis(2_990);
    rig.none();
    rig.millis(20);
    assert_eq!(rig.one().payload, &TEXT[..100]);
}

#[test]
fn a_syn_ack_that_was_sent_twice_measures_nothing() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let iss = rig.one().header.sequence;
    rig.millis(900);
    rig.bare(syn(5_000), &[]);
    rig.one();
    // The acknowledgment may be of either: 900 ms, or none at all.
    let ack = Header { sequence: 1_001, acknowledgment: iss.wrapping_add(1), flags: PSH_ACK, ..syn(5_000) };
    rig.bare(ack, &request(100).bytes());
    rig.one();
    rig.millis(990);
    rig.none();
    rig.millis(20);
    assert_eq!(rig.one().payload, &TEXT[..100]);
}

#[test]
fn behind_a_shut_window_what_has_no_data_has_the_number_that_the_peer_expects() {
    let mut rig = Rig::new();
    let mut peer = rig.open_with(5_000, 0, &Options::default());
    rig.ask(&mut peer, request(100));
    rig.millis(50);
    assert_eq!(rig.one().header.flags, ACK);
    rig.millis(200);
    let probe = rig.one();
    assert_eq!((probe.header.sequence, probe.payload.len()), (peer.expected, 1));
    // The peer has no room for the probe: RCV.NXT stays, and a window of nothing takes no other number.
    rig.ask(&mut peer, Request { body: 100, ..request(100) });
    rig.millis(50);
    let answer = rig.one();
    assert_eq!(answer.header.acknowledgment, peer.next);
    assert_eq!((answer.header.sequence, answer.payload.len()), (peer.expected, 0));
    rig.server.resets = true;
    rig.ask(&mut peer, request(100));
    let reset = rig.one().header;
    assert_eq!((reset.flags, reset.sequence), (RST_ACK, peer.expected));
}

#[test]
fn the_acknowledgment_rides_on_the_response() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, request(100));
    let answer = rig.one();
    assert_eq!(answer.header.flags, PSH_ACK);
    assert_eq!((answer.header.sequence, answer.header.acknowledgment), (peer.expected, peer.next));
    assert_eq!(answer.payload, &TEXT[..100]);
    rig.bare(Header { acknowledgment: peer.expected + 100, ..peer.header(ACK) }, &[]);
    rig.millis(10_000);
    rig.none();
}

#[test]
fn the_request_may_come_with_the_last_step_of_the_handshake() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let irs = rig.one().header.sequence;
    let header =
        Header { sequence: 1_001, acknowledgment: irs.wrapping_add(1), flags: PSH_ACK, ..syn(5_000) };
    rig.bare(header, &request(5).bytes());
    assert_eq!(rig.one().payload, &TEXT[..5]);
}

#[test]
fn push_and_fin_are_on_the_last_segment_only() {
    let mut rig = Rig::new();
    rig.nic.gso = Some(65_535);
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, last_request(4_000));
    let flags: Vec<_> = rig.take().iter().map(|reply| (reply.header.flags, reply.payload.len())).collect();
    assert_eq!(flags, [(ACK, 1_460), (ACK, 1_460), (FIN_PSH_ACK, 1_080)]);
    assert_eq!(rig.nic.packets, 2, "the SYN-ACK and one large packet");
}

#[test]
fn a_lone_piece_of_a_request_is_acknowledged_within_40_ms() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    rig.bare(peer.header(PSH_ACK), &request(5).bytes()[..7]);
    rig.none();
    rig.millis(39);
    rig.none();
    rig.millis(3);
    let ack = rig.one();
    assert_eq!((ack.header.flags, ack.header.acknowledgment), (ACK, peer.next + 7));
}

#[test]
fn out_of_order_is_reported_at_once_and_the_filled_hole_too() {
    let mut rig = Rig::new();
    let options = Options { sack_permitted: true, ..Options::default() };
    let peer = rig.open_with(5_000, 65_535, &options);
    let bytes = Request { body: 3_000, ..request(9) }.bytes();
    let piece = |from: usize| Header { sequence: peer.next + from as u32, ..peer.header(ACK) };
    rig.bare(piece(1_000), &bytes[1_000..2_000]);
    let report = rig.one();
    assert_eq!(report.header.acknowledgment, peer.next);
    assert_eq!(report.options.sack.as_slice(), [(peer.next + 1_000, peer.next + 2_000)]);
    rig.bare(piece(2_500), &bytes[2_500..]);
    let report = rig.one();
    assert_eq!(
        report.options.sack.as_slice(),
        [(peer.next + 2_500, peer.next + 3_013), (peer.next + 1_000, peer.next + 2_000)]
    );
    rig.bare(piece(0), &bytes[..1_000]);
    let report = rig.one();
    assert_eq!(report.header.acknowledgment, peer.next + 2_000);
    rig.bare(piece(2_000), &bytes[2_000..2_500]);
    let answer = rig.one();
    assert_eq!(answer.header.acknowledgment, peer.next + 3_013);
    assert_eq!(answer.payload, &TEXT[..9]);
    assert!(answer.options.sack.as_slice().is_empty());
}

#[test]
fn three_duplicates_repair_a_loss_without_sack() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, request(10_000));
    let sent = rig.take();
    assert_eq!(sent.len(), 7);
    for _ in 0..2 {
        rig.bare(peer.header(ACK), &[]);
        rig.none();
    }
    rig.bare(peer.header(ACK), &[]);
    let again = rig.one();
    assert_eq!((again.header.sequence, again.payload.len()), (peer.expected, 1_460));
    assert_eq!(rig.counter("tcp_fast_recovery"), 1);
    assert_eq!(rig.counter("tcp_timeout"), 0);
}

#[test]
fn sack_repairs_two_holes_in_one_round_trip() {
    let mut rig = Rig::new();
    let options = Options { sack_permitted: true, maximum_segment_size: Some(1_000), ..Options::default() };
    let mut peer = rig.open_with(5_000, 65_535, &options);
    rig.ask(&mut peer, request(10_000));
    assert_eq!(rig.take().len(), 10);
    let base = peer.expected;
    // The first and the fourth are lost.
    let mut again = Vec::new();
    for blocks in [
        &[(1, 2)][..],
        &[(1, 3)],
        &[(4, 5), (1, 3)],
        &[(4, 6), (1, 3)],
        &[(4, 7), (1, 3)],
        &[(4, 10), (1, 3)],
    ] {
        let mut sack = SackBlocks::default();
        for (left, right) in blocks {
            sack.push(base + left * 1_000, base + right * 1_000);
        }
        rig.give(peer.header(ACK), &Options { sack, ..Options::default() }, &[]);
        again.extend(rig.take());
    }
    let holes: Vec<_> = again.iter().map(|reply| reply.header.sequence - base).collect();
    assert_eq!(holes, [0, 3_000]);
    assert_eq!(rig.counter("tcp_timeout"), 0);
}

#[test]
fn a_lost_tail_is_probed_before_the_time_out() {
    let mut rig = Rig::new();
    let options = Options { sack_permitted: true, maximum_segment_size: Some(1_000), ..Options::default() };
    let mut peer = rig.open_with(5_000, 65_535, &options);
    rig.ask(&mut peer, request(3_500));
    assert_eq!(rig.take().len(), 4);
    // Its last two segments are lost. Two round trips, of nothing here, and two milliseconds.
    peer.expected += 2_000;
    rig.bare(peer.header(ACK), &[]);
    rig.none();
    rig.millis(5);
    let probe = rig.one();
    assert_eq!((probe.header.sequence, probe.payload.len()), (peer.expected + 500, 1_000));
    // The report of the tail shows the hole before it.
    let mut sack = SackBlocks::default();
    sack.push(peer.expected + 500, peer.expected + 1_500);
    rig.give(peer.header(ACK), &Options { sack, ..Options::default() }, &[]);
    rig.millis(5);
    let again = rig.one();
    assert_eq!((again.header.sequence, again.payload.len()), (peer.expected, 500));
    peer.expected += 1_500;
    rig.bare(peer.header(ACK), &[]);
    rig.millis(1_000);
    rig.none();
    assert_eq!((rig.counter("tcp_tail_probe"), rig.counter("tcp_timeout")), (1, 0));
}

#[test]
fn the_time_out_doubles_and_gives_up_after_a_hundred_seconds() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, request(1_000));
    rig.one();
    let start = rig.now;
    let mut times = Vec::new();
    while !rig.tcp.is_empty() {
        rig.now = rig.now.max(rig.tcp.next_deadline().unwrap());
        rig.poll();
        if let [again] = &rig.take()[..] {
            assert_eq!((again.header.sequence, again.payload.len()), (peer.expected, 1_000));
            times.push(rig.now.since(start).millis());
        }
    }
    for pair in times.windows(2).skip(1) {
        assert!(pair[1] - pair[0] >= (pair[0] - times[0]), "{times:?}");
    }
    assert!((200..=205).contains(&times[0]) && (8..=10).contains(&times.len()), "{times:?}");
    assert!(rig.now.since(start).secs() >= 100);
    assert_eq!(rig.counter("tcp_unanswered"), 1);
    assert_eq!(rig.server.closed, 1);
}

#[test]
fn a_reset_counts_only_at_the_number_expected_next() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    rig.bare(Header { sequence: peer.next + 70_000, ..peer.header(RST) }, &[]);
    rig.none();
    assert_eq!(rig.counter("tcp_reset_out_of_window"), 1);
    rig.bare(Header { sequence: peer.next + 1, ..peer.header(RST) }, &[]);
    let challenge = rig.one();
    assert_eq!((challenge.header.flags, challenge.header.acknowledgment), (ACK, peer.next));
    assert_eq!((rig.server.closed, rig.counter("tcp_reset_challenged")), (0, 1));
    rig.bare(peer.header(RST), &[]);
    rig.none();
    assert_eq!((rig.server.closed, rig.counter("tcp_reset_received")), (1, 1));
    assert!(rig.tcp.is_empty());
}

#[test]
fn a_syn_in_the_window_is_challenged_not_obeyed() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    rig.bare(Header { sequence: peer.next + 5, ..peer.header(SYN) }, &[]);
    let challenge = rig.one();
    assert_eq!((challenge.header.flags, challenge.header.acknowledgment), (ACK, peer.next));
    assert_eq!(rig.counter("tcp_syn_unexpected"), 1);
    // A second one within half a second is not answered: two ends in this state would not stop.
    rig.bare(Header { sequence: peer.next + 5, ..peer.header(SYN) }, &[]);
    rig.none();
    assert_eq!(rig.counter("tcp_challenge_limited"), 1);
    rig.millis(600);
    rig.bare(Header { sequence: peer.next + 5, ..peer.header(SYN) }, &[]);
    rig.one();
}

#[test]
fn an_acknowledgment_of_what_was_not_sent_is_challenged() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    rig.bare(Header { acknowledgment: peer.expected + 1, ..peer.header(PSH_ACK) }, &request(5).bytes());
    let challenge = rig.one();
    assert!(challenge.payload.is_empty());
    assert_eq!(challenge.header.acknowledgment, peer.next, "its data is not taken");
    rig.millis(600);
    rig.bare(Header { acknowledgment: peer.expected.wrapping_sub(70_000), ..peer.header(ACK) }, &[]);
    rig.one();
    assert_eq!(rig.counter("tcp_ack_unacceptable"), 2);
}

#[test]
fn a_segment_without_ack_is_dropped_and_one_outside_the_window_answered() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    let bytes = request(5).bytes();
    rig.bare(peer.header(Flags::PSH), &bytes);
    rig.none();
    assert_eq!(rig.counter("tcp_ack_missing"), 1);
    for sequence in [peer.next + 65_535, peer.next - 13] {
        rig.bare(Header { sequence, ..peer.header(PSH_ACK) }, &bytes);
        let answer = rig.one();
        assert_eq!((answer.header.acknowledgment, answer.payload.len()), (peer.next, 0));
    }
    assert_eq!(rig.counter("tcp_out_of_window"), 2);
}

#[test]
fn icmp_is_heeded_only_for_what_is_in_flight() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.ask(&mut peer, request(2_000));
    assert_eq!(rig.take().len(), 2);
    let report = |rig: &mut Rig, port: u16, sequence: u32, error| {
        let mut quoted = [0; 8];
        quoted[..2].copy_from_slice(&80_u16.to_be_bytes());
        quoted[2..4].copy_from_slice(&port.to_be_bytes());
        quoted[4..].copy_from_slice(&sequence.to_be_bytes());
        let (server, nic) = (&mut rig.server, &mut rig.nic);
        rig.tcp.unreachable(LOCAL, REMOTE, &quoted, error, rig.now, server, nic);
    };
    // Another port, a number that was never sent, a number acknowledged long ago, a quotation cut short.
    report(&mut rig, 5_001, peer.expected, Unreachable::Port);
    report(&mut rig, 5_000, peer.expected + 2_000, Unreachable::Port);
    report(&mut rig, 5_000, peer.expected - 1, Unreachable::PacketTooBig { mtu: 576 });
    rig.tcp.unreachable(LOCAL, REMOTE, &[0; 7], Unreachable::Port, rig.now, &mut rig.server, &mut rig.nic);
    rig.none();
    assert_eq!((rig.counter("tcp_unreachable_ignored"), rig.counter("tcp_unreachable")), (4, 0));
    // None of them ends a connection; the timer goes on.
    report(&mut rig, 5_000, peer.expected, Unreachable::Port);
    rig.none();
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
    // The path has become narrower: what was too large goes out again in smaller segments.
    rig.nic.mtu = 576;
    report(&mut rig, 5_000, peer.expected, Unreachable::PacketTooBig { mtu: 576 });
    let again: Vec<_> = rig.take().iter().map(|reply| reply.payload.len()).collect();
    assert_eq!(again, [536, 536, 536, 392]);
    // The second packet of the flight brings the same error back.
    report(&mut rig, 5_000, peer.expected + 1_460, Unreachable::PacketTooBig { mtu: 576 });
    rig.none();
    assert_eq!(rig.counter("tcp_unreachable"), 3);
    // A half-open connection has nothing to lose.
    rig.bare(syn(5_002), &[]);
    let irs = rig.one().header.sequence;
    report(&mut rig, 5_002, irs, Unreachable::Host);
    assert_eq!(rig.tcp.lengths(), (1, 1, 0));
    report(&mut rig, 5_002, irs, Unreachable::Port);
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
}

#[test]
fn an_old_segment_with_a_new_acknowledgment_brings_its_window_along() {
    let mut rig = Rig::new();
    let mss = Options { maximum_segment_size: Some(1_000), ..Options::default() };
    let mut peer = rig.open_with(5_000, 4_000, &mss);
    let start = peer.next;
    rig.ask(&mut peer, request(10_000));
    assert_eq!(rig.take().len(), 4);
    rig.bare(peer.header(ACK), &[]);
    // It sends its request again, and has read nothing of the 4,000 bytes yet.
    peer.expected += 4_000;
    peer.window = 1_000;
    rig.bare(
        Header { sequence: start, ..peer.header(PSH_ACK) },
        &[&request(10_000).bytes()[..], b"x"].concat(),
    );
    let sent: usize = rig.take().iter().map(|reply| reply.payload.len()).sum();
    assert_eq!(sent, 1_000);
}

#[test]
fn a_window_held_shut_is_given_up() {
    let mut rig = Rig::new();
    let mss = Options { maximum_segment_size: Some(1_460), ..Options::default() };
    let mut peer = rig.open_with(5_000, 1_000, &mss);
    rig.ask(&mut peer, request(5_000));
    peer.expected += 1_000;
    peer.window = 0;
    rig.bare(peer.header(ACK), &[]);
    rig.take();
    let start = rig.now;
    while !rig.tcp.is_empty() {
        rig.millis(1_000);
        if rig.take().last().is_some_and(|last| last.header.flags != RST_ACK) {
            rig.bare(peer.header(ACK), &[]);
        }
    }
    assert!((300..370).contains(&rig.now.since(start).secs()));
    assert_eq!((rig.counter("tcp_window_shut"), rig.counter("tcp_unanswered")), (1, 0));
}

#[test]
fn a_keep_alive_is_answered() {
    let mut rig = Rig::new();
    let peer = rig.open(5_000);
    for data in [&[][..], &[0]] {
        rig.millis(75_000);
        rig.bare(Header { sequence: peer.next - 1, ..peer.header(ACK) }, data);
        let answer = rig.one();
        assert_eq!((answer.header.flags, answer.header.acknowledgment), (ACK, peer.next));
        assert_eq!(answer.header.sequence, peer.expected);
    }
}

#[test]
fn an_old_timestamp_is_refused() {
    let mut rig = Rig::new();
    let stamp = |value| Options { timestamps: Some(Timestamps { value, echo: 0 }), ..Options::default() };
    rig.give(syn(5_000), &stamp(1_000), &[]);
    let irs = rig.one().header.sequence;
    let header = Header { sequence: 1_001, acknowledgment: irs + 1, flags: ACK, ..syn(5_000) };
    rig.give(header, &stamp(1_010), &[]);
    rig.none();
    let bytes = request(5).bytes();
    rig.give(header, &stamp(1_009), &bytes);
    let challenge = rig.one();
    assert_eq!((challenge.header.acknowledgment, rig.counter("tcp_paws")), (1_001, 1));
    assert_eq!(challenge.options.timestamps.unwrap().echo, 1_010);
    rig.bare(header, &bytes);
    rig.none();
    assert_eq!(rig.counter("tcp_timestamp_missing"), 1);
    rig.give(header, &stamp(1_011), &bytes);
    assert_eq!(rig.one().payload, &TEXT[..5]);
}

#[test]
fn closed_ports_answer_as_rfc_9293_says() {
    let mut rig = Rig::new();
    rig.bare(Header { destination: 81, ..syn(5_000) }, b"xyz");
    let answer = rig.one().header;
    assert_eq!((answer.flags, answer.sequence, answer.acknowledgment), (RST_ACK, 0, 1_004));
    rig.bare(Header { destination: 81, flags: ACK, acknowledgment: 99, ..syn(5_000) }, &[]);
    let answer = rig.one().header;
    assert_eq!((answer.flags, answer.sequence), (RST, 99));
    rig.bare(Header { destination: 81, flags: RST, ..syn(5_000) }, &[]);
    rig.none();
    // The listening port, without a connection.
    rig.bare(Header { flags: PSH_ACK, acknowledgment: 7, ..syn(5_000) }, b"x");
    assert_eq!((rig.one().header.flags, rig.counter("tcp_no_connection")), (RST, 4));
    for flags in [Flags::default(), Flags::FIN, Flags::FIN.with(SYN), Flags::PSH.with(Flags::URG)] {
        rig.bare(Header { flags, ..syn(5_000) }, &[]);
        rig.none();
    }
    assert_eq!(rig.counter("tcp_not_a_syn"), 4);
}

#[test]
fn a_wrong_acknowledgment_in_the_handshake_is_reset() {
    let mut rig = Rig::new();
    rig.bare(syn(5_000), &[]);
    let irs = rig.one().header.sequence;
    assert_eq!(rig.counter("tcp_established"), 0);
    let header = Header { sequence: 1_001, acknowledgment: irs + 2, flags: ACK, ..syn(5_000) };
    rig.bare(header, &[]);
    let answer = rig.one().header;
    assert_eq!((answer.flags, answer.sequence), (RST, irs + 2));
    rig.bare(Header { acknowledgment: irs + 1, ..header }, &[]);
    assert_eq!((rig.server.accepted, rig.counter("tcp_established")), (1, 1));
    assert_eq!(rig.counter("tcp_reset_sent"), 1);
}

#[test]
fn land_and_malformed_segments_are_dropped() {
    let mut rig = Rig::new();
    let mut bytes = syn(80).emit(&Options::default()).bytes().to_vec();
    rig.tcp.receive(LOCAL, LOCAL, Ecn::NotCapable, &bytes, rig.now, &mut rig.server, &mut rig.nic);
    assert_eq!(rig.counter("tcp_land"), 1);
    bytes[12] = 0xf0;
    rig.tcp.receive(LOCAL, REMOTE, Ecn::NotCapable, &bytes, rig.now, &mut rig.server, &mut rig.nic);
    assert_eq!(rig.counter("tcp_malformed"), 1);
    rig.none();
}

#[test]
fn a_shut_window_is_probed_and_opens() {
    let mut rig = Rig::new();
    let mss = Options { maximum_segment_size: Some(1_460), ..Options::default() };
    let mut peer = rig.open_with(5_000, 1_000, &mss);
    rig.ask(&mut peer, request(5_000));
    assert_eq!(rig.one().payload.len(), 1_000);
    peer.expected += 1_000;
    peer.window = 0;
    rig.bare(peer.header(ACK), &[]);
    rig.none();
    // Probes of one byte, further and further apart.
    let mut times = Vec::new();
    while times.len() < 5 {
        rig.now = rig.tcp.next_deadline().unwrap();
        rig.poll();
        if let [probe] = &rig.take()[..] {
            assert_eq!((probe.header.sequence, &probe.payload[..]), (peer.expected, &TEXT[1_000..1_001]));
            times.push(rig.now.micros());
            rig.bare(peer.header(ACK), &[]);
            rig.none();
        }
    }
    for three in times.windows(3) {
        assert!(three[2] - three[1] > (three[1] - three[0]) * 3 / 2, "{times:?}");
    }
    // The update may be lost on the way: the next probe's answer brings it as well.
    peer.window = 60_000;
    rig.bare(peer.header(ACK), &[]);
    let bytes: Vec<u8> = rig.take().into_iter().flat_map(|reply| reply.payload).collect();
    assert_eq!(bytes, &TEXT[1_000..5_000]);
    let losses = rig.counter("tcp_timeout") + rig.counter("tcp_fast_recovery");
    assert_eq!(losses, 0, "a shut window is no congestion");
}

#[test]
fn the_largest_window_there_can_be() {
    let mut rig = Rig::new();
    let options =
        Options { window_scale: Some(255), maximum_segment_size: Some(1_460), ..Options::default() };
    let mut peer = rig.open_with(5_000, 65_535, &options);
    rig.ask(&mut peer, request(3_000_000));
    let mut heard = 0;
    while heard < 3_000_000 {
        let sent: usize = rig.take().iter().map(|reply| reply.payload.len()).sum();
        assert!(sent > 0);
        heard += sent;
        peer.expected += sent as u32;
        rig.bare(peer.header(ACK), &[]);
    }
    assert_eq!(rig.counter("tcp_retransmitted"), 0);
}

#[test]
fn a_stuck_service_shuts_the_window_and_no_byte_is_lost() {
    let mut rig = Rig::new();
    let mut peer = rig.open(5_000);
    rig.server.stuck = true;
    let bytes = Request { body: 70_000, ..request(3) }.bytes();
    let mut window = 65_535;
    while window > 0 {
        let from = (peer.next - 1_001) as usize;
        let to = (from + window.min(1_460)).min(bytes.len());
        rig.bare(peer.header(ACK), &bytes[from..to]);
        peer.next += (to - from) as u32;
        rig.millis(50);
        window = usize::from(rig.take().last().unwrap().header.window);
    }
    assert_eq!(peer.next, 1_001 + 65_535);
    // A probe of the shut window is answered, and not taken.
    rig.bare(peer.header(ACK), &bytes[65_535..65_536]);
    assert_eq!(rig.one().header.acknowledgment, peer.next);
    assert_eq!(rig.counter("tcp_beyond_window"), 1);
    // It reads on when it is shown the bytes again.
    rig.server.stuck = false;
    rig.bare(peer.header(ACK), &[]);
    let update = rig.one();
    assert_eq!((update.header.acknowledgment, update.header.window), (peer.next, 65_535));
    rig.bare(peer.header(PSH_ACK), &bytes[65_535..]);
    assert_eq!(rig.one().payload, &TEXT[..3]);
}
