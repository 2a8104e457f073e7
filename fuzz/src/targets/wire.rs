//! The stream between a server and a client: what TCP does between the two, without loss or delay.

use netstack::{Chunk, Instant, Stream};
use std::collections::VecDeque;

/// As many chunks as TCP takes.
const CHUNKS: usize = 128;

/// The server's end.
pub struct Wire {
    pub now: Instant,
    /// What the server has sent, and nobody has taken from here.
    pub sent: Vec<u8>,
    pub unacknowledged: usize,
    chunks: VecDeque<Chunk>,
    pub closed: bool,
    pub reset: bool,
    pub deadline: Option<Instant>,
    /// What must not be queued here, and what it means.
    never: (fn(&Chunk) -> bool, &'static str),
}

impl Wire {
    /// A stream in which chunks for which `never` holds are a fault, of this name.
    pub fn new(never: fn(&Chunk) -> bool, fault: &'static str) -> Self {
        Self {
            now: Instant::ZERO,
            sent: Vec::new(),
            unacknowledged: 0,
            chunks: VecDeque::new(),
            closed: false,
            reset: false,
            deadline: None,
            never: (never, fault),
        }
    }

    /// The client acknowledges so many bytes, or all. `false` where the server has not to be told.
    pub fn acknowledge(&mut self, bytes: usize) -> bool {
        let bytes = bytes.min(self.unacknowledged);
        if bytes == 0 || self.reset {
            return false;
        }
        self.unacknowledged -= bytes;
        let mut left = self.unacknowledged;
        // Chunks of which a byte is not acknowledged stay, counted from the back.
        let kept = self.chunks.iter().rev().take_while(|chunk| {
            let stays = left > 0;
            left = left.saturating_sub(chunk.bytes().len());
            stays
        });
        let kept = kept.count();
        self.chunks.drain(..self.chunks.len() - kept);
        true
    }

    /// Time passes, to the next deadline, if there is one by then. `true` where it has to be met.
    pub fn pass(&mut self, then: Instant) -> bool {
        let deadline = self.deadline.filter(|deadline| *deadline <= then && !self.reset);
        self.now = self.now.max(deadline.unwrap_or(then));
        if deadline.is_some() {
            self.deadline = None;
        }
        deadline.is_some()
    }

    /// Whether the server has ended it.
    pub fn is_over(&self) -> bool {
        self.closed || self.reset
    }
}

impl Stream for Wire {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        assert!(!chunk.bytes().is_empty(), "an empty chunk was queued");
        assert!(!(self.never.0)(&chunk), "{}", self.never.1);
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
