//! Floods of SYNs, and tables that are full: an honest client is served all the same.

use crate::rig::{ACK, FIN_ACK, PSH_ACK, Peer, RST, RST_ACK, Rig, SYN, request};
use netstack::tcp::Limits;
use netstack::wire::tcp::{Flags, Header, Options, SackBlocks, Timestamps};

const SYN_NUMBER: u32 = 1_000;

fn peer(port: u16) -> Peer {
    Peer { port, next: SYN_NUMBER, expected: 0, window: 65_535 }
}

fn syn(rig: &mut Rig, port: u16, options: &Options) {
    rig.give(Header { acknowledgment: 0, ..peer(port).header(SYN) }, options, &[]);
}

/// A handshake, whatever else is sent meanwhile.
fn through(rig: &mut Rig, port: u16) -> Peer {
    syn(rig, port, &Options { maximum_segment_size: Some(1_460), ..Options::default() });
    let answer = rig.one();
    let peer = Peer { next: 1_001, expected: answer.header.sequence.wrapping_add(1), ..peer(port) };
    rig.bare(peer.header(ACK), &[]);
    peer
}

/// A rig whose half-open table is full of SYNs that nobody sent.
fn flooded(limits: Limits) -> Rig {
    let mut rig = Rig::with_limits(limits);
    for port in 1..=limits.half_open as u16 {
        syn(&mut rig, port, &Options::default());
    }
    rig.take();
    assert_eq!(rig.tcp.lengths().0, limits.half_open);
    rig
}

fn small() -> Limits {
    Limits { half_open: 100, ..Limits::default() }
}

#[test]
fn a_full_half_open_table_keeps_nothing_of_a_syn_and_serves_who_answers() {
    let mut rig = flooded(small());
    for port in 101..=50_000 {
        syn(&mut rig, port, &Options::default());
        assert_eq!(rig.take().len(), 1);
    }
    assert_eq!(rig.tcp.lengths(), (100, 0, 0));
    assert_eq!(rig.counter("tcp_cookie_sent"), 49_900);
    let mut honest = rig.open(60_000);
    assert_eq!((rig.counter("tcp_cookie_sent"), rig.counter("tcp_cookie_accepted")), (49_901, 1));
    rig.ask(&mut honest, request(5));
    assert_eq!(rig.one().payload.len(), 5);
}

/// 2,000 SYNs a second from addresses that answer nothing, for a minute; each second an honest client.
#[test]
fn two_thousand_spoofed_syns_a_second_for_a_minute() {
    let mut rig = Rig::new();
    for second in 0..60_u16 {
        for burst in 0..100 {
            for number in 0..20 {
                syn(&mut rig, 1 + (second * 7 + burst * 20 + number) % 30_000, &Options::default());
            }
            rig.millis(10);
        }
        rig.take();
        let mut honest = rig.open(40_000 + second);
        rig.ask(&mut honest, request(1_000));
        assert_eq!(rig.one().payload.len(), 1_000, "second {second}");
    }
    let (half_open, connections, _) = rig.tcp.lengths();
    assert!(half_open <= 1_024 && connections == 60);
    assert!(rig.counter("tcp_cookie_accepted") >= 55);
}

#[test]
fn a_cookie_keeps_the_options_where_there_are_timestamps() {
    let mut rig = flooded(small());
    let offered = Options {
        maximum_segment_size: Some(1_300),
        window_scale: Some(9),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 77, echo: 0 }),
        sack: SackBlocks::default(),
    };
    syn(&mut rig, 5_000, &offered);
    let answer = rig.one();
    assert_eq!((answer.options.window_scale, answer.options.sack_permitted), (Some(0), true));
    let echo = answer.options.timestamps.unwrap();
    assert_eq!(echo.echo, 77);
    let mut peer = Peer { next: 1_001, expected: answer.header.sequence.wrapping_add(1), ..peer(5_000) };
    peer.window = 20;
    rig.millis(30);
    let options =
        Options { timestamps: Some(Timestamps { value: 107, echo: echo.value }), ..Options::default() };
    rig.give(peer.header(PSH_ACK), &options, &request(20_000).bytes());
    // 20 shifted by 9 is 10,240: eight segments of the largest size that a cookie can tell below 1,300, less timestamps.
    let sent = rig.take();
    assert_eq!(sent.iter().map(|reply| reply.payload.len()).sum::<usize>(), 8 * 1_208);
    assert_eq!(sent[0].payload.len(), 1_208);
    let later = sent[0].options.timestamps.unwrap();
    assert!(later.value.wrapping_sub(echo.value) < 100 && later.echo == 107);
}

