//! From the domain's own page numbers to the host's and back: the domain builder's list (p2m), and Xen's table (m2p),
//! which every PV guest may read.

use super::direct_map::VIRT_BASE;
use super::{PAGE_SIZE, start_info};
use core::sync::atomic::{AtomicU64, Ordering};
use xen::{Mfn, Pfn};

/// `MACH2PHYS_VIRT_START` (arch-x86/xen-x86_64.h).
const M2P_START: usize = 0xffff_8000_0000_0000;
/// `MACH2PHYS_NR_ENTRIES`: the table has this many, though only those of present memory are mapped.
const M2P_ENTRIES: u64 = 0x40_0000_0000 / 8;

/// `INVALID_P2M_ENTRY`.
const INVALID: u64 = u64::MAX;

/// The list, one machine frame for each page of the domain.
fn list() -> &'static [AtomicU64] {
    let info = start_info();
    let start = core::ptr::with_exposed_provenance(info.frame_list().start);
    // SAFETY: the domain builder mapped `nr_pages` entries of 8 bytes there, aligned to a page. The guest's own tables
    // map them too (direct_map.rs), for ever; as atomics they may be rewritten by the toolstack when the domain resumes.
    unsafe { core::slice::from_raw_parts(start, info.pages()) }
}

/// The machine frame of a page; `None` where the domain has no such page, or a hole there.
pub fn frame_of(page: Pfn) -> Option<Mfn> {
    // Relaxed: there is one vCPU, and while the toolstack writes the list it does not run.
    let frame = list().get(usize::try_from(page.0).ok()?)?.load(Ordering::Relaxed);
    // An invalid entry is ~0, and the top bit marks foreign frames.
    (frame < M2P_ENTRIES).then_some(Mfn(frame))
}

/// The pages of the domain that have no machine frame.
pub(super) fn holes() -> impl Iterator<Item = Pfn> {
    (0..).map(Pfn).take(list().len()).filter(|page| frame_of(*page).is_none())
}

/// The page at an address of the direct map has no machine frame any more.
pub(super) fn forget(address: usize) {
    let number = address.checked_sub(VIRT_BASE).map(|offset| offset / PAGE_SIZE);
    if let Some(entry) = number.and_then(|number| list().get(number)) {
        entry.store(INVALID, Ordering::Relaxed);
    }
}

/// A page has this machine frame from now on.
pub(super) fn note(page: Pfn, frame: Mfn) {
    if let Some(entry) = usize::try_from(page.0).ok().and_then(|number| list().get(number)) {
        entry.store(frame.0, Ordering::Relaxed);
    }
}

/// The page that a machine frame of this domain is.
pub fn page_of(frame: Mfn) -> Option<Pfn> {
    if frame.0 >= M2P_ENTRIES {
        return None;
    }
    let entry: *const AtomicU64 = core::ptr::with_exposed_provenance(M2P_START);
    let offset = usize::try_from(frame.0).ok()?;
    // SAFETY: the entry lies within the table that Xen maps for every guest to read, and a machine frame that the guest
    // has from Xen or the toolstack has its entry mapped; an atomic, since Xen may write it.
    let page = Pfn(unsafe { &*entry.wrapping_add(offset) }.load(Ordering::Relaxed));
    // Xen's table says nothing about who owns a frame: only the domain's own list does.
    (frame_of(page) == Some(frame)).then_some(page)
}

/// The machine frame behind an address of the direct map: of the image, the heap, or any page.
pub fn machine_frame(address: usize) -> Option<Mfn> {
    let offset = address.checked_sub(VIRT_BASE)?;
    frame_of(Pfn(u64::try_from(offset / PAGE_SIZE).ok()?))
}

/// Where the direct map has a page.
pub fn address_of(page: Pfn) -> usize {
    let offset = usize::try_from(page.0).unwrap_or(0).wrapping_mul(PAGE_SIZE);
    VIRT_BASE.wrapping_add(offset)
}

/// Where the direct map has a machine frame of this domain.
pub fn address_of_frame(frame: Mfn) -> Option<usize> {
    page_of(frame).map(address_of)
}
