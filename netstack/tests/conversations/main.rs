//! The conversations of this folder with the stack, in virtual time: one outcome for each script.
//!
//! `cargo test -p netstack --test conversations [part of a name]`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test without the harness that Clippy knows tests by"
)]

mod host;
mod service;

use conversations::{Script, load, play};
use host::Virtual;
use std::env;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let loud = !env::args().any(|word| word == "-q" || word == "--quiet");
    let mut scripts = load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conversations")));
    let all = scripts.len();
    scripts.retain(|script| words.iter().all(|word| script.name.contains(word)));
    println!("\nrunning {} tests", scripts.len());
    let mut failures = Vec::new();
    for script in &scripts {
        let result =
            catch_unwind(|| converse(script)).unwrap_or_else(|_| Err(format!("{}: a panic", script.name)));
        if loud || result.is_err() {
            println!("test {} ... {}", script.name, if result.is_ok() { "ok" } else { "FAILED" });
        }
        failures.extend(result.err().map(|trace| (&script.name, trace)));
    }
    for (_, trace) in &failures {
        println!("\n{trace}");
    }
    if !failures.is_empty() {
        println!("\nfailures:");
        failures.iter().for_each(|(name, _)| println!("    {name}"));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        scripts.len() - failures.len(),
        failures.len(),
        all - scripts.len()
    );
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// Plays a script. Where the service has to act when nothing comes, the script is played again from its start, with a
/// deadline of the service's at that time: what the stack does is the same each time, but for that.
fn converse(script: &Script) -> Result<(), String> {
    let mut calls: Vec<Duration> = Vec::new();
    loop {
        let mut host = Virtual::new(script.mtu, &calls);
        let result = play(script, &mut host);
        match host.call() {
            Some(time) if !calls.contains(&time) => calls.push(time),
            _ => return result,
        }
        calls.sort();
    }
}
