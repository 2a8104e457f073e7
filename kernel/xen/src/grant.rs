//! The version 1 grant table (grant_table.h): which of this domain's pages another domain may read or write.
//!
//! The table is this domain's own memory, shared with Xen alone; no backend can write it. An entry is free when its
//! flags are 0. A reference is taken from the free list by [`GrantTable::grant`] and comes back only when
//! [`GrantTable::end`] has cleared its entry, which Xen's protocol refuses while the other domain still maps the page.

mod quarantine;
pub mod setup;
mod statics;
mod table;

pub use quarantine::Quarantine;
pub use statics::{StaticCounters, StaticGrants};
pub use table::{Access, Active, EndError, GrantCounters, GrantError, GrantFrame, GrantTable};

/// Entries in one frame of the table (`grant_entry_v1` is 8 bytes).
pub const ENTRIES_PER_FRAME: usize = 512;

/// References that the toolstack fills (`GNTTAB_NR_RESERVED_ENTRIES`): the console's is 0, the store's is 1.
pub const RESERVED_ENTRIES: u32 = 8;
