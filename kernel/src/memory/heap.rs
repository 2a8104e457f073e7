//! The heap: one region that grows as it is needed, with lists of free blocks by size in front of it.
//!
//! The region's own search is linear in its holes. A block of up to 2 KiB comes off the list of its size and goes back
//! there, so the region sees each only once. It is wiped then: keys are such blocks, and not everybody who frees one wipes it.

use super::pages;
use crate::pv::PAGE_SIZE;
use crate::wipe;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use linked_list_allocator::Heap as Region;
use spin::Mutex;

/// The sizes that have a list, in bytes.
const CLASSES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];
/// How a block of a class is aligned.
const ALIGN: usize = 16;
/// Bytes by which the region grows at least.
const STEP: usize = 16 * PAGE_SIZE;

struct Heap {
    region: Region,
    lists: [Option<NonNull<Link>>; CLASSES.len()],
    usage: Usage,
}

/// What the heap has given out, and what it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Bytes that are allocated, counted in whole blocks.
    pub in_use: usize,
    /// The most that were so at a time.
    pub peak: usize,
    /// Bytes of the region, which never shrinks.
    pub size: usize,
}

/// What a free block holds.
struct Link {
    next: Option<NonNull<Link>>,
}

// SAFETY: the lists' blocks are reachable through them alone.
unsafe impl Send for Heap {}

static HEAP: Mutex<Heap> =
    Mutex::new(Heap { region: Region::empty(), lists: [None; CLASSES.len()], usage: Usage::NONE });

/// Blocks given out so far. Only the one vCPU writes it, so a load and a store will do.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// How many blocks were given out so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// How much of the heap is in use.
pub fn usage() -> Usage {
    HEAP.lock().usage
}

/// The class of a layout: its number and its blocks' layout.
fn class(layout: Layout) -> Option<(usize, Layout)> {
    if layout.align() > ALIGN {
        return None;
    }
    let number = CLASSES.iter().position(|size| *size >= layout.size())?;
    let block = Layout::from_size_align(*CLASSES.get(number)?, ALIGN).ok()?;
    Some((number, block))
}

impl Usage {
    const NONE: Self = Self { in_use: 0, peak: 0, size: 0 };
}

impl Heap {
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        ALLOCATIONS.store(allocations().wrapping_add(1), Ordering::Relaxed);
        let class = class(layout);
        let block = class.map_or(layout, |(_, block)| block);
        let listed = class.and_then(|(number, _)| self.lists.get_mut(number)).and_then(|list| {
            let link = (*list)?;
            // SAFETY: the block is on the list, so it holds a `Link` and nobody else has it.
            *list = unsafe { link.as_ref() }.next;
            Some(link.cast())
        });
        let address = match listed {
            Some(address) => address,
            None => self.carve(block)?,
        };
        let usage = &mut self.usage;
        usage.in_use = usage.in_use.saturating_add(block.size());
        usage.peak = usage.peak.max(usage.in_use);
        Some(address)
    }

    /// Cuts a block out of the region, which grows if it has to.
    fn carve(&mut self, block: Layout) -> Option<NonNull<u8>> {
        if let Ok(address) = self.region.allocate_first_fit(block) {
            return Some(address);
        }
        let wanted = block.size().checked_add(block.align())?.checked_next_multiple_of(PAGE_SIZE)?;
        // The last of the memory may be less than a step.
        self.grow(wanted.max(STEP)).or_else(|| self.grow(wanted))?;
        self.region.allocate_first_fit(block).ok()
    }

    fn grow(&mut self, bytes: usize) -> Option<()> {
        let start = pages::take_low(bytes)?;
        if self.region.size() == 0 {
            // SAFETY: the region is empty, and these bytes are its own from now on, mapped and for ever.
            unsafe { self.region.init(start.as_ptr(), bytes) };
        } else {
            // SAFETY: `take_low` gives bytes that follow on from what it gave last time, and nobody but this calls it.
            unsafe { self.region.extend(bytes) };
        }
        self.usage.size = self.region.size();
        Some(())
    }

    /// # Safety
    /// `address` is a block that `allocate` gave out for this layout, and nothing refers to it any more.
    unsafe fn free(&mut self, address: NonNull<u8>, layout: Layout) {
        let class = class(layout);
        let size = class.map_or(layout.size(), |(_, block)| block.size());
        self.usage.in_use = self.usage.in_use.saturating_sub(size);
        match class.and_then(|(number, _)| self.lists.get_mut(number)) {
            Some(list) => {
                // SAFETY: the caller's promise; the block is as large as its class.
                unsafe { wipe::zero(address.as_ptr(), size) };
                let link = address.cast::<Link>();
                // SAFETY: the caller's promise; a block of any class has room for a `Link`, and is aligned for one.
                unsafe { link.write(Link { next: *list }) };
                *list = Some(link);
            }
            // SAFETY: the caller's promise; a layout without a class came from the region as it is.
            None => unsafe { self.region.deallocate(address, layout) },
        }
    }
}

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: a block comes from the region or a list, is as large and as aligned as its layout wants, and is given to
// nobody else until it is freed. Nothing here unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.lock().allocate(layout).map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        if let Some(address) = NonNull::new(address) {
            // SAFETY: the caller's promise is that of `free`.
            unsafe { HEAP.lock().free(address, layout) };
        }
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return core::ptr::null_mut() };
        if let (Some((old, _)), Some((new, _))) = (class(layout), class(wanted))
            && old == new
        {
            return address;
        }
        // SAFETY: the caller's promise is that of `alloc` and `dealloc`; the blocks are distinct, and the smaller of
        // the two sizes lies within both.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(address, new, size.min(layout.size()));
                self.dealloc(address, layout);
            }
            new
        }
    }
}
