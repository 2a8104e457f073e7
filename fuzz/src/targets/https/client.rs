//! A client of TLS, one in the middle, and the stream to the server: what TCP does, without loss or delay.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::{Chunk, Duration, Instant, Service, Stream};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use site::tls::{Connection, TlsServer};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;

/// As many chunks as TCP takes.
const CHUNKS: usize = 128;

/// The server's end.
struct Wire {
    now: Instant,
    /// What the client has not yet seen.
    sent: Vec<u8>,
    unacknowledged: usize,
    chunks: VecDeque<Chunk>,
    closed: bool,
    reset: bool,
    deadline: Option<Instant>,
}

impl Stream for Wire {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        assert!(!chunk.bytes().is_empty(), "an empty chunk was queued");
        assert!(!matches!(chunk, Chunk::Static(_)), "plaintext went out");
        if self.room() == 0 {
            return Err(chunk);
        }
        self.unacknowledged += chunk.bytes().len();
        self.sent.extend_from_slice(chunk.bytes());
        self.chunks.push_back(chunk);
        Ok(())
    }

    fn room(&self) -> usize {
        if self.closed || self.reset { 0 } else { CHUNKS - self.chunks.len() }
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
        assert!(deadline.is_none_or(|at| at >= self.now), "a deadline in the past");
        self.deadline = deadline;
    }
}

