//! The members of a tar: ustar and pax (IEEE Std 1003.1, `pax`, "ustar Interchange Format"), and GNU's long names.

use crate::pax::{self, Records};
use core::fmt;

/// Headers and bodies start on multiples of this many bytes.
pub const BLOCK: usize = 512;

mod field {
    use core::ops::Range;
    pub const NAME: Range<usize> = 0..100;
    pub const SIZE: Range<usize> = 124..136;
    pub const MTIME: Range<usize> = 136..148;
    pub const CHECKSUM: Range<usize> = 148..156;
    pub const TYPE: usize = 156;
    pub const MAGIC: Range<usize> = 257..263;
    pub const PREFIX: Range<usize> = 345..500;
}

/// A member, with what the headers before it say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<'a> {
    /// Its name as the tar has it.
    pub name: Name<'a>,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub body: &'a [u8],
    /// When it was last modified, in seconds since 1970.
    pub modified: u64,
    /// The record `HALFPAGE.etag`: an opaque tag, without quotes.
    pub etag: Option<&'a [u8]>,
    /// The record `HALFPAGE.type`: a media type.
    pub media_type: Option<&'a [u8]>,
    /// The record `HALFPAGE.encoding`: the content coding by which this member is another's representation, and no page
    /// of its own; `identity` where it is a page, and nobody's representation.
    pub encoding: Option<&'a [u8]>,
    /// Where the next member's first header is, in bytes from the start of the tar.
    pub next: usize,
}

/// The kinds of members that a site can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A folder: it says nothing that its files do not.
    Folder,
}

/// A name, which a ustar header may hold in two parts that a `/` joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name<'a> {
    /// The first part; often empty, and then there is no `/`.
    pub prefix: &'a [u8],
    /// The rest.
    pub name: &'a [u8],
}

impl<'a> Name<'a> {
    /// The bytes of the whole name, but for a leading `./` or `/`.
    pub fn bytes(self) -> impl Iterator<Item = u8> + 'a {
        let (prefix, name) = if self.prefix.is_empty() {
            (&[][..], below(self.name))
        } else {
            (below(self.prefix), self.name)
        };
        let slash: &[u8] = if self.prefix.is_empty() { b"" } else { b"/" };
        prefix.iter().chain(slash).chain(name).copied()
    }

    /// The same in one piece, if it is.
    pub fn slice(self) -> Option<&'a [u8]> {
        self.prefix.is_empty().then(|| below(self.name))
    }
}

/// A path without its leading `./` or `/`.
fn below(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")).unwrap_or(path)
}

/// Where a tar is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TarError {
    /// The byte, from the start of the tar, where the header in question begins.
    pub at: usize,
    /// What is wrong there.
    pub fault: TarFault,
}

/// What is wrong with a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TarFault {
    /// The tar ends where a header, a body or the closing block of zeros should be.
    Truncated,
    /// The sum of the header's bytes is not the one it states.
    Checksum,
    /// The size is no number.
    Size,
    /// An extended header holds something that is no record, or a value that is none of its key.
    Record,
    /// A link, a device, a sparse file, or a type of a vendor's: the type flag.
    Type(u8),
    /// A name that is empty, or has an empty part, `.`, `..` or a NUL.
    Name,
}

impl fmt::Display for TarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.at)?;
        match self.fault {
            TarFault::Truncated => f.write_str("the tar is cut off"),
            TarFault::Checksum => f.write_str("the header's checksum is wrong"),
            TarFault::Size => f.write_str("the size is no number"),
            TarFault::Record => f.write_str("the extended header is malformed"),
            TarFault::Type(flag @ (b'1' | b'2')) => {
                write!(
                    f,
                    "a link (type {}): make the tar with --dereference --hard-dereference",
                    char::from(flag)
                )
            }
            TarFault::Type(flag) => write!(f, "a member of type \"{}\"", flag.escape_ascii()),
            TarFault::Name => f.write_str("the name is no path"),
        }
    }
}

