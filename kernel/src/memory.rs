//! The domain's memory: pages, taken one at a time from the top, and the heap, which grows from the bottom.
//!
//! What lies between belongs to neither until one of them takes it, so neither has a size that someone had to guess.
//! Nothing is zeroed before it is handed out.

mod heap;
mod pages;

pub use heap::{Usage, allocations, usage as heap_usage};
pub use pages::{Page, free as free_pages};

use crate::pv::boot::Entry;
use crate::pv::direct_map::{self, MapError};
use crate::pv::{PAGE_SIZE, shared_info, window};
use core::fmt;

/// Why there is no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryError {
    /// The pages could not be mapped.
    Map(MapError),
    /// shared_info could not be.
    SharedInfo(crate::pv::Errno),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(error) => error.fmt(f),
            Self::SharedInfo(error) => write!(f, "shared_info: {error}"),
        }
    }
}

/// Maps all memory, with the rights that each page's use calls for, and opens pages and heap.
pub fn open(entry: Entry) -> Result<(), MemoryError> {
    let memory = direct_map::build(entry).map_err(MemoryError::Map)?;
    pages::open(&memory);
    window::open(memory.window.clone());
    shared_info::map().map_err(MemoryError::SharedInfo)?;
    log::info!(
        "memory: {} KiB of {} free, {} pages of page tables",
        kibibytes(free_pages()),
        kibibytes(memory.pages),
        memory.tables
    );
    Ok(())
}

fn kibibytes(pages: usize) -> usize {
    pages.saturating_mul(PAGE_SIZE / 1024)
}
