//! A page, with what is the same in every response that carries it.

use crate::http::target;
use crate::media_type;
use crate::tar::{Member, Name};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The file that stands for its folder.
pub const INDEX: &[u8] = b"index.html";

/// A page. Made when it is first asked for and kept for good: there are at most as many as files, and error pages.
#[derive(Debug)]
pub struct Page {
    /// The file's name; empty for a page of the server's own.
    pub name: Name<'static>,
    /// The content.
    pub body: &'static [u8],
    /// The opaque tag of its strong ETag, quotes included, or nothing.
    pub etag: &'static [u8],
    /// For an index, the URL path of its folder; else nothing.
    pub location: &'static [u8],
    /// Header field lines, from the line end before them to the empty line after them.
    head: &'static [u8],
    /// Where in `head` the fields start that a 304 has too (RFC 9110, section 15.4.5).
    validators: usize,
}

impl Page {
    /// The page of a member.
    pub fn of_member(member: &Member<'static>) -> &'static Self {
        let location = if is_index(member.name) { folder(member.name) } else { &[] };
        let (media_type, charset) = match member.media_type.filter(|text| is_field_value(text)) {
            Some(media_type) => (media_type, ""),
            None => {
                let media_type = media_type::of(member.name.name).unwrap_or("application/octet-stream");
                (media_type.as_bytes(), media_type::charset(media_type, member.body))
            }
        };
        let media_type = [media_type, charset.as_bytes()].concat();
        let etag: &[u8] = match member.etag.filter(|tag| is_opaque_tag(tag)) {
            Some(tag) => Box::leak([b"\"", tag, b"\""].concat().into_boxed_slice()),
            None => &[],
        };
        Self::new(member.name, member.body, &media_type, etag, location)
    }

    /// A page of the server's own.
    pub fn of_server(body: &'static [u8]) -> &'static Self {
        Self::new(Name { prefix: &[], name: &[] }, body, b"text/html; charset=utf-8", &[], &[])
    }

    fn new(
        name: Name<'static>,
        body: &'static [u8],
        media_type: &[u8],
        etag: &'static [u8],
        location: &'static [u8],
    ) -> &'static Self {
        let mut head = Vec::new();
        head.extend_from_slice(b"\r\nContent-Type: ");
        head.extend_from_slice(media_type);
        head.extend_from_slice(b"\r\nContent-Length: ");
        head.extend_from_slice(alloc::format!("{}", body.len()).as_bytes());
        let validators = head.len();
        if !etag.is_empty() {
            head.extend_from_slice(b"\r\nETag: ");
            head.extend_from_slice(etag);
        }
        head.extend_from_slice(b"\r\n\r\n");
        let head = Box::leak(head.into_boxed_slice());
        Box::leak(Box::new(Self { name, body, etag, location, head, validators }))
    }

    /// All header fields of the page, and the empty line.
    pub fn head(&self) -> &'static [u8] {
        self.head
    }

    /// The header fields of a 304, and the empty line.
    pub fn validators(&self) -> &'static [u8] {
        self.head.get(self.validators..).unwrap_or_default()
    }

    /// The header fields without those of a 304, and without the empty line: for a page that stands in for another.
    pub fn representation(&self) -> &'static [u8] {
        self.head.get(..self.validators).unwrap_or_default()
    }
}

fn is_index(name: Name<'_>) -> bool {
    name.name.strip_suffix(INDEX).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
}

/// `/`, or `/FOLDER/` with every byte percent-encoded that a path cannot hold.
fn folder(index: Name<'_>) -> &'static [u8] {
    let mut location = Vec::from(b"/");
    for byte in index.bytes() {
        target::encode(byte, &mut location);
    }
    location.truncate(location.len().saturating_sub(INDEX.len()));
    Box::leak(location.into_boxed_slice())
}

/// `etagc` of RFC 9110, section 8.8.3, without obs-text.
fn is_opaque_tag(tag: &[u8]) -> bool {
    !tag.is_empty() && tag.len() <= 128 && tag.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e))
}

/// Visible ASCII with single spaces within: nothing that could end a field line.
fn is_field_value(value: &[u8]) -> bool {
    !value.is_empty() && value.len() <= 255 && value.iter().all(|byte| matches!(byte, 0x20..=0x7e))
}
