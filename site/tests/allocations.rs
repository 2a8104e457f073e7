//! A request costs no allocation once its page has been asked for.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failure is the test's failure")]

mod peer;

use core::fmt::{self, Write};
use core::net::SocketAddr;
use netstack::{Chunk, Instant, Service, Stream};
use site::http::target::Path;
use site::{AccessLog, Config, Entry, Found, Server};

/// A stream whose peer acknowledges at once and remembers nothing but the status.
#[derive(Default)]
struct Sink {
    status: [u8; 3],
    has_begun: bool,
}

/// An access log that counts the bytes of its lines.
struct Lines(usize);

impl AccessLog for Lines {
    fn record(&mut self, entry: &Entry<'_>) -> bool {
        write!(self, "{entry}").is_ok()
    }
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

impl Stream for Sink {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if !self.has_begun {
            self.has_begun = true;
            self.status = chunk.bytes()[9..12].try_into().unwrap();
        }
        Ok(())
    }

    fn room(&self) -> usize {
        128
    }

    fn unacknowledged(&self) -> usize {
        0
    }

    fn close(&mut self) {}

    fn reset(&mut self) {}

    fn set_deadline(&mut self, _deadline: Option<Instant>) {}
}

/// A site with rules, and with a page in every coding.
fn server() -> Server {
    let plain = vec![b'a'; 1_000];
    let padded = |start: &[u8], length: usize, end: &[u8]| {
        let mut bytes = start.to_vec();
        bytes.resize(length, b'.');
        [&bytes, end].concat()
    };
    let gzip = padded(&[0x1f, 0x8b, 8], 296, &1_000_u32.to_le_bytes());
    let site = peer::site(&[
        ("all.html", &plain),
        ("all.html.br", &padded(b"br", 100, b"")),
        ("all.html.gz", &gzip),
        ("all.html.zst", &padded(&[0x28, 0xb5, 0x2f, 0xfd], 200, b"")),
        ("about/index.html", b"<p>about"),
        ("about/me.txt", b"me"),
        ("big.bin", &[7; 100_000]),
        ("lost.html", b"lost"),
        ("_headers", b"/*\n  X-A: b\n"),
        (
            "_redirects",
            b"/moved/* /about/:splat 302\n/id i=:i /:i\n/in/* /about/:splat 200\n\
            /lost/* /lost 404\n/gone 410\n/forced /about/ 308!\n",
        ),
    ]);
    Server::new(site, Config::default(), peer::CLOCK)
}

