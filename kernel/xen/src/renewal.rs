//! A certificate and its key that come through the store while the guest serves.
//!
//! `scripts/tls-reload` in dom0 writes `data/tls/cert-N` and `data/tls/key-N`, N from 0, whose values joined are two PEM
//! files, then `data/tls/reload`: how many parts each has, `CERTIFICATES KEYS`. A script that stops half way has not
//! written that, and nothing happens. The guest reads the parts, removes them all, and writes `data/tls/status`: `ok`,
//! or why it goes on with what it had.

use crate::secret::{Secret, Wipe};
use crate::xenstore::{Error, Session, Wait};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What tells that the parts are there.
pub const RELOAD: &str = "data/tls/reload";
/// What became of it.
pub const STATUS: &str = "data/tls/status";
/// Where all of it is.
const FOLDER: &str = "data/tls";

/// Bytes of a part: a message of the store takes little more.
const PART_MAX: usize = 3072;
/// Parts of a chain of certificates.
const CERTIFICATE_PARTS: usize = 16;
/// Parts of a key.
const KEY_PARTS: usize = 4;
/// Nodes that are removed at most: twice what a whole renewal has.
const REMOVED_MAX: usize = 2 * (CERTIFICATE_PARTS + KEY_PARTS);

/// Two PEM files.
#[derive(Debug)]
pub struct Renewal {
    /// The chain.
    pub certificate: Secret,
    /// The key.
    pub key: Secret,
}

/// Why there is no renewal to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RenewalError {
    /// `data/tls/reload` is not two numbers in bounds.
    Form,
    /// This part is not there.
    Missing(String),
    /// This part has so many bytes.
    TooLong(String, usize),
    /// The store failed.
    Store(Error),
}

impl fmt::Display for RenewalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => write!(
                f,
                "{RELOAD} is not CERTIFICATES KEYS, at most {CERTIFICATE_PARTS} and {KEY_PARTS} parts"
            ),
            Self::Missing(path) => write!(f, "{path} is not there"),
            Self::TooLong(path, bytes) => write!(f, "{path} has {bytes} bytes, more than {PART_MAX}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

/// What the store has, and then has no longer; `None` where nobody asks for anything. An error of the store's leaves all
/// as it is, to be tried again.
pub fn take<W: Wait>(
    session: &mut Session<'_, W>,
    wipe: Wipe,
) -> Result<Option<Result<Renewal, RenewalError>>, Error> {
    let asked = match session.read(RELOAD) {
        Err(error) if error.is_absent() => return Ok(None),
        value => value?,
    };
    if asked.is_empty() {
        return Ok(None);
    }
    let renewal = match counts(&asked) {
        None => Err(RenewalError::Form),
        Some((certificates, keys)) => join(session, "cert", certificates, wipe)
            .and_then(|certificate| Ok(Renewal { certificate, key: join(session, "key", keys, wipe)? })),
    };
    if let Err(RenewalError::Store(error)) = renewal {
        return Err(error);
    }
    remove(session)?;
    Ok(Some(renewal))
}

/// The two numbers.
fn counts(value: &[u8]) -> Option<(usize, usize)> {
    let number = |digits: &str, most: usize| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| plain && (1..=most).contains(number))
    };
    let (certificates, keys) = core::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((number(certificates, CERTIFICATE_PARTS)?, number(keys, KEY_PARTS)?))
}

/// The parts of a file, joined.
fn join<W: Wait>(
    session: &mut Session<'_, W>,
    name: &str,
    parts: usize,
    wipe: Wipe,
) -> Result<Secret, RenewalError> {
    let mut whole = Secret::with_capacity(parts.saturating_mul(PART_MAX), wipe);
    for number in 0..parts {
        let path = format!("{FOLDER}/{name}-{number}");
        let part = match session.read(&path) {
            Err(error) if error.is_absent() => return Err(RenewalError::Missing(path)),
            value => Secret::new(value.map_err(RenewalError::Store)?, wipe),
        };
        if part.len() > PART_MAX || !whole.push(&part) {
            return Err(RenewalError::TooLong(path, part.len()));
        }
    }
    Ok(whole)
}

/// Removes the parts, those of others that were broken off too, keys first.
fn remove<W: Wait>(session: &mut Session<'_, W>) -> Result<(), Error> {
    let names = match session.list(FOLDER) {
        Err(error) if error.is_absent() => return Ok(()),
        names => names?,
    };
    let mut parts: Vec<_> =
        names.iter().filter(|name| name.starts_with("key-") || name.starts_with("cert-")).collect();
    parts.sort_by_key(|name| name.starts_with("cert-"));
    for name in parts.into_iter().take(REMOVED_MAX) {
        session.remove(&format!("{FOLDER}/{name}"))?;
    }
    session.remove(RELOAD)
}
