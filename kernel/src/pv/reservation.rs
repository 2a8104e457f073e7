//! Pages that go back to Xen and come from there. A page that was given back has no machine frame: its entry in the p2m
//! is invalid, and the direct map has nothing at its address.

use super::page_table::{Access, Entry};
use super::{Errno, hypercall, p2m};
use crate::memory::Page;
use alloc::vec::Vec;
use core::ptr::NonNull;
use xen::memory::{Reservation, XENMEM_DECREASE_RESERVATION, XENMEM_POPULATE_PHYSMAP};
use xen::{DomId, Mfn, Pfn};

/// Gives pages back. How many Xen took; those that it did not take are lost to both.
pub fn give(pages: Vec<Page>) -> Result<usize, Errno> {
    let mut frames = Vec::with_capacity(pages.len());
    for page in pages {
        let frame = page.machine_frame();
        let address = page.into_address().addr().get();
        // SAFETY: the page was owned, and the owner has just given it up: nobody uses what lies there.
        unsafe { hypercall::update_va_mapping(address, Entry::ABSENT.0) }?;
        p2m::forget(address);
        frames.push(frame.0);
    }
    reserve(XENMEM_DECREASE_RESERVATION, &mut frames)
}

/// Takes at most so many of the pages that were given back: as many as Xen has to give.
pub fn take(most: usize) -> Result<Vec<Page>, Errno> {
    let wanted: Vec<Pfn> = p2m::holes().take(most).collect();
    let mut frames: Vec<u64> = wanted.iter().map(|page| page.0).collect();
    let came = reserve(XENMEM_POPULATE_PHYSMAP, &mut frames)?;
    let mut pages = Vec::with_capacity(came);
    for (page, frame) in wanted.into_iter().zip(frames).take(came) {
        let frame = Mfn(frame);
        p2m::note(page, frame);
        let address = p2m::address_of(page);
        // SAFETY: the page had no frame, so its address in the direct map showed nothing and nobody used it.
        unsafe { hypercall::update_va_mapping(address, Entry::page(frame, Access::Write).0) }?;
        let address = NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(Errno::INVALID)?;
        // SAFETY: whoever owned the page gave it up in `give`, which made the hole, by `into_address`; the page is
        // mapped writable again, and nobody else has it.
        pages.push(unsafe { Page::from_address(address) });
    }
    Ok(pages)
}

/// A `memory_op` over pages of 4 KiB: how many were done.
fn reserve(operation: u32, extents: &mut [u64]) -> Result<usize, Errno> {
    let mut argument = Reservation {
        extent_start: extents.as_mut_ptr(),
        nr_extents: u64::try_from(extents.len()).map_err(|_| Errno::INVALID)?,
        extent_order: 0,
        mem_flags: 0,
        domid: DomId::SELF,
    };
    // SAFETY: the struct that memory.h gives for both operations, with as many extents as it says. The frames that are
    // given away are of pages that nobody has (`give`).
    let done = unsafe { hypercall::memory_op(operation, &mut argument) }?;
    usize::try_from(done).map_err(|_| Errno::INVALID)
}
