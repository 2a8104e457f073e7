//! Packs the folder of a static site into one tar: the form in which the site is embedded, and the form of a ramdisk.
//!
//! The tar is POSIX pax (IEEE Std 1003.1, `pax`), members in byte order of their names, owners and modes fixed, so that
//! the same folder gives the same bytes. Each member carries two records of our own:
//! `HALFPAGE.etag`, 128 bits of the body's SHA-256 in hex, and `HALFPAGE.type`, its media type.
#![forbid(unsafe_code)]

mod archive;
mod error;
mod media_type;
mod walk;

pub use archive::{Archive, Stamp};
pub use error::PackError;

use std::path::Path;

/// Packs every file below `folder` whose name, and whose folders' names, do not start with a dot (`.well-known` apart).
/// Symbolic links are followed.
pub fn pack(folder: &Path, stamp: Stamp) -> Result<Vec<u8>, PackError> {
    let mut archive = Archive::new(stamp);
    for file in walk::files(folder)? {
        let unreadable = |error| PackError::Unreadable(file.path.clone(), error);
        let body = std::fs::read(&file.path).map_err(unreadable)?;
        let modified =
            std::fs::metadata(&file.path).and_then(|metadata| metadata.modified()).map_err(unreadable)?;
        archive.add(&file.name, &body, modified)?;
    }
    archive.finish(folder)
}
