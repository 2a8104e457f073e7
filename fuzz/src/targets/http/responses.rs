//! What a server sends, read as a client would.

/// A row of responses, each with a sound head, and with the content that its head says, or none (to HEAD).
pub fn check(mut sent: &[u8]) {
    while !sent.is_empty() {
        let end = sent.windows(4).position(|window| window == b"\r\n\r\n").expect("a head's end");
        let (head, rest) = sent.split_at(end + 4);
        let mut lines =
            head[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let status = lines.next().unwrap_or_default();
        assert!(
            status.starts_with(b"HTTP/1.1 ") && status[9..12].iter().all(u8::is_ascii_digit),
            "{status:?}"
        );
        assert!(head.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0x20..0x7f)));
        let (mut length, mut dates) = (None, 0);
        for line in lines {
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').expect("a field"));
            assert!(!name.is_empty() && !name.contains(&b' '));
            let value = value[1..].trim_ascii();
            if name.eq_ignore_ascii_case(b"content-length") {
                assert!(length.is_none(), "two lengths");
                length = Some(
                    std::str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.parse::<usize>().ok())
                        .expect("a number"),
                );
            }
            dates += usize::from(name.eq_ignore_ascii_case(b"date"));
        }
        assert_eq!(dates, 1);
        let bare = &status[9..12] == b"304" || rest.is_empty() || rest.starts_with(b"HTTP/1.1 ");
        sent = if bare { rest } else { rest.get(length.expect("a length")..).expect("all of the content") };
    }
}
