//! What the server has sent and is not encrypted yet: chunks, by reference.

use alloc::collections::VecDeque;
use netstack::{Chunk, Instant};

/// The most chunks that wait.
pub(super) const CHUNKS: usize = 128;
/// Room that is kept when nothing waits.
const KEPT: usize = 4;

/// The plaintext that waits, and what else the server wants of its stream.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are encrypted.
    skipped: usize,
    length: usize,
    /// Bytes of records that TCP was given.
    pub(super) written: u64,
    /// Nothing follows.
    pub(super) closing: bool,
    /// A reset was called for.
    pub(super) reset: bool,
    /// When the server wants to be called.
    pub(super) deadline: Option<Instant>,
    /// When there may be room for a record that found none.
    pub(super) again: Option<Instant>,
}

impl Outgoing {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn room(&self) -> usize {
        if self.closing || self.reset { 0 } else { CHUNKS.saturating_sub(self.chunks.len()) }
    }

    pub(super) fn push(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.room() == 0 {
            return Err(chunk);
        }
        let length = chunk.bytes().len();
        if length > 0 {
            self.length = self.length.saturating_add(length);
            self.chunks.push_back(chunk);
        }
        Ok(())
    }

    /// The next bytes, at most `most` and as many as there are of these; joined in `room` where they lie in several chunks.
    pub(super) fn next<'a>(&'a self, most: usize, room: &'a mut [u8]) -> &'a [u8] {
        let wanted = most.min(self.length).min(room.len());
        let first = self.chunks.front().map(Chunk::bytes).and_then(|bytes| bytes.get(self.skipped..));
        if let Some(bytes) = first.and_then(|bytes| bytes.get(..wanted)) {
            return bytes;
        }
        let (mut skip, mut filled) = (self.skipped, 0_usize);
        for chunk in &self.chunks {
            let bytes = chunk.bytes().get(skip..).unwrap_or_default();
            skip = 0;
            let count = bytes.len().min(wanted.saturating_sub(filled));
            let end = filled.saturating_add(count);
            if let (Some(to), Some(from)) = (room.get_mut(filled..end), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            filled = end;
            if filled >= wanted {
                break;
            }
        }
        room.get(..wanted).unwrap_or_default()
    }

    /// Lets go of the first `count` bytes.
    pub(super) fn release(&mut self, count: usize) {
        self.length = self.length.saturating_sub(count);
        self.skipped = self.skipped.saturating_add(count);
        while let Some(length) = self.chunks.front().map(|chunk| chunk.bytes().len())
            && length <= self.skipped
        {
            self.skipped = self.skipped.saturating_sub(length);
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            self.skipped = 0;
            self.chunks.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn nothing_follows_a_close_or_a_reset() {
        for (closing, reset) in [(true, false), (false, true), (true, true)] {
            let mut outgoing = Outgoing { closing, reset, ..Outgoing::default() };
            assert_eq!(outgoing.room(), 0);
            assert!(outgoing.push(Chunk::Static(b"x")).is_err());
        }
    }

    #[test]
    fn an_empty_chunk_takes_no_room() {
        let mut outgoing = Outgoing::default();
        outgoing.push(Chunk::Static(b"")).unwrap();
        assert_eq!((outgoing.room(), outgoing.len()), (128, 0));
    }

    #[test]
    fn a_body_is_not_copied() {
        static BODY: [u8; 100] = [7; 100];
        let mut outgoing = Outgoing::default();
        outgoing.push(Chunk::Static(&BODY)).unwrap();
        let mut room = [0; 64];
        assert_eq!(outgoing.next(64, &mut room).as_ptr(), BODY.as_ptr());
        outgoing.release(64);
        assert_eq!(outgoing.next(64, &mut room), &BODY[64..]);
        assert_eq!(room, [0; 64]);
    }

    #[test]
    fn the_129th_chunk_comes_back() {
        let mut outgoing = Outgoing::default();
        for _ in 0..128 {
            outgoing.push(Chunk::Static(b"x")).unwrap();
        }
        assert!(outgoing.push(Chunk::Static(b"y")).is_err());
        outgoing.release(128);
        assert!(outgoing.chunks.capacity() <= 4);
    }

    proptest! {
        #[test]
        fn agrees_with_a_vector(
            lengths in prop::collection::vec(0_usize..60, 1..20),
            takes in prop::collection::vec(1_usize..100, 1..30),
        ) {
            let (mut outgoing, mut model) = (Outgoing::default(), Vec::new());
            for (number, length) in lengths.into_iter().enumerate() {
                let run: Vec<u8> = (0..length).map(|at| (number * 31 + at) as u8).collect();
                model.extend_from_slice(&run);
                let chunk = if number % 2 == 0 {
                    Chunk::Static(Box::leak(run.into_boxed_slice()))
                } else {
                    Chunk::Owned(run.into_boxed_slice())
                };
                outgoing.push(chunk).unwrap();
            }
            for take in takes {
                let mut room = vec![0; 64];
                let bytes = outgoing.next(take, &mut room);
                prop_assert_eq!(bytes, &model[..take.min(model.len()).min(64)]);
                let count = bytes.len();
                outgoing.release(count);
                model.drain(..count);
                prop_assert_eq!(outgoing.len(), model.len());
            }
        }
    }
}
