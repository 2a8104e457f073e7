//! A client at the other end of a stream, for tests: what TCP does between the two, without loss or delay.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

pub mod plain;

use core::net::SocketAddr;
use netstack::{Chunk, Duration, Instant, Service, Stream};
use site::{Config, Server, Site, WallClock};
use site_pack::{Archive, Stamp};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

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

/// The stream between a server and a client.
pub struct Wire {
    pub now: Instant,
    /// Everything the server has sent.
    pub sent: Vec<u8>,
    pub unacknowledged: usize,
    /// The lengths of the chunks that are queued, and how many may be.
    chunks: VecDeque<usize>,
    pub capacity: usize,
    pub closed: bool,
    pub reset: bool,
    pub deadline: Option<Instant>,
    /// How often a deadline was set.
    pub armed: usize,
    /// After so many chunks more are refused, though there is room.
    pub refuse_after: usize,
    /// The last chunk, if it was sent by reference.
    pub last: Option<&'static [u8]>,
}

impl Stream for Wire {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.closed || self.reset || self.chunks.len() == self.capacity.min(self.refuse_after) {
            return Err(chunk);
        }
        assert!(!chunk.bytes().is_empty(), "an empty chunk was queued");
        assert!(!matches!(chunk, Chunk::Owned(_)), "a response was allocated");
        self.chunks.push_back(chunk.bytes().len());
        self.unacknowledged += chunk.bytes().len();
        self.sent.extend_from_slice(chunk.bytes());
        self.last = if let Chunk::Static(bytes) = chunk { Some(bytes) } else { None };
        Ok(())
    }

    fn room(&self) -> usize {
        if self.closed || self.reset { 0 } else { self.capacity - self.chunks.len() }
    }

    fn unacknowledged(&self) -> usize {
        self.unacknowledged
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn reset(&mut self) {
        self.reset = true;
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.armed += 1;
    }
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
        let mut wire = Wire {
            now,
            sent: Vec::new(),
            unacknowledged: 0,
            chunks: VecDeque::new(),
            capacity: 128,
            closed: false,
            reset: false,
            deadline: None,
            armed: 0,
            refuse_after: usize::MAX,
            last: None,
        };
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
        assert!(left <= self.wire.unacknowledged);
        self.wire.unacknowledged = left;
        while self.wire.chunks.iter().skip(1).sum::<usize>() >= left && self.wire.chunks.pop_front().is_some()
        {
        }
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
        while let Some(deadline) = self.wire.deadline.filter(|deadline| *deadline <= then) {
            if self.wire.reset {
                break;
            }
            self.wire.now = self.wire.now.max(deadline);
            self.wire.deadline = None;
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
        self.wire.now = then;
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
