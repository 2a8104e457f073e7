//! The [`Stream`] that a service is lent for the time of a call.

use super::queue::CHUNKS;
use super::send::{Pool, Send};
use crate::Instant;
use crate::service::{Chunk, Stream};

/// A connection's sending half, while its service is called.
pub(super) struct Handle<'a> {
    pub(super) now: Instant,
    pub(super) send: &'a mut Send,
    pub(super) pool: &'a mut Pool,
    pub(super) deadline: &'a mut Option<Instant>,
    pub(super) keepalive: &'a mut bool,
    pub(super) reset: &'a mut bool,
}

impl Stream for Handle<'_> {
    fn now(&self) -> Instant {
        self.now
    }

    #[inline(always)]
    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.send.closing || *self.reset {
            return Err(chunk);
        }
        self.send.busy.get_or_insert_with(|| self.pool.take()).queue.push(chunk)
    }

    fn room(&self) -> usize {
        if self.send.closing || *self.reset {
            return 0;
        }
        self.send.busy.as_ref().map_or(CHUNKS, |busy| busy.queue.room())
    }

    fn unacknowledged(&self) -> usize {
        self.send.queued()
    }

    fn close(&mut self) {
        self.send.closing = true;
    }

    fn reset(&mut self) {
        *self.reset = true;
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        *self.deadline = deadline;
    }

    fn set_keepalive(&mut self, on: bool) {
        *self.keepalive = on;
    }
}
