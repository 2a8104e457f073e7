//! Which lines the access log gets, from a whole connection.

mod peer;

use core::cell::RefCell;
use netstack::Duration;
use peer::Client;
use site::{AccessLog, Entry, Server};
use std::rc::Rc;

/// Keeps the first so many lines.
struct Kept {
    lines: Rc<RefCell<Vec<String>>>,
    most: usize,
}

impl AccessLog for Kept {
    fn record(&mut self, entry: &Entry<'_>) -> bool {
        let mut lines = self.lines.borrow_mut();
        let has_room = lines.len() < self.most;
        if has_room {
            lines.push(entry.to_string());
        }
        has_room
    }
}

/// A server that logs, and the lines.
fn logging(most: usize) -> (Server, Rc<RefCell<Vec<String>>>) {
    let mut server = peer::server();
    let lines = Rc::default();
    server.set_access_log(Box::new(Kept { lines: Rc::clone(&lines), most }));
    (server, lines)
}

#[test]
fn every_response_has_its_line() {
    let (mut server, lines) = logging(usize::MAX);
    let mut client = Client::new(&mut server);
    client.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\nReferer: http://a/\r\nUser-Agent: t\r\n\r\n");
    client.acknowledge();
    client.send(b"HEAD /big.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /about?x HTTP/1.1\r\nHost: a\r\n\r\n");
    client.acknowledge();
    for range in ["5-8", "0-9,50000-50009"] {
        client.send(format!("GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n").as_bytes());
        client.acknowledge();
    }
    client.send(b"GET /none HTTP/1.0\r\nHost : a\r\n\r\n");
    let lines = lines.borrow();
    let stamp = "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000]";
    assert_eq!(lines[0], format!("{stamp} \"GET /big.bin HTTP/1.1\" 200 100000 \"http://a/\" \"t\""));
    assert_eq!(lines[1], format!("{stamp} \"HEAD /big.bin HTTP/1.1\" 200 - \"-\" \"-\""));
    assert_eq!(lines[2], format!("{stamp} \"GET /about?x HTTP/1.1\" 301 - \"-\" \"-\""));
    assert_eq!(lines[3], format!("{stamp} \"GET /big.bin HTTP/1.1\" 206 4 \"-\" \"-\""));
    assert_eq!(lines[4], format!("{stamp} \"GET /big.bin HTTP/1.1\" 206 20 \"-\" \"-\""));
    assert!(lines[5].starts_with(&format!("{stamp} \"GET /none HTTP/1.0\" 400 ")), "{}", lines[5]);
    assert_eq!(lines.len(), 6);
}

#[test]
fn who_is_too_slow_has_a_line_too() {
    let (mut server, lines) = logging(usize::MAX);
    let mut client = Client::new(&mut server);
    client.send(b"GET / HT");
    client.pass(Duration::from_secs(30));
    let lines = lines.borrow();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("192.0.2.1 - - [06/Nov/1994:08:49:57 +0000] \"-\" 408 "), "{line}");
}

#[test]
fn what_the_log_does_not_take_is_counted() {
    let (mut server, lines) = logging(2);
    let mut client = Client::new(&mut server);
    for _ in 0..5 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.acknowledge();
    }
    assert_eq!(lines.borrow().len(), 2);
    assert_eq!(server.counters().http_unlogged.get(), 3);
}

#[test]
fn a_response_that_was_not_taken_has_no_line() {
    let (mut server, lines) = logging(usize::MAX);
    let mut client = Client::new(&mut server);
    client.wire.refuse_after = 2;
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.wire.reset && lines.borrow().is_empty(), "{lines:?}");
}
