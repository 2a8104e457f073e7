//! The access log: a line for each response, in the Combined Log Format that web servers share and log readers know.
//!
//! What a client sent is shown so that it stays one line and one field: printable ASCII as it is, but for `"` and `\`,
//! which get a `\` before them, and every other byte as `\r`, `\n`, `\t` or `\xHH`; a field that is too long is cut, and ends with `...`.

use core::ascii;
use core::fmt::{self, Display, Write};
use core::net::Ipv4Addr;
use netstack::service::Inline;

/// Takes what is to be logged. It must not wait: the server does nothing else meanwhile.
pub trait AccessLog {
    /// Writes a line, or does not, where that would be one too many: then false.
    fn record(&mut self, entry: &Entry<'_>) -> bool;
}

/// Characters of the longest line.
pub const LONGEST: usize = 80 + REQUEST + REFERER + USER_AGENT;

/// Characters of the request line that are shown.
const REQUEST: usize = 320;
/// Of the Referer.
const REFERER: usize = 160;
/// Of the User-Agent.
const USER_AGENT: usize = 160;

/// A request and what became of it. Shown, it is the line, without its end.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The client.
    pub peer: Option<Ipv4Addr>,
    /// Now, as an IMF-fixdate.
    pub date: Inline,
    /// The request's head, sound or not, or as much of it as came.
    pub head: &'a [u8],
    /// The response's status, three digits.
    pub status: &'static str,
    /// Bytes of content in the response.
    pub content: usize,
}

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => peer.fmt(f)?,
            None => f.write_str("-")?,
        }
        f.write_str(" - - [")?;
        date(self.date.bytes(), f)?;
        f.write_str("] ")?;
        quoted(line(self.head), REQUEST, f)?;
        match self.content {
            0 => write!(f, " {} - ", self.status)?,
            content => write!(f, " {} {content} ", self.status)?,
        }
        quoted(field(self.head, b"referer:"), REFERER, f)?;
        f.write_str(" ")?;
        quoted(field(self.head, b"user-agent:"), USER_AGENT, f)
    }
}

/// `06/Nov/1994:08:49:37 +0000` of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(imf: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let part =
        |from: usize, to: usize| imf.get(from..to).and_then(|part| str::from_utf8(part).ok()).unwrap_or("");
    write!(f, "{}/{}/{}:{} +0000", part(5, 7), part(8, 11), part(12, 16), part(17, 25))
}

/// The first line, without its end.
fn line(head: &[u8]) -> &[u8] {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The value of the first field of this name, in lower case with its colon; nothing where there is none.
fn field<'a>(head: &'a [u8], name: &[u8]) -> &'a [u8] {
    let value = head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(value)
    });
    value.unwrap_or_default().trim_ascii()
}

/// Shows at most so many characters, in quotes; `-` for nothing.
fn quoted(bytes: &[u8], most: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const CUT: &str = "...";
    if bytes.is_empty() {
        return f.write_str("\"-\"");
    }
    f.write_str("\"")?;
    let mut room = most.saturating_sub(CUT.len());
    for &byte in bytes {
        let escaped = ascii::escape_default(byte);
        // It would escape this one too.
        let plain = byte == b'\'';
        let length = if plain { 1 } else { escaped.len() };
        match room.checked_sub(length) {
            Some(left) => room = left,
            None => {
                f.write_str(CUT)?;
                break;
            }
        }
        if plain { f.write_char('\'')? } else { escaped.fmt(f)? }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn entry(head: &[u8]) -> Entry<'_> {
        Entry {
            peer: Some(Ipv4Addr::new(192, 0, 2, 7)),
            date: Inline::new(b"Sun, 06 Nov 1994 08:49:37 GMT").unwrap(),
            head,
            status: "200",
            content: 2326,
        }
    }

    /// The Combined Log Format as Apache's documentation of mod_log_config gives it.
    #[test]
    fn a_line_has_the_common_form() {
        let head = b"GET /a.gif HTTP/1.1\r\nHost: a\r\nReferer: http://example.org/start.html\r\nuser-agent:Mozilla/4.08 [en]\r\n\r\n";
        assert_eq!(
            entry(head).to_string(),
            "192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] \"GET /a.gif HTTP/1.1\" 200 2326 \
             \"http://example.org/start.html\" \"Mozilla/4.08 [en]\""
        );
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        let none = Entry { peer: None, head: b"", status: "408", content: 0, ..entry(b"") };
        assert_eq!(none.to_string(), "- - - [06/Nov/1994:08:49:37 +0000] \"-\" 408 - \"-\" \"-\"");
    }

    #[test]
    fn no_byte_forges_a_line_or_a_field() {
        let head = b"GET /\" 200 1 \"x\\ HTTP/1.1\r\nUser-Agent: \x1b[2J\x07\xc3\xa4\r\x7f'\r\n\r\n";
        assert_eq!(
            entry(head).to_string(),
            "192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] \"GET /\\\" 200 1 \\\"x\\\\ HTTP/1.1\" 200 2326 \"-\" \
             \"\\x1b[2J\\x07\\xc3\\xa4\\r\\x7f'\""
        );
    }

    #[test]
    fn every_byte_stays_within_its_field() {
        for byte in 0..=255_u8 {
            let head = [b"GET /", &[byte][..], b" HTTP/1.1\r\n\r\n"].concat();
            let line = entry(&head).to_string();
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            let open = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            assert_eq!(open, 6, "{line}");
        }
    }

    #[test]
    fn what_is_long_is_cut_and_a_line_is_bounded() {
        for byte in [b'a', b'"', 0x80] {
            let long: Vec<u8> = core::iter::repeat_n(byte, 9000).collect();
            let long = String::from_utf8_lossy(&long).into_owned().into_bytes();
            let head = [&long[..], b"\r\nReferer: ", &long, b"\r\nUser-Agent: ", &long, b"\r\n\r\n"].concat();
            let line = Entry { content: usize::MAX, ..entry(&head) }.to_string();
            assert_eq!(line.matches("...\"").count(), 3, "{line}");
            assert!(line.len() <= LONGEST, "{} characters: {line}", line.len());
        }
        assert_eq!(format!("{}", entry(&[b'a'; 317])).matches("...\"").count(), 0);
        assert_eq!(format!("{}", entry(&[b'a'; 318])).matches("...\"").count(), 1);
    }
}
