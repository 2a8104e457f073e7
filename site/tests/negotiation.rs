//! Accept-Encoding (RFC 9110, section 12.5.3), and what follows from several representations.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use peer::exchange;

/// A page of 1,000 bytes that is shortest in Brotli, then Zstandard, then gzip; one in gzip only; one as it is.
fn server() -> site::Server {
    let plain = vec![b'a'; 1_000];
    let padded = |start: &[u8], length: usize, end: &[u8]| {
        let mut bytes = start.to_vec();
        bytes.resize(length - end.len(), b'.');
        bytes.extend_from_slice(end);
        bytes
    };
    let gzip = padded(&[0x1f, 0x8b, 8], 300, &1_000_u32.to_le_bytes());
    let zstd = padded(&[0x28, 0xb5, 0x2f, 0xfd], 200, b"");
    let brotli = padded(b"br", 100, b"");
    let site = peer::site(&[
        ("all.html", &plain),
        ("all.html.gz", &gzip),
        ("all.html.zst", &zstd),
        ("all.html.br", &brotli),
        ("some.html", &plain),
        ("some.html.gz", &gzip),
        ("none.html", &plain),
        ("404.html", &plain),
        ("404.html.gz", &gzip),
    ]);
    site::Server::new(site, site::Config::default(), peer::CLOCK)
}

