//! A target under libFuzzer: FUZZ_TARGET names it, the arguments are libFuzzer's. `scripts/fuzz` builds and calls it.
#![no_main]

use halfpage_fuzz::{Target, depth, target};
use std::sync::LazyLock;

/// Says at the end how many executions got somewhere: what is local to the thread is dropped when libFuzzer calls `exit`.
struct Report;

impl Drop for Report {
    fn drop(&mut self) {
        eprintln!("stat::reached: {}", depth::count());
    }
}

thread_local! {
    static REPORT: Report = const { Report };
}

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    target(&name).expect("FUZZ_TARGET names a target that there is")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    REPORT.with(|_| ());
    (CHOSEN.run)(input)
});
