//! The corpus of conversations goes everywhere: what happens, in which state, and what TCP counts on the way.

use halfpage_fuzz::corpus;
use halfpage_fuzz::targets::conversation::{Seen, watched};

/// RFC 9293 section 3.3.2, as far as a server gets.
const STATES: [&str; 9] = [
    "LISTEN",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
];

fn all() -> Seen {
    let mut all = Seen::default();
    for input in corpus::read("conversation").unwrap() {
        let seen = watched(&input);
        seen.steps.into_iter().for_each(|(at, times)| *all.steps.entry(at).or_default() += times);
        seen.counters.into_iter().for_each(|(name, times)| *all.counters.entry(name).or_default() += times);
    }
    all
}

#[test]
fn every_state_is_reached_and_nearly_everything_happens_there() {
    let all = all();
    let mut steps: Vec<&str> = all.steps.keys().map(|(_, step)| *step).collect();
    steps.sort_unstable();
    steps.dedup();
    assert_eq!(steps.len(), 27, "{steps:?}");
    println!("{:<16}{}", "", STATES.map(|state| format!("{state:>13}")).concat());
    let mut missing = Vec::new();
    for step in steps {
        let times = STATES.map(|state| all.steps.get(&(state, step)).copied().unwrap_or(0));
        println!("{step:<16}{}", times.map(|times| format!("{times:>13}")).concat());
        missing.extend(
            STATES.iter().zip(times).filter(|(_, times)| *times == 0).map(|(state, _)| (step, *state)),
        );
    }
    for state in STATES {
        let times: u32 =
            all.steps.iter().filter(|((there, _), _)| *there == state).map(|(_, times)| times).sum();
        assert!(times >= 100, "{state}: {times} steps");
    }
    assert!(missing.len() <= 20, "{missing:?}");
}

#[test]
fn everything_that_tcp_counts_happens() {
    // Peers have an address of their own, and their headers are sound.
    let never = ["tcp_land", "tcp_malformed"];
    // It takes more holes than inputs of this length make.
    let rarely = ["tcp_ranges_full"];
    let counters = all().counters;
    let missing: Vec<&str> =
        counters.iter().filter(|(_, times)| **times == 0).map(|(name, _)| *name).collect();
    assert!(missing.iter().all(|name| never.contains(name) || rarely.contains(name)), "{missing:?}");
}
