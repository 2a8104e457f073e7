//! A target under libFuzzer: FUZZ_TARGET names it, the arguments are libFuzzer's. `scripts/fuzz` builds and calls it.
#![no_main]

use halfpage_fuzz::{Target, target};
use std::sync::LazyLock;

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    target(&name).expect("FUZZ_TARGET names a target that there is")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (CHOSEN.run)(input));
