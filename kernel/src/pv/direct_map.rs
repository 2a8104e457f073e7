//! The direct map: every page of the domain at `VIRT_BASE`, in order, each with the rights that its use calls for.
//!
//! The domain builder maps only the image and a little more, all of it writable and executable. [`build`] makes every
//! last-level table anew: a fresh page is filled as plain memory, made read-only, and then hooked in by one update of
//! the level above, where Xen checks its 512 entries at once. A hypercall carries many such pairs, so a domain of 4 GiB
//! costs some dozens of them. The new tables lie side by side behind all that the domain builder left.

use super::boot::Entry as BootEntry;
use super::error::Errno;
use super::page_ranges::PageRanges;
use super::page_table::{Access, Batch, ENTRIES, Entry, Table, index, walk};
use super::{PAGE_SIZE, hypercall, layout, p2m, start_info};
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use xen::Pfn;

/// Where the map begins; link.ld knows the same number. It is a multiple of what one second-level table maps (1 GiB).
pub const VIRT_BASE: usize = 0x4000_0000;

/// Bytes that one last-level table maps.
const CHUNK: usize = ENTRIES * PAGE_SIZE;

/// Pages that one third-level table maps (512 GiB), less the GiB below the base and one for the window: more memory is
/// left alone.
const MOST_PAGES: usize = 510 << 18;

/// Tables made between two hypercalls. Each takes two updates: to make it read-only, and to hook it in.
const TABLES_AT_ONCE: usize = 64;

static MAPPED_PAGES: AtomicUsize = AtomicUsize::new(0);

/// Whether the direct map has an address.
pub fn contains(address: usize) -> bool {
    let pages = MAPPED_PAGES.load(Ordering::Relaxed);
    address.checked_sub(VIRT_BASE).is_some_and(|offset| offset / PAGE_SIZE < pages)
}

/// What the direct map leaves to the rest of the kernel. All numbers of pages count from the start of the map.
#[derive(Debug)]
pub struct Memory {
    /// Pages that nothing uses, up to the end of memory.
    pub free: Range<usize>,
    /// Pages before them that nothing uses: gaps, and tables that the domain builder made and nothing uses any more.
    pub scattered: PageRanges,
    /// How many pages hold page tables.
    pub tables: usize,
    /// The addresses behind the map that have a table and no pages: for what is not the domain's own (window.rs).
    pub window: Range<usize>,
    /// All pages of the domain.
    pub pages: usize,
}

/// Why there is no direct map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// Xen refused an update.
    Refused(Errno),
    /// The domain's memory ends before the tables that would map it.
    TooSmall {
        /// Pages it has.
        pages: usize,
    },
    /// An address that the domain builder's tables have to map is not mapped.
    NotMapped {
        /// The address.
        address: usize,
    },
}

impl From<Errno> for MapError {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => write!(f, "Xen refused a page table: {errno}"),
            Self::TooSmall { pages } => write!(f, "{pages} pages of memory are too few"),
            Self::NotMapped { address } => write!(f, "{address:#x} is not mapped"),
        }
    }
}

/// Makes the direct map and takes the domain builder's last-level tables out of use. It takes the entry: it happens
/// once, before anything uses memory outside the image.
pub fn build(_: BootEntry) -> Result<Memory, MapError> {
    let info = start_info();
    let pages = info.pages().min(MOST_PAGES);
    let used = used_pages();
    let end = used.iter().last().map_or(0, |range| range.end);

    // One table for each 2 MiB and one for the window, and for each GiB after the first one of second level.
    let chunks = pages.div_ceil(ENTRIES).saturating_add(1);
    let count = chunks.saturating_add(chunks.div_ceil(ENTRIES).saturating_sub(1));
    let tables = end..end.saturating_add(count);
    if tables.end >= pages {
        return Err(MapError::TooSmall { pages });
    }

    let old = page_range(info.page_tables());
    let top = Table(p2m::frame_of(page(old.start)).ok_or(not_mapped(old.start))?);
    let mut builder = Builder { top, pages, tables: tables.start..tables.start, hole: pages };
    let mut chunk = 0;
    while chunk < chunks {
        chunk = builder.round(chunk, chunks)?;
    }
    let reclaimed = builder.reclaim(old.clone());
    hypercall::flush_tlb()?;
    MAPPED_PAGES.store(pages, Ordering::Relaxed);

    let tables_left = old.len().saturating_sub(reclaimed.pages());
    let mut scattered = gaps(&used);
    reclaimed.iter().for_each(|range| scattered.push(range));
    let window = VIRT_BASE.saturating_add(chunks.saturating_sub(1).saturating_mul(CHUNK));
    Ok(Memory {
        free: tables.end..builder.hole,
        scattered,
        tables: tables.len().saturating_add(tables_left),
        window: window..window.saturating_add(CHUNK),
        pages,
    })
}

