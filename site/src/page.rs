//! A page: what a URL names, in every form that it can be had in.

use crate::etag::{self, Hash};
use crate::fields::Fields;
use crate::http::target;
use crate::representation::{Coding, Parts, Representation};
use crate::rules::Headers;
use crate::tar::{Member, Name};
use crate::{cache_control, media_type};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The file that stands for its folder.
pub const INDEX: &[u8] = b"index.html";

/// A page. Made when it is first asked for and kept for good: there are at most as many as files, and error pages.
#[derive(Debug)]
pub struct Page {
    /// The file's name; empty for a page of the server's own.
    pub name: Name<'static>,
    /// For an index, the URL path of its folder; else nothing.
    pub location: &'static [u8],
    /// When the file was last modified, in seconds since 1970.
    pub modified: u64,
    /// The file as it is.
    pub identity: Representation,
    /// The same, encoded: at most one of each coding.
    pub encoded: &'static [Representation],
}

impl Page {
    /// The page of a member; `encoded` are the members that hold the same, encoded; `headers` are the site's
    /// rules.
    pub fn of_member(
        member: &Member<'static>,
        encoded: impl Iterator<Item = (Coding, Member<'static>)>,
        headers: &Headers,
    ) -> &'static Self {
        let location = if is_index(member.name) { folder(member.name) } else { &[] };
        let (media_type, charset) = match member.media_type.filter(|text| is_field_value(text)) {
            Some(media_type) => (media_type, ""),
            None => {
                let media_type = media_type::of(member.name.name).unwrap_or("application/octet-stream");
                (media_type.as_bytes(), media_type::charset(media_type, member.body))
            }
        };
        let media_type = [media_type, charset.as_bytes()].concat();
        let mut fields = Fields::new(cache_control::of(member.name.bytes(), &media_type));
        if !headers.is_empty() {
            headers.changes(&paths(member.name)).for_each(|change| fields.change(change));
        }
        let encoded: Vec<_> = encoded.collect();
        let representation = |coding, member: &Member<'static>, modified| {
            let tag = match stated_tag(member) {
                Some(tag) => Vec::from(tag),
                None if member.body.len() <= etag::SLICE => {
                    Hash::default().read(member.body).unwrap_or_default()
                }
                // Page::tagged follows.
                None => Vec::new(),
            };
            Representation::new(&Parts {
                coding,
                body: member.body,
                media_type: &media_type,
                etag: &tag,
                modified: Some(modified),
                varies: !encoded.is_empty(),
                fields: &fields,
            })
        };
        let identity = representation(Coding::Identity, member, member.modified);
        let encoded: Vec<_> =
            encoded.iter().map(|(coding, other)| representation(*coding, other, member.modified)).collect();
        Box::leak(Box::new(Self {
            name: member.name,
            location,
            modified: member.modified,
            identity,
            encoded: Box::leak(encoded.into_boxed_slice()),
        }))
    }

    /// A page of the server's own.
    pub fn of_server(body: &'static [u8]) -> &'static Self {
        let identity = Representation::new(&Parts {
            coding: Coding::Identity,
            body,
            media_type: b"text/html; charset=utf-8",
            etag: &[],
            modified: None,
            varies: false,
            fields: &Fields::default(),
        });
        let name = Name { prefix: &[], name: &[] };
        Box::leak(Box::new(Self { name, location: &[], modified: 0, identity, encoded: &[] }))
    }

    /// The same page with an entity tag for its first representation that has none.
    pub fn tagged(&'static self, tag: &[u8]) -> &'static Self {
        let mut tag = Some(tag);
        let mut with_tag = |of: &Representation| match tag.take_if(|_| of.etag().is_empty()) {
            Some(tag) => of.tagged(tag),
            None => *of,
        };
        let identity = with_tag(&self.identity);
        let encoded: Vec<_> = self.encoded.iter().map(with_tag).collect();
        Box::leak(Box::new(Self { identity, encoded: Box::leak(encoded.into_boxed_slice()), ..*self }))
    }

    /// A representation that has no entity tag yet.
    pub fn untagged(&'static self) -> Option<&'static Representation> {
        self.representations().find(|representation| representation.etag().is_empty())
    }

    /// Every representation, the file as it is first.
    pub fn representations(&'static self) -> impl Iterator<Item = &'static Representation> {
        core::iter::once(&self.identity).chain(self.encoded)
    }
}

fn is_index(name: Name<'_>) -> bool {
    name.name.strip_suffix(INDEX).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
}

/// The URL paths of a page, percent-encoded, without their leading `/`.
fn paths(name: Name<'_>) -> Vec<Vec<u8>> {
    let mut path = Vec::new();
    name.bytes().for_each(|byte| target::encode(byte, &mut path));
    let short = if is_index(name) { path.strip_suffix(INDEX) } else { path.strip_suffix(b".html") };
    let short = short.map(Vec::from);
    core::iter::once(path).chain(short).collect()
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

/// The entity tag that the tar states, if it can be one.
pub fn stated_tag(member: &Member<'static>) -> Option<&'static [u8]> {
    member.etag.filter(|tag| is_opaque_tag(tag))
}

/// `etagc` of RFC 9110, section 8.8.3, without obs-text.
fn is_opaque_tag(tag: &[u8]) -> bool {
    !tag.is_empty() && tag.len() <= 128 && tag.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e))
}

/// Visible ASCII with single spaces within: nothing that could end a field line.
fn is_field_value(value: &[u8]) -> bool {
    !value.is_empty() && value.len() <= 255 && value.iter().all(|byte| matches!(byte, 0x20..=0x7e))
}
