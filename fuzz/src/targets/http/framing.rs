//! How many requests there are in a stream, read by another hand than the server's: naively, whole, and strictly.

/// The most responses that a stream may get: one for each request, up to and with the first that is not sound.
pub fn requests(mut stream: &[u8]) -> usize {
    let mut count = 0;
    loop {
        while let Some(rest) = stream.strip_prefix(b"\r\n") {
            stream = rest;
        }
        if stream.is_empty() {
            return count;
        }
        count += 1;
        let Some(end) = stream.windows(4).position(|window| window == b"\r\n\r\n") else { return count };
        let (head, rest) = stream.split_at(end + 4);
        let Some(length) = body(&head[..end], rest) else { return count };
        stream = &rest[length.min(rest.len())..];
        if length > rest.len() {
            return count;
        }
    }
}

/// How long the body behind this head is; `None` where nothing behind the head may be taken for a request.
fn body(head: &[u8], rest: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let lengths: Vec<&str> = fields(&text, "content-length");
    let codings: Vec<&str> = fields(&text, "transfer-encoding");
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Some(0),
        ([length], []) => length.parse().ok(),
        ([], ["chunked"]) => chunks(rest),
        _ => None,
    }
}

fn fields<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim_matches([' ', '\t'])).collect()
}

/// The length of a chunked body; longer than `rest` where that ends too soon.
fn chunks(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Some(line) = rest[at..].windows(2).position(|window| window == b"\r\n") else {
            return Some(usize::MAX);
        };
        let size = rest[at..at + line].split(|byte| *byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        at += line + 2;
        if size == 0 {
            // The trailers, up to an empty line.
            loop {
                let Some(line) = rest[at..].windows(2).position(|window| window == b"\r\n") else {
                    return Some(usize::MAX);
                };
                at += line + 2;
                if line == 0 {
                    return Some(at);
                }
            }
        }
        at = at.checked_add(size)?.checked_add(2)?;
        if at > rest.len() {
            return Some(usize::MAX);
        }
        if &rest[at - 2..at] != b"\r\n" {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_body_is_no_request() {
        const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for (stream, count) in [
            (String::new(), 0),
            (GET.repeat(3), 3),
            (format!("\r\n{GET}\r\n{GET}"), 2),
            (format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{GET}{GET}", GET.len()), 2),
            (format!("POST / HTTP/1.1\r\nContent-Length: 9\r\nContent-Length: 9\r\n\r\n{GET}{GET}"), 1),
            (
                format!(
                    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1b;x\r\n{GET}\r\n0\r\nA: b\r\n\r\n{GET}"
                ),
                2,
            ),
            (format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{GET}"), 1),
            ("GET / HTTP".to_owned(), 1),
        ] {
            assert_eq!(requests(stream.as_bytes()), count, "{stream}");
        }
    }
}
