//! The page that Xen shares with the domain (`struct shared_info`, xen.h), as atomics.

use super::error::Errno;
use super::{start_info, window};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use spin::Once;

/// `struct shared_info`.
#[repr(C)]
pub struct SharedInfo {
    /// The state of each vCPU; the guest has the first.
    pub vcpus: [VcpuInfo; 32],
    /// `evtchn_pending`: a bit for each port, set by Xen, cleared by the guest.
    pub pending: [AtomicU64; 64],
    /// `evtchn_mask`: a bit for each port, written by the guest alone.
    pub mask: [AtomicU64; 64],
    /// `wc_version`: odd while the wall clock is being written.
    pub wall_clock_version: AtomicU32,
    /// `wc_sec`: seconds from the Unix epoch to the start of system time, low half.
    pub wall_clock_seconds: AtomicU32,
    /// `wc_nsec`: and nanoseconds.
    pub wall_clock_nanoseconds: AtomicU32,
    /// `wc_sec_hi`: seconds, high half.
    pub wall_clock_seconds_high: AtomicU32,
    /// `arch.max_pfn`: entries of the frame list.
    pub max_pfn: AtomicU64,
    /// `arch.pfn_to_mfn_frame_list_list`: the frame that lists the frames that list the frame list's frames.
    pub frame_list_list: AtomicU64,
}

/// `struct vcpu_info`.
#[repr(C)]
pub struct VcpuInfo {
    /// `evtchn_upcall_pending`.
    pub upcall_pending: AtomicU8,
    /// `evtchn_upcall_mask`: not 0 for good, since this guest takes no upcalls.
    pub upcall_mask: AtomicU8,
    /// `evtchn_pending_sel`.
    pub pending_selector: AtomicU64,
    /// `arch.cr2`: the address of the last page fault.
    pub fault_address: AtomicU64,
    /// `arch.pad`.
    pub unused: AtomicU64,
    /// The clock.
    pub time: VcpuTimeInfo,
}

/// `struct vcpu_time_info`: system time is `system_time` plus what the time stamp counter has gained since
/// `tsc_timestamp`, shifted by `tsc_shift` and multiplied by `tsc_to_system_mul` / 2^32.
#[repr(C)]
pub struct VcpuTimeInfo {
    /// Odd while Xen writes the rest.
    pub version: AtomicU32,
    /// Padding.
    pub unused: AtomicU32,
    /// In ticks.
    pub tsc_timestamp: AtomicU64,
    /// In nanoseconds.
    pub system_time: AtomicU64,
    /// The factor.
    pub tsc_to_system_mul: AtomicU32,
    /// An i8: to the left where positive.
    pub tsc_shift: AtomicU8,
    /// `XEN_PVCLOCK_*`.
    pub flags: AtomicU8,
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<VcpuTimeInfo>() == 32 && size_of::<VcpuInfo>() == 64);
    assert!(offset_of!(SharedInfo, pending) == 2048 && offset_of!(SharedInfo, mask) == 2560);
    assert!(offset_of!(SharedInfo, wall_clock_version) == 3072 && offset_of!(SharedInfo, max_pfn) == 3088);
};

static SHARED_INFO: Once<&'static SharedInfo> = Once::new();

/// The page; `None` before [`map`].
pub fn shared_info() -> Option<&'static SharedInfo> {
    SHARED_INFO.get().copied()
}

/// Maps the page and masks every port, once. The mask starts all clear, and this guest wants no upcall: a poller wakes
/// for a masked port all the same.
pub(crate) fn map() -> Result<(), Errno> {
    let page = window::map_machine_frames(&[start_info().shared_info()])?;
    // SAFETY: start_info names the frame where Xen keeps this struct; it is mapped for ever, at a page's start, and is
    // made of atomics, which Xen may write at any time.
    let shared: &'static SharedInfo = unsafe { page.cast().as_ref() };
    // Relaxed: Xen reads the mask when it delivers an event, and whether it sees one of these before or after makes no
    // difference while upcalls are masked as a whole.
    shared.mask.iter().for_each(|ports| ports.store(u64::MAX, Ordering::Relaxed));
    SHARED_INFO.call_once(|| shared);
    Ok(())
}
