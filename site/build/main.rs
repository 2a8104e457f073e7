//! Packs the site that the image embeds into `OUT_DIR/site.tar`, and hands its path to the kernel's build script as
//! `DEP_HALFPAGE_SITE_TAR`. The bytes are embedded there, into pages of their own; this crate holds none of them.
//!
//! `HALFPAGE_SITE` names the folder, seen from this one; unset, it is `content`. Cargo runs the script again when a file in
//! it was written since, and when `HALFPAGE_SITE_STAMP` is another: scripts/image puts into that what Cargo overlooks.
//!
//! It also makes the pages of errors, for the server itself.

mod errors;

use site_pack::{PackError, Stamp, pack_with_warnings};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=HALFPAGE_SITE");
    println!("cargo::rerun-if-env-changed=HALFPAGE_SITE_STAMP");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let folder = match env::var_os("HALFPAGE_SITE") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("content"),
    };
    // Cargo looks at a folder's files and folders all the way down: what is added or removed shows in its folder's time.
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(error) = errors::write(&out) {
        println!("cargo::error=the pages of errors: {error}");
    }
    let tar = out.join("site.tar");
    match write(&folder, &tar) {
        Ok(()) => println!("cargo::metadata=tar={}", tar.display()),
        Err(error) => error.to_string().lines().for_each(|line| println!("cargo::error={line}")),
    }
}

fn write(folder: &Path, tar: &Path) -> Result<(), PackError> {
    let mut warn = |warning| println!("cargo::warning={warning}");
    let bytes = pack_with_warnings(folder, Stamp::from_environment()?, &mut warn)?;
    fs::write(tar, bytes).map_err(|error| PackError::Unreadable(tar.to_path_buf(), error))
}