impl<'a> Member<'a> {
    /// The member whose first header is `at`, a multiple of [`BLOCK`]; `None` at the end of the tar.
    pub fn read(tar: &'a [u8], at: usize) -> Result<Option<Self>, TarError> {
        let mut extended = Extended::default();
        let mut next = at;
        loop {
            let fault = |fault| TarError { at: next, fault };
            let header = Header::read(tar, next).map_err(fault)?;
            let Some(header) = header else {
                // Nothing may stand between an extended header and its member, the end least of all.
                return if next == at { Ok(None) } else { Err(fault(TarFault::Truncated)) };
            };
            let own_size = matches!(header.kind, b'x' | b'g' | b'L' | b'K');
            let size =
                extended.size.filter(|_| !own_size).map_or_else(|| header.size(), Ok).map_err(fault)?;
            let (body, end) = body(tar, next, size).map_err(fault)?;
            match header.kind {
                b'x' => extended.read(body).map_err(fault)?,
                // Records for all members: none that we read is meant for all.
                b'g' => Records::new(body)
                    .try_for_each(|record| record.map(drop))
                    .map_err(|_| fault(TarFault::Record))?,
                b'L' => extended.name = Some(until_nul(body)),
                b'K' => {}
                b'0' | 0 | b'7' => return Ok(Some(header.member(Kind::File, &extended, body, end))),
                b'5' => return Ok(Some(header.member(Kind::Folder, &extended, &[], end))),
                other => return Err(fault(TarFault::Type(other))),
            }
            next = end;
        }
    }
}

/// One header block.
struct Header<'a> {
    block: &'a [u8],
    kind: u8,
}

impl<'a> Header<'a> {
    /// `None` for a block of zeros: the tar ends there.
    fn read(tar: &'a [u8], at: usize) -> Result<Option<Self>, TarFault> {
        let block = tar.get(at..at.saturating_add(BLOCK)).ok_or(TarFault::Truncated)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum is made with its own field as eight spaces.
        let sum = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_add(u64::from(*byte)));
        let stated = block.get(field::CHECKSUM).unwrap_or_default();
        let actual = sum(block).wrapping_sub(sum(stated)).wrapping_add(8 * 0x20);
        if octal(stated) != Some(actual) {
            return Err(TarFault::Checksum);
        }
        Ok(Some(Self { block, kind: block.get(field::TYPE).copied().unwrap_or_default() }))
    }

    fn field(&self, range: core::ops::Range<usize>) -> &'a [u8] {
        self.block.get(range).unwrap_or_default()
    }

    fn size(&self) -> Result<u64, TarFault> {
        octal(self.field(field::SIZE)).ok_or(TarFault::Size)
    }

    fn member(&self, kind: Kind, extended: &Extended<'a>, body: &'a [u8], next: usize) -> Member<'a> {
        // GNU's own magic is "ustar  ": its headers keep other things where POSIX has the prefix.
        let posix = self.field(field::MAGIC) == b"ustar\0";
        let prefix = if posix { until_nul(self.field(field::PREFIX)) } else { &[] };
        let own = Name { prefix, name: until_nul(self.field(field::NAME)) };
        Member {
            name: extended.name.map_or(own, |name| Name { prefix: &[], name }),
            kind,
            body,
            // A time before 1970 (GNU writes it in base 256) is of no use to a client.
            modified: extended.modified.or_else(|| octal(self.field(field::MTIME))).unwrap_or_default(),
            etag: extended.etag,
            media_type: extended.media_type,
            encoding: extended.encoding,
            next,
        }
    }
}

/// What extended headers say of the member that follows them.
#[derive(Default)]
struct Extended<'a> {
    name: Option<&'a [u8]>,
    size: Option<u64>,
    modified: Option<u64>,
    etag: Option<&'a [u8]>,
    media_type: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
}

impl<'a> Extended<'a> {
    fn read(&mut self, data: &'a [u8]) -> Result<(), TarFault> {
        for record in Records::new(data) {
            let (key, value) = record.map_err(|_| TarFault::Record)?;
            match key {
                b"path" => self.name = Some(value),
                b"size" => self.size = Some(pax::decimal(value).ok_or(TarFault::Record)?),
                b"mtime" => self.modified = value.split(|byte| *byte == b'.').next().and_then(pax::decimal),
                b"HALFPAGE.etag" => self.etag = Some(value),
                b"HALFPAGE.type" => self.media_type = Some(value),
                b"HALFPAGE.encoding" => self.encoding = Some(value),
                _ if key.starts_with(b"GNU.sparse.") => return Err(TarFault::Type(b'S')),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The body after the header at `at`, and where the block after it is.
fn body(tar: &[u8], at: usize, size: u64) -> Result<(&[u8], usize), TarFault> {
    let start = at.saturating_add(BLOCK);
    let end =
        usize::try_from(size).ok().and_then(|size| start.checked_add(size)).ok_or(TarFault::Truncated)?;
    let next = end.checked_next_multiple_of(BLOCK).ok_or(TarFault::Truncated)?;
    let body = tar.get(start..end).ok_or(TarFault::Truncated)?;
    Ok((body, next))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, spaces before them, a space or NUL after them or the end of the field. No digit at all is 0.
fn octal(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(text.len());
    text.get(..end)?.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 7)?;
        number.checked_mul(8)?.checked_add(u64::from(digit))
    })
}
