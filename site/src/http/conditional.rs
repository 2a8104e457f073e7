//! If-None-Match (RFC 9110, section 13.1.2).

use super::field::{Fields, trim};

/// Whether a line of If-None-Match names this entity tag, its quotes included, or is `*`. The comparison is the weak
/// one: `W/` before a tag makes no difference. What is malformed names nothing.
pub fn none_match(fields: Fields<'_>, etag: &[u8]) -> bool {
    fields.values(b"if-none-match").any(|value| value == b"*" || names(value, etag))
}

/// Goes through `entity-tag *( "," entity-tag )`; a tag may hold a comma.
fn names(mut list: &[u8], etag: &[u8]) -> bool {
    if etag.is_empty() {
        return false;
    }
    loop {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let tag = list.strip_prefix(b"W/").unwrap_or(list);
        let Some(end) = tag.iter().skip(1).position(|byte| *byte == b'"').and_then(|at| at.checked_add(2))
        else {
            return false;
        };
        let (tag, rest) = tag.split_at_checked(end).unwrap_or_default();
        let is_separated = matches!(trim(rest), [] | [b',', ..]);
        if !tag.starts_with(b"\"") || !is_separated {
            return false;
        }
        if tag == etag {
            return true;
        }
        list = rest;
    }
}
