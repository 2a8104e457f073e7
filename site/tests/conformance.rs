//! CONFORMANCE.md names a test for each rule: those that begin with `site::` are here.

#![allow(clippy::unwrap_used, reason = "a failure is the test's failure")]

use std::fs;
use std::path::Path;

/// Whether `name`, such as `site::http::date::the_three_forms_are_read`, is a function of the tests in the file that its
/// path leads to.
fn is_test(home: &Path, name: &str) -> bool {
    let Some((module, function)) = name.trim_start_matches("site::").rsplit_once("::") else { return false };
    let called = format!("fn {function}(");
    ["tests", "src"].iter().any(|root| {
        let path = home.join(root).join(module.replace("::", "/")).with_extension("rs");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.match_indices(&called).any(|(at, _)| {
            let before = text.get(..at).unwrap();
            before.rsplit('\n').take(4).any(|line| line.trim() == "#[test]")
        })
    })
}

#[test]
fn each_test_that_conformance_names_is_there() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(home.join("../CONFORMANCE.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let names: Vec<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.starts_with("site::"))
        .collect();
    assert!(names.len() > 60, "{} names", names.len());
    let missing: Vec<_> = names.into_iter().filter(|name| !is_test(home, name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