/// The pages that hold something when the guest starts, sorted.
fn used_pages() -> PageRanges {
    let info = start_info();
    let mut used = PageRanges::default();
    for addresses in [layout::image(), info.module(), info.frame_list(), info.own_page(), info.page_tables()]
    {
        used.push(page_range(addresses));
    }
    for frame in [info.store_frame(), info.console_frame()] {
        if let Some(page) = p2m::page_of(frame).and_then(|page| usize::try_from(page.0).ok()) {
            used.push(page..page.saturating_add(1));
        }
    }
    used.sort();
    used
}

/// What lies between sorted ranges.
fn gaps(used: &PageRanges) -> PageRanges {
    let mut gaps = PageRanges::default();
    let mut end = 0;
    for range in used.iter() {
        gaps.push(end..range.start);
        end = end.max(range.end);
    }
    gaps
}

/// The pages that addresses of the map lie in.
fn page_range(addresses: Range<usize>) -> Range<usize> {
    let number = |address: usize| address.saturating_sub(VIRT_BASE);
    number(addresses.start) / PAGE_SIZE..number(addresses.end).div_ceil(PAGE_SIZE)
}

/// The type of a page number.
fn page(number: usize) -> Pfn {
    Pfn(u64::try_from(number).unwrap_or(u64::MAX))
}

fn address_of(number: usize) -> usize {
    p2m::address_of(page(number))
}

fn not_mapped(number: usize) -> MapError {
    MapError::NotMapped { address: address_of(number) }
}

/// The work in progress.
struct Builder {
    top: Table,
    pages: usize,
    /// The new tables so far.
    tables: Range<usize>,
    /// The first page without memory; all of them where there is none.
    hole: usize,
}

impl Builder {
    /// Makes and hooks in as many tables as go into one hypercall, from the one of chunk `from` on. Returns the chunk
    /// to go on with.
    fn round(&mut self, from: usize, chunks: usize) -> Result<usize, MapError> {
        // Tables can be made only in pages that are mapped; what this round maps, the next can use.
        let first = self.tables.end;
        let (mut to, mut end) = (from, first);
        while to < chunks {
            let with = end.saturating_add(if self.lacks_second(to) { 2 } else { 1 });
            if with > first.saturating_add(TABLES_AT_ONCE)
                || !(end..with).all(|number| self.is_mapped(number))
            {
                break;
            }
            (to, end) = (to.saturating_add(1), with);
        }
        if to == from {
            return Err(not_mapped(end));
        }
        self.tables.end = end;

        let mut updates = Batch::<{ TABLES_AT_ONCE * 2 }>::EMPTY;
        for number in first..end {
            self.protect(number, Access::Read, &mut updates)?;
        }
        let mut new = first..end;
        let mut second = self.second(from);
        for chunk in from..to {
            let address = VIRT_BASE.wrapping_add(chunk.wrapping_mul(CHUNK));
            if self.lacks_second(chunk) {
                let table = self.fill(&mut new, [Entry::ABSENT; ENTRIES])?;
                let third = walk(self.top, address, 3).ok_or(MapError::NotMapped { address })?;
                updates.push(third, index(address, 3), Entry::table(table.0))?;
                second = Some(table);
            }
            let entries = self.entries(chunk);
            let table = self.fill(&mut new, entries)?;
            let second = second.ok_or(MapError::NotMapped { address })?;
            updates.push(second, index(address, 2), Entry::table(table.0))?;
        }
        // SAFETY: of what Rust uses so far (the image, start_info and the frame list), every page stays mapped where it
        // was, with the rights that its section has in the ELF. The pages of the new tables lose their write access,
        // and nothing else uses them.
        unsafe { updates.apply() }?;
        Ok(to)
    }

    /// The table of second level that maps a chunk, as far as Xen knows one.
    fn second(&self, chunk: usize) -> Option<Table> {
        walk(self.top, VIRT_BASE.wrapping_add(chunk.wrapping_mul(CHUNK)), 2)
    }