#[test]
fn a_cookie_without_timestamps_keeps_the_size_alone() {
    let mut rig = flooded(small());
    let offered = Options {
        maximum_segment_size: Some(1_460),
        window_scale: Some(9),
        sack_permitted: true,
        ..Options::default()
    };
    syn(&mut rig, 5_000, &offered);
    let answer = rig.one();
    assert_eq!(answer.options, Options { maximum_segment_size: Some(1_460), ..Options::default() });
    let peer =
        Peer { next: 1_001, expected: answer.header.sequence.wrapping_add(1), window: 2_000, ..peer(5_000) };
    rig.bare(peer.header(PSH_ACK), &request(20_000).bytes());
    assert_eq!(rig.one().payload.len(), 1_460);
}

#[test]
fn a_made_up_cookie_is_reset_and_so_is_an_old_one() {
    let mut rig = flooded(small());
    syn(&mut rig, 5_000, &Options::default());
    let cookie = rig.one().header.sequence;
    let peer = |number: u32| Peer { next: 1_001, expected: number, ..peer(5_000) };
    for number in [cookie, cookie.wrapping_add(2), 1] {
        rig.bare(peer(number).header(ACK), &[]);
        assert_eq!(rig.one().header.flags, RST);
    }
    assert_eq!(rig.counter("tcp_cookie_refused"), 3);
    // Half-open connections time out, so the last cookie is the one from here.
    rig.millis(134_300);
    rig.take();
    rig.bare(peer(cookie.wrapping_add(1)).header(ACK), &[]);
    assert_eq!(rig.one().header.flags, RST);
    assert_eq!(rig.counter("tcp_cookie_refused"), 4);
    assert_eq!(rig.tcp.lengths().1, 0);
}

#[test]
fn without_a_flood_no_cookie_is_looked_for() {
    let mut rig = Rig::new();
    rig.bare(Peer { next: 1_001, expected: 5, ..peer(5_000) }.header(ACK), &[]);
    assert_eq!(rig.one().header.flags, RST);
    assert_eq!(rig.counter("tcp_cookie_refused"), 0);
}

/// Ten thousand idle connections fill the table; whoever comes is served, and the one that was idle longest goes.
#[test]
fn the_connection_that_was_idle_longest_gives_way() {
    let mut rig = Rig::with_limits(Limits { connections: 10_000, ..Limits::default() });
    let mut first = rig.open(1);
    let second = rig.open(2);
    for port in 3..=10_000 {
        rig.open(port);
    }
    rig.millis(5_000);
    // The first is not idle any more.
    rig.ask(&mut first, request(5));
    rig.one();
    first.expected += 5;
    rig.bare(first.header(ACK), &[]);
    for port in 20_000..20_100 {
        let mut honest = through(&mut rig, port);
        let reset = rig.one();
        assert_eq!(reset.header.flags, RST_ACK);
        if port == 20_000 {
            assert_eq!((reset.header.destination, reset.header.sequence), (2, second.expected));
        }
        rig.ask(&mut honest, request(5));
        assert_eq!(rig.one().payload.len(), 5);
    }
    assert_eq!((rig.counter("tcp_idle_evicted"), rig.server.closed), (100, 100));
    assert_eq!(rig.tcp.lengths().1, 10_000);
    rig.ask(&mut first, request(7));
    assert_eq!(rig.one().payload.len(), 7);
}

