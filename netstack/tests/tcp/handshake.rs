//! What comes for a half-open connection and is not the last step of its handshake (RFC 9293 section 3.10.7.4).

use crate::rig::{ACK, PSH_ACK, Peer, RST, Rig, SYN, SYN_ACK, request};
use netstack::tcp::Limits;
use netstack::wire::tcp::{Flags, Header, Options, Timestamps};

/// A SYN that has been answered; the peer's next segment.
fn half_open(rig: &mut Rig, options: &Options) -> Header {
    let syn = Header {
        source: 5_000,
        destination: 80,
        sequence: 1_000,
        flags: SYN,
        window: 65_535,
        ..Header::default()
    };
    rig.give(syn, options, &[]);
    let answer = rig.one().header;
    assert_eq!(answer.flags, SYN_ACK);
    Header { sequence: 1_001, acknowledgment: answer.sequence.wrapping_add(1), flags: ACK, ..syn }
}

/// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, and not again within half a second.
#[track_caller]
fn challenged(rig: &mut Rig, last: &Header, odd: Header, options: &Options) {
    rig.give(odd, options, &[]);
    let answer = rig.one();
    assert_eq!((answer.header.flags, answer.header.acknowledgment), (ACK, 1_001));
    assert_eq!(answer.header.sequence, last.acknowledgment);
    for _ in 0..100 {
        rig.give(odd, options, &[]);
    }
    rig.none();
    assert_eq!(rig.counter("tcp_challenge_limited"), 100);
    rig.bare(*last, &[]);
    assert_eq!(rig.tcp.lengths(), (0, 1, 0));
}

/// RFC 5961 section 3.2.
#[test]
fn a_reset_elsewhere_in_the_window_is_challenged() {
    let mut rig = Rig::new();
    let last = half_open(&mut rig, &Options::default());
    challenged(&mut rig, &last, Header { sequence: 1_500, flags: RST, ..last }, &Options::default());
    assert_eq!(rig.counter("tcp_reset_challenged"), 101);
}

#[test]
fn what_is_out_of_the_window_is_challenged() {
    for flags in [SYN, SYN_ACK, ACK, ACK.with(Flags::PSH)] {
        let mut rig = Rig::new();
        let last = half_open(&mut rig, &Options::default());
        let odd = Header { sequence: 1_001 + 65_536, flags, ..last };
        challenged(&mut rig, &last, odd, &Options::default());
    }
}

#[test]
fn an_old_timestamp_is_challenged() {
    let mut rig = Rig::new();
    let stamps = |value| Options { timestamps: Some(Timestamps { value, echo: 0 }), ..Options::default() };
    let last = half_open(&mut rig, &stamps(1_000));
    challenged(&mut rig, &last, last, &stamps(999));
    assert_eq!(rig.counter("tcp_paws"), 101);
}

/// "If the connection was initiated with a passive OPEN, then return this connection to the LISTEN state".
#[test]
fn a_syn_in_the_window_makes_room_for_the_next_one() {
    let mut rig = Rig::new();
    let last = half_open(&mut rig, &Options::default());
    let anew = Header { sequence: 5_000, acknowledgment: 0, flags: SYN, ..last };
    rig.bare(anew, &[]);
    rig.none();
    assert_eq!((rig.tcp.lengths(), rig.counter("tcp_half_open_reset")), ((0, 0, 0), 1));
    rig.bare(anew, &[]);
    let answer = rig.one().header;
    assert_eq!((answer.flags, answer.acknowledgment), (SYN_ACK, 5_001));
}

/// A SYN answered with a cookie comes again when there is room: two answers are on their way, and the peer takes one.
#[test]
fn either_answer_to_a_syn_may_be_taken() {
    let limits = Limits { half_open: 1, ..Limits::default() };
    let mut rig = Rig::with_limits(limits);
    let other = Peer { port: 1, next: 77, expected: 0, window: 1_000 };
    rig.bare(Header { acknowledgment: 0, ..other.header(SYN) }, &[]);
    let room = rig.one().header;
    let cookie = half_open(&mut rig, &Options::default());
    assert_eq!(rig.counter("tcp_cookie_sent"), 1);
    rig.bare(
        Header {
            sequence: 78,
            flags: RST,
            acknowledgment: room.sequence.wrapping_add(1),
            ..other.header(RST)
        },
        &[],
    );
    rig.millis(1_000);
    let kept = half_open(&mut rig, &Options::default());
    assert_eq!((rig.tcp.lengths(), kept.acknowledgment == cookie.acknowledgment), ((1, 0, 0), false));
    rig.bare(Header { flags: PSH_ACK, ..cookie }, &request(5).bytes());
    assert_eq!(rig.one().payload.len(), 5);
    assert_eq!((rig.tcp.lengths(), rig.counter("tcp_cookie_accepted")), ((0, 1, 0), 1));
}

/// And a cookie that comes back for such a place waits for room as any other does.
#[test]
fn either_answer_waits_for_room() {
    let mut rig = Rig::with_limits(Limits { half_open: 1, connections: 1, ..Limits::default() });
    let other = Peer { port: 1, next: 77, expected: 0, window: 1_000 };
    rig.bare(Header { acknowledgment: 0, ..other.header(SYN) }, &[]);
    let number = rig.one().header.sequence;
    let cookie = half_open(&mut rig, &Options::default());
    rig.bare(Peer { next: 78, expected: number.wrapping_add(1), ..other }.header(ACK), &[]);
    rig.pass(netstack::Duration::from_millis(900));
    // A second later the other one is idle, and there is a place for its SYN but not for a connection.
    let mut first = Peer { next: 78, expected: number.wrapping_add(1), window: 65_535, ..other };
    rig.pass(netstack::Duration::from_millis(110));
    half_open(&mut rig, &Options::default());
    rig.ask(&mut first, request(5));
    rig.one();
    rig.bare(Header { flags: PSH_ACK, ..cookie }, &request(5).bytes());
    rig.none();
    assert_eq!((rig.tcp.lengths(), rig.counter("tcp_handshake_refused")), ((1, 1, 0), 1));
}
