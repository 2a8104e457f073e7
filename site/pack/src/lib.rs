//! Packs the folder of a static site into one tar: the form in which the site is embedded, and the form of a ramdisk.
//!
//! The tar is POSIX pax (IEEE Std 1003.1, `pax`), files in byte order of their names, owners and modes fixed, so that
//! the same folder gives the same bytes. Each member carries records of our own:
//! `HALFPAGE.etag`, 128 bits of the body's SHA-256 in hex, and `HALFPAGE.type`, its media type.
//!
//! Behind a file that gains by it come its encoded representations, `NAME.br`, `NAME.gz` and `NAME.zst`, each with the
//! record `HALFPAGE.encoding` (`br`, `gzip`, `zstd`): such a member has no URL of its own. A folder may bring them itself;
//! then they are used as they are, and have their URLs as any file. One that does not decode to its file is only a file,
//! and its record says `identity`.
#![forbid(unsafe_code)]

extern crate alloc;

mod archive;
mod encoding;
mod error;
mod media_type;
mod names;
#[path = "../../src/rules/mod.rs"]
pub mod rules;
mod walk;

pub use archive::{Archive, Role, Stamp};
pub use encoding::Coding;
pub use error::{PackError, Warning};

use encoding::Effort;
use rayon::prelude::*;
use rules::{Headers, Redirects, headers, redirects};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;
use walk::File;

/// Packs every file below `folder` whose name, and whose folders' names, do not start with a dot (`.well-known` apart).
/// Symbolic links are followed.
pub fn pack(folder: &Path, stamp: Stamp) -> Result<Vec<u8>, PackError> {
    pack_with_warnings(folder, stamp, &mut |_| {})
}

/// The same, and says what its owner may not have meant.
pub fn pack_with_warnings(
    folder: &Path,
    stamp: Stamp,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<u8>, PackError> {
    let files = walk::files(folder)?;
    names::check(&files)?;
    check_rules(folder, &files)?;
    let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let effort = Effort::of(files.iter().filter(|file| gains(file)).map(|file| file.size).sum());
    let mut archive = Archive::new(stamp);
    // Some at a time: what is read and encoded is in memory beside the archive.
    for files in files.chunks(64) {
        let read: Vec<_> = files.par_iter().map(|file| Read::new(file, folder, &names, effort)).collect();
        for (file, read) in files.iter().zip(read) {
            let read = read?;
            read.warnings.into_iter().for_each(&mut *warn);
            archive.add_as(&file.name, &read.body, read.modified, read.role)?;
            for (coding, encoded) in &read.encoded {
                let name = format!("{}{}", file.name, coding.ending());
                archive.add_as(&name, encoded, read.modified, Role::Encoded(*coding))?;
            }
        }
    }
    archive.finish(folder)
}

/// Refuses what the server would leave out of the site's rules.
fn check_rules(folder: &Path, files: &[File]) -> Result<(), PackError> {
    let mut complaints = Vec::new();
    for file in files {
        let mut report = |complaint| complaints.push(complaint);
        match file.name.as_str() {
            redirects::FILE => drop(Redirects::parse(&file.read()?.0, &mut report)),
            headers::FILE => drop(Headers::parse(&file.read()?.0, &mut report)),
            _ => {}
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(PackError::Rules(folder.to_path_buf(), complaints)) }
}

fn gains(file: &File) -> bool {
    encoding::gains(&media_type::media_type(&file.name, b""))
}

/// A file that was read, with what goes into the archive for it.
struct Read {
    body: Vec<u8>,
    modified: SystemTime,
    role: Role,
    encoded: Vec<(Coding, Vec<u8>)>,
    warnings: Vec<Warning>,
}

impl Read {
    fn new(file: &File, folder: &Path, names: &BTreeSet<&str>, effort: Effort) -> Result<Self, PackError> {
        let (body, modified) = file.read()?;
        let mut this = Self { body, modified, role: Role::Page, encoded: Vec::new(), warnings: Vec::new() };
        // What the folder brings is looked at when its own turn comes.
        if gains(file) {
            for coding in Coding::ALL {
                if !names.contains(format!("{}{}", file.name, coding.ending()).as_str()) {
                    this.encoded.extend(coding.encode(&this.body, effort)?.map(|encoded| (coding, encoded)));
                }
            }
        }
        for coding in Coding::ALL {
            let Some(plain) = file.name.strip_suffix(coding.ending()) else { continue };
            if names.contains(plain) {
                let path = folder.join(plain);
                let plain = std::fs::read(&path).map_err(|error| PackError::Unreadable(path, error))?;
                if !coding.holds(&this.body, &plain) {
                    this.role = Role::Unrelated;
                    this.warnings.push(Warning::NotTheSame(file.name.clone(), coding));
                }
            }
        }
        Ok(this)
    }
}
