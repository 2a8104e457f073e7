//! CONFORMANCE.md names a test for each rule: there must be such a test.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a name's path may begin.
const ROOTS: [&str; 3] = ["tests/stack", "tests/tcp", "src"];

/// Names in the last column of each table.
fn named(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

fn sources(folder: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            all.insert(path, text);
        }
    }
}

/// Whether `name`, such as `wire::udp::golden_bytes`, is a function of the tests in the file that its path leads to.
fn is_test(home: &Path, all: &BTreeMap<PathBuf, String>, name: &str) -> bool {
    let Some((module, function)) = name.rsplit_once("::") else { return false };
    let module = module.replace("::", "/");
    let called = format!("fn {function}(");
    ROOTS.iter().any(|root| {
        let base = home.join(root).join(&module);
        let files = [base.with_extension("rs"), base.join("mod.rs"), base.join("tests.rs")];
        files.iter().filter_map(|file| all.get(file)).any(|text| {
            text.match_indices(&called).any(|(at, _)| {
                text.get(..at)
                    .is_some_and(|before| before.rsplit('\n').take(4).any(|line| line.trim() == "#[test]"))
            })
        })
    })
}

#[test]
fn each_test_that_conformance_names_is_there() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(home.join("../CONFORMANCE.md")).expect("CONFORMANCE.md");
    let mut all = BTreeMap::new();
    ROOTS.iter().for_each(|root| sources(&home.join(root), &mut all));
    let names = named(&text);
    assert!(names.len() > 200, "{} names", names.len());
    let missing: Vec<_> = names
        .into_iter()
        // Those of the other crate: site/tests/conformance.rs.
        .filter(|name| !name.starts_with("site::"))
        .filter(|name| {
            let script = home.join("tests/conversations").join(name).with_extension("trace");
            if name.contains('/') { !script.is_file() } else { !is_test(home, &all, name) }
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
