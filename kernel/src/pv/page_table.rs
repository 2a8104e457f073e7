//! Page tables as Xen keeps them: four levels of 512 entries that hold machine frames. The guest reads them through the
//! direct map and writes them through `mmu_update` alone.

use super::error::Errno;
use super::hypercall::{self, MmuUpdate};
use super::p2m;
use core::sync::atomic::{AtomicU64, Ordering};
use xen::Mfn;

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// What may be done to a page. Nothing is ever both written and executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Code.
    Execute,
    /// Constants, and the page tables themselves.
    Read,
    /// Everything else.
    Write,
}

/// A page-table entry (the bits: xen.h, `HYPERVISOR_mmu_update`).
///
/// An absent entry is all zero: Xen's mitigation of L1TF kills a guest, or moves it to shadow paging, whose non-present
/// entry has an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(pub u64);

impl Entry {
    /// Nothing is mapped.
    pub const ABSENT: Self = Self(0);

    const PRESENT: u64 = 1;
    const WRITABLE: u64 = 1 << 1;
    const USER: u64 = 1 << 2;
    /// Set from the start, so that no processor has to write them into a table of its own accord.
    const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;
    const NO_EXECUTE: u64 = 1 << 63;
    const FRAME: u64 = 0x000f_ffff_ffff_f000;

    /// Maps a page.
    pub const fn page(frame: Mfn, access: Access) -> Self {
        let rights = match access {
            Access::Execute => 0,
            Access::Read => Self::NO_EXECUTE,
            Access::Write => Self::NO_EXECUTE | Self::WRITABLE,
        };
        Self(frame.0 << 12 | rights | Self::ACCESSED_DIRTY | Self::PRESENT)
    }

    /// Points to the table of the next level.
    pub const fn table(frame: Mfn) -> Self {
        Self(frame.0 << 12 | Self::ACCESSED_DIRTY | Self::USER | Self::WRITABLE | Self::PRESENT)
    }

    /// Whether the page can be written.
    pub const fn is_writable(self) -> bool {
        self.0 & Self::PRESENT != 0 && self.0 & Self::WRITABLE != 0
    }

    /// Whether the page can be executed.
    pub const fn is_executable(self) -> bool {
        self.0 & Self::PRESENT != 0 && self.0 & Self::NO_EXECUTE == 0
    }

    /// The frame it maps or points to; `None` when absent.
    pub const fn frame(self) -> Option<Mfn> {
        if self.0 & Self::PRESENT == 0 { None } else { Some(Mfn((self.0 & Self::FRAME) >> 12)) }
    }
}

/// A table of one level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table(pub Mfn);

impl Table {
    /// Reads one of its entries.
    pub fn entry(self, index: usize) -> Option<Entry> {
        let table: *const [AtomicU64; ENTRIES] =
            core::ptr::with_exposed_provenance(p2m::address_of_frame(self.0)?);
        // SAFETY: the frame is this domain's (p2m checked it), so the direct map has it for ever, if only to be read.
        // Xen and the processor write tables, hence the atomics.
        let table = unsafe { &*table };
        // Relaxed: the guest's own hypercalls are the only writes that matter, and they are done.
        Some(Entry(table.get(index)?.load(Ordering::Relaxed)))
    }

    /// The table that an entry points to.
    pub fn below(self, index: usize) -> Option<Self> {
        self.entry(index)?.frame().map(Self)
    }

    /// The machine address of an entry, as `mmu_update` wants it.
    pub const fn entry_address(self, index: usize) -> u64 {
        self.0.0 << 12 | (index as u64 & 511) << 3
    }
}

/// Which entry of a table of `level` (1 to 4) an address goes through.
pub const fn index(address: usize, level: u32) -> usize {
    address >> (3_u32.wrapping_add(level.wrapping_mul(9))) & 511
}

/// The guest's table of `level` (1 to 4) that an address goes through, found from the top.
pub fn walk(top: Table, address: usize, level: u32) -> Option<Table> {
    let mut table = top;
    for above in (level.saturating_add(1)..=4).rev() {
        table = table.below(index(address, above))?;
    }
    Some(table)
}

/// Updates that are handed to Xen together.
pub struct Batch<const N: usize> {
    updates: [MmuUpdate; N],
    used: usize,
}

impl<const N: usize> Batch<N> {
    /// An empty batch.
    pub const EMPTY: Self = Self { updates: [MmuUpdate { ptr: 0, val: 0 }; N], used: 0 };

    /// Adds an update: the entry at `index` of `table` becomes `entry`. `NO_MEMORY` when the batch is full.
    pub fn push(&mut self, table: Table, index: usize, entry: Entry) -> Result<(), Errno> {
        let slot = self.updates.get_mut(self.used).ok_or(Errno::NO_MEMORY)?;
        *slot = MmuUpdate { ptr: table.entry_address(index), val: entry.0 };
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// Hands them to Xen, in the order they came, and empties the batch.
    ///
    /// # Safety
    /// As for [`hypercall::mmu_update`].
    pub unsafe fn apply(&mut self) -> Result<(), Errno> {
        let used = core::mem::take(&mut self.used);
        let updates = self.updates.get(..used).unwrap_or_default();
        if updates.is_empty() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { hypercall::mmu_update(updates) }
    }
}
