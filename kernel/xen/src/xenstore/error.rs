//! Why a call to the store failed.

use super::wire::Errno;
use crate::ring::IndexError;
use core::fmt;

/// Why a call to the store failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The store refused.
    Refused(Errno),
    /// A transaction met a conflict each time it was tried.
    Conflict,
    /// The reply is not one to this request, or its payload is not as it has to be.
    Malformed,
    /// The reply claims this many bytes, more than there can be.
    Oversized(u32),
    /// No reply came in time.
    TimedOut,
    /// The ring's indices make no sense.
    Ring(IndexError),
    /// The request has this many bytes, more than a message takes.
    TooLong(usize),
    /// A path with a NUL in it.
    Nul,
    /// Too many requests wait to be sent or answered.
    Busy,
    /// Every watch is taken.
    TooManyWatches,
}

impl Error {
    /// Whether the store said that there is no such node.
    pub fn is_absent(self) -> bool {
        self == Self::Refused(Errno::ENOENT)
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        Self::Ring(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => write!(f, "the store says {errno}"),
            Self::Conflict => f.write_str("the store's transaction met a conflict each time"),
            Self::Malformed => f.write_str("the store's reply is malformed"),
            Self::Oversized(length) => write!(f, "the store's reply claims {length} bytes"),
            Self::TimedOut => f.write_str("the store does not answer"),
            Self::Ring(error) => write!(f, "the store's {error}"),
            Self::TooLong(length) => write!(f, "{length} bytes are too many for the store"),
            Self::Nul => f.write_str("a path for the store has a NUL in it"),
            Self::Busy => f.write_str("too many requests wait for the store"),
            Self::TooManyWatches => f.write_str("every watch of the store is taken"),
        }
    }
}

impl core::error::Error for Error {}
