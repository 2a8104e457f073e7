//! Byte rings over shared memory: the store's and the console's.
//!
//! Both indices run freely through all of 32 bits and are masked only to reach a byte; they may start anywhere, since a
//! boot loader may have used the ring before. Each end keeps its own index to itself and only publishes it: the copy in
//! shared memory is the peer's to spoil. The peer's index is read once per call; one that claims more than the ring
//! holds is an error, and nothing is read or written.

use core::fmt;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The end of a ring that writes.
#[derive(Debug)]
pub struct Producer<'r> {
    bytes: &'r [AtomicU8],
    produced: &'r AtomicU32,
    consumed: &'r AtomicU32,
    next: u32,
}

/// The end of a ring that reads.
#[derive(Debug)]
pub struct Consumer<'r> {
    bytes: &'r [AtomicU8],
    produced: &'r AtomicU32,
    consumed: &'r AtomicU32,
    next: u32,
}

impl<'r> Producer<'r> {
    /// Takes up a ring where its producer index stands. The length of `bytes` is a power of two.
    pub fn attach(bytes: &'r [AtomicU8], produced: &'r AtomicU32, consumed: &'r AtomicU32) -> Self {
        // Relaxed: whoever wrote this index before was on this vCPU (a boot loader), or nobody was.
        Self { bytes, produced, consumed, next: produced.load(Ordering::Relaxed) }
    }

    /// Bytes that can be written now.
    pub fn free(&self) -> Result<usize, IndexError> {
        // Acquire: the peer has read the bytes before it advanced its index, so our writes over them come after.
        let consumed = self.consumed.load(Ordering::Acquire);
        let used = filled(self.next, consumed, self.bytes.len())?;
        Ok(self.bytes.len().saturating_sub(used))
    }

    /// Writes as much of `from` as there is room for, and advances by what it wrote: that many bytes are returned.
    pub fn write(&mut self, from: &[u8]) -> Result<usize, IndexError> {
        let room = self.free()?;
        let mut next = self.next;
        let mut written: usize = 0;
        for byte in from.iter().take(room) {
            let Some(slot) = slot(self.bytes, next) else { break };
            // Relaxed: the index below publishes it.
            slot.store(*byte, Ordering::Relaxed);
            next = next.wrapping_add(1);
            written = written.saturating_add(1);
        }
        self.next = next;
        // Release: the peer sees the bytes before it sees the index that covers them.
        self.produced.store(next, Ordering::Release);
        Ok(written)
    }
}

impl<'r> Consumer<'r> {
    /// Takes up a ring where its consumer index stands. The length of `bytes` is a power of two.
    pub fn attach(bytes: &'r [AtomicU8], produced: &'r AtomicU32, consumed: &'r AtomicU32) -> Self {
        // Relaxed: whoever wrote this index before was on this vCPU (a boot loader), or nobody was.
        Self { bytes, produced, consumed, next: consumed.load(Ordering::Relaxed) }
    }

    /// Bytes that can be read now.
    pub fn available(&self) -> Result<usize, IndexError> {
        // Acquire: the bytes that this index covers are read after it.
        let produced = self.produced.load(Ordering::Acquire);
        filled(produced, self.next, self.bytes.len())
    }

    /// Reads what there is, at most `into.len()` bytes: as many are returned, and their room is the peer's again.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, IndexError> {
        let available = self.available()?;
        let mut next = self.next;
        let mut read: usize = 0;
        for byte in into.iter_mut().take(available) {
            let Some(slot) = slot(self.bytes, next) else { break };
            // Relaxed: ordered by the index read above.
            *byte = slot.load(Ordering::Relaxed);
            next = next.wrapping_add(1);
            read = read.saturating_add(1);
        }
        self.next = next;
        // Release: our reads are done before the peer sees the room and writes over the bytes.
        self.consumed.store(next, Ordering::Release);
        Ok(read)
    }

    /// Throws away all that is there now: as many bytes are returned.
    pub fn discard(&mut self) -> Result<usize, IndexError> {
        // Relaxed: none of the bytes is looked at.
        let produced = self.produced.load(Ordering::Relaxed);
        let dropped = filled(produced, self.next, self.bytes.len())?;
        self.next = produced;
        // Release: reads of an earlier call are done before the peer sees the room.
        self.consumed.store(produced, Ordering::Release);
        Ok(dropped)
    }
}

/// Bytes between the two indices, at most `size`.
fn filled(produced: u32, consumed: u32, size: usize) -> Result<usize, IndexError> {
    let filled = produced.wrapping_sub(consumed);
    usize::try_from(filled).ok().filter(|filled| *filled <= size).ok_or(IndexError { produced, consumed })
}

/// The byte at an index, masked as `MASK_XENSTORE_IDX` and `MASK_XENCONS_IDX` do.
fn slot(bytes: &[AtomicU8], index: u32) -> Option<&AtomicU8> {
    let index = usize::try_from(index).ok()?;
    bytes.get(index & bytes.len().wrapping_sub(1))
}

/// The indices claim more bytes than the ring holds: the peer has lost its mind, or the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexError {
    /// The producer's index.
    pub produced: u32,
    /// The consumer's index.
    pub consumed: u32,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ring indices {} and {} are further apart than the ring is long",
            self.produced, self.consumed
        )
    }
}
