//! A form that a page can be had in (RFC 9110, section 3.2), with the part of a response's head that is the same each time.

use crate::fields::Fields;
use crate::http::date;
use crate::http::response::{DATE, Persistence, Status};
use crate::tar::Member;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

/// Content codings (RFC 9110, section 8.4.1; RFC 7932; RFC 8878).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// The file as it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The codings that a file can have beside itself: the ending of the name that holds it, and the name in HTTP and in
    /// the record `HALFPAGE.encoding`.
    pub const ENCODED: [(Self, &'static [u8], &'static [u8]); 3] =
        [(Self::Gzip, b".gz", b"gzip"), (Self::Brotli, b".br", b"br"), (Self::Zstd, b".zst", b"zstd")];

    /// The name in HTTP; nothing for the file as it is.
    pub fn name(self) -> &'static [u8] {
        Self::ENCODED.iter().find(|(coding, ..)| *coding == self).map_or(b"", |(_, _, name)| name)
    }
}

impl Coding {
    /// Whether `encoded` holds what `plain` does, in this coding: where its tar says so, or where its tar says nothing and
    /// it looks like it. What can be told without decoding it is told: its first bytes, and the length that it states.
    pub fn holds(self, encoded: &Member<'_>, plain: &Member<'_>) -> bool {
        if let Some(encoding) = encoded.encoding {
            return encoding == self.name();
        }
        let bytes = encoded.body;
        match self {
            Self::Identity => false,
            Self::Gzip => {
                // ISIZE, the last field, is the length modulo 2^32.
                let length = (plain.body.len() as u32).to_le_bytes();
                bytes.starts_with(&[0x1f, 0x8b, 8]) && bytes.ends_with(&length)
            }
            Self::Brotli => !bytes.is_empty() && bytes.len() < plain.body.len(),
            Self::Zstd => bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
        }
    }
}

/// A representation. Its bytes and its head are there for good.
#[derive(Clone, Copy, Debug)]
pub struct Representation {
    /// How its bytes are encoded.
    pub coding: Coding,
    /// The bytes.
    pub body: &'static [u8],
    /// The start of a 200, then field lines, each with the line end before it: `Last-Modified`; `Content-Length`;
    /// `Content-Type`; `Content-Encoding` and the site's own; `Vary` and what else a 304 has; `ETag`; `Date` up to its value.
    head: &'static [u8],
    marks: Marks,
}

/// Where in the head these begin.
#[derive(Clone, Copy, Default, Debug)]
struct Marks {
    fields: u16,
    length: u16,
    media_type: u16,
    coding: u16,
    kept: u16,
    etag: u16,
    end: u16,
}

/// What a representation is made of.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// How the bytes are encoded.
    pub coding: Coding,
    /// The bytes.
    pub body: &'static [u8],
    /// The media type of the decoded bytes, with its parameters.
    pub media_type: &'a [u8],
    /// The opaque tag, without quotes; nothing for a page of the server's own, and where it is not known yet.
    pub etag: &'a [u8],
    /// When the page was last modified, in seconds since 1970.
    pub modified: Option<u64>,
    /// Whether the page has other representations too.
    pub varies: bool,
    /// The further fields.
    pub fields: &'a Fields,
}

/// What stands before the value.
const CONTENT_TYPE: &[u8] = b"\r\nContent-Type: ";
const ETAG: &[u8] = b"\r\nETag: ";

/// The fields of a 304, beside ETag and Vary (RFC 9110, section 15.4.5).
const KEPT: [&[u8]; 4] = [b"Cache-Control", b"Content-Location", b"Expires", b"CDN-Cache-Control"];

