//! Range requests (RFC 9110, section 14) and their exact answers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use netstack::Duration;
use peer::{Client, exchange};

/// 1,000 bytes, no two neighbours alike.
fn body() -> String {
    (0..1_000_u32).map(|at| char::from(b'a' + (at % 26) as u8)).collect()
}

fn server() -> site::Server {
    let body = body();
    let files: [(&str, &[u8]); 3] = [("long.txt", body.as_bytes()), ("empty.txt", b""), ("one.txt", b"1")];
    site::Server::new(peer::site(&files), site::Config::default(), peer::CLOCK)
}

fn get(path: &str, fields: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    let (answer, closed) = exchange(&mut server(), request.as_bytes());
    assert!(!closed, "{fields}");
    answer
}

fn status(answer: &str) -> &str {
    &answer[9..12]
}

/// The first half of `sha256sum`.
const TAG: &str = "915e53a44c18b19bb06ba5b3f5fcaf1d";

#[test]
fn one_range_is_a_206_with_that_part() {
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-499", 0, 499),
        ("bytes=500-999", 500, 999),
        ("bytes=999-", 999, 999),
        ("bytes=-1", 999, 999),
        ("bytes=-1000", 0, 999),
        ("bytes=-1001", 0, 999),
        ("bytes=0-", 0, 999),
        ("bytes=990-2000", 990, 999),
        ("Bytes= ,5-6 ,", 5, 6),
        ("bytes=5-6,1000-", 5, 6),
        ("bytes=5-6,6-9", 5, 9),
        ("bytes=5-6,60-61", 5, 61),
    ] {
        let part = &body()[first..=last];
        let expected = format!(
            "HTTP/1.1 206 Partial Content\r\nServer: halfpage\r\nAccept-Ranges: bytes\r\n\
             Content-Length: {}\r\nContent-Range: bytes {first}-{last}/1000\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nReferrer-Policy: strict-origin-when-cross-origin\r\n\
             Cache-Control: public, max-age=0, must-revalidate\r\nETag: \"{TAG}\"\r\n\
             Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{part}",
            part.len()
        );
        assert_eq!(get("/long.txt", &format!("Range: {range}")), expected, "{range}");
    }
}

#[test]
fn several_ranges_are_parts_in_the_order_asked_for() {
    let part = |first: usize, last: usize| {
        format!(
            "--{TAG}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {first}-{last}/1000\r\n\r\n{}\r\n",
            &body()[first..=last]
        )
    };
    for (range, parts) in [
        ("bytes=0-0,-1", &[(0, 0), (999, 999)][..]),
        ("bytes=-1,0-0", &[(999, 999), (0, 0)]),
        ("bytes=0-9,200-299,500-,2000-", &[(0, 9), (200, 299), (500, 999)]),
        ("bytes=0-9,500-509,10-19", &[(0, 19), (500, 509)]),
    ] {
        let parts: String = parts.iter().map(|(first, last)| part(*first, *last)).collect();
        let content = format!("{parts}--{TAG}--\r\n");
        let expected = format!(
            "HTTP/1.1 206 Partial Content\r\nServer: halfpage\r\nAccept-Ranges: bytes\r\n\
             Content-Length: {}\r\n\
             Content-Type: multipart/byteranges; boundary={TAG}\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             X-Content-Type-Options: nosniff\r\nReferrer-Policy: strict-origin-when-cross-origin\r\n\
             Cache-Control: public, max-age=0, must-revalidate\r\nETag: \"{TAG}\"\r\n\
             Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{content}",
            content.len()
        );
        assert_eq!(get("/long.txt", &format!("Range: {range}")), expected, "{range}");
    }
}

#[test]
fn at_most_16_parts_are_sent() {
    let server = || {
        let site = peer::site(&[("long.bin", &[7; 100_000])]);
        site::Server::new(site, site::Config::default(), peer::CLOCK)
    };
    let request = |parts: usize| {
        let specs: Vec<_> = (0..parts).map(|part| format!("{0}-{0}", part * 1_000)).collect();
        format!("GET /long.bin HTTP/1.1\r\nHost: a\r\nRange: bytes={}\r\n\r\n", specs.join(","))
    };
    let (answer, _) = exchange(&mut server(), request(16).as_bytes());
    assert_eq!((status(&answer), answer.matches("\r\nContent-Range: ").count()), ("206", 16));
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", content.len())));
    let (answer, _) = exchange(&mut server(), request(17).as_bytes());
    assert_eq!(status(&answer), "200");
}

#[test]
fn nothing_of_a_range_is_a_416_with_the_length() {
    for range in ["bytes=1000-", "bytes=1000-1001,2000-", "bytes=-0", "bytes=99999999999999999999-"] {
        let answer = get("/long.txt", &format!("Range: {range}"));
        let start = "HTTP/1.1 416 Range Not Satisfiable\r\nServer: halfpage\r\nAccept-Ranges: bytes\r\n\
            Content-Range: bytes */1000\r\nContent-Length: ";
        assert!(answer.starts_with(start) && answer.ends_with("</html>\n"), "{range}: {answer}");
        assert!(!answer.contains("ETag") && !answer.contains("Last-Modified"), "{answer}");
    }
}