/// (the request's line, its fields, the status it gets)
const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET / HTTP/1.1", "User-Agent: b\r\nAccept: */*\r\n", "200"),
    ("GET /%61bout/me%2etxt HTTP/1.1", "", "200"),
    ("GET /about?with=a&long=query&and=more HTTP/1.1", "", "301"),
    ("GET /no HTTP/1.1", "", "404"),
    ("POST / HTTP/1.1", "Content-Length: 4\r\n", "405"),
    ("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n", "405"),
    ("OPTIONS * HTTP/1.1", "", "204"),
    ("OPTIONS /about/ HTTP/1.1", "", "204"),
    ("BREW / HTTP/1.1", "", "501"),
    ("GET / HTTP/1.1", "Host: b\r\n", "400"),
    ("GET / HTTP/2.0", "", "505"),
    ("GET https://a/ HTTP/1.1", "", "421"),
    ("GET / HTTP/1.1", "Expect: tea\r\n", "417"),
    ("GET /big.bin HTTP/1.0", "Connection: keep-alive\r\n", "200"),
    // HEAD.
    ("HEAD / HTTP/1.1", "", "200"),
    ("HEAD /big.bin HTTP/1.0", "Connection: keep-alive\r\n", "200"),
    ("HEAD /about HTTP/1.1", "", "301"),
    ("HEAD /no HTTP/1.1", "", "404"),
    ("HEAD /all HTTP/1.1", "Accept-Encoding: br\r\n", "200"),
    // Negotiation.
    ("GET /all HTTP/1.1", "Accept-Encoding: gzip, deflate, br, zstd\r\n", "200"),
    ("GET /all HTTP/1.1", "Accept-Encoding: br;q=0.1, zstd;q=0.3\r\nAccept-Encoding: gzip;q=0.2\r\n", "200"),
    ("GET /all HTTP/1.1", "Accept-Encoding: identity;q=0, *;q=0\r\n", "406"),
    ("GET /no HTTP/1.1", "Accept-Encoding: gzip\r\n", "404"),
    // Preconditions.
    ("GET / HTTP/1.1", "If-None-Match: \"a\", W/\"68db1a4970c9e0cc29ab46abb64c517a\"\r\n", "304"),
    ("GET / HTTP/1.1", "If-None-Match: \"a\"\r\nIf-None-Match: *\r\n", "304"),
    ("GET /all HTTP/1.1", "If-None-Match: *\r\nAccept-Encoding: br\r\n", "304"),
    ("GET / HTTP/1.1", "If-Match: \"a\"\r\n", "412"),
    ("GET / HTTP/1.1", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "304"),
    ("GET / HTTP/1.1", "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", "304"),
    ("GET / HTTP/1.1", "If-Unmodified-Since: Sun Nov  6 08:49:36 1994\r\n", "412"),
    // Ranges.
    ("GET /big.bin HTTP/1.1", "Range: bytes=1-2\r\n", "206"),
    ("GET /big.bin HTTP/1.1", "Range: bytes=-2\r\n", "206"),
    ("GET /big.bin HTTP/1.1", "Range: bytes=5-\r\n", "206"),
    ("GET /big.bin HTTP/1.1", "Range: bytes=0-9,20-30,1000-1009,5000-5999,9000-,-5\r\n", "206"),
    ("GET /big.bin HTTP/1.1", "Range: bytes=100000-\r\n", "416"),
    ("GET /big.bin HTTP/1.1", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n", "200"),
    ("GET /all HTTP/1.1", "Range: bytes=1-2\r\nAccept-Encoding: gzip\r\n", "206"),
    ("HEAD /big.bin HTTP/1.1", "Range: bytes=1-2\r\n", "200"),
    // Rules.
    ("GET /moved/me.txt?a=b HTTP/1.1", "", "302"),
    ("HEAD /moved/me.txt?a=b HTTP/1.1", "", "302"),
    ("GET /id?i=7 HTTP/1.1", "", "301"),
    ("GET /in/me.txt HTTP/1.1", "Range: bytes=1-\r\n", "206"),
    ("GET /lost/a HTTP/1.1", "", "404"),
    ("GET /gone HTTP/1.1", "", "410"),
    ("GET /forced HTTP/1.1", "", "308"),
];

#[test]
fn no_response_allocates() {
    let (mut server, mut logging) = (server(), server());
    logging.set_access_log(Box::new(Lines(0)));
    for (line, fields, status) in REQUESTS {
        let body = if fields.contains("chunked") { "4\r\nbody\r\n0\r\n\r\n" } else { "" };
        let body = if fields.contains("Length: 4") { "body" } else { body };
        let request = format!("{line}\r\nHost: a\r\n{fields}\r\n{body}");
        for server in [&mut server, &mut logging] {
            answers(server, &request, status);
        }
    }
    answers(&mut server, "GET / HTTP/1.1\r\n\r\n", "400");
    answers(&mut server, "\x16\x03\x01", "400");
}

/// A request has this status, and allocates nothing once it has been made.
fn answers(server: &mut Server, request: &str, status: &str) {
    let address = SocketAddr::from(([192, 0, 2, 1], 1_024));
    let mut sink = Sink::default();
    let mut serve = || {
        sink = Sink::default();
        let mut connection = server.accept(address, address, &mut sink);
        let bytes = request.as_bytes();
        assert_eq!(server.receive(&mut connection, bytes, false, &mut sink), bytes.len());
        server.acknowledged(&mut connection, &mut sink);
        server.closed(connection);
    };
    let first = allocation_counter::measure(&mut serve);
    let later = allocation_counter::measure(|| (0..100).for_each(|_| serve()));
    assert!(first.count_total < 64, "{request}: {first:?}");
    assert_eq!(later.count_total, 0, "{request}");
    assert_eq!(sink.status.escape_ascii().to_string(), status, "{request}");
}

#[test]
fn pages_take_no_more_memory_than_is_left_for_them() {
    let names: Vec<_> =
        (0..500).map(|number| format!("posts/2026/11/the-post-of-number-{number}.html")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &b"<p>post"[..])).collect();
    let mut site = peer::site(&files);
    let left = site.to_come();
    let taken = allocation_counter::measure(|| {
        for name in &names {
            assert!(matches!(
                site.find(&Path::parse(format!("/{name}").as_bytes()).unwrap()),
                Found::Page(_)
            ));
        }
    });
    let taken = usize::try_from(taken.bytes_current).unwrap();
    assert!(taken <= left && taken > left / 3, "{taken} bytes of {left}");
}
