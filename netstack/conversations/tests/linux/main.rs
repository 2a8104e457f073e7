//! The same conversations with Linux: each in a network namespace of its own, many at once, in real time.
//!
//! `cargo test -p conversations --test linux [part of a name]`. What cannot be the same says why in its script.

mod host;
mod namespace;
mod tap;

use conversations::{Linux, Script, Side, load, play_as};
use host::RealTime;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// Conversations at once; they wait most of their time.
const AT_ONCE: usize = 12;

enum Outcome {
    Same,
    Differs,
    NotApplicable,
    Wrong(String),
}

fn main() -> ExitCode {
    // On a busy machine the peer should speak in time all the same. An ordinary user may not have that.
    let _ = rustix::process::nice(-10);
    if let Err(error) = namespace::enter() {
        eprintln!("conversations with Linux: {error}");
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut scripts = load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conversations")));
    let all = scripts.len();
    scripts.retain(|script| words.iter().all(|word| script.name.contains(word)));
    println!("\nrunning {} tests", scripts.len());
    let outcomes = converse(scripts);
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
    for (script, outcome) in &outcomes {
        let told = match (outcome, &script.linux) {
            (Outcome::Differs, Linux::Differs(why)) => format!("differs: {why}"),
            (Outcome::NotApplicable, Linux::NotApplicable(why)) => format!("not applicable: {why}"),
            (Outcome::Wrong(_), _) => "FAILED".into(),
            _ => "ok".into(),
        };
        println!("test {} ... {told}", script.name);
    }
    for (_, outcome) in &outcomes {
        if let Outcome::Wrong(trace) = outcome {
            println!("\n{trace}");
        }
    }
    let wrong = count(|outcome| matches!(outcome, Outcome::Wrong(_)));
    let same = count(|outcome| matches!(outcome, Outcome::Same));
    let differs = count(|outcome| matches!(outcome, Outcome::Differs));
    let other = count(|outcome| matches!(outcome, Outcome::NotApplicable));
    println!(
        "\nwith Linux: {same} pass, {differs} differ for a reason, {other} not applicable, {wrong} wrong"
    );
    println!(
        "test result: {}. {} passed; {wrong} failed; {other} ignored; 0 measured; {} filtered out\n",
        if wrong == 0 { "ok" } else { "FAILED" },
        same + differs,
        all - outcomes.len()
    );
    ExitCode::from(u8::from(wrong > 0))
}

/// Plays all scripts, many at once, the longest first; what became of each, by name. Each is played once.
fn converse(mut scripts: Vec<Script>) -> Vec<(Script, Outcome)> {
    scripts.sort_by_key(|script| Reverse(script.lasts()));
    let queue = Arc::new(Mutex::new(VecDeque::from(scripts)));
    let (sender, receiver) = mpsc::channel();
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (queue, sender) = (queue.clone(), sender.clone());
            thread::spawn(move || {
                loop {
                    let next = queue.lock().expect("the queue").pop_front();
                    let Some(script) = next else { break };
                    let outcome = judge(&script);
                    sender.send((script, outcome)).expect("the result's way");
                }
            })
        })
        .collect();
    drop(sender);
    let mut outcomes: Vec<_> = receiver.iter().collect();
    workers.into_iter().for_each(|worker| worker.join().expect("a worker"));
    outcomes.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    outcomes
}

fn judge(script: &Script) -> Outcome {
    match &script.linux {
        Linux::NotApplicable(_) => Outcome::NotApplicable,
        Linux::Same => match attempt(script, Side::Linux) {
            Ok(()) => Outcome::Same,
            Err(trace) => Outcome::Wrong(trace),
        },
        Linux::Differs(_) => {
            if attempt(script, Side::Ours).is_ok() {
                let name = &script.name;
                return Outcome::Wrong(format!("{name}: it should differ, and Linux does the same"));
            }
            if script.lines.iter().all(|line| line.only.is_none()) {
                return Outcome::Differs;
            }
            match attempt(script, Side::Linux) {
                Ok(()) => Outcome::Differs,
                Err(trace) => Outcome::Wrong(trace),
            }
        }
    }
}

fn attempt(script: &Script, side: Side) -> Result<(), String> {
    thread::scope(|scope| {
        let attempt = scope.spawn(|| {
            let mut host = RealTime::new(script)?;
            play_as(script, side, &mut host)
        });
        attempt.join().unwrap_or_else(|_| Err(format!("{}: a panic", script.name)))
    })
}
