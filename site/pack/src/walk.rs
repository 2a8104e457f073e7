//! The files of a folder, in the order in which they are packed.

use crate::PackError;
use std::io;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// A file to pack.
pub struct File {
    /// Its path below the folder, with `/` between the parts.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The files below `folder`, links followed, sorted by the bytes of their names.
pub fn files(folder: &Path) -> Result<Vec<File>, PackError> {
    if !folder.is_dir() {
        return Err(PackError::Missing(folder.to_path_buf()));
    }
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).into_iter().filter_entry(is_served) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_path_buf();
            PackError::Unreadable(
                path,
                error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links")),
            )
        })?;
        if entry.file_type().is_file() {
            let name = name(entry.path().strip_prefix(folder).unwrap_or(entry.path()))?;
            files.push(File { name, path: entry.into_path() });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The folder itself, and what does not start with a dot; `.well-known` (RFC 8615) at the root.
fn is_served(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    entry.depth() == 0 || !name.starts_with(b".") || (entry.depth() == 1 && name == b".well-known")
}

fn name(path: &Path) -> Result<String, PackError> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    match parts {
        Some(parts) => Ok(parts.join("/")),
        None => Err(PackError::Name(path.as_os_str().as_encoded_bytes().escape_ascii().to_string())),
    }
}
