//! The last bytes of the log.

use crate::ring::Producer;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Bytes kept.
const SIZE: usize = 8192;
/// Bytes handed out at once.
const CHUNK: usize = 256;

/// A buffer that overwrites its oldest bytes. It counts every byte ever written, and every byte sent on. As atomics,
/// since a crash report may come between any two instructions; there is never more than one writer.
#[derive(Debug)]
pub struct History {
    bytes: [AtomicU8; SIZE],
    written: AtomicU64,
    sent: AtomicU64,
}

/// What became of the bytes that waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Passed {
    /// Some went into the ring: its reader is to be told.
    pub any: bool,
    /// Some wait still.
    pub left: bool,
    /// So many were overwritten before they could go.
    pub lost: u64,
}

/// Some bytes, copied out.
struct Chunk {
    bytes: [u8; CHUNK],
    length: usize,
}

impl Chunk {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// An empty history.
    pub const fn new() -> Self {
        Self {
            bytes: [const { AtomicU8::new(0) }; SIZE],
            written: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Writes a byte over the oldest.
    pub fn push(&self, byte: u8) {
        let written = self.written.load(Ordering::Relaxed);
        if let Some(slot) = self.slot(written) {
            slot.store(byte, Ordering::Relaxed);
        }
        self.written.store(written.wrapping_add(1), Ordering::Relaxed);
    }

    /// Moves what the ring has room for to the ring, the oldest first.
    pub fn pass(&self, printer: &mut Producer<'_>) -> Passed {
        let mut passed = Passed::default();
        loop {
            let (bytes, lost) = self.unsent();
            passed.lost = passed.lost.saturating_add(lost);
            if bytes.as_bytes().is_empty() {
                return passed;
            }
            // Indices that make no sense: as if there were no room.
            let written = printer.write(bytes.as_bytes()).unwrap_or(0);
            if written == 0 {
                return Passed { left: true, ..passed };
            }
            self.sent.fetch_add(u64::try_from(written).unwrap_or(0), Ordering::Relaxed);
            passed.any = true;
        }
    }

    /// The oldest bytes not yet sent, and how many were overwritten before they could be.
    fn unsent(&self) -> (Chunk, u64) {
        let written = self.written.load(Ordering::Relaxed);
        let sent = self.sent.load(Ordering::Relaxed);
        let oldest = sent.max(self.oldest());
        self.sent.store(oldest, Ordering::Relaxed);
        (self.copy(oldest, written), oldest.wrapping_sub(sent))
    }

    /// Whether half of it can be written before an unsent byte is overwritten.
    pub fn has_room(&self) -> bool {
        const HALF: u64 = SIZE as u64 / 2;
        let (written, sent) = (self.written.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed));
        written.wrapping_sub(sent) <= HALF
    }

    /// Where the next byte goes.
    pub fn end(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Shows the last lines before `end`, oldest first, at most `most`; one that is longer than a chunk comes in
    /// pieces.
    pub fn last_lines(&self, end: u64, most: usize, mut show: impl FnMut(&str)) {
        let mut start = end;
        let mut newlines = 0_usize;
        while start > self.oldest() {
            let before = start.wrapping_sub(1);
            if self.byte(before) == b'\n' {
                newlines = newlines.saturating_add(1);
                if newlines > most {
                    break;
                }
            }
            start = before;
        }
        while start < end {
            let mut chunk = self.copy(start, end);
            let line = chunk.as_bytes().iter().position(|byte| *byte == b'\n');
            let taken = line.map_or(chunk.length, |newline| newline.saturating_add(1));
            chunk.length = line.unwrap_or(chunk.length);
            show(core::str::from_utf8(chunk.as_bytes()).unwrap_or("").trim_end());
            start = start.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        }
    }

    /// The number of the oldest byte that is still there.
    fn oldest(&self) -> u64 {
        const KEPT: u64 = SIZE as u64;
        self.written.load(Ordering::Relaxed).saturating_sub(KEPT)
    }

    fn copy(&self, from: u64, to: u64) -> Chunk {
        let mut chunk = Chunk { bytes: [0; CHUNK], length: 0 };
        for (byte, number) in chunk.bytes.iter_mut().zip(from..to) {
            *byte = self.byte(number);
            chunk.length = chunk.length.saturating_add(1);
        }
        chunk
    }

    fn byte(&self, number: u64) -> u8 {
        self.slot(number).map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    fn slot(&self, number: u64) -> Option<&AtomicU8> {
        const { assert!(SIZE.is_power_of_two()) };
        self.bytes.get(usize::try_from(number).ok()? & (SIZE - 1))
    }
}