    /// Whether a chunk begins a GiB that has no table of second level yet.
    fn lacks_second(&self, chunk: usize) -> bool {
        chunk.is_multiple_of(ENTRIES) && self.second(chunk).is_none()
    }

    /// Whether the tables in use map a page.
    fn is_mapped(&self, number: usize) -> bool {
        let address = address_of(number);
        walk(self.top, address, 1).and_then(|table| table.below(index(address, 1))).is_some()
    }

    /// Adds the update that gives a page other rights, in the table that maps it now.
    fn protect<const N: usize>(
        &self,
        number: usize,
        access: Access,
        updates: &mut Batch<N>,
    ) -> Result<(), MapError> {
        let address = address_of(number);
        let table = walk(self.top, address, 1).ok_or(not_mapped(number))?;
        let frame = p2m::frame_of(page(number)).ok_or(not_mapped(number))?;
        Ok(updates.push(table, index(address, 1), Entry::page(frame, access))?)
    }

    /// Writes a new table into the next of the pages.
    fn fill(&self, pages: &mut Range<usize>, entries: [Entry; ENTRIES]) -> Result<Table, MapError> {
        let number = pages.next().ok_or(MapError::TooSmall { pages: self.pages })?;
        let frame = p2m::frame_of(page(number)).ok_or(not_mapped(number))?;
        let table: *mut [Entry; ENTRIES] = core::ptr::with_exposed_provenance_mut(address_of(number));
        // SAFETY: the page lies behind all that is in use, so nothing else has it; `is_mapped` found it mapped, and it
        // is writable until `apply` hands over the update that makes it a table. An address of a page is aligned.
        unsafe { table.write(entries) };
        Ok(Table(frame))
    }

    /// The entries for a chunk of the map.
    fn entries(&mut self, chunk: usize) -> [Entry; ENTRIES] {
        let start = chunk.wrapping_mul(ENTRIES);
        let end = start.wrapping_add(ENTRIES);
        let mut entries = [Entry::ABSENT; ENTRIES];
        for (entry, number) in entries.iter_mut().zip(start..end.min(self.pages)) {
            match p2m::frame_of(page(number)) {
                Some(frame) => *entry = Entry::page(frame, Access::Write),
                None => self.hole = self.hole.min(number),
            }
        }
        for (range, access) in self.exceptions() {
            for number in range.start.max(start)..range.end.min(end) {
                let frame = p2m::frame_of(page(number));
                let entry = entries.get_mut(number.wrapping_sub(start));
                if let (Some(entry), Some(frame)) = (entry, frame) {
                    *entry = access.map_or(Entry::ABSENT, |access| Entry::page(frame, access));
                }
            }
        }
        entries
    }

    /// The pages that are not simply written: what may be done to them, or nothing.
    fn exceptions(&self) -> [(Range<usize>, Option<Access>); 6] {
        let info = start_info();
        [
            (page_range(layout::text()), Some(Access::Execute)),
            (page_range(layout::rodata()), Some(Access::Read)),
            (page_range(layout::stack_guard()), None),
            (page_range(info.module()), Some(Access::Read)),
            (page_range(info.page_tables()), Some(Access::Read)),
            (self.tables.clone(), Some(Access::Read)),
        ]
    }

    /// Makes the domain builder's tables that nothing uses any more plain memory again. One that is still pinned stays
    /// as it is, and Xen's refusal costs no more than its page.
    fn reclaim(&self, old: Range<usize>) -> PageRanges {
        let mut free = PageRanges::default();
        for number in old {
            let frame = p2m::frame_of(page(number));
            let in_use = (0..=self.pages.div_ceil(ENTRIES)).step_by(ENTRIES).any(|chunk| {
                let address = VIRT_BASE.wrapping_add(chunk.wrapping_mul(CHUNK));
                [4, 3, 2].iter().any(|&level| walk(self.top, address, level).map(|table| table.0) == frame)
            });
            let mut update = Batch::<1>::EMPTY;
            if !in_use && self.protect(number, Access::Write, &mut update).is_ok() {
                // SAFETY: nothing uses the page: the only thing to change is that it can be written.
                if unsafe { update.apply() }.is_ok() {
                    free.push(number..number.saturating_add(1));
                }
            }
        }
        free
    }
}
