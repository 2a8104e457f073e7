#![allow(clippy::arithmetic_side_effects)]

use super::*;

/// An IPv4 frame of 1,000 bytes that says its number.
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![0; 1000];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14..18].copy_from_slice(&number.to_be_bytes());
    frame
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

/// Offers `count` frames, one a millisecond, and gives what comes out and when.
fn run(faults: Faults, direction: u64, count: u32) -> (Vec<(u64, Vec<u8>)>, Counters) {
    let mut link = Link::new(faults, direction);
    let mut out = Vec::new();
    for number in 0..count {
        link.offer(&frame(number), at(u64::from(number)));
    }
    while let Some(due) = link.next_due() {
        if let Some(before) = due.micros().checked_sub(1) {
            assert_eq!(link.take(Instant::from_micros(before)), None, "too early");
        }
        out.push((due.micros(), link.take(due).unwrap()));
    }
    (out, link.counters())
}

fn numbers(out: &[(u64, Vec<u8>)]) -> Vec<u32> {
    out.iter().map(|(_, frame)| u32::from_be_bytes(frame[14..18].try_into().unwrap())).collect()
}

#[test]
fn a_link_without_faults_delays() {
    let (out, counters) = run(Faults { delay: Duration::from_millis(25), ..Faults::default() }, 0, 3);
    assert_eq!(out, [(25_000, frame(0)), (26_000, frame(1)), (27_000, frame(2))]);
    assert_eq!(counters, Counters { offered: 3, ..Counters::default() });
}

#[test]
fn the_seed_determines_the_losses() {
    let faults = Faults { loss: 0.1, seed: 7, ..Faults::default() };
    let (first, counters) = run(faults.clone(), 0, 10_000);
    assert!((900..1100).contains(&counters.lost), "{counters:?}");
    assert_eq!(first, run(faults.clone(), 0, 10_000).0);
    assert_ne!(first, run(faults.clone(), 1, 10_000).0, "the directions lose alike");
    assert_ne!(first, run(Faults { seed: 8, ..faults.clone() }, 0, 10_000).0);
    // Other faults beside them change no loss.
    let more = Faults { duplicate: 0.5, corrupt: 0.5, ..faults };
    assert_eq!(run(more, 0, 10_000).1.lost, counters.lost);
}

#[test]
fn a_burst_takes_packets_in_a_row() {
    let (out, counters) = run(Faults { burst: 0.01, burst_length: 5, ..Faults::default() }, 0, 1000);
    assert!(counters.lost > 0 && counters.lost % 5 == 0, "{counters:?}");
    let numbers = numbers(&out);
    assert!(numbers.windows(2).all(|pair| (pair[1] - pair[0] - 1).is_multiple_of(5)));
}

#[test]
fn packets_are_held_back_twice_and_changed() {
    let delay = Duration::from_micros(3500);
    let (out, counters) = run(Faults { reorder: 0.1, reorder_delay: delay, ..Faults::default() }, 0, 1000);
    assert!(counters.reordered > 50);
    assert!(!numbers(&out).is_sorted());
    assert_eq!(out.len(), 1000);

    let (out, counters) = run(Faults { duplicate: 0.1, ..Faults::default() }, 0, 1000);
    assert!(counters.duplicated > 50);
    assert_eq!(out.len() as u64, 1000 + counters.duplicated);

    let (out, counters) = run(Faults { corrupt: 0.1, ..Faults::default() }, 0, 1000);
    assert!(counters.corrupted > 50);
    let bits = out.iter().enumerate().map(|(number, (_, got))| {
        let sent = frame(u32::try_from(number).unwrap());
        assert_eq!(got[..14], sent[..14]);
        got.iter().zip(&sent).map(|(got, sent)| (got ^ sent).count_ones()).sum::<u32>()
    });
    assert_eq!(bits.clone().max(), Some(1));
    assert_eq!(u64::from(bits.sum::<u32>()), counters.corrupted);
}

#[test]
fn jitter_keeps_the_order() {
    let faults = Faults { jitter: Duration::from_millis(20), ..Faults::default() };
    let (out, _) = run(faults, 0, 1000);
    assert!(numbers(&out).is_sorted());
    assert!(out.iter().zip(0..).any(|((due, _), number)| *due > number * 1000 + 10_000));
}

#[test]
fn an_outage_takes_all() {
    let (every, outage) = (Duration::from_millis(100), Duration::from_millis(10));
    let (out, counters) = run(Faults { outage_every: every, outage, ..Faults::default() }, 0, 1000);
    assert_eq!(counters.outage, 90);
    let numbers = numbers(&out);
    assert!(numbers.contains(&0) && numbers.contains(&99) && numbers.contains(&110));
    assert!(!numbers.contains(&100) && !numbers.contains(&109));
}

#[test]
fn the_rate_spaces_and_the_queue_drops_its_tail() {
    // 1,000 bytes at 4 Mbit/s take 2 ms; one is offered each millisecond; two wait at most.
    let (out, counters) = run(Faults { rate: 4_000_000, queue: 2000, ..Faults::default() }, 0, 8);
    assert_eq!(out.iter().map(|(due, _)| *due).collect::<Vec<_>>(), [2000, 4000, 6000, 8000, 10_000]);
    assert_eq!(numbers(&out), [0, 1, 2, 4, 6]);
    assert_eq!(counters.full, 3);
}

#[test]
fn what_is_not_ipv4_is_only_delayed() {
    let mut link = Link::new(Faults { loss: 1.0, ..Faults::default() }, 0);
    let mut arp = frame(0);
    arp[12..14].copy_from_slice(&[8, 6]);
    link.offer(&arp, at(0));
    link.offer(&frame(1), at(0));
    assert_eq!(link.take(at(0)), Some(arp));
    assert_eq!(link.take(at(0)), None);
    assert_eq!(link.counters(), Counters { offered: 1, lost: 1, ..Counters::default() });
}
