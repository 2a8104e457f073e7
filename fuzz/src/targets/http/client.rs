//! A client at the other end of a stream.

use crate::targets::wire::Wire;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::{Chunk, Duration, Service};
use site::{Connection, Server};

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
        let mut wire = Wire::new(|chunk| matches!(chunk, Chunk::Owned(_)), "a response was allocated");
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
        assert!(self.wire.deadline.is_some() || self.wire.reset, "nothing bounds the wait");
    }

    /// The client acknowledges so many bytes, or all.
    pub fn acknowledge_some(&mut self, bytes: usize) {
        if !self.wire.acknowledge(bytes) {
            return;
        }
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
        while self.wire.pass(then) {
            met += 1;
            assert!(met < 64, "one deadline after the other");
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
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
        self.wire.is_over()
    }
}
