//! The files of a folder, in the order in which they are packed.

use crate::{Archive, PackError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use walkdir::{DirEntry, WalkDir};

/// A file to pack.
pub struct File {
    /// Its path below the folder, with `/` between the parts.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// In bytes, when it was found.
    pub size: u64,
}

impl File {
    /// Its bytes, and when it was last modified.
    pub fn read(&self) -> Result<(Vec<u8>, SystemTime), PackError> {
        let unreadable = |error| PackError::Unreadable(self.path.clone(), error);
        let body = fs::read(&self.path).map_err(unreadable)?;
        let modified =
            fs::metadata(&self.path).and_then(|metadata| metadata.modified()).map_err(unreadable)?;
        Ok((body, modified))
    }
}

/// The files below `folder`, links followed, sorted by the bytes of their names.
pub fn files(folder: &Path) -> Result<Vec<File>, PackError> {
    if !folder.is_dir() {
        return Err(PackError::Missing(folder.to_path_buf()));
    }
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).into_iter().filter_entry(is_served) {
        let unreadable = |error: walkdir::Error| {
            let path = error.path().unwrap_or(folder).to_path_buf();
            let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
            PackError::Unreadable(path, error)
        };
        let entry = entry.map_err(unreadable)?;
        if entry.file_name() == ".tls" {
            return Err(PackError::Key(entry.into_path()));
        }
        if entry.file_type().is_file() {
            let name = name(entry.path().strip_prefix(folder).unwrap_or(entry.path()))?;
            let size = entry.metadata().map_err(unreadable)?.len();
            if size > Archive::LARGEST {
                return Err(PackError::TooLarge(name, size));
            }
            files.push(File { name, path: entry.into_path(), size });
        } else if !entry.file_type().is_dir() {
            return Err(PackError::NoFile(entry.into_path()));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The folder itself, and what does not start with a dot; `.well-known` (RFC 8615) at the root. What must not be in a site
/// at all is looked at too.
fn is_served(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    entry.depth() == 0
        || !name.starts_with(b".")
        || (entry.depth() == 1 && name == b".well-known")
        || name == b".tls"
}

fn name(path: &Path) -> Result<String, PackError> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    match parts {
        Some(parts) => Ok(parts.join("/")),
        None => Err(PackError::Name(path.as_os_str().as_encoded_bytes().escape_ascii().to_string())),
    }
}
