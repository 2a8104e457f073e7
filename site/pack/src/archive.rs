//! Writes the tar.

use crate::{Coding, PackError, media_type::media_type};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tar::{Builder, EntryType, Header};

/// Which modification time the members get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// Each file's own.
    Modified,
    /// The same for all, in seconds since 1970: the value of `SOURCE_DATE_EPOCH`, for a reproducible image.
    Epoch(u64),
}

impl Stamp {
    /// From `SOURCE_DATE_EPOCH` (reproducible-builds.org) as found in the environment; unset and empty are the same.
    pub fn from_environment() -> Result<Self, PackError> {
        match std::env::var("SOURCE_DATE_EPOCH").as_deref() {
            Err(_) | Ok("") => Ok(Self::Modified),
            Ok(text) => text.parse().map(Self::Epoch).map_err(|_| PackError::Epoch(text.to_owned())),
        }
    }
}

/// What a member is to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A page; if another has its name but for the ending of a coding, also that one's representation.
    Page,
    /// A page, and nobody's representation, whatever its name.
    Unrelated,
    /// A representation of the page that has its name but for the coding's ending; no page.
    Encoded(Coding),
}

impl Role {
    /// The value of `HALFPAGE.encoding`.
    fn record(self) -> Option<&'static str> {
        match self {
            Self::Page => None,
            Self::Unrelated => Some("identity"),
            Self::Encoded(coding) => Some(coding.name()),
        }
    }
}

/// Bytes of a header, and what member's sizes are rounded up to.
const BLOCK: usize = 512;
/// Bytes of a page.
const PAGE: usize = 4096;
/// A body of up to so many bytes is copied into the frame, wherever it lies.
const COPIED: usize = 2048;

/// A tar in the making.
pub struct Archive {
    builder: Builder<Vec<u8>>,
    names: BTreeSet<String>,
    stamp: Stamp,
}

impl Archive {
    /// The largest body: 11 octal digits of the ustar header's size field.
    pub const LARGEST: u64 = 0o77_777_777_777;

    /// An archive of no members.
    pub fn new(stamp: Stamp) -> Self {
        Self { builder: Builder::new(Vec::new()), names: BTreeSet::new(), stamp }
    }

    /// Adds a page. `name` has no leading `/`.
    pub fn add(&mut self, name: &str, body: &[u8], modified: SystemTime) -> Result<(), PackError> {
        self.add_as(name, body, modified, Role::Page)
    }

    /// Adds a member.
    pub fn add_as(
        &mut self,
        name: &str,
        body: &[u8],
        modified: SystemTime,
        role: Role,
    ) -> Result<(), PackError> {
        if name.chars().any(char::is_control) {
            return Err(PackError::Name(name.escape_debug().to_string()));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(PackError::Same(name.to_owned()));
        }
        let size = body.len() as u64;
        if size > Self::LARGEST {
            return Err(PackError::TooLarge(name.to_owned(), size));
        }
        let seconds = match self.stamp {
            Stamp::Epoch(seconds) => seconds,
            Stamp::Modified => modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        };
        self.write(name, body, seconds, role).map_err(PackError::Archive)
    }

    fn write(&mut self, name: &str, body: &[u8], seconds: u64, role: Role) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(seconds);
        header.set_size(body.len() as u64);

        let (etag, media_type) = (etag(body), media_type(name, body));
        let mut records = vec![("HALFPAGE.etag", etag.as_bytes()), ("HALFPAGE.type", media_type.as_bytes())];
        records.extend(role.record().map(|encoding| ("HALFPAGE.encoding", encoding.as_bytes())));
        // The header's own fields are short; a longer name stands in a record.
        if header.set_path(name).is_err() {
            header.set_path("long-name")?;
            records.push(("path", name.as_bytes()));
        }
        header.set_cksum();
        let padding = self.padding(&records, body.len());
        if !padding.is_empty() {
            records.push(("comment", &padding));
        }
        self.builder.append_pax_extensions(records)?;
        self.builder.append(&header, body)
    }

    /// The value of a `comment` record that moves the body on to the start of a page, if it lies in more pages than it
    /// has to: each costs the backend a map and an unmap.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "lengths of bodies in memory; BLOCK divides both PAGE and `start`, so `more` is 0 or at least BLOCK"
    )]
    fn padding(&self, records: &[(&str, &[u8])], body: usize) -> Vec<u8> {
        // `LENGTH KEY=VALUE\n`, where the length counts itself.
        let record = |(key, value): &(&str, &[u8])| {
            let text = key.len() + value.len() + 3;
            text + (1..).find(|digits| (text + digits).to_string().len() == *digits).unwrap_or(1)
        };
        let extension = records.iter().map(record).sum::<usize>().next_multiple_of(BLOCK);
        let start = self.builder.get_ref().len() + BLOCK + extension + BLOCK;
        let pages = |start: usize| (start % PAGE + body).div_ceil(PAGE);
        let more = start.next_multiple_of(PAGE) - start;
        if body <= COPIED || pages(start) == pages(0) || more == 0 {
            return Vec::new();
        }
        vec![b' '; more - record(&("comment", &[])) - (more.to_string().len() - 2)]
    }

    /// The whole tar. `folder` is only named in errors.
    pub fn finish(self, folder: &Path) -> Result<Vec<u8>, PackError> {
        if self.names.is_empty() {
            return Err(PackError::Empty(folder.to_path_buf()));
        }
        if !self.names.contains("index.html") {
            return Err(PackError::NoIndex(folder.to_path_buf()));
        }
        self.builder.into_inner().map_err(PackError::Archive)
    }
}

/// 128 bits of the body's SHA-256, in hex: enough that two versions of a page never share one.
fn etag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
