//! Replays what is kept, and tries a bounded number of mutations of it. Stable Rust, no engine.
//!
//! `FUZZ_EXECUTIONS` is the number for each target (default 2,000), `FUZZ_SEED` where they start, `FUZZ_TARGET` a single
//! one. An input that fails is written to `failures/` beside this folder, ready for `regressions/`.

use halfpage_fuzz::mutation::{Random, mutate};
use halfpage_fuzz::{TARGETS, Target, corpus, depth};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)
}

/// What once failed, by name.
fn regressions(target: &Target) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder("regressions").join(target.name)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), fs::read(file).unwrap())).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

fn chosen() -> impl Iterator<Item = &'static Target> {
    let name = std::env::var("FUZZ_TARGET").ok();
    TARGETS.iter().filter(move |target| name.as_deref().is_none_or(|name| name == target.name))
}

#[test]
fn what_is_kept_passes() {
    let mut failed = Vec::new();
    for target in chosen() {
        let corpus = corpus::read(target.name).unwrap().into_iter().enumerate();
        let corpus =
            corpus.map(|(number, input)| (format!("corpora/{}, input {number}", target.name), input));
        let regressions = regressions(target);
        println!("{}: {} regressions, {} inputs of the corpus", target.name, regressions.len(), corpus.len());
        let empty = [(format!("{}, the empty input", target.name), Vec::new())];
        for (what, input) in regressions.into_iter().chain(corpus).chain(empty) {
            if catch_unwind(|| (target.run)(&input)).is_err() {
                failed.push(what);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn mutations_of_it_pass() {
    let (executions, seed) = (number("FUZZ_EXECUTIONS", 2_000), number("FUZZ_SEED", 1));
    println!("FUZZ_SEED={seed}");
    let mut failed = Vec::new();
    for target in chosen() {
        let mut kept = corpus::read(target.name).unwrap();
        kept.push(Vec::new());
        let mut random = Random::new(seed);
        let before = depth::count();
        for _ in 0..executions {
            let mut input = kept[random.below(kept.len())].clone();
            let other = &kept[random.below(kept.len())];
            mutate(&mut input, other, target.longest, &mut random);
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                let file = folder("failures").join(format!("{}-seed-{seed}", target.name));
                fs::create_dir_all(folder("failures")).unwrap();
                fs::write(&file, &input).unwrap();
                failed.push(file);
                break;
            }
        }
        let deep = depth::count().wrapping_sub(before);
        println!("{}: {executions} mutations, {deep} got to the heart of it", target.name);
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_file_has_a_target() {
    for kind in ["corpora", "regressions"] {
        for entry in fs::read_dir(folder(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(halfpage_fuzz::target(&name).is_some(), "{kind}/{name}");
        }
    }
}