fn ask(method: &str, path: &str, fields: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    exchange(&mut server(), request.as_bytes()).0
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// What is sent of `all.html`, `some.html` and `none.html`.
const ROWS: &[(&str, &str, &str, &str)] = &[
    // Nothing is said: the file as it is.
    ("", "identity", "identity", "identity"),
    ("Accept-Encoding:\r\n", "identity", "identity", "identity"),
    ("Accept-Encoding: \t \r\n", "identity", "identity", "identity"),
    // Among equals the shortest.
    ("Accept-Encoding: gzip\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: gzip, deflate\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: gzip, deflate, br, zstd\r\n", "br", "gzip", "identity"),
    ("Accept-Encoding: gzip, deflate, zstd\r\n", "zstd", "gzip", "identity"),
    ("Accept-Encoding: br\r\n", "br", "identity", "identity"),
    ("Accept-Encoding: deflate\r\n", "identity", "identity", "identity"),
    ("Accept-Encoding: *\r\n", "br", "gzip", "identity"),
    ("Accept-Encoding: identity\r\n", "identity", "identity", "identity"),
    ("Accept-Encoding: identity, gzip\r\n", "gzip", "gzip", "identity"),
    ("accept-encoding: X-GZip\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: GZIP\r\n", "gzip", "gzip", "identity"),
    // Several lines are one list.
    ("Accept-Encoding: deflate\r\nX: y\r\nAccept-Encoding: gzip\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: ,, gzip ,\r\n", "gzip", "gzip", "identity"),
    // Weights.
    ("Accept-Encoding: br;q=0.5, gzip;q=0.8, zstd;q=0.2\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: br;q=0.001, gzip;q=0\r\n", "br", "identity", "identity"),
    ("Accept-Encoding: gzip;q=0.5, identity\r\n", "identity", "identity", "identity"),
    ("Accept-Encoding: gzip;q=0.5, identity;q=0.5\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: gzip ; Q=1.000 , br;q=0.999\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: gzip;q=0, *\r\n", "br", "identity", "identity"),
    ("Accept-Encoding: *;q=0.1, zstd;q=0.2\r\n", "zstd", "gzip", "identity"),
    ("Accept-Encoding: br;q=0, zstd;q=0, *;q=0.5\r\n", "gzip", "gzip", "identity"),
    // An element that is malformed says nothing.
    ("Accept-Encoding: br;q=2, gzip\r\n", "gzip", "gzip", "identity"),
    ("Accept-Encoding: br;level=4, gzip\r\n", "gzip", "gzip", "identity"),
    // The file as it is is ruled out.
    ("Accept-Encoding: gzip, identity;q=0\r\n", "gzip", "gzip", "406"),
    ("Accept-Encoding: *;q=0, gzip\r\n", "gzip", "gzip", "406"),
    ("Accept-Encoding: br, *;q=0\r\n", "br", "406", "406"),
    ("Accept-Encoding: identity;q=0\r\n", "406", "406", "406"),
    ("Accept-Encoding: *;q=0.000\r\n", "406", "406", "406"),
    ("Accept-Encoding: identity;q=0, *\r\n", "br", "gzip", "406"),
    ("Accept-Encoding: *;q=0, identity;q=0.001\r\n", "identity", "identity", "identity"),
];

#[test]
fn the_client_gets_what_it_likes_best() {
    for (fields, all, some, none) in ROWS {
        for (path, expected) in [("/all.html", all), ("/some.html", some), ("/none.html", none)] {
            let answer = ask("GET", path, fields);
            let coding = match answer.get(9..12) {
                Some("406") => "406",
                _ => field(&answer, "Content-Encoding").unwrap_or("identity"),
            };
            assert_eq!(&coding, expected, "{path} {fields}");
            let length = match coding {
                "br" => 100,
                "zstd" => 200,
                "gzip" => 300,
                "identity" => 1_000,
                _ => continue,
            };
            assert_eq!(field(&answer, "Content-Length"), Some(length.to_string().as_str()));
            assert_eq!(field(&answer, "Content-Type"), Some("text/html; charset=utf-8"));
            let varies = (path != "/none.html").then_some("Accept-Encoding");
            assert_eq!(field(&answer, "Vary"), varies, "{path} {fields}");
            let head = ask("HEAD", path, fields);
            assert!(answer.starts_with(&head) && head.ends_with("\r\n\r\n"), "{path} {fields}");
        }
    }
}

#[test]
fn what_none_of_is_acceptable_is_a_406() {
    let answer = ask("GET", "/none.html", "Accept-Encoding: identity;q=0\r\n");
    let start = "HTTP/1.1 406 Not Acceptable\r\nServer: halfpage\r\nVary: Accept-Encoding\r\n";
    assert!(answer.starts_with(start) && answer.ends_with("</html>\n"), "{answer}");
    assert_eq!(field(&answer, "ETag"), None);
}

#[test]
fn each_representation_has_its_own_tag() {
    let codings = ["identity", "gzip", "br", "zstd"];
    let tags = codings.map(|coding| {
        let answer = ask("GET", "/all.html", &format!("Accept-Encoding: {coding}\r\n"));
        field(&answer, "ETag").unwrap().to_owned()
    });
    for (coding, tag) in codings.iter().zip(&tags) {
        assert_eq!(tags.iter().filter(|other| *other == tag).count(), 1, "{coding}");
        for (other, known) in codings.iter().zip(&tags) {
            // A tag is known for its own representation only.
            let fields = format!("Accept-Encoding: {coding}\r\nIf-None-Match: {known}\r\n");
            let answer = ask("GET", "/all.html", &fields);
            assert_eq!(&answer[9..12], if coding == other { "304" } else { "200" }, "{fields}");
            if coding == other {
                assert_eq!(field(&answer, "Vary"), Some("Accept-Encoding"));
                assert_eq!(field(&answer, "ETag"), Some(tag.as_str()));
                assert_eq!(
                    (field(&answer, "Content-Encoding"), field(&answer, "Content-Length")),
                    (None, None)
                );
            }
            let fields = format!("Accept-Encoding: {coding}\r\nRange: bytes=0-0\r\nIf-Range: {known}\r\n");
            let answer = ask("GET", "/all.html", &fields);
            assert_eq!(&answer[9..12], if coding == other { "206" } else { "200" }, "{fields}");
        }
    }
}

#[test]
fn a_range_is_one_of_the_encoded_bytes() {
    let answer = ask("GET", "/all.html", "Accept-Encoding: zstd\r\nRange: bytes=1-3\r\n");
    assert_eq!(field(&answer, "Content-Range"), Some("bytes 1-3/200"));
    assert_eq!(field(&answer, "Content-Encoding"), Some("zstd"));
    assert_eq!(field(&answer, "Vary"), Some("Accept-Encoding"));
    assert_eq!(field(&answer, "Content-Length"), Some("3"));
    let answer = ask("GET", "/all.html", "Accept-Encoding: br\r\nRange: bytes=0-1,-2\r\n");
    let expected = "Content-Range: bytes 0-1/100\r\n\r\nbr\r\n--";
    assert!(answer.contains(expected) && field(&answer, "Content-Encoding") == Some("br"), "{answer}");
    assert_eq!(&ask("GET", "/all.html", "Accept-Encoding: br\r\nRange: bytes=100-\r\n")[9..12], "416");
}

#[test]
fn an_error_page_has_representations_too() {
    for (fields, length, coding) in [
        ("", "1000", None),
        ("Accept-Encoding: gzip\r\n", "300", Some("gzip")),
        ("Accept-Encoding: identity;q=0\r\n", "300", None),
    ] {
        let answer = ask("HEAD", "/no", fields);
        assert_eq!(&answer[9..12], "404");
        if !fields.contains("q=0") {
            assert_eq!(field(&answer, "Content-Length"), Some(length), "{fields}");
            assert_eq!(field(&answer, "Content-Encoding"), coding);
        }
        assert_eq!(field(&answer, "Vary"), Some("Accept-Encoding"));
    }
}
