//! Giving memory back to Xen and taking it (memory.h).

use crate::ids::DomId;

/// `XENMEM_decrease_reservation`: gives machine frames back.
pub const XENMEM_DECREASE_RESERVATION: u32 = 1;
/// `XENMEM_populate_physmap`: takes memory for pages of the domain's own count; their numbers are replaced by the
/// machine frames'.
pub const XENMEM_POPULATE_PHYSMAP: u32 = 6;

/// `struct xen_memory_reservation`.
#[repr(C)]
#[derive(Debug)]
pub struct Reservation {
    /// `nr_extents` numbers of pages.
    pub extent_start: *mut u64,
    /// How many.
    pub nr_extents: u64,
    /// Pages in each, as a power of two.
    pub extent_order: u32,
    /// `XENMEMF_*`.
    pub mem_flags: u32,
    /// Whose.
    pub domid: DomId,
}

#[cfg(test)]
mod tests {
    use super::Reservation;
    use core::mem::offset_of;

    /// memory.h, as a 64-bit guest lays it out.
    #[test]
    fn the_struct_is_laid_out_as_the_header_says() {
        assert_eq!(size_of::<Reservation>(), 32);
        assert_eq!((offset_of!(Reservation, extent_start), offset_of!(Reservation, nr_extents)), (0, 8));
        assert_eq!((offset_of!(Reservation, extent_order), offset_of!(Reservation, mem_flags)), (16, 20));
        assert_eq!(offset_of!(Reservation, domid), 24);
    }
}