impl Representation {
    /// Writes the head.
    pub fn new(parts: &Parts<'_>) -> Self {
        let mut head = Vec::from(Status::Ok.start(Persistence::Open));
        let mark = |head: &Vec<u8>| u16::try_from(head.len()).unwrap_or(u16::MAX);
        let mut marks = Marks { fields: mark(&head), ..Marks::default() };
        if let Some(modified) = parts.modified {
            line(&mut head, b"Last-Modified", date::imf_fixdate(modified).bytes());
        }
        marks.length = mark(&head);
        line(&mut head, b"Content-Length", alloc::format!("{}", parts.body.len()).as_bytes());
        marks.media_type = mark(&head);
        head.extend_from_slice(CONTENT_TYPE);
        head.extend_from_slice(parts.fields.get(b"Content-Type").unwrap_or(parts.media_type));
        marks.coding = mark(&head);
        if parts.coding != Coding::Identity {
            line(&mut head, b"Content-Encoding", parts.coding.name());
        }
        let is_apart = |name: &[u8]| is_one_of(name, &[b"Content-Type", b"Vary"]);
        for (name, value) in parts.fields.iter() {
            if !is_apart(name) && !is_one_of(name, &KEPT) {
                line(&mut head, name, value);
            }
        }
        marks.kept = mark(&head);
        let vary = [parts.fields.get(b"Vary"), parts.varies.then_some(&b"Accept-Encoding"[..])];
        let vary: Vec<&[u8]> = vary.into_iter().flatten().collect();
        if !vary.is_empty() {
            line(&mut head, b"Vary", &vary.join(&b", "[..]));
        }
        for (name, value) in parts.fields.iter().filter(|(name, _)| is_one_of(name, &KEPT)) {
            line(&mut head, name, value);
        }
        marks.etag = mark(&head);
        if !parts.etag.is_empty() {
            etag_line(&mut head, parts.etag);
        }
        marks.end = mark(&head);
        head.extend_from_slice(DATE);
        Self { coding: parts.coding, body: parts.body, head: Box::leak(head.into_boxed_slice()), marks }
    }

    /// The same with an entity tag, where it had none.
    pub fn tagged(&self, tag: &[u8]) -> Self {
        let (before, date) = self.head.split_at_checked(usize::from(self.marks.etag)).unwrap_or_default();
        let mut head = Vec::from(before);
        etag_line(&mut head, tag);
        let end = u16::try_from(head.len()).unwrap_or(u16::MAX);
        head.extend_from_slice(date);
        Self { head: Box::leak(head.into_boxed_slice()), marks: Marks { end, ..self.marks }, ..*self }
    }

    /// The head of a 200 on a connection that stays open, up to the date.
    pub fn response(&self) -> &'static [u8] {
        self.head
    }

    /// All header fields, up to the date.
    pub fn head(&self) -> &'static [u8] {
        self.head.get(usize::from(self.marks.fields)..).unwrap_or_default()
    }

    /// All header fields but `Last-Modified`, up to the date.
    pub fn undated(&self) -> &'static [u8] {
        self.head.get(usize::from(self.marks.length)..).unwrap_or_default()
    }

    /// The header fields of a 304, up to the date.
    pub fn not_modified(&self) -> &'static [u8] {
        self.head.get(usize::from(self.marks.kept)..).unwrap_or_default()
    }

    /// The header fields without validators and without the date: for a page that stands in for another.
    pub fn instead(&self) -> &'static [u8] {
        self.part(self.marks.length..self.marks.etag)
    }

    /// The fields of a 206 with one part, up to the date: all but `Last-Modified` and `Content-Length`.
    pub fn partial(&self) -> &'static [u8] {
        self.head.get(usize::from(self.marks.media_type)..).unwrap_or_default()
    }

    /// The fields of a 206 with several parts, up to the date: those of [`Self::partial`] but for `Content-Type`.
    pub fn multipart(&self) -> &'static [u8] {
        self.head.get(usize::from(self.marks.coding)..).unwrap_or_default()
    }

    /// The line `Last-Modified`, with the line end before it; nothing for a page of the server's own.
    pub fn last_modified(&self) -> &'static [u8] {
        self.part(self.marks.fields..self.marks.length)
    }

    /// The line `Content-Type`, with the line end before it.
    pub fn type_line(&self) -> &'static [u8] {
        self.part(self.marks.media_type..self.marks.coding)
    }

    /// The opaque tag of its strong ETag, quotes included, or nothing.
    pub fn etag(&self) -> &'static [u8] {
        self.part(self.marks.etag..self.marks.end).get(ETAG.len()..).unwrap_or_default()
    }

    fn part(&self, range: Range<u16>) -> &'static [u8] {
        self.head.get(usize::from(range.start)..usize::from(range.end)).unwrap_or_default()
    }
}

