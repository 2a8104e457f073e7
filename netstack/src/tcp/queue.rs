//! What a service has queued: a list of runs of bytes, sliced when it is sent and sliced again when it is sent again.
//! Nothing is copied, and there is no send buffer.

use crate::device::Slice;
use crate::service::Chunk;
use alloc::collections::VecDeque;

/// The most chunks in a queue.
pub(super) const CHUNKS: usize = 128;
/// The most slices in a segment: as many as a netif packet has slots besides the header's.
pub(super) const SLICES: usize = 17;
/// As many as one response has, of which most queues consist.
pub(super) const FEW: usize = 4;
/// Room that a queue keeps when it is used again.
const KEPT: usize = 8;

/// Bytes from the first that is not acknowledged.
#[derive(Debug)]
pub(super) struct Queue {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are acknowledged.
    skipped: usize,
    length: usize,
    /// All queues together take as much as they may: this one does not grow.
    pub(super) confined: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { chunks: VecDeque::with_capacity(KEPT), skipped: 0, length: 0, confined: false }
    }

    /// Bytes of the heap, those of owned chunks apart.
    pub(super) fn held(&self) -> usize {
        self.chunks.capacity().saturating_mul(size_of::<Chunk>())
    }

    /// Bytes queued and not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn room(&self) -> usize {
        let most = if self.confined { KEPT } else { CHUNKS };
        most.saturating_sub(self.chunks.len())
    }

    pub(super) fn push(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.room() == 0 {
            return Err(chunk);
        }
        let length = chunk.bytes().len();
        if length != 0 {
            self.length = self.length.saturating_add(length);
            // In one step, as few sizes are taken from the heap so: see `assembly`.
            if self.chunks.len() == self.chunks.capacity() {
                self.chunks.reserve_exact(CHUNKS.saturating_sub(self.chunks.len()));
            }
            self.chunks.push_back(chunk);
        }
        Ok(())
    }

    /// Lets go of the first `count` bytes.
    pub(super) fn release(&mut self, count: usize) {
        if count >= self.length {
            // Nearly always: a response is acknowledged as a whole.
            self.chunks.clear();
            (self.skipped, self.length) = (0, 0);
            return;
        }
        self.length = self.length.saturating_sub(count);
        self.skipped = self.skipped.saturating_add(count);
        while let Some(first) = self.chunks.front() {
            let length = first.bytes().len();
            if length > self.skipped {
                return;
            }
            self.skipped = self.skipped.saturating_sub(length);
            self.chunks.pop_front();
        }
        self.skipped = 0;
    }

    /// Whether it has outgrown what every queue has.
    pub(super) fn is_roomy(&self) -> bool {
        self.chunks.capacity() > KEPT
    }

    /// Empties it for another connection; a roomy one may stay so.
    #[inline(always)]
    pub(super) fn clear(&mut self, roomy: bool) {
        // What was sent in whole has left it empty.
        if !self.chunks.is_empty() {
            self.chunks.clear();
        }
        if self.is_roomy() && !roomy {
            self.chunks.shrink_to(KEPT);
        }
        (self.skipped, self.length) = (0, 0);
    }

    /// Whether all of it fits [`FEW`] slices.
    pub(super) fn is_short(&self) -> bool {
        self.chunks.len() <= FEW
    }

    /// Up to `count` bytes from `offset` on: fewer where they would take more than `N` slices.
    pub(super) fn slices<const N: usize>(&self, offset: usize, count: usize) -> Payload<'_, N> {
        let mut payload = Payload { slices: [Slice::Static(&[]); N], count: 0, length: 0 };
        if self.skipped == 0 && offset == 0 && count >= self.length && self.chunks.len() <= N {
            // Nearly always: a response goes out as a whole.
            for (place, chunk) in payload.slices.iter_mut().zip(&self.chunks) {
                *place = match chunk {
                    Chunk::Static(bytes) => Slice::Static(bytes),
                    #[cfg(feature = "records")]
                    Chunk::Record(record) => Slice::Record(record.bytes(), record),
                    _ => Slice::Borrowed(chunk.bytes()),
                };
            }
            (payload.count, payload.length) = (self.chunks.len(), self.length);
            return payload;
        }
        let mut skip = self.skipped.saturating_add(offset);
        for chunk in &self.chunks {
            let bytes = chunk.bytes();
            if skip >= bytes.len() {
                skip = skip.saturating_sub(bytes.len());
                continue;
            }
            let wanted = count.saturating_sub(payload.length).min(bytes.len().saturating_sub(skip));
            let Some(place) = payload.slices.get_mut(payload.count).filter(|_| wanted > 0) else { break };
            *place = match chunk {
                Chunk::Static(bytes) => Slice::Static(part(bytes, skip, wanted)),
                #[cfg(feature = "records")]
                Chunk::Record(record) => Slice::Record(part(bytes, skip, wanted), record),
                _ => Slice::Borrowed(part(bytes, skip, wanted)),
            };
            skip = 0;
            payload.count = payload.count.saturating_add(1);
            payload.length = payload.length.saturating_add(wanted);
        }
        payload
    }
}

