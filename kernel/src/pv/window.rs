//! Addresses for machine frames that are not pages of the domain's own count: shared_info, the grant table. They lie
//! behind the direct map, where [`direct_map`](super::direct_map) left one empty table: 512 pages.

use super::error::Errno;
use super::page_table::{Access, Entry};
use super::{PAGE_SIZE, hypercall};
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use xen::Mfn;

static START: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

/// Gives the window its addresses, once.
pub(crate) fn open(addresses: Range<usize>) {
    START.store(addresses.start, Ordering::Relaxed);
    NEXT.store(addresses.start, Ordering::Relaxed);
    END.store(addresses.end, Ordering::Relaxed);
}

/// Maps machine frames side by side, to read and write; they stay at the address that is returned, but for a suspend.
/// `NO_MEMORY` when the window is full.
///
/// What lies there is shared with Xen or with another domain: it may be looked at through atomics alone.
pub fn map_machine_frames(frames: &[Mfn]) -> Result<NonNull<u8>, Errno> {
    let start = NEXT.load(Ordering::Relaxed);
    let end = start.saturating_add(frames.len().saturating_mul(PAGE_SIZE));
    if end > END.load(Ordering::Relaxed) {
        return Err(Errno::NO_MEMORY);
    }
    NEXT.store(end, Ordering::Relaxed);
    for (address, frame) in (start..end).step_by(PAGE_SIZE).zip(frames) {
        // SAFETY: the address lies in the window and was never given out, so nothing is there.
        unsafe { hypercall::update_va_mapping(address, Entry::page(*frame, Access::Write).0) }?;
    }
    NonNull::new(core::ptr::with_exposed_provenance_mut(start)).ok_or(Errno::INVALID)
}

/// Gives the pages at an address of the window other frames: after a suspend, shared_info and the grant table are to be
/// mapped again, and after a restore they are new.
///
/// # Safety
/// `address` is what [`map_machine_frames`] returned for as many frames, and the new frames serve the same purpose.
pub unsafe fn remap_machine_frames(address: NonNull<u8>, frames: &[Mfn]) -> Result<(), Errno> {
    for (address, frame) in (address.addr().get()..).step_by(PAGE_SIZE).zip(frames) {
        // SAFETY: the caller's promise: whoever looks there finds atomics of the same purpose.
        unsafe { hypercall::update_va_mapping(address, Entry::page(*frame, Access::Write).0) }?;
    }
    Ok(())
}

/// Takes every mapping out of the window: a domain that is saved may map its own pages alone.
///
/// # Safety
/// Nobody looks at what the window showed before [`remap_machine_frames`] has shown it again.
pub(super) unsafe fn clear() -> Result<(), Errno> {
    let mapped = START.load(Ordering::Relaxed)..NEXT.load(Ordering::Relaxed);
    for address in mapped.step_by(PAGE_SIZE) {
        // SAFETY: the caller's promise.
        unsafe { hypercall::update_va_mapping(address, Entry::ABSENT.0) }?;
    }
    Ok(())
}