fn etag_line(head: &mut Vec<u8>, tag: &[u8]) {
    for part in [ETAG, b"\"", tag, b"\""] {
        head.extend_from_slice(part);
    }
}

fn line(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [b"\r\n", name, b": ", value] {
        head.extend_from_slice(part);
    }
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_its_parts() {
        let mut fields = Fields::new(b"no-cache");
        fields.add(b"vary", b"Cookie");
        fields.add(b"X-A", b"1");
        fields.add(b"expires", b"0");
        let made = Representation::new(&Parts {
            coding: Coding::Brotli,
            body: b"body",
            media_type: b"text/css",
            etag: b"tag",
            modified: Some(784_111_777),
            varies: true,
            fields: &fields,
        });
        let modified = "\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let typed = "\r\nContent-Type: text/css";
        let coded = "\r\nContent-Encoding: br\r\nX-Content-Type-Options: nosniff\
            \r\nReferrer-Policy: strict-origin-when-cross-origin\r\nX-A: 1";
        let kept = "\r\nVary: Cookie, Accept-Encoding\r\nCache-Control: no-cache\r\nexpires: 0";
        let tag = "\r\nETag: \"tag\"\r\nDate: ";
        let start = "HTTP/1.1 200 OK\r\nServer: halfpage\r\nAccept-Ranges: bytes";
        let length = "\r\nContent-Length: 4";
        for (part, expected) in [
            (made.response(), &[start, modified, length, typed, coded, kept, tag][..]),
            (made.head(), &[modified, length, typed, coded, kept, tag]),
            (made.not_modified(), &[kept, tag]),
            (made.instead(), &[length, typed, coded, kept]),
            (made.partial(), &[typed, coded, kept, tag]),
            (made.multipart(), &[coded, kept, tag]),
            (made.last_modified(), &[modified]),
            (made.type_line(), &[typed]),
            (made.undated(), &[length, typed, coded, kept, tag]),
            (made.etag(), &["\"tag\""]),
        ] {
            assert_eq!(part, expected.concat().as_bytes(), "{}", part.escape_ascii());
        }
    }

    #[test]
    fn a_tag_is_put_where_there_was_none() {
        let fields = Fields::new(b"no-cache");
        let made = |etag| {
            let (coding, modified) = (Coding::Gzip, Some(784_111_777));
            let parts = Parts {
                coding,
                body: b"body",
                media_type: b"a/b",
                etag,
                modified,
                varies: true,
                fields: &fields,
            };
            Representation::new(&parts)
        };
        let (without, with) = (made(b""), made(b"tag"));
        assert_eq!(without.etag(), b"");
        let tagged = without.tagged(b"tag");
        assert_eq!(tagged.response(), with.response());
        assert_eq!(tagged.etag(), b"\"tag\"");
        assert_eq!((tagged.instead(), tagged.not_modified()), (with.instead(), with.not_modified()));
    }

    #[test]
    fn a_page_of_the_servers_own_has_no_validators() {
        let fields = Fields::default();
        let made = Representation::new(&Parts {
            coding: Coding::Identity,
            body: b"",
            media_type: b"text/css",
            etag: b"",
            modified: None,
            varies: false,
            fields: &fields,
        });
        assert_eq!(made.head(), b"\r\nContent-Length: 0\r\nContent-Type: text/css\r\nDate: ");
        assert_eq!(
            (made.etag(), made.last_modified(), made.not_modified()),
            (&b""[..], &b""[..], &b"\r\nDate: "[..])
        );
    }
}
