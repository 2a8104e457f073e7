//! The stream between a server and a client: what TCP does for a service, without loss or delay.

use netstack::{Chunk, Instant, Stream};
use std::collections::VecDeque;

/// The server's end.
pub struct Wire {
    pub now: Instant,
    /// What the server has sent, and nobody has taken from here.
    pub sent: Vec<u8>,
    pub unacknowledged: usize,
    /// The most that was.
    pub peak: usize,
    /// The chunks that are queued, and how many may be.
    pub chunks: VecDeque<Chunk>,
    pub capacity: usize,
    /// Whether bytes that were allocated may be among them.
    pub owned: bool,
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

impl Wire {
    pub fn at(now: Instant, owned: bool) -> Self {
        Self {
            now,
            sent: Vec::new(),
            unacknowledged: 0,
            peak: 0,
            chunks: VecDeque::new(),
            capacity: 128,
            owned,
            closed: false,
            reset: false,
            deadline: None,
            armed: 0,
            refuse_after: usize::MAX,
            last: None,
        }
    }

    /// The peer acknowledges all but `left` bytes: chunks go that lie before them.
    pub fn acknowledge_all_but(&mut self, left: usize) {
        assert!(left <= self.unacknowledged);
        self.unacknowledged = left;
        while self.chunks.iter().skip(1).map(|chunk| chunk.bytes().len()).sum::<usize>() >= left
            && self.chunks.pop_front().is_some()
        {}
    }

    /// Time passes, to the next deadline if there is one by `then`. `true` where it has to be met.
    pub fn pass(&mut self, then: Instant) -> bool {
        let deadline = self.deadline.filter(|deadline| *deadline <= then && !self.reset);
        self.now = deadline.map_or(then, |deadline| self.now.max(deadline));
        if deadline.is_some() {
            self.deadline = None;
        }
        deadline.is_some()
    }
}

impl Stream for Wire {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.closed || self.reset || self.chunks.len() >= self.capacity.min(self.refuse_after) {
            return Err(chunk);
        }
        assert!(!chunk.bytes().is_empty(), "an empty chunk was queued");
        assert!(self.owned || !matches!(chunk, Chunk::Owned(_)), "a response was allocated");
        self.unacknowledged += chunk.bytes().len();
        self.peak = self.peak.max(self.unacknowledged);
        self.sent.extend_from_slice(chunk.bytes());
        self.last = if let Chunk::Static(bytes) = chunk { Some(bytes) } else { None };
        self.chunks.push_back(chunk);
        Ok(())
    }

    fn room(&self) -> usize {
        if self.closed || self.reset { 0 } else { self.capacity.saturating_sub(self.chunks.len()) }
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
