//! The lists by which the toolstack finds the p2m of a domain that it saves (arch-x86/xen.h,
//! `pfn_to_mfn_frame_list_list`): a page that names pages that name the p2m's pages, all by machine frame.

use super::{PAGE_SIZE, p2m, shared_info, start_info};
use crate::memory::Page;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// The lists' pages.
#[derive(Debug)]
pub struct FrameLists {
    top: Page,
    lists: Vec<Page>,
}

impl FrameLists {
    /// Makes the lists and names them in shared_info; `None` when memory is out.
    pub fn open() -> Option<Self> {
        let pages = start_info().frame_list().step_by(PAGE_SIZE).count();
        let lists = (0..pages.div_ceil(ENTRIES)).map(|_| Page::zeroed()).collect::<Option<_>>()?;
        let mut this = Self { top: Page::zeroed()?, lists };
        this.fill();
        Some(this)
    }

    /// Writes them as the frames are now: after a restore they are others.
    pub fn fill(&mut self) {
        let mut frames = start_info().frame_list().step_by(PAGE_SIZE).map(frame_of);
        for list in &mut self.lists {
            write(list, &mut frames);
        }
        write(&mut self.top, &mut self.lists.iter().map(|list| list.machine_frame().0));
        let Some(shared) = shared_info() else { return };
        // Relaxed, and the number last: the toolstack looks no sooner than it is asked to save.
        shared.arch.pfn_to_mfn_frame_list_list.store(self.top.machine_frame().0, Ordering::Relaxed);
        shared.arch.max_pfn.store(start_info().pages() as u64, Ordering::Relaxed);
    }
}

/// Entries in a page.
const ENTRIES: usize = PAGE_SIZE / size_of::<u64>();

fn frame_of(address: usize) -> u64 {
    p2m::machine_frame(address).map_or(0, |frame| frame.0)
}

fn write(page: &mut Page, frames: &mut impl Iterator<Item = u64>) {
    for (entry, frame) in page.bytes_mut().as_chunks_mut::<8>().0.iter_mut().zip(frames) {
        *entry = frame.to_le_bytes();
    }
}
