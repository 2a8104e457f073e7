//! Conditional requests (RFC 9110, section 13) and their exact answers.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a failure is the test's failure")]

mod peer;

use netstack::Duration;
use peer::{Client, exchange, server};

const TAG: &str = "\"68db1a4970c9e0cc29ab46abb64c517a\"";
/// When the page was modified; it is also the time of the server's clock at first.
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

const NOT_MODIFIED: &str = "HTTP/1.1 304 Not Modified\r\nServer: halfpage\r\n\
    Cache-Control: public, max-age=0, must-revalidate\r\nETag: \"68db1a4970c9e0cc29ab46abb64c517a\"\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

/// The status of a GET and of a HEAD of the page; they are the same.
fn status(fields: &str) -> u16 {
    let [get, head] = ["GET", "HEAD"].map(|method| {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        let (answer, closed) = exchange(&mut server(), request.as_bytes());
        assert!(!closed, "{fields}");
        let status: u16 = answer.get(9..12).unwrap().parse().unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(method == "GET" || content.is_empty());
        if status == 304 {
            assert_eq!(answer, NOT_MODIFIED, "{fields}");
        }
        (status, head.to_owned())
    });
    assert_eq!(get, head, "{fields}");
    get.0
}

#[test]
fn a_tag_that_is_known_is_a_304() {
    for fields in [
        format!("If-None-Match: {TAG}"),
        format!("if-none-match:{TAG} "),
        format!("If-None-Match: W/{TAG}"),
        format!("If-None-Match: \"a\", {TAG}"),
        format!("If-None-Match: \"a,b\" ,, W/\"\",\t{TAG},\"c\""),
        format!("If-None-Match: \"a\"\r\nX: y\r\nIf-None-Match: {TAG}"),
        "If-None-Match: *".to_owned(),
        "If-None-Match: \"a\"\r\nIf-None-Match: *".to_owned(),
    ] {
        assert_eq!(status(&fields), 304, "{fields}");
    }
    for fields in [
        "If-None-Match: 68db1a4970c9e0cc29ab46abb64c517a".to_owned(),
        "If-None-Match: \"68DB1A4970C9E0CC29AB46ABB64C517A\"".to_owned(),
        format!("If-None-Match: w/{TAG}"),
        format!("If-None-Match: \"a\" {TAG}"),
        format!("If-None-Match: \"a, {TAG}"),
        format!("If-None-Match: {TAG}x"),
        "If-None-Match: \"\"".to_owned(),
        "If-None-Match: \"".to_owned(),
        "If-None-Match:".to_owned(),
        "If-None-Match: *, \"a\"".to_owned(),
    ] {
        assert_eq!(status(&fields), 200, "{fields}");
    }
}

#[test]
fn if_match_compares_strongly() {
    for (value, expected) in [
        (TAG.to_owned(), 200),
        ("*".to_owned(), 200),
        (format!("\"a\", {TAG}"), 200),
        (format!("W/{TAG}, {TAG}"), 200),
        (format!("\"a\"\r\nIf-Match: {TAG}"), 200),
        (format!("W/{TAG}"), 412),
        ("\"a\"".to_owned(), 412),
        (TAG.to_uppercase(), 412),
        (String::new(), 412),
        ("nonsense".to_owned(), 412),
        ("*, \"a\"".to_owned(), 412),
    ] {
        assert_eq!(status(&format!("If-Match: {value}")), expected, "{value}");
    }
}

