//! Field lines (RFC 9112, section 5; RFC 9110, section 5).

use super::request::Rejection;
use super::scan;

/// Field lines, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    lines: &'a [u8],
}

/// A field line: its name, and its value without the white space around it.
pub type Field<'a> = (&'a [u8], &'a [u8]);

impl<'a> Fields<'a> {
    /// Lines that each end in CRLF.
    pub fn new(lines: &'a [u8]) -> Self {
        Self { lines }
    }

    /// The values of all lines of this name, in order.
    pub fn values(self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.map_while(Result::ok)
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Rejection>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.lines.is_empty() {
            return None;
        }
        let field = take(&mut self.lines);
        if field.is_err() {
            self.lines = &[];
        }
        Some(field)
    }
}

/// Takes a field line. No white space before the colon, nor at the line's start (obs-fold); no CR, NUL or other control
/// in the value.
#[inline]
pub fn take<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, Rejection> {
    let (name, text) = rest.split_at_checked(name_end(rest)?).ok_or(Rejection::Field)?;
    let text = text.get(1..).unwrap_or_default();
    let mut end = 0_usize;
    loop {
        let ahead = text.get(end..).unwrap_or_default();
        end = end.wrapping_add(scan::control(ahead).ok_or(Rejection::Incomplete)?);
        match text.get(end..).unwrap_or_default() {
            [b'\r', b'\n', after @ ..] => {
                *rest = after;
                return Ok((name, trim(text.get(..end).unwrap_or_default())));
            }
            [b'\t', ..] => end = end.wrapping_add(1),
            [b'\r'] => return Err(Rejection::Incomplete),
            _ => return Err(Rejection::Field),
        }
    }
}

/// Where the colon behind a field's name is.
#[inline]
fn name_end(line: &[u8]) -> Result<usize, Rejection> {
    let mut end = scan::no_letter(line).ok_or(Rejection::Incomplete)?;
    loop {
        match line.get(end) {
            Some(b':') if end > 0 => return Ok(end),
            Some(byte) if is_tchar(*byte) => end = end.wrapping_add(1),
            Some(_) => return Err(Rejection::Field),
            None => return Err(Rejection::Incomplete),
        }
    }
}

/// Whether a field has this name, given in lower case, which has four bytes at least, letters and `-` only.
#[inline]
pub fn is_named(name: &[u8], lower: &'static [u8]) -> bool {
    // Of the bytes that a name can have, only the capital of a letter becomes that letter so, and only `-` stays `-`.
    let folds = |(one, other): (&[u8; 4], &[u8; 4])| {
        u32::from_le_bytes(*one) | u32::from_le_bytes([b' '; 4]) == u32::from_le_bytes(*other)
    };
    name.len() == lower.len()
        && name.as_chunks().0.iter().zip(lower.as_chunks().0).all(folds)
        && name.last_chunk().zip(lower.last_chunk()).is_some_and(folds)
}

/// Takes a line that ends in CRLF, without it. `None` where the line ends in a bare LF, or never.
pub fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = scan::line_feed(rest)?;
    let (line, after) = rest.split_at_checked(end)?;
    *rest = after.get(1..)?;
    line.strip_suffix(b"\r")
}

/// Without the spaces and tabs around it (OWS).
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `token` (RFC 9110, section 5.6.2): not empty.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// `tchar` (RFC 9110, section 5.6.2).
pub fn is_tchar(byte: u8) -> bool {
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256, and the compiler has been there")]
    const TCHAR: [bool; 256] = {
        let mut table = [false; 256];
        let mut rest: &[u8] =
            b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        while let [byte, after @ ..] = rest {
            table[*byte as usize] = true;
            rest = after;
        }
        table
    };
    TCHAR.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The elements of a comma-separated list, white space trimmed, empty ones left out (RFC 9110, section 5.6.1).
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}
