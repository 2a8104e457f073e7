//! Entity tags of a tar that states none.

#![allow(clippy::unwrap_used, reason = "a failure is the test's failure")]

mod peer;

use peer::plain::{end, index, member};
use peer::{CLOCK, Client};
use site::http::target::Path;
use site::{Config, Found, Server, Site};

/// Made with mmh3 5.2 of [`body`]: `hash64(bytes, 0, x64arch=True, signed=False)`.
const TAGS: [&str; 2] = ["fb32ff426ec4f4b84db87d101551aa42", "f13b2338c136758940a83e923d8fdc25"];

/// 300,007 bytes that count up to 250 and begin anew, from this one on.
fn body(first: u8) -> Vec<u8> {
    (0..=250).cycle().skip(usize::from(first)).take(300_007).collect()
}

fn server(members: &[Vec<u8>]) -> Server {
    let tar = [&[index()], members, &[end()]].concat().concat().leak();
    Server::new(Site::open(tar).unwrap(), Config::default(), CLOCK)
}

/// The ETag of a page, without its quotes, by a request on this connection.
fn etag(client: &mut Client<'_>, path: &str, fields: &str) -> Option<String> {
    client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
    let answer = client.text();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nLast-Modified: Sun, 06 Nov 1994 "), "{answer}");
    let (_, after) = answer.split_once("\r\nETag: \"")?;
    Some(after.split_once('"').unwrap().0.to_owned())
}

#[test]
fn a_long_body_has_a_tag_once_it_was_read_in_slices() {
    let mut server = server(&[member(b"long.bin", b'0', &body(0))]);
    let mut client = Client::new(&mut server);
    // Three slices of 128 KiB: upon the first request, its acknowledgment, and the second request.
    assert_eq!(etag(&mut client, "/long.bin", ""), None);
    client.acknowledge();
    assert_eq!(etag(&mut client, "/long.bin", ""), None);
    assert_eq!(etag(&mut client, "/long.bin", "").as_deref(), Some(TAGS[0]));
}

#[test]
fn without_a_tag_dates_are_all_that_conditions_go_by() {
    for (fields, status) in [
        ("If-None-Match: \"a\"\r\n", "200 OK"),
        ("If-None-Match: \"\"\r\n", "200 OK"),
        ("If-None-Match: *\r\n", "304 Not Modified"),
        ("If-Match: \"a\"\r\n", "412 Precondition Failed"),
        ("If-Match: \"\"\r\n", "412 Precondition Failed"),
        ("If-Match: *\r\n", "200 OK"),
        ("If-Modified-Since: Sun, 06 Nov 1994 04:35:45 GMT\r\n", "304 Not Modified"),
        ("Range: bytes=0-9\r\n", "206 Partial Content"),
        // The tag is what stands between parts.
        ("Range: bytes=0-9,1000-1009\r\n", "200 OK"),
        ("Range: bytes=0-9\r\nIf-Range: \"\"\r\n", "200 OK"),
        ("Range: bytes=0-9\r\nIf-Range: Sun, 06 Nov 1994 04:35:46 GMT\r\n", "200 OK"),
        ("Range: bytes=0-9\r\nIf-Range: Sun, 06 Nov 1994 04:35:45 GMT\r\n", "206 Partial Content"),
    ] {
        let mut server = server(&[member(b"long.bin", b'0', &body(0))]);
        let mut client = Client::new(&mut server);
        client.send(format!("GET /long.bin HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let answer = client.text();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{fields}{answer:.300}");
        assert!(!answer.contains("ETag"), "{fields}{answer:.300}");
    }
}

#[test]
fn two_that_are_read_at_a_time_are_not_mixed_up() {
    let mut server = server(&[member(b"a.bin", b'0', &body(0)), member(b"b.bin", b'0', &body(100))]);
    let mut client = Client::new(&mut server);
    for (path, tag) in [("/a.bin", None), ("/b.bin", None), ("/b.bin", None), ("/a.bin", Some(TAGS[0]))] {
        assert_eq!(etag(&mut client, path, "").as_deref(), tag, "{path}");
    }
    for tag in [None, None, Some(TAGS[1])] {
        assert_eq!(etag(&mut client, "/b.bin", "").as_deref(), tag);
    }
}

#[test]
fn what_is_encoded_has_a_tag_of_its_own() {
    let encoded = [&[0x1f, 0x8b, 8], &body(100)[7..], &300_007_u32.to_le_bytes()].concat();
    let files = [member(b"a.bin", b'0', &body(0)), member(b"a.bin.gz", b'0', &encoded)];
    let mut server = server(&files);
    let mut client = Client::new(&mut server);
    let gzip = "Accept-Encoding: gzip\r\n";
    for (fields, tag) in [
        ("", None),
        (gzip, None),
        (gzip, None),
        ("", Some(TAGS[0])),
        (gzip, None),
        (gzip, None),
        (gzip, Some("5b649be0a4e5cdee8c609c2bb7c2c023")),
        ("", Some(TAGS[0])),
    ] {
        assert_eq!(etag(&mut client, "/a.bin", fields).as_deref(), tag, "{fields}");
    }
}

#[test]
fn a_tag_that_is_stated_needs_no_reading() {
    let body = body(0);
    let mut server = Server::new(peer::site(&[("long.bin", &body)]), Config::default(), CLOCK);
    assert!(etag(&mut Client::new(&mut server), "/long.bin", "").is_some());
}

#[test]
fn the_memory_for_tags_is_left_for_them() {
    let files: Vec<_> = (0..20)
        .map(|number| member(format!("posts/2026/the-{number}.bin").as_bytes(), b'0', &body(number)))
        .collect();
    let tar = [index(), files.concat(), end()].concat().leak();
    let mut site = Site::open(tar).unwrap();
    let left = site.to_come();
    let taken = allocation_counter::measure(|| {
        for number in 0..20 {
            let path = format!("/posts/2026/the-{number}.bin");
            assert!(matches!(site.find(&Path::parse(path.as_bytes()).unwrap()), Found::Page(_)));
        }
        (0..60).for_each(|_| site.tag());
    });
    let Found::Page(page) = site.find(&Path::parse(b"/posts/2026/the-19.bin").unwrap()) else {
        unreachable!()
    };
    assert!(!page.identity.etag().is_empty());
    let taken = usize::try_from(taken.bytes_current).unwrap();
    assert!(taken <= left, "{taken} bytes of {left}");
}
