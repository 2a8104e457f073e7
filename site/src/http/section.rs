//! The header section (RFC 9110, section 6.3), read in one pass: what every request needs is looked at, and of what only
//! some have it is noted where it stands.

use super::field::{self, Fields, is_named};
use super::request::{Body, Rejection};
use super::target;
use crate::pax::decimal;

/// Fields that choose between the responses of a resource: they are looked at once the resource is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are named as in RFC 9110")]
pub enum Choice {
    AcceptEncoding,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    Range,
}

impl Choice {
    const COUNT: usize = 7;

    const fn name(self) -> &'static [u8] {
        match self {
            Self::AcceptEncoding => b"accept-encoding",
            Self::IfMatch => b"if-match",
            Self::IfModifiedSince => b"if-modified-since",
            Self::IfNoneMatch => b"if-none-match",
            Self::IfRange => b"if-range",
            Self::IfUnmodifiedSince => b"if-unmodified-since",
            Self::Range => b"range",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A header section that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// From the first field line on; behind the last one is the empty line.
    lines: &'a [u8],
    /// Of each choice, whether it is there, and whether it is more than once.
    present: u8,
    repeated: u8,
    /// Of each choice that is there, where its first line is in `lines`.
    first: [u16; Choice::COUNT],
    hosts: u8,
    content_length: Option<u64>,
    transfer_encoding: Option<&'a [u8]>,
    /// `Connection: close`.
    pub close: bool,
    /// `Connection: keep-alive`.
    pub keep_alive: bool,
    /// `Expect: 100-continue`.
    pub expects_continue: bool,
}

impl<'a> Section<'a> {
    /// Reads the field lines at the start of `bytes`; gives what is behind their empty line, too.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Rejection> {
        let mut section = Self {
            lines: bytes,
            present: 0,
            repeated: 0,
            first: [0; Choice::COUNT],
            hosts: 0,
            content_length: None,
            transfer_encoding: None,
            close: false,
            keep_alive: false,
            expects_continue: false,
        };
        let mut rest = bytes;
        loop {
            match rest {
                [b'\r', b'\n', after @ ..] => {
                    let length = bytes.len().wrapping_sub(rest.len());
                    section.lines = bytes.get(..length).unwrap_or_default();
                    return Ok((section, after));
                }
                [] | [b'\r'] => return Err(Rejection::Incomplete),
                _ => {
                    let at = bytes.len().wrapping_sub(rest.len());
                    let (name, value) = field::take(&mut rest)?;
                    section.note(name, value, at)?;
                }
            }
        }
    }

    #[inline]
    fn note(&mut self, name: &[u8], value: &'a [u8], at: usize) -> Result<(), Rejection> {
        // The length and the first letter tell nearly all fields apart.
        let Some(first) = name.first() else { return Err(Rejection::Field) };
        match (name.len(), first | 0x20) {
            (4, b'h') if is_named(name, b"host") => {
                self.hosts = self.hosts.saturating_add(1);
                if !target::is_authority(value) {
                    return Err(Rejection::Host);
                }
            }
            (6, b'e') if is_named(name, b"expect") => self.expect(value)?,
            (10, b'c') if is_named(name, b"connection") => self.connection(value),
            (14, b'c') if is_named(name, b"content-length") => {
                let length = decimal(value).ok_or(Rejection::ContentLength)?;
                once(&mut self.content_length, length).ok_or(Rejection::ContentLength)?;
            }
            (17, b't') if is_named(name, b"transfer-encoding") => {
                once(&mut self.transfer_encoding, value).ok_or(Rejection::TransferEncoding)?;
            }
            (15, b'a') => self.choice(Choice::AcceptEncoding, name, at),
            (5, b'r') => self.choice(Choice::Range, name, at),
            (8, b'i') => {
                self.choice(Choice::IfMatch, name, at);
                self.choice(Choice::IfRange, name, at);
            }
            (13, b'i') => self.choice(Choice::IfNoneMatch, name, at),
            (17, b'i') => self.choice(Choice::IfModifiedSince, name, at),
            (19, b'i') => self.choice(Choice::IfUnmodifiedSince, name, at),
            _ => {}
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, name: &[u8], at: usize) {
        if !is_named(name, choice.name()) {
            return;
        }
        self.repeated |= self.present & choice.bit();
        if self.present & choice.bit() == 0
            && let Some(first) = self.first.get_mut(choice as usize)
        {
            // A head that is too long for this is refused.
            *first = u16::try_from(at).unwrap_or(u16::MAX);
        }
        self.present |= choice.bit();
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Rejection> {
        for expectation in field::list(value) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(Rejection::Expectation);
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in field::list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// What follows the section; and what needs all fields is checked (RFC 9112, sections 3.2 and 6.3).
    #[inline]
    pub fn body(&self, is_1_0: bool) -> Result<Body, Rejection> {
        if self.hosts > 1 || (self.hosts == 0 && !is_1_0) {
            return Err(Rejection::Host);
        }
        match (self.transfer_encoding, self.content_length) {
            (None, length) => Ok(Body::Length(length.unwrap_or(0))),
            (Some(_), Some(_)) => Err(Rejection::TransferEncoding),
            (Some(_), None) if is_1_0 => Err(Rejection::TransferEncoding),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (Some(coding), None) if field::is_token(coding) => Err(Rejection::Coding),
            (Some(_), None) => Err(Rejection::TransferEncoding),
        }
    }

    /// Whether any field is there that chooses.
    pub fn chooses(&self) -> bool {
        self.present != 0
    }

    /// Whether this field is there.
    pub fn has(&self, choice: Choice) -> bool {
        self.present & choice.bit() != 0
    }

    /// The values of this field's lines, in order.
    pub fn values(&self, choice: Choice) -> impl Iterator<Item = &'a [u8]> {
        let first = self.first.get(choice as usize).copied().unwrap_or_default();
        let lines = if self.has(choice) { self.lines.get(usize::from(first)..) } else { None };
        let most = if self.repeated & choice.bit() == 0 { 1 } else { usize::MAX };
        Fields::new(lines.unwrap_or_default()).values(choice.name()).take(most)
    }

    /// The value of this field, if it has one line.
    pub fn value(&self, choice: Choice) -> Option<&'a [u8]> {
        if self.repeated & choice.bit() == 0 { self.values(choice).next() } else { None }
    }

    /// All field lines.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.lines)
    }
}

/// Sets what must not be set before.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}
