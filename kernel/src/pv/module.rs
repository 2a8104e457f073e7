//! The module (`ramdisk=`): the domain builder's copy of a file, in pages of the domain that nothing else uses. The
//! direct map has them to be read, and they are never free.

use super::error::Errno;
use super::page_table::{Access, Entry};
use super::{PAGE_SIZE, direct_map, hypercall, p2m, start_info};
use crate::wipe;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

/// Why a module is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleError {
    /// It does not begin a page, or is not whole in the domain's memory.
    Address {
        /// Where it is said to begin.
        start: usize,
        /// And to end.
        end: usize,
    },
    /// Xen refused to let bytes of it be cleared: the rest of its last page, or what is not to be shown.
    Refused(Errno),
}

impl From<Errno> for ModuleError {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { start, end } => {
                write!(f, "it is said to lie at {start:#x} to {end:#x}, where the domain has no such pages")
            }
            Self::Refused(errno) => write!(f, "it cannot be written: {errno}"),
        }
    }
}

/// Whether an address lies in the module's pages.
pub fn contains(address: usize) -> bool {
    let module = start_info().module();
    module.contains(&address) || tail(&module).contains(&address)
}

/// The module, while parts of it can still be wiped. There is at most one.
#[derive(Debug)]
pub struct Module {
    addresses: Range<usize>,
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the module; `None` where there is none, or it was taken before. It begins a page, and behind it its last page is
/// zero: a page that is granted is shown whole.
pub fn take() -> Result<Option<Module>, ModuleError> {
    let module = start_info().module();
    if module.is_empty() || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    let whole = module.start.is_multiple_of(PAGE_SIZE)
        && module.clone().step_by(PAGE_SIZE).all(|page| direct_map::contains(page) && frame(page).is_some());
    if !whole {
        return Err(ModuleError::Address { start: module.start, end: module.end });
    }
    clear(&tail(&module))?;
    Ok(Some(Module { addresses: module }))
}

impl Module {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the pages lie in the direct map, which has them to be read, for ever (`take` has checked it); the domain
        // builder initialized them, and nobody writes there but `wipe`, which borrows the only `Module` to do so.
        unsafe { bytes_at(&self.addresses) }
    }

    /// The bytes for good: nobody writes there any more.
    pub fn into_bytes(self) -> &'static [u8] {
        // SAFETY: as in `bytes`, and with the only `Module` gone nothing calls `wipe`.
        unsafe { bytes_at(&self.addresses) }
    }

    /// Makes a part of the bytes zero, counted from the first; what lies beyond the last is left alone.
    pub fn wipe(&mut self, part: Range<usize>) -> Result<(), ModuleError> {
        let at = |offset: usize| self.addresses.start.saturating_add(offset).min(self.addresses.end);
        Ok(overwrite(&(at(part.start)..at(part.end)))?)
    }
}

fn frame(address: usize) -> Option<xen::Mfn> {
    p2m::machine_frame(address)
}

/// The bytes behind the module in its last page.
fn tail(module: &Range<usize>) -> Range<usize> {
    module.end..module.end.checked_next_multiple_of(PAGE_SIZE).unwrap_or(module.end)
}

/// Makes the tail zero. It is so as Xen gives memory out, and then nothing is written.
fn clear(tail: &Range<usize>) -> Result<(), ModuleError> {
    // SAFETY: the tail lies in the module's last page, which is mapped to be read (`take` has checked it); nobody writes
    // there now.
    if unsafe { bytes_at(tail) }.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Ok(overwrite(tail)?)
}

/// Makes bytes of the module's pages, to which there is no reference, zero. The pages can be written only meanwhile.
fn overwrite(bytes: &Range<usize>) -> Result<(), Errno> {
    let mut start = bytes.start;
    while start < bytes.end {
        let page = start & !PAGE_SIZE.wrapping_sub(1);
        let end = bytes.end.min(page.saturating_add(PAGE_SIZE));
        let frame = frame(page).ok_or(Errno::INVALID)?;
        let map = |access| {
            // SAFETY: the page stays where it was; only whether it can be written changes.
            unsafe { hypercall::update_va_mapping(page, Entry::page(frame, access).0) }
        };
        map(Access::Write)?;
        let first: *mut u8 = core::ptr::with_exposed_provenance_mut(start);
        // SAFETY: the bytes are within the page, which can be written now, and nobody has a reference to them.
        unsafe { wipe::zero(first, end.saturating_sub(start)) };
        map(Access::Read)?;
        start = end;
    }
    Ok(())
}

/// # Safety
/// The addresses are mapped to be read, and nobody writes there while the bytes are looked at.
unsafe fn bytes_at(range: &Range<usize>) -> &'static [u8] {
    // SAFETY: the caller's promise; any byte is a valid one.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(range.start), range.len()) }
}
