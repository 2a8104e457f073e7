//! The flight recorder, and its lines.

#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use xen::recorder::Recorder;
use xen::recorder::line::LONGEST_LINE;
use xen::recorder::watch::Watch;

fn recorder() -> Box<Recorder> {
    Box::new(Recorder::new())
}

fn lines(recorder: &Recorder) -> Vec<String> {
    (recorder.first()..recorder.next()).map(|number| recorder.line(number).unwrap().to_string()).collect()
}

/// What a line's record is, by a decoder of its own.
fn record(line: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = line.strip_prefix("flight: ").unwrap();
    assert_eq!(text.len() % 4, 0);
    let bits: String =
        text.trim_end_matches('=').chars().map(|c| format!("{:06b}", DIGITS.find(c).unwrap())).collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

fn records(recorder: &Recorder) -> Vec<Vec<u8>> {
    lines(recorder).iter().map(|line| record(line)).collect()
}

/// A frame that begins as Ethernet with IPv4 does, of this total length.
fn ipv4(length: usize, total: u16) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..length).map(|at| at as u8 | 1).collect();
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[16..18].copy_from_slice(&total.to_be_bytes());
    frame
}

#[test]
fn a_line_is_these_bytes() {
    let mut recorder = recorder();
    recorder.begin(0x0102_0304);
    sent(&mut recorder, b"ab", &[b"c"]);
    recorder.judge_sent("net_tx_full");
    let golden = [
        0, 0, 0, 0, 0, 0, 0, 0, // the number
        4, 3, 2, 1, 0, 0, 0, 0, // the time
        3, 0, 0, 0, // its length
        1, 3, // out, three bytes
        b'a', b'b', b'c', //
        b'n', b'e', b't', b'_', b't', b'x', b'_', b'f', b'u', b'l', b'l', //
        0xdb, 0x05, // their sum
    ];
    assert_eq!(record(&lines(&recorder)[0]), golden);
    assert_eq!(lines(&recorder)[0], "flight: AAAAAAAAAAAEAwIBAAAAAAMAAAABA2FiY25ldF90eF9mdWxs2wU=");
}

#[test]
fn base64_is_that_of_the_rfc_for_each_remainder() {
    // RFC 4648 section 10 has "f", "fo", "foo": here behind 22 and before 2 bytes, all three remainders.
    for length in 0..6 {
        let mut recorder = recorder();
        recorder.begin(u64::MAX);
        let bytes: Vec<u8> = (0..length).map(|n| 0xf8 + n).collect();
        recorder.received(&bytes);
        let line = lines(&recorder).remove(0);
        assert_eq!(line.len(), 8 + (24 + usize::from(length)).div_ceil(3) * 4);
        assert_eq!(record(&line)[22..22 + usize::from(length)], bytes);
    }
}

#[test]
fn the_last_128_are_kept_oldest_first() {
    let mut recorder = recorder();
    assert_eq!((recorder.first(), recorder.next(), lines(&recorder).len()), (0, 0, 0));
    for n in 0..131_u8 {
        recorder.begin(u64::from(n));
        recorder.received(&[n]);
    }
    assert_eq!((recorder.first(), recorder.next()), (3, 131));
    for (n, record) in (3..).zip(records(&recorder)) {
        assert_eq!((record[0], record[8], record[22]), (n, n, n));
    }
    assert!(
        recorder.line(2).is_none() && recorder.line(131).is_none() && recorder.line(usize::MAX).is_none()
    );
}

#[test]
fn each_frame_has_the_time_of_its_exchange_however_many_there_were() {
    let mut recorder = recorder();
    // Two frames, one, none, none, two, and so on.
    let mut times = Vec::new();
    for (exchange, frames) in [2, 1, 0, 0].into_iter().cycle().take(1_000).enumerate() {
        recorder.begin(1_000 + exchange as u64);
        for _ in 0..frames {
            recorder.received(b"x");
            times.push(1_000 + exchange as u64);
        }
    }
    let shown =
        records(&recorder).into_iter().map(|record| u64::from_le_bytes(record[8..16].try_into().unwrap()));
    assert_eq!(shown.collect::<Vec<_>>(), times[times.len() - 128..]);
    recorder.begin(5_000);
    assert_eq!(recorder.now(), 5_000);
}

#[test]
fn one_exchange_of_more_frames_than_are_kept_is_theirs_all() {
    let mut recorder = recorder();
    recorder.begin(7);
    (0..500).for_each(|_| recorder.received(b"x"));
    assert!(records(&recorder).iter().all(|record| record[8] == 7));
}

#[test]
fn of_a_frame_that_came_in_the_first_128_bytes_are_kept_and_no_other_ones() {
    for length in [0, 1, 14, 15, 16, 42, 54, 63, 64, 65, 66, 100, 127, 128, 129, 1514] {
        let mut recorder = recorder();
        recorder.received(&[0xee; 1514]);
        let frame: Vec<u8> = (0..length).map(|at| at as u8).collect();
        (0..128).for_each(|_| recorder.received(&frame));
        let record = record(&lines(&recorder)[127]);
        let kept = length.min(128);
        assert_eq!(u32::from_le_bytes(record[16..20].try_into().unwrap()), length as u32);
        assert_eq!((record[20], record[21], record.len()), (0, kept as u8, 24 + kept));
        assert_eq!(record[22..22 + kept], frame[..kept], "of {length}");
    }
}