pub struct Client<'a> {
    server: &'a mut TlsServer,
    connection: Connection,
    wire: Wire,
    tls: ClientConnection,
    /// Bytes of a segment.
    segment: usize,
    /// Records of the client's, on their way.
    out: Vec<u8>,
    /// The last that arrived.
    last: Vec<u8>,
    /// Bytes that the server has not yet taken.
    pending: Vec<u8>,
    text: Vec<u8>,
    /// Nobody has touched what either side sent, and the client has done nothing that ends it.
    sound: bool,
    ended: bool,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a mut TlsServer, config: Arc<ClientConfig>, segment: usize) -> Self {
        let mut wire = Wire {
            now: Instant::ZERO,
            sent: Vec::new(),
            unacknowledged: 0,
            chunks: VecDeque::new(),
            closed: false,
            reset: false,
            deadline: None,
        };
        let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let connection = server.accept(address(1_024), address(443), &mut wire);
        let name = ServerName::try_from("test").expect("a name");
        let tls = ClientConnection::new(config, name).expect("a client");
        Self {
            server,
            connection,
            wire,
            tls,
            segment,
            out: Vec::new(),
            last: Vec::new(),
            pending: Vec::new(),
            text: Vec::new(),
            sound: true,
            ended: false,
        }
    }

    pub fn shake_hands(&mut self) {
        for _ in 0..8 {
            self.push();
            self.acknowledge(usize::MAX);
            if !self.tls.is_handshaking() && !self.tls.wants_write() {
                return;
            }
        }
        self.sound = false;
    }

    /// How things stand, to be shown.
    pub fn state(&self) -> String {
        let Wire { closed, reset, unacknowledged, .. } = self.wire;
        let counted: Vec<_> = self.server.counters().iter().filter(|(_, count)| *count > 0).collect();
        let handshaking = self.tls.is_handshaking();
        format!(
            "handshaking {handshaking}, closed {closed}, reset {reset}, {unacknowledged} unacknowledged, {counted:?}"
        )
    }

    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// What follows may end it.
    pub fn spoil(&mut self) {
        self.sound = false;
    }

    /// Plaintext, for the next records; whether it will be sent.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if self.tls.is_handshaking() || !self.sound || self.ended {
            return false;
        }
        let written = self.tls.writer().write_all(bytes).is_ok();
        self.fetch();
        written
    }

    fn fetch(&mut self) {
        while self.tls.wants_write() && self.tls.write_tls(&mut self.out).is_ok_and(|length| length > 0) {}
    }

    /// What the client has to say arrives, a segment at a time.
    pub fn push(&mut self) {
        self.fetch();
        let out = std::mem::take(&mut self.out);
        for segment in out.chunks(self.segment) {
            self.arrive(segment);
        }
        if !out.is_empty() {
            self.last = out;
        }
    }

    /// Bytes of somebody else's.
    pub fn inject(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.sound = false;
            self.push();
            self.arrive(bytes);
        }
    }

    /// A record that nobody encrypted.
    pub fn forge(&mut self, kind: u8, length: u16, byte: u8) {
        let [high, low] = length.to_be_bytes();
        let mut record = vec![20 + kind % 5, 3, 3, high, low];
        record.resize(5 + usize::from(length), byte);
        self.inject(&record);
    }

    /// One bit of what is under way to the server.
    pub fn flip(&mut self, at: u16, bit: u8) {
        self.fetch();
        let length = self.out.len();
        if length > 0 {
            self.sound = false;
            self.out[usize::from(at) % length] ^= 1 << (bit % 8);
        }
    }

    /// What arrived last arrives once more.
    pub fn replay(&mut self) {
        let last = self.last.clone();
        self.inject(&last);
    }

    /// What is under way to the server is cut.
    pub fn drop_some(&mut self, keep: u16) {
        self.fetch();
        if usize::from(keep) < self.out.len() {
            self.sound = false;
            self.out.truncate(keep.into());
        }
    }

    pub fn update_keys(&mut self) {
        if !self.tls.is_handshaking() {
            let _ = self.tls.refresh_traffic_keys();
        }
    }

    pub fn close(&mut self) {
        if !self.tls.is_handshaking() {
            self.tls.send_close_notify();
            self.push();
            self.ended = true;
        }
    }

    /// The client's FIN, in the middle of whatever it was.
    pub fn end(&mut self) {
        self.push();
        if !self.ended {
            self.sound &= self.pending.is_empty();
        }
        self.ended = true;
        self.receive(true);
    }

    fn arrive(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.receive(false);
    }

    fn receive(&mut self, end: bool) {
        if self.wire.reset {
            return;
        }
        let taken = self.server.receive(&mut self.connection, &self.pending, end, &mut self.wire);
        assert!(taken <= self.pending.len());
        self.pending.drain(..taken);
        assert!(self.wire.deadline.is_some() || self.wire.reset, "nothing bounds the wait");
        // What is not taken is less than a record, or there is something to be acknowledged first.
        assert!(
            self.pending.len() < 18_437 || self.wire.unacknowledged > 0 || self.wire.reset,
            "it is stuck"
        );
    }

    /// The client reads what came, and acknowledges so many bytes.
    pub fn acknowledge(&mut self, bytes: usize) {
        self.read();
        let bytes = bytes.min(self.wire.unacknowledged);
        if bytes == 0 || self.wire.reset {
            return;
        }
        self.wire.unacknowledged -= bytes;
        let mut left = self.wire.unacknowledged;
        // Chunks of which a byte is not acknowledged stay, counted from the back.
        let kept = self.wire.chunks.iter().rev().take_while(|chunk| {
            let stays = left > 0;
            left = left.saturating_sub(chunk.bytes().len());
            stays
        });
        let kept = kept.count();
        self.wire.chunks.drain(..self.wire.chunks.len() - kept);
        self.server.acknowledged(&mut self.connection, &mut self.wire);
        if !self.pending.is_empty() {
            self.receive(false);
        }
    }

    fn read(&mut self) {
        let sent = std::mem::take(&mut self.wire.sent);
        let mut bytes = &sent[..];
        while !bytes.is_empty() {
            if self.tls.read_tls(&mut bytes).unwrap_or(0) == 0 {
                break;
            }
            if let Err(error) = self.tls.process_new_packets() {
                assert!(!self.sound, "the server broke the protocol: {error}");
                return;
            }
            let mut text = [0; 20_000];
            while let Ok(length @ 1..) = self.tls.reader().read(&mut text) {
                self.text.extend_from_slice(&text[..length]);
            }
        }
    }

    /// Both sides go on until neither has anything to say.
    pub fn settle(&mut self) {
        for _ in 0..4_096 {
            self.push();
            self.acknowledge(usize::MAX);
            if self.wire.reset
                || (self.wire.unacknowledged == 0 && self.wire.sent.is_empty() && !self.tls.wants_write())
            {
                return;
            }
        }
        panic!("it does not end");
    }

    /// Time passes; deadlines are met on their microsecond.
    pub fn pass(&mut self, time: Duration) {
        let then = self.wire.now + time;
        let mut met = 0;
        while let Some(deadline) = self.wire.deadline.filter(|deadline| *deadline <= then) {
            if self.wire.reset {
                break;
            }
            met += 1;
            assert!(met < 64, "one deadline after the other");
            self.wire.now = self.wire.now.max(deadline);
            self.wire.deadline = None;
            // It may be that which ends it.
            self.sound = false;
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
        self.wire.now = then;
    }

    pub fn text(&self) -> Vec<u8> {
        self.text.clone()
    }

    pub fn kept(&self) -> usize {
        self.server.kept()
    }

    pub fn is_over(&self) -> bool {
        self.wire.closed || self.wire.reset
    }

    pub fn finish(self) {
        let Self { server, connection, wire, .. } = self;
        server.closed(connection);
        drop(wire);
    }
}
