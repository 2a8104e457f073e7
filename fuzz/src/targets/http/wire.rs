//! A client and the stream to it: what TCP does between the two, without loss or delay.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::{Chunk, Duration, Instant, Service, Stream};
use site::{Connection, Server};
use std::collections::VecDeque;

/// As many chunks as TCP takes.
const CHUNKS: usize = 128;

/// The server's end.
struct Wire {
    now: Instant,
    sent: Vec<u8>,
    unacknowledged: usize,
    chunks: VecDeque<usize>,
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
        assert!(!matches!(chunk, Chunk::Owned(_)), "a response was allocated");
        if self.room() == 0 {
            return Err(chunk);
        }
        self.chunks.push_back(chunk.bytes().len());
        self.unacknowledged += chunk.bytes().len();
        self.sent.extend_from_slice(chunk.bytes());
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

/// A connection's client.
pub struct Client<'a> {
    server: &'a mut Server,
    connection: Connection,
    wire: Wire,
    /// Bytes that the server has not yet taken.
    pending: Vec<u8>,
    ended: bool,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a mut Server) -> Self {
        let mut wire = Wire {
            now: Instant::ZERO,
            sent: Vec::new(),
            unacknowledged: 0,
            chunks: VecDeque::new(),
            closed: false,
            reset: false,
            deadline: None,
        };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1_024);
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
        assert!(self.wire.chunks.len() <= CHUNKS);
        assert!(self.wire.deadline.is_some() || self.wire.reset, "nothing bounds the wait");
    }

    /// The client acknowledges so many bytes, or all.
    pub fn acknowledge_some(&mut self, bytes: usize) {
        let bytes = bytes.min(self.wire.unacknowledged);
        if bytes == 0 || self.wire.reset {
            return;
        }
        self.wire.unacknowledged -= bytes;
        let mut left = self.wire.unacknowledged;
        // Chunks of which a byte is not acknowledged stay, counted from the back.
        let kept = self.wire.chunks.iter().rev().take_while(|length| {
            let stays = left > 0;
            left = left.saturating_sub(**length);
            stays
        });
        let kept = kept.count();
        self.wire.chunks.drain(..self.wire.chunks.len() - kept);
        self.server.acknowledged(&mut self.connection, &mut self.wire);
        if !self.pending.is_empty() || self.ended {
            self.receive();
        }
    }

    /// The client acknowledges everything, and what is sent upon that, until nothing more comes.
    pub fn acknowledge(&mut self) {
        while self.wire.unacknowledged > 0 && !self.wire.reset {
            self.acknowledge_some(usize::MAX);
        }
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
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
        self.wire.now = then;
    }

    /// What the server has sent.
    pub fn sent(&self) -> &[u8] {
        &self.wire.sent
    }

    /// The same, to be shown.
    pub fn text(&self) -> String {
        self.wire.sent.escape_ascii().to_string()
    }

    /// Whether it was closed, and reset, and what the server has not taken.
    pub fn outcome(&self) -> (bool, bool, usize) {
        (self.wire.closed, self.wire.reset, self.pending.len())
    }

    /// Whether the server has ended it.
    pub fn is_over(&self) -> bool {
        self.wire.closed || self.wire.reset
    }
}