#[test]
fn what_is_no_range_is_ignored() {
    for fields in [
        "Range: bytes=",
        "Range: bytes=-",
        "Range: bytes=2-1",
        "Range: bytes=0-1,2-1",
        "Range: bytes=a-b",
        "Range: lines=0-1",
        "Range: 0-1",
        "Range: bytes 0-1",
        "Range:",
        // Twice: which is meant?
        "Range: bytes=0-1\r\nRange: bytes=0-1",
    ] {
        let answer = get("/long.txt", fields);
        assert!(status(&answer) == "200" && answer.ends_with(&body()), "{fields}: {answer}");
    }
    for range in ["bytes=0-0", "bytes=-1", "bytes=0-"] {
        assert_eq!(status(&get("/empty.txt", &format!("Range: {range}"))), "200");
    }
    assert_eq!(status(&get("/one.txt", "Range: bytes=0-0")), "206");
    assert_eq!(status(&get("/one.txt", "Range: bytes=1-1")), "416");
}

#[test]
fn a_range_is_for_a_get_of_what_is_there() {
    for (request, expected) in [
        ("HEAD /long.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n", "200"),
        ("HEAD /long.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-\r\n\r\n", "200"),
        ("POST /long.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n", "405"),
        ("GET /no HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n", "404"),
        ("GET /long.txt HTTP/1.0\r\nRange: bytes=0-0\r\n\r\n", "206"),
    ] {
        let (answer, _) = exchange(&mut server(), request.as_bytes());
        assert_eq!(status(&answer), expected, "{request}");
    }
}

#[test]
fn preconditions_come_first() {
    let tag = format!("\"{TAG}\"");
    for (fields, expected) in [
        (format!("If-None-Match: {tag}"), "304"),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), "304"),
        (format!("If-Match: {tag}"), "206"),
        ("If-Match: \"a\"".to_owned(), "412"),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT".to_owned(), "412"),
    ] {
        assert_eq!(status(&get("/long.txt", &format!("Range: bytes=0-0\r\n{fields}"))), expected, "{fields}");
    }
}

#[test]
fn if_range_wants_the_same_bytes() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    // Within the second of its time a page may still change.
    for (seconds, fields, expected) in [
        (0, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), "200"),
        (1, "If-Range: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), "206"),
        (0, "If-Range: Sunday, 06-Nov-94 08:49:37 GMT".to_owned(), "206"),
        (0, "If-Range: Sun, 06 Nov 1994 08:49:36 GMT".to_owned(), "200"),
        (0, "If-Range: Sun, 06 Nov 1994 08:49:38 GMT".to_owned(), "200"),
        (0, format!("If-Range: \"{TAG}\""), "206"),
        (0, format!("If-Range: W/\"{TAG}\""), "200"),
        (0, "If-Range: \"a\"".to_owned(), "200"),
        (0, format!("If-Range: \"{TAG}\", \"a\""), "200"),
        (0, format!("If-Range: \"{TAG}\"\r\nIf-Range: \"{TAG}\""), "200"),
        (0, "If-Range: *".to_owned(), "200"),
        (0, "If-Range:".to_owned(), "200"),
    ] {
        client.pass(Duration::from_secs(seconds));
        for range in ["bytes=0-0", "bytes=2000-"] {
            let request = format!("GET /long.txt HTTP/1.1\r\nHost: a\r\nRange: {range}\r\n{fields}\r\n\r\n");
            client.send(request.as_bytes());
            client.acknowledge();
            let expected = if range == "bytes=2000-" && expected == "206" { "416" } else { expected };
            assert_eq!(status(&client.text()), expected, "{fields}");
        }
    }
    // Without a Range it says nothing.
    client.send(b"GET /long.txt HTTP/1.1\r\nHost: a\r\nIf-Range: \"a\"\r\n\r\n");
    assert_eq!(status(&client.text()), "200");
}

#[test]
fn parts_wait_for_room_or_are_sent_as_a_whole() {
    let request: &[u8] = b"GET /long.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,500-500,-1\r\n\r\n";
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.wire.capacity = 40;
    client.send(b"GET /one.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&client.text()), "200");
    client.wire.capacity = 35;
    client.send(request);
    assert!(client.wire.sent.is_empty() && client.pending.len() == request.len());
    client.acknowledge();
    assert_eq!(status(&client.text()), "206");
    // A stream that will never have the room.
    client.wire.capacity = 8;
    client.send(request);
    assert_eq!(status(&client.text()), "200");
    assert_eq!(client.server.counters().http_requests, 3);
}
