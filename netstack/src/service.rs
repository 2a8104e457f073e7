//! What runs on top of TCP: a service sees byte streams and answers with lists of slices.

#[cfg(feature = "records")]
use crate::record::Record;
use crate::time::Instant;
use alloc::boxed::Box;
use core::net::SocketAddr;

/// A server of byte streams, driven by the stack.
pub trait Service {
    /// What the service keeps for each connection.
    type Connection;

    /// Whether a connection to this local port is wanted.
    fn listens(&self, port: u16) -> bool;

    /// A connection has been established.
    fn accept(&mut self, peer: SocketAddr, local: SocketAddr, stream: &mut dyn Stream) -> Self::Connection;

    /// `bytes` are the stream's next bytes, in order; `end` says that the peer sends no more after them.
    ///
    /// Returns how many were consumed. What is left is kept and shown again, longer, when more has come,
    /// or the same again when queued bytes were acknowledged; the receive window shrinks by it.
    fn receive(
        &mut self,
        connection: &mut Self::Connection,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> usize;

    /// Queued bytes were acknowledged by the peer.
    fn acknowledged(&mut self, connection: &mut Self::Connection, stream: &mut dyn Stream);

    /// The deadline set with [`Stream::set_deadline`] has passed (and is unset).
    fn deadline(&mut self, connection: &mut Self::Connection, stream: &mut dyn Stream);

    /// The stack is stopping: finish what is queued, then close.
    fn stopping(&mut self, connection: &mut Self::Connection, stream: &mut dyn Stream);

    /// The connection is over; nothing more comes for it.
    fn closed(&mut self, connection: Self::Connection);
}

/// The sending half of a stream, as its service sees it: TCP's, TLS's, or a test's.
pub trait Stream {
    /// The time of this call.
    fn now(&self) -> Instant;

    /// Queues bytes behind those queued before. `Err` gives the chunk back: the queue is full, or closed.
    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk>;

    /// How many chunks may be queued now.
    fn room(&self) -> usize;

    /// Bytes queued and not yet acknowledged.
    fn unacknowledged(&self) -> usize;

    /// No more is sent after what is queued: a FIN follows it.
    fn close(&mut self);

    /// Ends the connection at once with a reset.
    fn reset(&mut self);

    /// When to call [`Service::deadline`]; one deadline a connection, the last one set holds.
    fn set_deadline(&mut self, deadline: Option<Instant>);

    /// Whether the peer is asked, when it has long been silent and nothing is under way, if it is still there; one that does
    /// not answer is given up. Off at first. A stream without such means leaves it at that.
    fn set_keepalive(&mut self, _on: bool) {}
}

/// A run of bytes to send. TCP keeps it until it is acknowledged: there is no send buffer.
#[derive(Debug)]
pub enum Chunk {
    /// Bytes that live for ever: sent by reference.
    Static(&'static [u8]),
    /// A few bytes, carried in the chunk itself.
    Inline(Inline),
    /// Bytes made for this stream.
    Owned(Box<[u8]>),
    /// The same in pages that the device may point at: sent by reference.
    #[cfg(feature = "records")]
    Record(Record),
}

impl Chunk {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Inline(inline) => inline.bytes(),
            Self::Owned(bytes) => bytes,
            #[cfg(feature = "records")]
            Self::Record(record) => record.bytes(),
        }
    }
}

/// At most 38 bytes, without an allocation: a number, or a date and the end of a head (33).
#[derive(Clone, Copy, Debug)]
pub struct Inline {
    length: u8,
    bytes: [u8; Self::CAPACITY],
}

impl Inline {
    /// The most bytes an `Inline` holds.
    pub const CAPACITY: usize = 38;

    /// `None` where there are more than [`Self::CAPACITY`] bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut inline = Self { length: u8::try_from(bytes.len()).ok()?, bytes: [0; Self::CAPACITY] };
        inline.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(inline)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}
