//! The service of the tests: a request names a range of a static text, the response is that range.

use core::net::SocketAddr;
use netstack::service::Inline;
use netstack::{Chunk, Duration, Service, Stream};
use std::sync::LazyLock;

/// What is served. Any eight bytes of it tell where they stand.
pub static TEXT: LazyLock<&'static [u8]> = LazyLock::new(|| {
    let words = 0..1_u64 << 19;
    let bytes: Vec<u8> =
        words.flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    bytes.leak()
});

/// Bytes of a request before its body.
const HEAD: usize = 13;

/// A request: the body is from the same range on.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub start: u32,
    pub length: u32,
    pub body: u32,
    /// The server closes after the response.
    pub close: bool,
}

impl Request {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.start, self.length, self.body] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.push(u8::from(self.close));
        bytes.extend_from_slice(range(self.start, self.body));
        bytes
    }

    pub fn response(&self) -> &'static [u8] {
        range(self.start, self.length)
    }
}

fn range(start: u32, length: u32) -> &'static [u8] {
    &TEXT[start as usize..(start + length) as usize]
}

/// Serves ranges, and counts what it is told.
#[derive(Default)]
pub struct Server {
    pub accepted: usize,
    pub closed: usize,
    pub ended: usize,
    pub deadlines: usize,
    pub requests: usize,
    /// Takes no request while more than this is queued.
    pub backlog: Option<usize>,
    /// Consumes nothing at all.
    pub stuck: bool,
    /// Resets instead of answering.
    pub resets: bool,
    /// Sets this deadline on each connection.
    pub patience: Option<Duration>,
    /// Asks for keep-alives.
    pub keepalive: bool,
    pub ports: Vec<u16>,
}

/// A request under way.
#[derive(Default)]
pub struct Connection {
    request: Option<Request>,
    /// Bytes of its body that have come.
    body: u32,
    closing: bool,
    ended: bool,
}

impl Server {
    fn step(&mut self, connection: &mut Connection, bytes: &[u8], stream: &mut dyn Stream) -> usize {
        if let Some(request) = connection.request {
            let left = request.body - connection.body;
            let count = bytes.len().min(left as usize);
            assert_eq!(&bytes[..count], range(request.start + connection.body, count as u32));
            connection.body += count as u32;
            if connection.body == request.body && stream.room() >= 4 {
                connection.request = None;
                self.answer(request, connection, stream);
            }
            return count;
        }
        let Some(head) = bytes.first_chunk::<HEAD>() else { return 0 };
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let request = Request { start: number(0), length: number(4), body: number(8), close: head[12] == 1 };
        if stream.room() < 4 || self.backlog.is_some_and(|most| stream.unacknowledged() > most) {
            return 0;
        }
        self.requests += 1;
        connection.request = Some(request);
        connection.body = 0;
        HEAD
    }

    fn answer(&mut self, request: Request, connection: &mut Connection, stream: &mut dyn Stream) {
        if self.resets {
            stream.reset();
            return;
        }
        let text = request.response();
        let (inline, rest) = text.split_at(text.len().min(Inline::CAPACITY));
        let (owned, rest) = rest.split_at(rest.len().min(request.start as usize % 700));
        stream.send(Chunk::Inline(Inline::new(inline).unwrap())).unwrap();
        stream.send(Chunk::Owned(owned.into())).unwrap();
        stream.send(Chunk::Static(rest)).unwrap();
        if request.close {
            connection.closing = true;
            stream.close();
            assert!(stream.send(Chunk::Static(b"late")).is_err());
        }
    }
}

impl Service for Server {
    type Connection = Connection;

    fn listens(&self, port: u16) -> bool {
        port == 80 || self.ports.contains(&port)
    }

    fn accept(&mut self, _peer: SocketAddr, _local: SocketAddr, stream: &mut dyn Stream) -> Connection {
        self.accepted += 1;
        if let Some(patience) = self.patience {
            stream.set_deadline(Some(stream.now() + patience));
        }
        stream.set_keepalive(self.keepalive);
        Connection::default()
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> usize {
        assert!(!connection.ended || end, "after the end comes the end");
        if self.stuck {
            return 0;
        }
        let mut consumed = 0;
        while !connection.closing {
            let asked = connection.request.is_some();
            let count = self.step(connection, &bytes[consumed..], stream);
            consumed += count;
            if count == 0 && asked == connection.request.is_some() {
                break;
            }
        }
        if connection.closing {
            consumed = bytes.len();
        }
        if end && !connection.ended {
            connection.ended = true;
            self.ended += 1;
        }
        if end && consumed == bytes.len() && connection.request.is_none() && !connection.closing {
            connection.closing = true;
            stream.close();
        }
        consumed
    }

    fn acknowledged(&mut self, _connection: &mut Connection, _stream: &mut dyn Stream) {}

    fn deadline(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        self.deadlines += 1;
        connection.closing = true;
        stream.close();
    }

    fn stopping(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        connection.closing = true;
        stream.close();
    }

    fn closed(&mut self, _connection: Connection) {
        self.closed += 1;
    }
}