#[test]
fn dates_count_where_no_tags_do() {
    for (fields, expected) in [
        (format!("If-Modified-Since: {MODIFIED}"), 304),
        (format!("If-Modified-Since: {AFTER}"), 304),
        (format!("If-Modified-Since: {BEFORE}"), 200),
        ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT".to_owned(), 304),
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994".to_owned(), 304),
        ("If-Modified-Since: Sun Nov  6 08:49:36 1994".to_owned(), 200),
        ("If-Modified-Since: Fri, 31 Dec 1999 23:59:59 GMT".to_owned(), 304),
        ("If-Modified-Since: yesterday".to_owned(), 200),
        (format!("If-Modified-Since: {MODIFIED}, {MODIFIED}"), 200),
        (format!("If-Modified-Since: {MODIFIED}\r\nIf-Modified-Since: {MODIFIED}"), 200),
        (format!("If-Unmodified-Since: {MODIFIED}"), 200),
        (format!("If-Unmodified-Since: {AFTER}"), 200),
        (format!("If-Unmodified-Since: {BEFORE}"), 412),
        ("If-Unmodified-Since: Sun Nov  6 08:49:36 1994".to_owned(), 412),
        ("If-Unmodified-Since: Wed, 31 Dec 1969 23:59:59 GMT".to_owned(), 412),
        ("If-Unmodified-Since: never".to_owned(), 200),
        (format!("If-Unmodified-Since: {BEFORE}\r\nIf-Unmodified-Since: {BEFORE}"), 200),
    ] {
        assert_eq!(status(&fields), expected, "{fields}");
    }
}

#[test]
fn the_order_is_that_of_section_13_2_2() {
    // Whether each field is true, false, or absent; and what follows.
    let matches = [None, Some((TAG, true)), Some(("\"a\"", false))];
    let dates = [None, Some((MODIFIED, true)), Some((BEFORE, false))];
    for if_match in matches {
        for unmodified in dates {
            for none_match in matches {
                for modified in dates {
                    let mut fields = String::from("X: y");
                    for (name, value) in [
                        ("If-Modified-Since", modified),
                        ("If-None-Match", none_match),
                        ("If-Unmodified-Since", unmodified),
                        ("If-Match", if_match),
                    ] {
                        if let Some((value, _)) = value {
                            fields += &format!("\r\n{name}: {value}");
                        }
                    }
                    let expected = match (if_match, unmodified, none_match, modified) {
                        (Some((_, false)), ..) | (None, Some((_, false)), ..) => 412,
                        (_, _, Some((_, true)), _) | (_, _, None, Some((_, true))) => 304,
                        _ => 200,
                    };
                    assert_eq!(status(&fields), expected, "{fields}");
                }
            }
        }
    }
}

#[test]
fn what_would_not_be_a_200_is_no_304_either() {
    for (request, status) in [
        ("GET /no HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", "404"),
        ("GET /no HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n", "404"),
        ("GET /about HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", "301"),
        ("POST / HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", "405"),
        ("POST / HTTP/1.1\r\nHost: a\r\nIf-Match: \"a\"\r\n\r\n", "405"),
    ] {
        let (answer, _) = exchange(&mut server(), request.as_bytes());
        assert_eq!(answer.get(9..12), Some(status), "{request}");
    }
}

/// What a client gets that asks again with the Last-Modified it was told, when the server's clock is behind the file's time.
#[test]
fn a_time_to_come_is_told_as_now() {
    let mut server = server();
    server.set_wall_clock(site::WallClock { unix_micros: 784_111_700_000_000, at: netstack::Instant::ZERO });
    let mut client = Client::new(&mut server);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.text();
    assert_eq!(
        answer,
        format!(
            "HTTP/1.1 200 OK\r\nServer: halfpage\r\nAccept-Ranges: bytes\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:48:20 GMT\r\nContent-Length: 7\r\n\
             Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: strict-origin-when-cross-origin\r\n\
             Cache-Control: public, max-age=0, must-revalidate\r\nETag: {TAG}\r\n\
             Date: Sun, 06 Nov 1994 08:48:20 GMT\r\n\r\n<p>home"
        )
    );
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:48:20 GMT\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 304 "));
    // A second later it may have changed, for all that the date says.
    client.pass(Duration::from_secs(1));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:48:20 GMT\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 200 "));
}
