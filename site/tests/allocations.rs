//! A request costs no allocation once its page has been asked for.

mod peer;

use core::net::SocketAddr;
use netstack::{Chunk, Instant, Service, Stream};
use site::Found;
use site::http::target::Path;

/// A stream whose peer acknowledges at once and remembers nothing.
struct Sink;

impl Stream for Sink {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn send(&mut self, _chunk: Chunk) -> Result<(), Chunk> {
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

#[test]
fn no_response_allocates() {
    let mut server = peer::server();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: */*\r\n\r\n",
        "GET /%61bout/me%2etxt HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD /big.bin HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"a\", \"68db1a4970c9e0cc29ab46abb64c517a\"\r\n\r\n",
        "GET /about?with=a&long=query&and=more HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /no HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
        "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01",
    ] {
        let address = SocketAddr::from(([192, 0, 2, 1], 1_024));
        let mut serve = || {
            let mut connection = server.accept(address, address, &mut Sink);
            let bytes = request.as_bytes();
            assert_eq!(server.receive(&mut connection, bytes, false, &mut Sink), bytes.len());
            server.acknowledged(&mut connection, &mut Sink);
            server.closed(connection);
        };
        let first = allocation_counter::measure(&mut serve);
        let later = allocation_counter::measure(|| (0..100).for_each(|_| serve()));
        assert!(first.count_total < 32, "{request}: {first:?}");
        assert_eq!(later.count_total, 0, "{request}");
    }
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
