//! The module (`ramdisk=`): the domain builder's copy of a file, in pages of the domain that nothing else uses. The
//! direct map has them to be read, and they are never free.

use super::error::Errno;
use super::page_table::{Access, Entry};
use super::{PAGE_SIZE, direct_map, hypercall, p2m, start_info};
use core::fmt;
use core::ops::Range;

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
    /// Xen refused what clears the rest of its last page.
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
            Self::Refused(errno) => write!(f, "its last page cannot be cleared behind it: {errno}"),
        }
    }
}

/// Whether an address lies in the module's pages.
pub fn contains(address: usize) -> bool {
    let module = start_info().module();
    module.contains(&address) || tail(&module).contains(&address)
}

/// The module's bytes; `None` where there is none. They begin a page, and behind them their last page is zero: a page
/// that is granted is shown whole.
pub fn bytes() -> Result<Option<&'static [u8]>, ModuleError> {
    let module = start_info().module();
    if module.is_empty() {
        return Ok(None);
    }
    let whole = module.start.is_multiple_of(PAGE_SIZE)
        && module.clone().step_by(PAGE_SIZE).all(|page| direct_map::contains(page) && frame(page).is_some());
    if !whole {
        return Err(ModuleError::Address { start: module.start, end: module.end });
    }
    clear(&tail(&module))?;
    // SAFETY: the pages lie in the direct map, which has them to be read, for ever (checked); the domain builder
    // initialized them, nobody is ever given one to write, and what `clear` writes lies behind.
    Ok(Some(unsafe { bytes_at(&module) }))
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
    // SAFETY: the tail lies in the module's last page, which is mapped to be read (`bytes` has checked it); nobody
    // writes there now.
    if unsafe { bytes_at(tail) }.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let page = tail.start & !PAGE_SIZE.wrapping_sub(1);
    let frame = frame(page).ok_or(Errno::INVALID)?;
    let map = |access| {
        // SAFETY: the page stays where it was; only whether it can be written changes.
        unsafe { hypercall::update_va_mapping(page, Entry::page(frame, access).0) }
    };
    map(Access::Write)?;
    let start: *mut u8 = core::ptr::with_exposed_provenance_mut(tail.start);
    // SAFETY: the bytes are within the page, which can be written now, and no reference to them is left.
    unsafe { start.write_bytes(0, tail.len()) };
    Ok(map(Access::Read)?)
}

/// # Safety
/// The addresses are mapped to be read, and nobody writes there while the bytes are looked at.
unsafe fn bytes_at(range: &Range<usize>) -> &'static [u8] {
    // SAFETY: the caller's promise; any byte is a valid one.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(range.start), range.len()) }
}
