//! Memory in frames: pages that the driver owns or shares, rings, and pages of the site.

use crate::platform::{GrantRef, Lent, PAGE_SIZE, Page, ReadablePage, RingPage};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};

/// What memory holds before anyone asked for it: somebody's secret.
const SECRET: u8 = 0xd1;

/// The first frame of static pages.
const STATIC: u32 = 0x8000_0000;

/// An owned page.
#[derive(Debug)]
pub struct SimPage {
    pub(super) bytes: Box<[u8; PAGE_SIZE]>,
    /// Its machine frame.
    pub(super) frame: u32,
    /// It has been granted since it was allocated.
    pub(super) shown: bool,
}

impl SimPage {
    pub(super) fn is_zero(&self) -> bool {
        *self.bytes == [0; PAGE_SIZE]
    }
}

impl Page for SimPage {
    fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.bytes
    }
    fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        &mut self.bytes
    }
}

/// A page in both ends' hands. Taken out when its grant ends.
pub(super) type Shared = Rc<RefCell<Option<SimPage>>>;

/// A page that the backend may read.
#[derive(Debug)]
pub struct SimReadable(pub(super) Shared);

impl ReadablePage for SimReadable {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let mut page = self.0.borrow_mut();
        page.as_mut().expect("granted").bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

/// A page that the backend may write.
#[derive(Debug)]
pub struct SimWritable(pub(super) Shared);

/// A hold on bytes that are lent.
pub type Hold = Rc<dyn AsRef<[u8]>>;

/// A page that is lent.
pub struct SimLent {
    pub(super) grant: GrantRef,
    pub(super) _hold: Hold,
}

impl Lent for SimLent {
    fn grant(&self) -> GrantRef {
        self.grant
    }
}

/// What a machine frame holds.
#[derive(Clone)]
pub(super) enum Frame {
    Page(Shared),
    Ring(&'static RingPage),
    /// The address of a page of the site.
    Static(usize),
    /// The address of a page that is lent, and its bytes while there is a hold on them.
    Lent(usize, Weak<dyn AsRef<[u8]>>),
}

/// The machine frames that can be granted.
#[derive(Default)]
pub(super) struct Memory {
    frames: BTreeMap<u32, Frame>,
    /// The numbers of static pages, by address.
    statics: BTreeMap<usize, u32>,
    next: u32,
}

impl Memory {
    /// A page with somebody's bytes in it.
    pub(super) fn allocate(&mut self) -> SimPage {
        self.next += 1;
        SimPage { bytes: Box::new([SECRET; PAGE_SIZE]), frame: self.next, shown: false }
    }

    /// A ring of zeros, and its frame.
    pub(super) fn allocate_ring(&mut self) -> (&'static RingPage, u32) {
        self.next += 1;
        let page = take();
        self.frames.insert(self.next, Frame::Ring(page));
        (page, self.next)
    }

    pub(super) fn release_ring(&mut self, page: &'static RingPage) {
        self.frames.retain(|_, frame| !matches!(frame, Frame::Ring(ring) if core::ptr::eq(*ring, page)));
        give(page);
    }

    /// A page is shared from now on.
    pub(super) fn share(&mut self, page: SimPage) -> (Shared, u32) {
        let number = page.frame;
        let shared = Rc::new(RefCell::new(Some(page)));
        self.frames.insert(number, Frame::Page(shared.clone()));
        (shared, number)
    }

    /// The page is its owner's alone again.
    pub(super) fn unshare(&mut self, shared: &Shared) -> SimPage {
        let page = shared.take().expect("a page that is shared");
        self.frames.remove(&page.frame);
        page
    }

    /// A number from 0 for the static page at an address, and its frame.
    pub(super) fn static_page(&mut self, address: usize) -> (usize, u32) {
        let number = self.statics.len() as u32;
        let number = *self.statics.entry(address).or_insert(number);
        self.frames.entry(STATIC + number).or_insert(Frame::Static(address));
        (number as usize, STATIC + number)
    }

    /// A frame for a page that is lent. Each time it is another: what an old number shows is what it showed.
    pub(super) fn lend(&mut self, page: usize, hold: &Hold) -> u32 {
        self.next += 1;
        self.frames.insert(self.next, Frame::Lent(page, Rc::downgrade(hold)));
        self.next
    }

    /// It is lent no more.
    pub(super) fn take_back(&mut self, number: u32) {
        self.frames.remove(&number);
    }

    pub(super) fn frame(&self, number: u32) -> Option<Frame> {
        self.frames.get(&number).cloned()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for frame in self.frames.values() {
            if let Frame::Ring(page) = frame {
                give(page);
            }
        }
    }
}

std::thread_local! {
    /// Pages of words that nobody uses: what lives for ever is used again.
    static POOL: RefCell<Vec<&'static RingPage>> = const { RefCell::new(Vec::new()) };
}

/// A page of words, all zero.
pub(super) fn take() -> &'static RingPage {
    if let Some(page) = POOL.with_borrow_mut(Vec::pop) {
        page.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        return page;
    }
    Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_SIZE / 4]))
}

/// Gives a page of words back.
pub(super) fn give(page: &'static RingPage) {
    // At the thread's end there is no pool any more.
    let _ = POOL.try_with(|pool| pool.borrow_mut().push(page));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many machines come and go, each with rings, the pages that live for ever are a few.
    #[test]
    fn words_are_used_again() {
        for round in 0..1000 {
            let mut memory = Memory::default();
            let (first, _) = memory.allocate_ring();
            memory.allocate_ring();
            first[7].store(9, Ordering::Relaxed);
            memory.release_ring(first);
            let (again, _) = memory.allocate_ring();
            assert_eq!(again[7].load(Ordering::Relaxed), 0);
            drop(memory);
            assert_eq!(POOL.with_borrow(Vec::len), 2, "after {round}");
        }
    }
}
