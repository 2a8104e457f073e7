//! The [`Stream`] that the server sees: plaintext in, TCP behind it.

use super::outgoing::Outgoing;
use netstack::{Chunk, Instant, Stream};

/// A session's sending half, while the server is called.
pub(super) struct Sink<'a> {
    pub(super) outgoing: &'a mut Outgoing,
    pub(super) tcp: &'a mut dyn Stream,
}

impl Stream for Sink<'_> {
    fn now(&self) -> Instant {
        self.tcp.now()
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.outgoing.push(chunk)
    }

    fn room(&self) -> usize {
        self.outgoing.room()
    }

    fn unacknowledged(&self) -> usize {
        self.outgoing.len().saturating_add(self.tcp.unacknowledged())
    }

    fn close(&mut self) {
        self.outgoing.closing = true;
    }

    fn reset(&mut self) {
        self.outgoing.reset = true;
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.outgoing.deadline = deadline;
    }

    fn set_keepalive(&mut self, on: bool) {
        self.tcp.set_keepalive(on);
    }
}
