//! What a server sends, read as a client would.

/// A row of responses, each with a sound head, and with the content that its head says, or none (to HEAD). Gives how many
/// there are.
pub fn check(mut sent: &[u8]) -> usize {
    let mut count = 0;
    while !sent.is_empty() {
        count += 1;
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
        let (mut length, mut dates, mut servers, mut closes, mut ranged) = (None, 0, 0, false, false);
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
            servers += usize::from(name.eq_ignore_ascii_case(b"server"));
            closes |= name.eq_ignore_ascii_case(b"connection") && value == b"close";
            ranged |=
                name.eq_ignore_ascii_case(b"content-range") || value.starts_with(b"multipart/byteranges");
            assert!(!name.eq_ignore_ascii_case(b"transfer-encoding"));
        }
        assert_eq!((dates, servers), (1, 1));
        let code = &status[9..12];
        let has_none = matches!(code, b"204" | b"304");
        assert_eq!(length.is_none(), has_none, "a length where there must be none, or none");
        assert_eq!(ranged, matches!(code, b"206" | b"416"));
        let bare = has_none || rest.is_empty() || rest.starts_with(b"HTTP/1.1 ");
        sent = if bare { rest } else { rest.get(length.expect("a length")..).expect("all of the content") };
        assert!(!closes || sent.is_empty(), "an answer behind the last one");
    }
    count
}