/// `length` of the bytes, from `from` on.
fn part(bytes: &[u8], from: usize, length: usize) -> &[u8] {
    if from == 0 && length == bytes.len() {
        return bytes;
    }
    bytes.get(from..).and_then(|rest| rest.get(..length)).unwrap_or_default()
}

/// The slices of one segment.
#[derive(Debug)]
pub(super) struct Payload<'a, const N: usize> {
    slices: [Slice<'a>; N],
    count: usize,
    length: usize,
}

impl<'a, const N: usize> Payload<'a, N> {
    pub(super) fn as_slice(&self) -> &[Slice<'a>] {
        self.slices.get(..self.count).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Keeps the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        let mut left = length.min(self.length);
        self.length = left;
        let mut count = 0_usize;
        for slice in self.slices.iter_mut().take(self.count) {
            if left == 0 {
                break;
            }
            let keep = left.min(slice.bytes().len());
            *slice = slice.first(keep);
            left = left.saturating_sub(keep);
            count = count.saturating_add(1);
        }
        self.count = count;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::service::Inline;
    use proptest::prelude::*;
    use std::boxed::Box;
    use std::vec::Vec;

    fn bytes(payload: &Payload<'_, SLICES>) -> Vec<u8> {
        payload.as_slice().iter().flat_map(|slice| slice.bytes()).copied().collect()
    }

    #[test]
    fn static_bytes_stay_by_reference() {
        let mut queue = Queue::new();
        queue.push(Chunk::Inline(Inline::new(b"head").unwrap())).unwrap();
        queue.push(Chunk::Static(b"body")).unwrap();
        let payload = queue.slices::<FEW>(2, 4);
        assert!(matches!(payload.as_slice(), [Slice::Borrowed(b"ad"), Slice::Static(b"bo")]));
    }

    #[test]
    fn the_129th_chunk_comes_back() {
        let mut queue = Queue::new();
        for _ in 0..128 {
            queue.push(Chunk::Static(b"x")).unwrap();
        }
        assert!(queue.push(Chunk::Static(b"y")).is_err());
        queue.release(1);
        queue.push(Chunk::Static(b"y")).unwrap();
        assert_eq!(queue.slices::<SLICES>(0, 128).len(), 17);
    }

    #[cfg(feature = "records")]
    #[test]
    fn a_record_is_held_until_its_last_byte_is_acknowledged() {
        let pool = crate::record::Pool::new(0, 1);
        let mut queue = Queue::new();
        let mut blank = pool.take(100).unwrap();
        blank.bytes_mut()[..100].fill(7);
        queue.push(Chunk::Record(blank.seal(100))).unwrap();
        let device = match queue.slices::<FEW>(90, 20).as_slice() {
            [Slice::Record(bytes, record)] => {
                assert_eq!(*bytes, [7; 10]);
                (*record).clone()
            }
            other => panic!("{other:?}"),
        };
        queue.release(99);
        drop(device);
        assert_eq!(pool.free(), (0, 0));
        queue.release(1);
        assert_eq!(pool.free(), (0, 1));
    }

    proptest! {
        #[test]
        fn agrees_with_a_vector(
            lengths in prop::collection::vec(0_usize..60, 1..20),
            releases in prop::collection::vec(0_usize..200, 1..5),
            offset in 0_usize..300, count in 0_usize..300, cut in 0_usize..300,
        ) {
            let (mut queue, mut model) = (Queue::new(), Vec::new());
            for (number, length) in lengths.into_iter().enumerate() {
                let run: Vec<u8> = (0..length).map(|at| (number * 31 + at) as u8).collect();
                model.extend_from_slice(&run);
                let chunk = match Inline::new(&run) {
                    Some(inline) if number % 3 == 0 => Chunk::Inline(inline),
                    _ if number % 3 == 1 => Chunk::Static(Box::leak(run.into_boxed_slice())),
                    _ => Chunk::Owned(run.into_boxed_slice()),
                };
                queue.push(chunk).unwrap();
            }
            for release in releases {
                let release = release.min(model.len());
                queue.release(release);
                model.drain(..release);
                prop_assert_eq!(queue.len(), model.len());
                let from = offset.min(model.len());
                let to = (from + count).min(model.len());
                let mut payload = queue.slices::<SLICES>(from, to - from);
                let got = bytes(&payload);
                prop_assert_eq!(&got[..], &model[from..from + got.len()]);
                prop_assert!(got.len() == to - from || payload.as_slice().len() == SLICES);
                prop_assert_eq!(payload.len(), got.len());
                payload.truncate(cut);
                prop_assert_eq!(&bytes(&payload)[..], &got[..cut.min(got.len())]);
            }
        }
    }
}
