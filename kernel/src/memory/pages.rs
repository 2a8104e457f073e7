//! Pages of the domain, each owned by whoever holds its [`Page`].

use crate::pv::direct_map::Memory;
use crate::pv::{PAGE_SIZE, p2m};
use core::ops::Range;
use core::ptr::NonNull;
use spin::Mutex;
use xen::{Mfn, Pfn};

/// What nobody holds.
struct Free {
    /// Addresses that were never given out. The heap takes from the low end, pages come from the high end.
    unused: Range<usize>,
    /// A list through the pages that came back.
    returned: Option<NonNull<Link>>,
    /// How many those are.
    returned_pages: usize,
}

/// What a free page holds.
struct Link {
    next: Option<NonNull<Link>>,
}

// SAFETY: the list's pages are reachable through it alone.
unsafe impl Send for Free {}

static FREE: Mutex<Free> = Mutex::new(Free { unused: 0..0, returned: None, returned_pages: 0 });

/// Takes over what the direct map leaves, once.
pub(super) fn open(memory: &Memory) {
    let address = |number: usize| p2m::address_of(Pfn(u64::try_from(number).unwrap_or(0)));
    let mut free = FREE.lock();
    free.unused = address(memory.free.start)..address(memory.free.end);
    for number in memory.scattered.iter().flatten() {
        if let Some(page) = NonNull::new(core::ptr::with_exposed_provenance_mut(address(number))) {
            free.put(page);
        }
    }
}

/// Pages that are free.
pub fn free() -> usize {
    let free = FREE.lock();
    free.returned_pages.saturating_add(free.unused.len() / PAGE_SIZE)
}

/// Takes bytes off the low end of what was never given out, a multiple of the page size: for the heap, which so always
/// gets what follows on from its last. `None` when there is less.
pub(super) fn take_low(bytes: usize) -> Option<NonNull<u8>> {
    let mut free = FREE.lock();
    let start = free.unused.start;
    let end = start.checked_add(bytes).filter(|end| *end <= free.unused.end)?;
    free.unused.start = end;
    NonNull::new(core::ptr::with_exposed_provenance_mut(start))
}

impl Free {
    fn take(&mut self) -> Option<NonNull<u8>> {
        if let Some(link) = self.returned {
            // SAFETY: the page is on the list, so it holds a `Link` and nobody else has it.
            self.returned = unsafe { link.as_ref() }.next;
            self.returned_pages = self.returned_pages.saturating_sub(1);
            return Some(link.cast());
        }
        let start = self.unused.end.checked_sub(PAGE_SIZE).filter(|start| *start >= self.unused.start)?;
        self.unused.end = start;
        NonNull::new(core::ptr::with_exposed_provenance_mut(start))
    }

    fn put(&mut self, page: NonNull<u8>) {
        // One that follows on widens what the heap can grow into: memory that was given back comes again in order.
        if !self.unused.is_empty() && page.addr().get() == self.unused.end {
            self.unused.end = self.unused.end.saturating_add(PAGE_SIZE);
            return;
        }
        let link = page.cast();
        // SAFETY: the page is mapped writable by the direct map, aligned, and nobody holds it any more.
        unsafe { link.write(Link { next: self.returned }) };
        self.returned = Some(link);
        self.returned_pages = self.returned_pages.saturating_add(1);
    }
}

/// A page of memory. It goes back when it is dropped.
#[derive(Debug)]
pub struct Page(NonNull<[u8; PAGE_SIZE]>);

// SAFETY: the page is reachable through its owner alone.
unsafe impl Send for Page {}

impl Page {
    /// A page of zeros; `None` when memory is out.
    pub fn zeroed() -> Option<Self> {
        let mut page = Self(FREE.lock().take()?.cast());
        page.bytes_mut().fill(0);
        Some(page)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        // SAFETY: this owner's page: mapped, aligned, and bytes of some kind since Xen gave it to the domain.
        unsafe { self.0.as_ref() }
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        // SAFETY: as in `bytes`, and the borrow of the owner is exclusive.
        unsafe { self.0.as_mut() }
    }

    /// Where it is.
    pub fn address(&self) -> NonNull<u8> {
        self.0.cast()
    }

    /// Its machine frame.
    pub fn machine_frame(&self) -> Mfn {
        // The direct map ends before the first page without a frame.
        p2m::machine_frame(self.0.addr().get()).unwrap_or(Mfn(u64::MAX))
    }

    /// Gives up the ownership: for memory that is shared with others, and so must not be seen as plain bytes.
    pub fn into_address(self) -> NonNull<u8> {
        let address = self.0.cast();
        core::mem::forget(self);
        address
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    /// `address` came from [`into_address`](Self::into_address), once for each time, and nobody else can reach the page
    /// any more: no grant of it is left, and no reference.
    pub unsafe fn from_address(address: NonNull<u8>) -> Self {
        Self(address.cast())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        FREE.lock().put(self.0.cast());
    }
}
