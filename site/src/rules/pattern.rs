//! Paths with placeholders: `:name` stands for one part, `*` for any bytes.

use super::Fault;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The most placeholders of a rule, those of its query and the splat included.
pub const PLACEHOLDERS: usize = 8;

/// A path, or what a path has to look like. Literals are decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// What comes before the `*`.
    pieces: Vec<Piece>,
    /// What comes after the `*`, if there is one.
    suffix: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(Vec<u8>),
    /// The number of the placeholder.
    Placeholder,
}

/// What placeholders stood for, percent-encoded as it came: those of the path, the splat, those of the query.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Captures<'a> {
    parts: [&'a [u8]; PLACEHOLDERS],
    length: usize,
}

impl<'a> Captures<'a> {
    /// Adds one.
    pub fn push(&mut self, part: &'a [u8]) {
        if let Some(place) = self.parts.get_mut(self.length) {
            *place = part;
            self.length = self.length.saturating_add(1);
        }
    }

    /// What the placeholder of this number stood for.
    pub fn get(&self, number: usize) -> &'a [u8] {
        self.parts.get(number).copied().unwrap_or_default()
    }
}

impl Pattern {
    /// From a path with its leading `/`. Gives the names of the placeholders too, `splat` last.
    pub fn parse(text: &str) -> Result<(Self, Vec<String>), Fault> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(Fault::Host(text.to_string()));
        }
        let no_path = || Fault::Path(text.to_string());
        let path = text.strip_prefix('/').ok_or_else(no_path)?;
        if path.contains(['?', '#']) {
            return Err(no_path());
        }
        let (before, suffix) = match path.split_once('*') {
            Some((_, after)) if after.contains('*') || after.split('/').any(|part| name(part).is_some()) => {
                return Err(Fault::Splat(text.to_string()));
            }
            Some((before, after)) => (before, Some(decode(after).ok_or_else(no_path)?)),
            None => (path, None),
        };
        let (mut pieces, mut names, mut literal) = (Vec::new(), Vec::new(), Vec::new());
        for (number, part) in before.split('/').enumerate() {
            if number > 0 {
                literal.push(b'/');
            }
            match name(part) {
                Some(name) => {
                    pieces.push(Piece::Literal(core::mem::take(&mut literal)));
                    pieces.push(Piece::Placeholder);
                    names.push(name.to_string());
                }
                None => literal.extend(decode(part).ok_or_else(no_path)?),
            }
        }
        pieces.push(Piece::Literal(literal));
        if suffix.is_some() {
            names.push("splat".to_string());
        }
        if names.len() > PLACEHOLDERS {
            return Err(Fault::Placeholders(text.to_string()));
        }
        Ok((Self { pieces, suffix }, names))
    }

    /// The decoded path without the leading `/`, if it has no placeholder.
    pub fn exact(&self) -> Option<&[u8]> {
        match (self.pieces.as_slice(), &self.suffix) {
            ([Piece::Literal(path)], None) => Some(path),
            _ => None,
        }
    }

    /// Matches a path, percent-encoded, without its leading `/`. A `/` at the end of either makes no difference, unless
    /// something stands behind a `*`, and `FOLDER/*` is also `FOLDER`.
    pub fn matches<'a>(&self, path: &'a [u8]) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        let mut rest = path;
        for (number, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => {
                    let is_last = number.saturating_add(1) == self.pieces.len();
                    match without(rest, literal) {
                        Some(after) => rest = after,
                        // What may be missing is the `/` at the end.
                        None if is_last && self.suffix.as_ref().is_none_or(Vec::is_empty) => {
                            let literal = literal.strip_suffix(b"/")?;
                            rest = without(rest, literal).filter(|after| after.is_empty())?;
                        }
                        None => return None,
                    }
                }
                Piece::Placeholder => {
                    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
                    let (part, after) = rest.split_at_checked(end).filter(|(part, _)| !part.is_empty())?;
                    captures.push(part);
                    rest = after;
                }
            }
        }
        match &self.suffix {
            None => matches!(rest, [] | [b'/']).then_some(captures),
            Some(suffix) => {
                captures.push(before(rest, suffix)?);
                Some(captures)
            }
        }
    }
}

/// The name of a part that is a placeholder.
fn name(part: &str) -> Option<&str> {
    let name = part.strip_prefix(':')?;
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_')
    };
    is_name(name).then_some(name)
}

/// What follows `literal` in the percent-encoded `path`. An encoded `/` is none (RFC 3986, section 2.2).
fn without<'a>(path: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    let mut rest = path;
    for expected in literal {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => (byte(*high, *low)?, after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        if byte != *expected {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// What comes before `literal` at the end of the percent-encoded `path`.
fn before<'a>(path: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    let mut rest = path;
    for expected in literal.iter().rev() {
        let (byte, ahead) = match rest {
            [ahead @ .., b'%', high, low] => (byte(*high, *low)?, ahead),
            [ahead @ .., byte] => (*byte, ahead),
            [] => return None,
        };
        if byte != *expected {
            return None;
        }
        rest = ahead;
    }
    Some(rest)
}

/// A byte that was percent-encoded; NUL for a `/`.
pub(super) fn byte(high: u8, low: u8) -> Option<u8> {
    let byte = hex(high)? << 4 | hex(low)?;
    Some(if byte == b'/' { 0 } else { byte })
}

/// The bytes of a percent-encoded part; a `%` that starts no encoding, an encoded `/` and NUL are none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [b'%', high, low, after @ ..] => {
                bytes.push(byte(*high, *low).filter(|byte| *byte != 0)?);
                after
            }
            [b'%', ..] => return None,
            [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
            [] => return Some(bytes),
        };
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
