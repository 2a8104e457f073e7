//! A look at the page tables as Xen has them, for the image that checks memory.

use super::direct_map::{VIRT_BASE, contains};
use super::page_table::{Entry, Table, index, walk};
use super::{PAGE_SIZE, layout, p2m, start_info};

/// What the tables allow, in pages of the direct map.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// Executed and not written.
    pub execute: usize,
    /// Read only.
    pub read: usize,
    /// Written and not executed.
    pub write: usize,
    /// Not mapped.
    pub absent: usize,
    /// Both written and executed, not mapped but not zero, or not what the page's section calls for.
    pub wrong: usize,
}

/// Reads the entry of every page of the direct map.
pub fn rights() -> Option<Rights> {
    let top = Table(p2m::machine_frame(start_info().page_tables().start)?);
    let mut rights = Rights::default();
    let mut table = None;
    let addresses = (VIRT_BASE..).step_by(PAGE_SIZE).take_while(|address| contains(*address));
    for address in addresses {
        if index(address, 1) == 0 {
            table = walk(top, address, 1);
        }
        let entry = table.and_then(|table| table.entry(index(address, 1))).unwrap_or(Entry::ABSENT);
        let counter = match (entry.frame().is_some(), entry.is_writable(), entry.is_executable()) {
            (false, ..) if entry == Entry::ABSENT => &mut rights.absent,
            (true, true, false) => &mut rights.write,
            (true, false, true) => &mut rights.execute,
            (true, false, false) => &mut rights.read,
            _ => &mut rights.wrong,
        };
        *counter = counter.saturating_add(1);
        let sound = match layout::name(address) {
            "text" => entry.is_executable(),
            "rodata" | "site" | "ramdisk" => !entry.is_writable() && !entry.is_executable(),
            "stack guard" => entry == Entry::ABSENT,
            "data" | "stack" => entry.is_writable(),
            _ => !entry.is_executable(),
        };
        rights.wrong = rights.wrong.saturating_add(usize::from(!sound));
    }
    Some(rights)
}
