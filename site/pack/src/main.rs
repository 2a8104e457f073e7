//! `site-pack FOLDER TAR`: packs a site. Exit status 2, and one line, if the folder is none.
#![forbid(unsafe_code)]

use site_pack::{PackError, Stamp, pack_with_warnings};
use std::{env, fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [folder, tar] = arguments.as_slice() else {
        eprintln!("usage: site-pack FOLDER TAR");
        return ExitCode::from(2);
    };
    match write(Path::new(folder), Path::new(tar)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.to_string().lines().for_each(|line| eprintln!("site: {line}"));
            ExitCode::from(2)
        }
    }
}

/// Leaves a tar that would not change as it is, with its time, so that nothing is built anew for it.
fn write(folder: &Path, tar: &Path) -> Result<(), PackError> {
    let mut warn = |warning| eprintln!("site: warning: {warning}");
    let bytes = pack_with_warnings(folder, Stamp::from_environment()?, &mut warn)?;
    if fs::read(tar).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(tar, bytes).map_err(|error| PackError::Unreadable(tar.to_path_buf(), error))
}
