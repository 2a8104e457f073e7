//! A client at the other end of a stream, for tests: what TCP does between the two, without loss or delay.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

pub mod plain;
mod wire;

use core::net::SocketAddr;
use netstack::{Duration, Instant, Service};
use site::{Config, Server, Site, WallClock};
use site_pack::{Archive, Stamp};
use std::cell::RefCell;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
pub use wire::Wire;

/// Sun, 06 Nov 1994 08:49:37 GMT.
pub const CLOCK: WallClock = WallClock { unix_micros: 784_111_777_000_000, at: Instant::ZERO };

/// The tar of these files, modified at 784111777.
pub fn tar(files: &[(&str, &[u8])]) -> &'static [u8] {
    let mut archive = Archive::new(Stamp::Epoch(784_111_777));
    for (name, body) in files {
        archive.add(name, body, UNIX_EPOCH).unwrap();
    }
    archive.finish(Path::new("test")).unwrap().leak()
}

/// A site of these files and an index.
pub fn site(files: &[(&str, &[u8])]) -> Site {
    let files: Vec<_> = [("index.html", &b"<p>home"[..])].iter().chain(files).copied().collect();
    record_site(&files);
    Site::open(tar(&files)).unwrap()
}

thread_local! {
    /// Where this test's site and requests are written down: `HALFPAGE_REQUESTS`, and a folder of the site's own in it.
    static RECORD: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Writes the files of a site down for scripts/differ, which asks another server the same.
fn record_site(files: &[(&str, &[u8])]) {
    let Some(folder) = std::env::var_os("HALFPAGE_REQUESTS") else { return };
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    let folder = Path::new(&folder).join(format!("{:016x}", hasher.finish()));
    for (name, body) in files {
        let path = folder.join("site").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    fs::write(folder.join("site.tar"), tar(files)).unwrap();
    RECORD.set(Some(folder));
}

/// Writes a request down.
pub fn record(request: &[u8]) {
    let Some(folder) = RECORD.with_borrow(Clone::clone) else { return };
    let mut line: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    line.push('\n');
    let file = fs::OpenOptions::new().create(true).append(true).open(folder.join("requests"));
    file.unwrap().write_all(line.as_bytes()).unwrap();
}

/// A server with the usual limits of a site of a few files.
pub fn server() -> Server {
    let site = site(&[
        ("about/index.html", b"<p>about"),
        ("about/me.txt", "grüß".as_bytes()),
        ("a b%/index.html", b"<p>odd"),
        ("big.bin", &[7; 100_000]),
        ("empty.css", b""),
        ("feed.atom", b"<feed/>"),
        ("latin1.txt", b"gr\xfc\xdf"),
        ("ü.html", b"<p>u"),
        (".well-known/security.txt", b"Contact: nobody"),
    ]);
    Server::new(site, Config::default(), CLOCK)
}

/// A connection's client.
pub struct Client<'a> {
    pub server: &'a mut Server,
    pub connection: site::Connection,
    pub wire: Wire,
    /// Bytes that the server has not yet taken.
    pub pending: Vec<u8>,
    pub ended: bool,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a mut Server) -> Self {
        Self::at(server, Instant::ZERO)
    }

    pub fn at(server: &'a mut Server, now: Instant) -> Self {
        let mut wire = Wire::at(now, false);
        let address: SocketAddr = "192.0.2.1:1024".parse().unwrap();
        let connection = server.accept(address, address, &mut wire);
        Self { server, connection, wire, pending: Vec::new(), ended: false }
    }

    /// A segment arrives.
    pub fn send(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.receive();
    }

    /// The client's FIN arrives.
    pub fn end(&mut self) {
        self.ended = true;
        self.receive();
    }

    fn receive(&mut self) {
        if self.wire.reset {
            return;
        }
        let taken = self.server.receive(&mut self.connection, &self.pending, self.ended, &mut self.wire);
        self.pending.drain(..taken);
    }

    /// The client acknowledges all but `left` bytes.
    pub fn acknowledge_all_but(&mut self, left: usize) {
        // What comes after a reset reaches no connection.
        if self.wire.reset {
            return;
        }
        self.wire.acknowledge_all_but(left);
        self.server.acknowledged(&mut self.connection, &mut self.wire);
        if !self.pending.is_empty() || self.ended {
            self.receive();
        }
    }

    /// The client acknowledges everything, and what is sent upon that, until nothing more comes.
    pub fn acknowledge(&mut self) {
        while self.wire.unacknowledged > 0 && !self.wire.reset {
            self.acknowledge_all_but(0);
        }
    }

    /// Time passes; deadlines are met on their microsecond.
    pub fn pass(&mut self, time: Duration) {
        let then = self.wire.now + time;
        while self.wire.pass(then) {
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
    }

    /// What the server has sent since the last call, as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.wire.sent)).into_owned()
    }
}

/// The answer to one request on a connection of its own, which the client ends after it.
pub fn exchange(server: &mut Server, request: &[u8]) -> (String, bool) {
    record(request);
    let mut client = Client::new(server);
    client.send(request);
    client.acknowledge();
    let closed = client.wire.closed;
    assert!(!client.wire.reset);
    (client.text(), closed)
}
