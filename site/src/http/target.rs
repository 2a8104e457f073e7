//! Request targets (RFC 9112, section 3.2) and their paths.

use super::request::Rejection;
use super::scan;
use crate::tar::Name;
use alloc::vec::Vec;

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
    /// From `encoded`, which starts with `/`. Rejects a `%` without two hexadecimal digits, and `%00`.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Rejection> {
        let encoded = encoded.strip_prefix(b"/").ok_or(Rejection::Target)?;
        let mut rest = encoded;
        while let Some(at) = scan::percent(rest) {
            rest = rest.get(at..).unwrap_or_default();
            match rest {
                [_, b'0', b'0', ..] => return Err(Rejection::Target),
                [_, high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => rest = after,
                _ => return Err(Rejection::Target),
            }
        }
        Ok(Self { encoded, is_plain: rest.len() == encoded.len(), suffix: b"" })
    }

    /// The path of a page whose name needs no encoding.
    pub const fn of_name(name: &'static [u8]) -> Path<'static> {
        Path { encoded: name, is_plain: true, suffix: b"" }
    }

    /// The path with more behind it.
    pub fn with(&self, suffix: &'static [u8]) -> Self {
        Self { suffix, ..*self }
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

/// Splits a target into its path, which starts with `/`, and its query with the `?`, if there is one.
///
/// Of the absolute form the authority is checked and left: there is one site. The authority form belongs to CONNECT,
/// the asterisk form to OPTIONS; neither method is served, so they come out as the path `/`.
pub fn split<'a>(target: &'a [u8], method: &[u8]) -> Result<(&'a [u8], &'a [u8]), Rejection> {
    if scan::no_target(target).is_some() {
        return Err(Rejection::Target);
    }
    let path = match (target, method) {
        ([b'/', ..], _) => target,
        (b"*", b"OPTIONS") | (_, b"CONNECT") => b"/",
        _ => {
            let rest = scheme(target).ok_or(Rejection::Target)?;
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or_default();
            if !is_authority(authority) {
                return Err(Rejection::Target);
            }
            path
        }
    };
    let query = scan::question_mark(path).unwrap_or(path.len());
    let (path, query) = path.split_at_checked(query).unwrap_or_default();
    Ok((if path.is_empty() { b"/" } else { path }, query))
}

/// What follows `http://` or `https://`.
fn scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = target.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
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
