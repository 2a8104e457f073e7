//! Preconditions (RFC 9110, section 13).

use super::date;
use super::field::trim;
use super::section::{Choice, Section};

/// What a precondition is about: the representation that was selected.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The opaque tag of its strong ETag, quotes included, or nothing.
    pub etag: &'a [u8],
    /// When it was last modified, in seconds since 1970.
    pub modified: u64,
}

/// What the preconditions of a GET or HEAD come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// They hold.
    Proceed,
    /// The client has it already: 304.
    NotModified,
    /// One does not hold: 412.
    Failed,
}

/// Goes through the preconditions in the order of section 13.2.2, steps 1 to 4. `now` is in seconds since 1970.
pub fn evaluate(section: &Section<'_>, of: Validators<'_>, now: u64) -> Outcome {
    let holds = match (section.has(Choice::IfMatch), date(section, Choice::IfUnmodifiedSince, now)) {
        (true, _) => is_named(section, Choice::IfMatch, of.etag, Comparison::Strong),
        (false, Some(date)) => of.modified <= date,
        (false, None) => true,
    };
    if !holds {
        return Outcome::Failed;
    }
    let is_known = match (section.has(Choice::IfNoneMatch), date(section, Choice::IfModifiedSince, now)) {
        (true, _) => is_named(section, Choice::IfNoneMatch, of.etag, Comparison::Weak),
        (false, Some(date)) => of.modified <= date,
        (false, None) => false,
    };
    if is_known { Outcome::NotModified } else { Outcome::Proceed }
}

/// Step 5: whether a Range counts, as far as If-Range goes (section 13.1.5).
///
/// A date counts if it is the very date, and a second has passed since: within that second the page may have changed again
/// (section 8.8.2.2).
pub fn allows_range(section: &Section<'_>, of: Validators<'_>, now: u64) -> bool {
    if !section.has(Choice::IfRange) {
        return true;
    }
    match section.value(Choice::IfRange) {
        Some(tag) if tag.starts_with(b"\"") => !of.etag.is_empty() && tag == of.etag,
        Some(text) => date::parse(text, now).is_some_and(|date| date == of.modified && date < now),
        None => false,
    }
}

/// The date that a field states, if it is one, and the only one.
fn date(section: &Section<'_>, choice: Choice, now: u64) -> Option<u64> {
    section.value(choice).and_then(|text| date::parse(text, now))
}

/// How entity tags are compared (section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak tag is like no other.
    Strong,
    /// `W/` before a tag makes no difference.
    Weak,
}

/// Whether a line of the field names this entity tag, or is `*`. What is malformed names nothing.
fn is_named(section: &Section<'_>, choice: Choice, etag: &[u8], comparison: Comparison) -> bool {
    section.values(choice).any(|value| value == b"*" || names(value, etag, comparison))
}

/// Goes through `entity-tag *( "," entity-tag )`; a tag may hold a comma.
fn names(mut list: &[u8], etag: &[u8], comparison: Comparison) -> bool {
    if etag.is_empty() {
        return false;
    }
    loop {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let (tag, is_weak) = match list.strip_prefix(b"W/") {
            Some(tag) => (tag, true),
            None => (list, false),
        };
        let Some(end) = tag.iter().skip(1).position(|byte| *byte == b'"').and_then(|at| at.checked_add(2))
        else {
            return false;
        };
        let (tag, rest) = tag.split_at_checked(end).unwrap_or_default();
        let is_separated = matches!(trim(rest), [] | [b',', ..]);
        if !tag.starts_with(b"\"") || !is_separated {
            return false;
        }
        if tag == etag && !(is_weak && comparison == Comparison::Strong) {
            return true;
        }
        list = rest;
    }
}