#[test]
fn where_none_is_idle_a_syn_stays_unanswered_and_a_late_handshake_waits() {
    let mut rig = Rig::with_limits(Limits { connections: 2, ..Limits::default() });
    let mut first = rig.open(5_000);
    syn(&mut rig, 5_002, &Options::default());
    let late = rig.one().header;
    rig.open(5_001);
    syn(&mut rig, 5_003, &Options::default());
    rig.none();
    assert_eq!(rig.counter("tcp_connections_full"), 1);
    let mut peer = Peer { next: 1_001, expected: late.sequence.wrapping_add(1), ..peer(5_002) };
    rig.bare(peer.header(ACK), &[]);
    rig.bare(peer.header(PSH_ACK), &request(5).bytes());
    rig.none();
    assert_eq!((rig.counter("tcp_handshake_refused"), rig.tcp.lengths()), (2, (1, 2, 0)));
    // A second later both may go, but the one with a response under way only after the other.
    rig.ask(&mut first, request(5_000));
    rig.take();
    rig.millis(1_100);
    rig.take();
    // The peer thinks that it is connected, and sends its request again.
    rig.ask(&mut peer, request(5));
    let sent = rig.take();
    assert_eq!((sent[0].header.destination, sent[0].header.flags), (5_001, RST_ACK));
    assert_eq!((sent[1].header.destination, sent[1].payload.len()), (5_002, 5));
    assert_eq!((rig.counter("tcp_idle_evicted"), rig.tcp.lengths().0), (1, 0));
    assert_eq!(rig.tcp.lengths().1, 2);
    first.expected += 5_000;
    rig.bare(first.header(ACK), &[]);
    rig.ask(&mut first, request(5));
    assert_eq!(rig.one().payload.len(), 5);
}

#[test]
fn a_cookie_that_finds_no_room_comes_back_later() {
    let mut rig = flooded(Limits { connections: 1, half_open: 1, ..Limits::default() });
    let mut late = Peer { next: 1_001, ..peer(5_000) };
    syn(&mut rig, 5_000, &Options::default());
    late.expected = rig.one().header.sequence.wrapping_add(1);
    let mut first = rig.open(5_001);
    rig.bare(late.header(ACK), &[]);
    rig.none();
    assert_eq!((rig.counter("tcp_cookie_accepted"), rig.counter("tcp_handshake_refused")), (1, 1));
    rig.ask(&mut first, request(5));
    rig.one();
    first.expected += 5;
    rig.bare(first.header(ACK), &[]);
    rig.millis(1_100);
    rig.take();
    rig.ask(&mut late, request(5));
    assert_eq!(rig.take().last().unwrap().payload.len(), 5);
    assert_eq!(rig.counter("tcp_cookie_accepted"), 2);
}

/// All ask for a page and take nothing of it. None has stalled for long, yet who comes is served before long.
#[test]
fn a_table_full_of_responses_that_nobody_takes_gives_way_after_three_seconds() {
    let mut rig = Rig::with_limits(Limits { connections: 200, ..Limits::default() });
    for port in 1..=200 {
        let mut slow = rig.open(port);
        rig.ask(&mut slow, request(5_000));
        rig.take();
    }
    rig.millis(2_900);
    rig.take();
    syn(&mut rig, 5_000, &Options::default());
    rig.none();
    rig.millis(100);
    rig.take();
    let mut honest = through(&mut rig, 5_000);
    let reset = rig.one().header;
    assert_eq!((reset.destination, reset.flags), (1, RST_ACK));
    rig.ask(&mut honest, request(5));
    assert_eq!(rig.one().payload.len(), 5);
}

/// Responses that nobody takes fill the budget. Who comes is served, at once; the one that has taken nothing for longest goes.
#[test]
fn responses_that_nobody_takes_give_way() {
    let limits = Limits { sending: 100 << 10, ..Limits::default() };
    let mut rig = Rig::with_limits(limits);
    let mut taking = rig.open(50_000);
    rig.ask(&mut taking, request(100_000));
    rig.take();
    let mut count = 0;
    let mut reset = Vec::new();
    while reset.is_empty() {
        count += 1;
        let mut slow = rig.open(count);
        rig.ask(&mut slow, request(100_000));
        let sent = rig.take();
        reset.extend(sent.iter().filter(|r| r.header.flags == RST_ACK).map(|r| r.header.destination));
        // A slow reader, but a reader.
        rig.millis(20);
        rig.take();
        taking.expected += 20;
        rig.bare(taking.header(ACK), &[]);
        rig.take();
    }
    assert!((50..400).contains(&count), "{count}");
    assert_eq!(reset, [1]);
    let ask = |rig: &mut Rig, port| {
        let mut honest = rig.open(port);
        rig.ask(&mut honest, request(5));
        let sent = rig.take();
        assert!(sent.iter().any(|reply| reply.header.destination == port && reply.payload.len() == 5));
        assert!(sent.iter().all(|reply| reply.header.destination != 50_000 || reply.header.flags != RST_ACK));
        (rig.counter("tcp_stalled_evicted"), rig.counter("tcp_overload_reset"))
    };
    assert_eq!(ask(&mut rig, 60_000), (0, 2));
    rig.millis(10_500);
    rig.take();
    assert_eq!(ask(&mut rig, 60_001), (1, 2));
}

