//! Where a request's head ends.

use super::scan;

/// The longest head, request line and empty line included, in bytes. Longer: 431, or 414 if it is the target's fault.
pub const LIMIT: usize = 8_192;

/// The longest target in bytes (RFC 9112, section 3, asks for 8,000 at least).
pub const TARGET_LIMIT: usize = 8_000;

/// How long the head is, if its empty line is there. The first `searched` bytes were searched before, in vain.
///
/// A line that ends in a bare LF counts here, so that a client which sends such lines gets its 400 at once and not a
/// time-out; it is [`super::request::Request::parse`] that refuses them.
pub fn length(bytes: &[u8], searched: usize) -> Option<usize> {
    // The line end before the empty line may have been the last two bytes that were searched.
    let mut at = searched.saturating_sub(2);
    loop {
        let rest = bytes.get(at..)?;
        let line = at.checked_add(scan::line_feed(rest)?)?.checked_add(1)?;
        match bytes.get(line..)? {
            [b'\n', ..] => return line.checked_add(1),
            [b'\r', b'\n', ..] => return line.checked_add(2),
            _ => at = line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_ends_with_an_empty_line() {
        for (bytes, end) in [
            (&b"GET / HTTP/1.1\r\n\r\nmore"[..], Some(18)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(27)),
            (b"GET / HTTP/1.1\n\n", Some(16)),
            (b"GET / HTTP/1.1\n\r\n", Some(17)),
            (b"GET / HTTP/1.1\r\n\r", None),
            (b"GET / HTTP/1.1\r\r\n", None),
            (b"\n", None),
            (b"", None),
        ] {
            assert_eq!(length(bytes, 0), end, "{}", bytes.escape_ascii());
            for searched in 0..bytes.len().min(end.unwrap_or(usize::MAX)) {
                assert_eq!(length(bytes, searched), end, "{} from {searched}", bytes.escape_ascii());
            }
        }
    }
}
