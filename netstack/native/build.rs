//! Says where the site is that site/build.rs packed.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    match env::var("DEP_HALFPAGE_SITE_TAR") {
        Ok(tar) => {
            println!("cargo::rerun-if-changed={tar}");
            println!("cargo::rustc-env=HALFPAGE_SITE_TAR={tar}");
            ExitCode::SUCCESS
        }
        // site/build.rs has said why.
        Err(_) => ExitCode::FAILURE,
    }
}
