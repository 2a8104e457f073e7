//! What can be wrong with a folder that is to be a site. Every message is one line.

use std::{fmt, io, path::PathBuf};

/// Why a folder was not packed.
#[derive(Debug)]
pub enum PackError {
    /// There is nothing of that name, or it is no folder.
    Missing(PathBuf),
    /// It holds no file that would be served.
    Empty(PathBuf),
    /// It has no `index.html`, so its `/` would be a 404.
    NoIndex(PathBuf),
    /// A file or folder cannot be read, or is a loop of links.
    Unreadable(PathBuf, io::Error),
    /// The name, shown escaped, holds a control character, or is not UTF-8.
    Name(String),
    /// Two files have this name.
    Same(String),
    /// A file of more than [`crate::Archive::LARGEST`] bytes.
    TooLarge(String, u64),
    /// `SOURCE_DATE_EPOCH` is not a number of seconds.
    Epoch(String),
    /// Writing the archive into memory failed.
    Archive(io::Error),
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{}: no such folder", path.display()),
            Self::Empty(path) => write!(f, "{}: the folder holds no files to serve", path.display()),
            Self::NoIndex(path) => write!(f, "{}: there is no index.html", path.display()),
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Name(name) => write!(f, "\"{name}\": such a name cannot be a URL"),
            Self::Same(name) => write!(f, "/{name}: two files would have this URL"),
            Self::TooLarge(name, size) => {
                write!(f, "{name}: {size} bytes are more than a member of the tar holds")
            }
            Self::Epoch(value) => write!(f, "SOURCE_DATE_EPOCH={value}: not a number of seconds"),
            Self::Archive(error) => write!(f, "cannot write the tar: {error}"),
        }
    }
}

impl std::error::Error for PackError {}
