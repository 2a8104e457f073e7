//! The page shared with the hypervisor (xen.h `struct shared_info`, arch-x86/xen.h), as a 64-bit guest sees it.

use crate::pvclock::VcpuTimeInfo;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// vCPUs that have their `vcpu_info` in this page (`XEN_LEGACY_MAX_VCPUS`). The guest has one.
pub const LEGACY_VCPUS: usize = 32;

/// Words of 64 event channels each in the 2-level ABI: 4,096 channels.
pub const EVENT_WORDS: usize = 64;

/// `struct shared_info`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SharedInfo {
    /// What Xen tells each vCPU.
    pub vcpu_info: [VcpuInfo; LEGACY_VCPUS],
    /// A bit a port: an event has come. Set by Xen, cleared by the guest.
    pub evtchn_pending: EventBits,
    /// A bit a port: no upcall for it. Written by the guest alone; all clear at the start.
    pub evtchn_mask: EventBits,
    /// Version of the three fields that follow, as in `vcpu_time_info`.
    pub wc_version: AtomicU32,
    /// Unix time when system time was 0: seconds, low half.
    pub wc_sec: AtomicU32,
    /// And nanoseconds.
    pub wc_nsec: AtomicU32,
    /// And seconds, high half (0 on a Xen that does not know this field).
    pub wc_sec_hi: AtomicU32,
    /// What the toolstack needs to save the domain.
    pub arch: ArchSharedInfo,
}

/// `struct vcpu_info`, 64 bytes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct VcpuInfo {
    /// An upcall is due.
    pub evtchn_upcall_pending: AtomicU8,
    /// Upcalls are masked: non-zero for good in this guest.
    pub evtchn_upcall_mask: AtomicU8,
    _padding: [AtomicU8; 6],
    /// A bit a word of `evtchn_pending`: set when an unmasked port of that word became pending.
    pub evtchn_pending_sel: AtomicU64,
    /// The address of the last page fault (`arch_vcpu_info.cr2`).
    pub cr2: AtomicU64,
    _arch_padding: AtomicU64,
    /// The clock.
    pub time: VcpuTimeInfo,
}

/// `struct arch_shared_info`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ArchSharedInfo {
    /// Entries in the p2m table.
    pub max_pfn: AtomicU64,
    /// The machine frame of the list of lists of p2m frames.
    pub pfn_to_mfn_frame_list_list: AtomicU64,
    /// Why an NMI came.
    pub nmi_reason: AtomicU64,
    /// Root of the address space in which `p2m_vaddr` holds; 0 where the lists above are used.
    pub p2m_cr3: AtomicU64,
    /// The p2m as one linear table.
    pub p2m_vaddr: AtomicU64,
    /// Raised before and after each change of the p2m's mapping.
    pub p2m_generation: AtomicU64,
}

/// A bit for each event channel.
#[repr(transparent)]
#[derive(Debug)]
pub struct EventBits(pub [AtomicU64; EVENT_WORDS]);

impl Default for EventBits {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; EVENT_WORDS])
    }
}
