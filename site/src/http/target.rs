//! Request targets (RFC 9112, section 3.2) and their paths.

use super::request::{Method, Rejection};
use super::scan;
use crate::tar::Name;
use alloc::vec::Vec;

/// A request target.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its form.
    pub form: Form<'a>,
    /// Its path, decoded when looked at; `/` in the forms that have none.
    pub path: Path<'a>,
    /// Its query with the `?`, or nothing.
    pub query: &'a [u8],
}

/// The forms of a target (RFC 9112, section 3.2).
///
/// The authority of an absolute form counts in place of `Host` (section 3.2.2). There is one site, whatever it is called:
/// only what leads from HTTP to HTTPS asks for either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form<'a> {
    /// `/path?query`
    Origin,
    /// `http://authority/path?query`, with its authority.
    Absolute(&'a [u8]),
    /// The same with `https`.
    AbsoluteSecure,
    /// `authority`, of a CONNECT.
    Authority,
    /// `*`, of an OPTIONS, or of a method that we do not know.
    Asterisk,
}

impl<'a> Target<'a> {
    /// Parses a target, up to the space behind it; gives what is behind that, too.
    #[inline]
    pub fn parse(bytes: &'a [u8], method: Method) -> Result<(Self, &'a [u8]), Rejection> {
        match (bytes, method) {
            (_, Method::Connect) => {
                let (authority, rest) = word(bytes)?;
                let has_port = authority.iter().rposition(|byte| *byte == b':').is_some_and(|colon| {
                    authority.get(colon.wrapping_add(1)..).is_some_and(|port| !port.is_empty())
                });
                if !is_authority(authority) || !has_port {
                    return Err(Rejection::Target);
                }
                Ok((Self { form: Form::Authority, path: Path::ROOT, query: b"" }, rest))
            }
            ([b'/', after @ ..], _) => Self::with(Form::Origin, after),
            ([b'*', b' ', rest @ ..], Method::Options | Method::Unknown) => {
                Ok((Self { form: Form::Asterisk, path: Path::ROOT, query: b"" }, rest))
            }
            _ => Self::absolute(bytes),
        }
    }

    fn absolute(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Rejection> {
        // It is looked at once it is there as a whole: what breaks it off says more than what it begins with.
        let (target, _) = word(bytes)?;
        let colon = target.iter().position(|byte| *byte == b':').ok_or(Rejection::Target)?;
        let (scheme, _) = target.split_at_checked(colon).unwrap_or_default();
        let is_secure = scheme.eq_ignore_ascii_case(b"https");
        if !is_secure && !scheme.eq_ignore_ascii_case(b"http") {
            return Err(Rejection::Target);
        }
        let rest = bytes.get(colon..).and_then(|rest| rest.strip_prefix(b"://")).ok_or(Rejection::Target)?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b' ')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or_default();
        if !is_authority(authority) {
            return Err(Rejection::Target);
        }
        let form = if is_secure { Form::AbsoluteSecure } else { Form::Absolute(authority) };
        Self::with(form, path.strip_prefix(b"/").unwrap_or(path))
    }

    /// From the byte on that follows the path's first `/`.
    #[inline]
    fn with(form: Form<'a>, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Rejection> {
        let (path, rest) = Path::take(bytes)?;
        match rest {
            [b' ', after @ ..] => Ok((Self { form, path, query: b"" }, after)),
            [b'?', ..] => {
                let (query, after) = word(rest)?;
                Ok((Self { form, path, query }, after))
            }
            _ => Err(broken_off(rest)),
        }
    }
}

/// What stands before a space, of bytes that a target can have, and what stands behind it.
fn word(bytes: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let end = scan::no_target(bytes).unwrap_or(bytes.len());
    match bytes.split_at_checked(end).unwrap_or_default() {
        (b"", [b' ', ..]) => Err(Rejection::RequestLine),
        (word, [b' ', after @ ..]) => Ok((word, after)),
        (_, rest) => Err(broken_off(rest)),
    }
}

/// What is wrong with a target behind which this stands.
fn broken_off(rest: &[u8]) -> Rejection {
    match rest {
        [] | [b'\r'] => Rejection::Incomplete,
        [b'\r', b'\n', ..] | [b'\n', ..] => Rejection::RequestLine,
        _ => Rejection::Target,
    }
}

/// The path of a target: its bytes up to a `?`, without the leading `/`, percent-encoded as they came.
///
/// It is decoded once, byte by byte, when it is hashed or compared, and names a page only if it is the same as the
/// page's name byte for byte. So `..` and `%2e%2e` are parts that no page's name has, and lead nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    encoded: &'a [u8],
    /// Nothing in `encoded` is percent-encoded: it can be compared as it is.
    is_plain: bool,
    suffix: &'static [u8],
}