/// Requests that never end fill the buffers; a request in two pieces is served all the same.
#[test]
fn requests_that_never_end_give_way() {
    let mut rig = Rig::with_limits(Limits { receive_all: 32_768, ..Limits::default() });
    for port in 1..=64 {
        let slow = rig.open(port);
        rig.bare(slow.header(PSH_ACK), &request(5).bytes()[..5]);
    }
    rig.millis(10_500);
    rig.take();
    let bytes = request(5).bytes();
    let mut honest = rig.open(60_000);
    rig.bare(honest.header(PSH_ACK), &bytes[..5]);
    assert_eq!(rig.counter("tcp_stalled_evicted"), 1);
    // What had no room comes again.
    rig.bare(honest.header(PSH_ACK), &bytes[..5]);
    honest.next += 5;
    rig.bare(honest.header(PSH_ACK), &bytes[5..]);
    assert!(rig.take().iter().any(|reply| reply.payload.len() == 5));
}

/// Peers that take a response a byte at a time hold every place; who comes is served, as that is no progress.
#[test]
fn slow_readers_give_way_and_steady_ones_stay() {
    let mut rig = Rig::with_limits(Limits { connections: 100, ..Limits::default() });
    let mut readers: Vec<Peer> = (1..=100).map(|port| rig.open(port)).collect();
    for reader in &mut readers {
        rig.ask(reader, request(200_000));
    }
    rig.take();
    // The first takes half a kilobyte a second, the others a byte.
    for _ in 0..30 {
        rig.millis(1_000);
        for (number, reader) in readers.iter_mut().enumerate() {
            let bytes = if number == 0 { 512 } else { 1 };
            reader.expected = reader.expected.wrapping_add(bytes);
            rig.bare(reader.header(ACK), &[]);
        }
        rig.take();
    }
    for port in 20_000..20_099 {
        let mut honest = through(&mut rig, port);
        rig.take();
        rig.ask(&mut honest, request(5));
        assert_eq!(rig.one().payload.len(), 5, "port {port}");
    }
    assert_eq!(rig.counter("tcp_idle_evicted"), 99);
    readers[0].expected = readers[0].expected.wrapping_add(512);
    rig.bare(readers[0].header(ACK), &[]);
    assert!(!rig.take().iter().any(|reply| reply.header.flags == RST));
}

/// Resets and FINs from everywhere, for connections that there are and that there are not.
#[test]
fn storms_of_resets_and_fins() {
    let mut rig = Rig::new();
    let mut honest = rig.open(60_000);
    for round in 0..200_u32 {
        for port in 1..=250 {
            let stray = Peer { port, next: round.wrapping_mul(0x9e37_79b9), expected: round, window: 100 };
            rig.bare(stray.header([RST, FIN_ACK, Flags::FIN, RST_ACK][port as usize % 4]), &[]);
        }
        // And for the honest client's, near its numbers.
        for ahead in [1, 100, 30_000, 70_000] {
            rig.bare(Header { sequence: honest.next.wrapping_add(ahead), ..honest.header(RST) }, &[]);
            rig.bare(Header { sequence: honest.next.wrapping_add(70_000), ..honest.header(FIN_ACK) }, &[]);
        }
        rig.millis(1);
        let answers = rig.take().len();
        // A FIN of nobody's is reset, or silently dropped where there is a listener and no ACK; a reset is never answered.
        assert!(answers <= 63 + 8, "{answers}");
    }
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
    rig.ask(&mut honest, request(5));
    assert_eq!(rig.one().payload.len(), 5);
    // Connections that come and go by the thousand leave nothing.
    for round in 0..5_000_u32 {
        let port = 1 + (round % 30_000) as u16;
        let peer = rig.open(port);
        rig.bare(peer.header(if round % 2 == 0 { RST } else { FIN_ACK }), &[]);
        if round % 2 == 1 {
            let fin = rig.one().header;
            let acknowledgment = fin.sequence.wrapping_add(1);
            rig.bare(Header { sequence: peer.next.wrapping_add(1), acknowledgment, ..peer.header(ACK) }, &[]);
        }
        rig.none();
    }
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
}
