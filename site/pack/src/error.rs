//! What can be wrong with a folder that is to be a site. Every message is one line, and one a line of a rules file.

use crate::Coding;
use crate::rules::Complaint;
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
    /// The name is too long for a URL.
    LongName(String),
    /// Two files have this name.
    Same(String),
    /// Two files would be reached by the first one's name.
    SameUrl(String, String),
    /// `.tls`, the place of a private key.
    Key(PathBuf),
    /// A pipe, a socket, a device.
    NoFile(PathBuf),
    /// A file of more than [`crate::Archive::LARGEST`] bytes.
    TooLarge(String, u64),
    /// Lines of `_redirects` or `_headers` that are no rules.
    Rules(PathBuf, Vec<Complaint>),
    /// `SOURCE_DATE_EPOCH` is not a number of seconds.
    Epoch(String),
    /// Writing the archive into memory failed.
    Archive(io::Error),
}

/// The most lines of rules that a message shows.
const SHOWN: usize = 20;

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{}: no such folder", path.display()),
            Self::Empty(path) => write!(f, "{}: the folder holds no files to serve", path.display()),
            Self::NoIndex(path) => write!(f, "{}: there is no index.html", path.display()),
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Name(name) => write!(f, "\"{name}\": such a name cannot be a URL"),
            Self::LongName(name) => write!(f, "{name}: the name is too long for a URL"),
            Self::SameUrl(one, other) => {
                write!(f, "/{one}: two files would have this URL, {one} and {other}")
            }
            Self::Key(path) => {
                write!(
                    f,
                    "{}: a site holds no keys; they are given with TLS_CERT= and TLS_KEY=",
                    path.display()
                )
            }
            Self::NoFile(path) => write!(f, "{}: neither a file nor a folder", path.display()),
            Self::Rules(folder, complaints) => {
                for (number, complaint) in complaints.iter().take(SHOWN).enumerate() {
                    let start = if number == 0 { "" } else { "\n" };
                    write!(f, "{start}{}/{complaint}", folder.display())?;
                }
                match complaints.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\nand {more} more"),
                }
            }
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

/// What was packed, and is perhaps not what was meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// This file stands beside one of the same name without its ending, but does not decode to it.
    NotTheSame(String, Coding),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheSame(name, coding) => {
                let plain = name.strip_suffix(coding.ending()).unwrap_or(name);
                write!(f, "{name}: not used in place of {plain}: it does not decode to that")
            }
        }
    }
}