fn sent(recorder: &mut Recorder, header: &[u8], payload: &[&[u8]]) {
    recorder.sent(header, payload.iter().copied());
}

#[test]
fn of_a_frame_that_goes_out_the_first_128_bytes_are_kept_but_of_tcp_the_headers() {
    for header in [18, 42, 53, 54, 63, 64, 65, 66, 78, 80, 81, 94, 128, 129, 1514] {
        for payload in [0, 1, 20, 31, 32, 33, 1_000] {
            let mut recorder = recorder();
            sent(&mut recorder, &[0xee; 1514], &[]);
            let frame = ipv4(header + payload, 777);
            let (head, rest) = frame.split_at(header);
            let (first, second) = rest.split_at(payload / 2);
            (0..128).for_each(|_| sent(&mut recorder, head, &[first, second]));
            let record = record(&lines(&recorder)[127]);
            let length = u32::from_le_bytes(record[16..20].try_into().unwrap());
            // 14 of Ethernet, 777 of IPv4.
            assert_eq!((record[20], length), (1, 791));
            let kept = if header >= 54 { header.min(128) } else { frame.len().min(128) };
            assert_eq!(usize::from(record[21]), kept, "{header} and {payload}");
            assert_eq!(record[22..22 + kept], frame[..kept], "{header} and {payload}");
            assert_eq!(record.len(), 24 + kept);
        }
    }
}

#[test]
fn the_length_of_what_is_not_ipv4_is_that_of_its_bytes() {
    let mut recorder = recorder();
    sent(&mut recorder, &[6; 42], &[]);
    assert_eq!(record(&lines(&recorder)[0])[16..22], [42, 0, 0, 0, 1, 42]);
}

#[test]
fn a_verdict_is_the_last_frames_and_goes_with_it() {
    let mut recorder = recorder();
    recorder.judge_received("too_early", 0);
    recorder.judge_sent("too_early");
    recorder.received(b"x");
    let since = recorder.next();
    recorder.received(b"y");
    sent(&mut recorder, b"z", &[]);
    recorder.judge_received("tcp_paws", since);
    let lengths: Vec<_> = records(&recorder).iter().map(Vec::len).collect();
    assert_eq!(lengths, [25, 25 + "tcp_paws".len(), 25]);
    assert!(records(&recorder)[1].windows(8).any(|name| name == b"tcp_paws"));
    // 126 more: the first of all is overwritten, and then the judged one.
    (0..126).for_each(|_| recorder.received(b"x"));
    assert_eq!(records(&recorder)[0].len(), 25 + "tcp_paws".len());
    (0..127).for_each(|_| recorder.received(b"x"));
    recorder.judge_sent("net_tx_full");
    assert_eq!(records(&recorder).iter().filter(|record| record.len() > 25).count(), 1);
}

#[test]
fn a_verdict_on_one_of_several_says_so() {
    for (frames, said) in [(2, "2"), (12, "12"), (100, "100"), (300, "128")] {
        let mut recorder = recorder();
        recorder.received(b"x");
        let since = recorder.next();
        (0..frames).for_each(|_| recorder.received(b"y"));
        recorder.judge_received("tcp_paws", since);
        let last = records(&recorder).pop().unwrap();
        assert_eq!(last[23..last.len() - 2], *format!("tcp_paws (one of {said})").as_bytes());
    }
}

#[test]
fn no_line_is_longer_than_the_bound() {
    let mut recorder = recorder();
    recorder.begin(u64::MAX);
    recorder.received(&[0xff; 1514]);
    recorder.received(&[0xff; 1514]);
    recorder.judge_received("a_name_that_is_longer_than_any_counter_has_it", 0);
    assert!(lines(&recorder)[1].len() <= LONGEST_LINE);
    assert!(recorder.begin_line(usize::MAX, u64::MAX, u64::MAX).to_string().len() <= LONGEST_LINE);
}

#[test]
fn a_dump_begins_with_both_clocks() {
    let mut recorder = recorder();
    (0..3).for_each(|_| recorder.received(b"x"));
    let begin = recorder.begin_line(1, 1_500_000, 1_700_000_000_000_000).to_string();
    assert_eq!(begin, "flight: begin frames=2 first=1 clock=1500000 unix=1700000000000000");
}

#[test]
fn the_counter_that_moved_is_found_once_and_the_usual_ones_are_not() {
    let usual = ["frames"];
    let mut watch = Watch::new();
    let mut moved = |total, frames, paws, land| {
        let counters = [("frames", frames), ("paws", paws), ("land", land)];
        let verdict = if watch.is_still(total) { None } else { watch.moved(counters.into_iter(), &usual) };
        (verdict, watch.is_careful())
    };
    assert_eq!(moved(0, 5, 0, 0), (None, false));
    assert_eq!(moved(1, 6, 0, 1), (Some("land"), true));
    assert_eq!(moved(3, 7, 1, 2), (Some("paws"), true));
    for look in 1..=64 {
        assert_eq!(moved(3, 9, 1, 2), (None, look < 64));
    }
    assert_eq!(moved(4, 9, 1, 3), (Some("land"), true));
}
