//! Pages for bytes that are made here and sent by reference: TLS's ciphertext.
//!
//! ```text
//!   Blank --seal--> Record --clone: one more hold--> ... --the last hold is dropped--> Blank
//! ```
//!
//! A run of pages has two kinds of holders: TCP, until the bytes are acknowledged, and the device, for each packet in flight that
//! points there. Each keeps a [`Record`]; while there is one the bytes cannot be changed, and only when the last is gone are they a
//! [`Blank`]'s again. So what a retransmission, or a backend that reads late, finds there is what was sent, and never another
//! connection's. It is the half-page block's rule (mirage-net-xen broke it: MSA00), in another place.
//!
//! What is sealed cannot be written:
//! ```compile_fail,E0382
//! # let pool = netstack::record::Pool::new(1, 1);
//! let mut blank = pool.take(100).unwrap();
//! let record = blank.seal(100);
//! blank.bytes_mut()[0] = 1;
//! ```
//! The right order:
//! ```
//! # let pool = netstack::record::Pool::new(1, 1);
//! let mut blank = pool.take(100).unwrap();
//! blank.bytes_mut()[0] = 1;
//! let (tcp, device) = { let record = blank.seal(100); (record.clone(), record) };
//! drop(tcp);
//! assert_eq!(pool.free(), (1, 0));
//! drop(device);
//! assert_eq!(pool.free(), (1, 1));
//! ```
//!
//! The pages belong to the pool for good and share no page with anything else, so they may be shown to a device whole. What was in
//! them before stays until it is overwritten: it was meant for the same wire. Nothing secret may ever be written there.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

/// Bytes in a page.
pub const PAGE: usize = 4_096;
/// Bytes in a run of pages.
pub const RUN: usize = 4 * PAGE;

#[derive(Clone)]
#[repr(align(4096))]
struct Page([u8; PAGE]);

#[derive(Clone)]
#[repr(align(4096))]
struct Run([u8; RUN]);

type Memory = &'static mut [u8];

/// Runs and pages that nobody holds. Its clones are the same pool.
#[derive(Clone)]
pub struct Pool {
    home: Rc<Home>,
}

struct Home {
    runs: Free,
    pages: Free,
}

/// Pieces of one size.
struct Free {
    list: Cell<Vec<Memory>>,
    count: Cell<usize>,
}

impl Free {
    fn new(list: Vec<Memory>) -> Self {
        Self { count: Cell::new(list.len()), list: Cell::new(list) }
    }

    fn pop(&self) -> Option<Memory> {
        let mut list = self.list.take();
        let memory = list.pop();
        self.put(list);
        memory
    }

    /// What came from here has its room here.
    fn push(&self, memory: Memory) {
        let mut list = self.list.take();
        list.push(memory);
        self.put(list);
    }

    fn put(&self, list: Vec<Memory>) {
        self.count.set(list.len());
        self.list.set(list);
    }
}

impl Pool {
    /// So many runs of four pages, and so many pages, for good.
    pub fn new(runs: usize, pages: usize) -> Self {
        let runs: Vec<Memory> =
            vec![Run([0; RUN]); runs].leak().iter_mut().map(|run| &mut run.0[..]).collect();
        let pages: Vec<Memory> =
            vec![Page([0; PAGE]); pages].leak().iter_mut().map(|page| &mut page.0[..]).collect();
        Self { home: Rc::new(Home { runs: Free::new(runs), pages: Free::new(pages) }) }
    }

    /// Room for `length` bytes: a page where they fit one, else a run; or the other where there is none. `None` where nothing
    /// is free.
    pub fn take(&self, length: usize) -> Option<Blank> {
        let (runs, pages) = self.free();
        let page = if length <= PAGE { pages > 0 } else { runs == 0 };
        let memory = if page { self.home.pages.pop() } else { self.home.runs.pop() }?;
        Some(Blank { memory, home: Rc::clone(&self.home) })
    }

    /// Runs and pages that are free.
    pub fn free(&self) -> (usize, usize) {
        (self.home.runs.count.get(), self.home.pages.count.get())
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.free()).finish()
    }
}

/// A run or a page that is its owner's alone. It goes back when it is dropped.
pub struct Blank {
    memory: Memory,
    home: Rc<Home>,
}

impl Blank {
    /// The bytes, to fill.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory
    }

    /// The first `length` bytes, as they are from now on.
    pub fn seal(self, length: usize) -> Record {
        let length = length.min(self.memory.len());
        Record { blank: Rc::new(self), length }
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        let memory = core::mem::take(&mut self.memory);
        let free = if memory.len() == PAGE { &self.home.pages } else { &self.home.runs };
        free.push(memory);
    }
}

/// A hold on bytes that do not change while there is one. They begin a page.
#[derive(Clone)]
pub struct Record {
    blank: Rc<Blank>,
    length: usize,
}

impl Record {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.blank.memory.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_by_hand() {
        let pool = Pool::new(2, 3);
        let mut blank = pool.take(4_096).unwrap();
        assert_eq!((blank.bytes_mut().len(), pool.free()), (4_096, (2, 2)));
        let mut run = pool.take(4_097).unwrap();
        assert_eq!((run.bytes_mut().len(), pool.free()), (16_384, (1, 2)));
        for bytes in [blank.bytes_mut(), run.bytes_mut()] {
            assert_eq!(bytes.as_ptr().addr() % 4_096, 0);
        }
    }

    #[test]
    fn one_stands_in_for_the_other() {
        let pool = Pool::new(1, 1);
        let _first = pool.take(1).unwrap();
        assert_eq!(pool.take(1).unwrap().bytes_mut().len(), 16_384);
        let _run = pool.take(16_384).unwrap();
        assert!(pool.take(1).is_none() && pool.take(16_384).is_none());
        drop(_first);
        assert_eq!(pool.take(16_384).unwrap().bytes_mut().len(), 4_096);
    }

    #[test]
    fn the_last_hold_gives_it_back() {
        let pool = Pool::new(0, 1);
        let mut blank = pool.take(10).unwrap();
        blank.bytes_mut()[..10].fill(7);
        let record = blank.seal(10);
        let other = record.clone();
        assert_eq!(other.bytes(), [7; 10]);
        drop(record);
        assert!(pool.take(10).is_none());
        drop(other);
        assert!(pool.take(10).is_some());
    }
}