impl<'a> Path<'a> {
    /// `/`
    const ROOT: Path<'static> = Path::of_name(b"");

    /// From `encoded`, which starts with `/`. Rejects what cannot be in a target, a `%` without two hexadecimal digits, and
    /// `%00`.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Rejection> {
        let encoded = encoded.strip_prefix(b"/").ok_or(Rejection::Target)?;
        match Self::take(encoded)? {
            (path, []) => Ok(path),
            _ => Err(Rejection::Target),
        }
    }

    /// The path at the start of `bytes`, up to the first byte that none has; gives the rest, too.
    #[inline]
    fn take(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Rejection> {
        let (mut end, mut is_plain) = (0_usize, true);
        loop {
            let ahead = bytes.get(end..).unwrap_or_default();
            end = end.wrapping_add(scan::no_plain_path(ahead).unwrap_or(ahead.len()));
            let (encoded, rest) = bytes.split_at_checked(end).unwrap_or_default();
            match rest {
                [b'%', b'0', b'0', ..] => return Err(Rejection::Target),
                [b'%', high, low, ..] if hex(*high).is_some() && hex(*low).is_some() => {
                    (end, is_plain) = (end.wrapping_add(3), false);
                }
                [b'%'] | [b'%', _] => return Err(Rejection::Incomplete),
                [b'%', ..] => return Err(Rejection::Target),
                _ => return Ok((Self { encoded, is_plain, suffix: b"" }, rest)),
            }
        }
    }

    /// The path of a page whose name needs no encoding.
    pub const fn of_name(name: &'static [u8]) -> Path<'static> {
        Path { encoded: name, is_plain: true, suffix: b"" }
    }

    /// The path with more behind it.
    pub fn with(&self, suffix: &'static [u8]) -> Self {
        Self { suffix, ..*self }
    }

    /// Its bytes as they came.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// Whether it is empty or ends in `/`.
    pub fn is_folder(&self) -> bool {
        matches!(self.encoded, [] | [.., b'/'])
    }

    /// The decoded bytes in two runs, where they are as they came.
    pub fn plain(&self) -> Option<(&'a [u8], &'static [u8])> {
        self.is_plain.then_some((self.encoded, self.suffix))
    }

    /// Whether this is the path of the page of this name.
    pub fn names(&self, name: Name<'_>) -> bool {
        match name.slice() {
            Some(name) if self.is_plain => {
                name.split_at_checked(self.encoded.len()) == Some((self.encoded, self.suffix))
            }
            _ => self.bytes().eq(name.bytes()),
        }
    }

    /// The decoded bytes. An encoded `/` is data, not a separator (RFC 3986, section 2.2), and no file's name can hold
    /// it: it comes out as NUL, which no page's name has.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + 'a {
        let mut rest = self.encoded;
        let decoded = core::iter::from_fn(move || match rest {
            [b'%', high, low, after @ ..] => {
                rest = after;
                let byte = hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default();
                Some(if byte == b'/' { 0 } else { byte })
            }
            [byte, after @ ..] => {
                rest = after;
                Some(*byte)
            }
            [] => None,
        });
        decoded.chain(self.suffix.iter().copied())
    }
}

/// `/` or `pchar` that is not percent-encoded (RFC 3986, section 3.3).
const fn is_path_byte(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&'
        | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/')
}

/// A byte of a `uri-host` that is no IP literal (RFC 3986, section 3.2.2).
fn is_host_byte(byte: u8) -> bool {
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256, and the compiler has been there")]
    const HOST: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            table[byte as usize] = is_path_byte(byte) && !matches!(byte, b'/' | b':' | b'@') || byte == b'%';
            byte = byte.wrapping_add(1);
        }
        table
    };
    HOST.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Appends a byte of a decoded path, percent-encoded where a path cannot hold it.
pub fn encode(byte: u8, to: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if is_path_byte(byte) {
        to.push(byte);
    } else {
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
        to.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
    }
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        b'A'..=b'F' => digit.checked_sub(b'A' - 10),
        _ => None,
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, section 4.2.1: the host is not empty), as `Host` has it too. No user information.
pub fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = match authority {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (address, after) = rest.split_at_checked(end).unwrap_or_default();
            if !address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
                return false;
            }
            (address, after.get(1..).unwrap_or_default())
        }
        _ => {
            let end = authority.iter().position(|byte| !is_host_byte(*byte)).unwrap_or(authority.len());
            authority.split_at_checked(end).unwrap_or_default()
        }
    };
    let port_is_sound = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && port_is_sound
}
