//! The arguments of `HYPERVISOR_grant_table_op` that the table's setup takes.

use crate::ids::DomId;

/// `GNTTABOP_setup_table`: makes the table at least so long and tells where its frames are.
pub const GNTTABOP_SETUP_TABLE: u32 = 2;
/// `GNTTABOP_query_size`: how long the table is and may become.
pub const GNTTABOP_QUERY_SIZE: u32 = 6;

/// `struct gnttab_setup_table`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SetupTable {
    /// Whose table: [`DomId::SELF`].
    pub dom: DomId,
    /// How many frames it shall have.
    pub nr_frames: u32,
    /// `GNTST_*`: 0 where it went well.
    pub status: i16,
    /// Where Xen writes `nr_frames` machine frames, 64 bits each.
    pub frame_list: *mut u64,
}

/// `struct gnttab_query_size`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct QuerySize {
    /// Whose table: [`DomId::SELF`].
    pub dom: DomId,
    /// How many frames it has.
    pub nr_frames: u32,
    /// How many it may have.
    pub max_nr_frames: u32,
    /// `GNTST_*`: 0 where it went well.
    pub status: i16,
}
