//! Where a rule leads: a text with places for what the rule's placeholders stood for.

use super::Fault;
use super::pattern::Captures;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A path, or an `http` or `https` URL with a fixed authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    is_local: bool,
    has_query: bool,
}

/// A part of a filled template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part<'s, 'a> {
    /// The template's own.
    Fixed(&'s [u8]),
    /// What a placeholder stood for.
    Filled(&'a [u8]),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(Vec<u8>),
    Capture(usize),
}

impl Template {
    /// `names` are the placeholders of the rule, in their order.
    pub fn parse(text: &str, names: &[String]) -> Result<Self, Fault> {
        let no_target = || Fault::Target(text.to_string());
        let is_local = text.starts_with('/') && !text.starts_with("//");
        let path = match text.split_once("://") {
            _ if is_local => 0,
            Some(("http" | "https", rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let authority = rest.get(..end).unwrap_or_default();
                let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
                let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
                let is_sound = host.bytes().all(is_host) && port.bytes().all(|byte| byte.is_ascii_digit());
                if host.is_empty() || !is_sound {
                    return Err(no_target());
                }
                text.len().saturating_sub(rest.len()).saturating_add(end)
            }
            _ => return Err(no_target()),
        };
        // `Location` is a URI: visible ASCII, nothing that a client would have to guess at (RFC 3986).
        if text.contains('\\') {
            return Err(no_target());
        }
        let (origin, rest) = text.split_at_checked(path).unwrap_or_default();
        let mut this = Self { pieces: Vec::new(), is_local, has_query: rest.contains(['?', '#']) };
        let mut literal = origin.as_bytes().to_vec();
        let mut rest = rest;
        while let Some(colon) = rest.find(':') {
            let (before, after) = rest.split_at_checked(colon).unwrap_or_default();
            encode(before, &mut literal);
            let after = after.get(1..).unwrap_or_default();
            let is_name = |other: char| other.is_ascii_alphanumeric() || other == '_';
            let end = after.find(|other: char| !is_name(other)).unwrap_or(after.len());
            let (name, tail) = after.split_at_checked(end).unwrap_or_default();
            if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
                let number = names.iter().position(|other| other == name);
                let number = number.ok_or_else(|| Fault::Unbound(alloc::format!(":{name}")))?;
                this.pieces.push(Piece::Literal(core::mem::take(&mut literal)));
                this.pieces.push(Piece::Capture(number));
                rest = tail;
            } else {
                literal.push(b':');
                rest = after;
            }
        }
        encode(rest, &mut literal);
        this.pieces.push(Piece::Literal(literal));
        Ok(this)
    }

    /// Whether it is a path on this site.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// Whether it has a query of its own, or a fragment, behind which none can stand.
    pub fn has_query(&self) -> bool {
        self.has_query
    }

    /// Its text, if nothing is filled in.
    pub fn fixed(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Gives its parts in their order, percent-encoded: the rule's own, and the request's. Nothing that was filled in makes
    /// another host of a path.
    pub fn fill<'s, 'a>(&'s self, captures: &Captures<'a>, mut put: impl FnMut(Part<'s, 'a>)) {
        let mut is_start = self.is_local;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => {
                    is_start &= text.is_empty() || text == b"/";
                    put(Part::Fixed(text));
                }
                Piece::Capture(number) => {
                    let mut part = captures.get(*number);
                    while let [b'/' | b'\\', after @ ..] = part
                        && is_start
                    {
                        part = after;
                    }
                    is_start &= part.is_empty();
                    put(Part::Filled(part));
                }
            }
        }
    }
}

/// Appends text, with what a URL cannot hold percent-encoded; what is encoded stays so.
fn encode(text: &str, to: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x20 | 0x7f.. => {
                to.extend_from_slice(alloc::format!("%{byte:02X}").as_bytes());
            }
            _ => to.push(byte),
        }
    }
}
