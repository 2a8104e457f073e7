//! The hypercalls that the guest makes, each as a function with types.
//!
//! xen-sys makes the call itself, through the page that Xen filled at HYPERCALL_PAGE. Only its forms of at most four
//! arguments are used: its `hypercall_5` passes the fifth in r9, where Xen reads r8.

use super::calls;
use super::error::Errno;
use xen::{DomId, Mfn, Port};
use xen_sys::{
    __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op, __HYPERVISOR_memory_op,
    __HYPERVISOR_mmu_update, __HYPERVISOR_mmuext_op, __HYPERVISOR_sched_op, __HYPERVISOR_set_trap_table,
    __HYPERVISOR_update_va_mapping, __HYPERVISOR_vcpu_op, __HYPERVISOR_xen_version, EVTCHNOP_send,
    MMUEXT_TLB_FLUSH_LOCAL, SCHEDOP_poll, SCHEDOP_shutdown, SCHEDOP_watchdog, SCHEDOP_yield, hypercall_2,
    hypercall_3, hypercall_4,
};

/// One entry of a page table to write (`struct mmu_update`).
pub use xen_sys::mmu_update as MmuUpdate;
/// One row of the trap table (`struct trap_info`).
pub use xen_sys::trap_info as TrapInfo;

// xen-sys's layouts, against xen.h and arch-x86/xen.h.
const _: () = {
    use core::mem::offset_of;
    assert!(
        size_of::<MmuUpdate>() == 16 && offset_of!(MmuUpdate, ptr) == 0 && offset_of!(MmuUpdate, val) == 8
    );
    assert!(
        size_of::<TrapInfo>() == 16 && offset_of!(TrapInfo, vector) == 0 && offset_of!(TrapInfo, flags) == 1
    );
    assert!(offset_of!(TrapInfo, cs) == 2 && offset_of!(TrapInfo, address) == 8);
};

/// Why a domain ends (`SHUTDOWN_*`, sched.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Shutdown {
    /// It is done: `on_poweroff`.
    Poweroff = 0,
    /// It wants to begin anew: `on_reboot`.
    Reboot = 1,
    /// It failed: `on_crash`.
    Crash = 3,
}

/// Ends the domain (`SCHEDOP_shutdown`).
pub fn shutdown(reason: Shutdown) -> ! {
    let argument = reason as u32;
    loop {
        // SAFETY: Xen reads a sched_shutdown, a single u32, from the address; it touches no other memory of the guest.
        unsafe { hypercall_2(__HYPERVISOR_sched_op, u64::from(SCHEDOP_shutdown), address(&argument)) };
    }
}

/// How a domain goes on after a suspend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// Where it was: nothing has changed but the time.
    Cancelled,
    /// As another domain, here or on another host.
    Restored,
}

/// Stops the domain (`SCHEDOP_shutdown` with `SHUTDOWN_suspend`), and returns when it goes on. `start_info` is the frame
/// of that page, which the toolstack reads and writes.
///
/// # Safety
/// The domain is as a save needs it: start_info's page names pages by the domain's own count, no mapping shows a frame
/// that is not the domain's own, and nobody looks at what such a mapping showed until there is another.
pub unsafe fn suspend(start_info: Mfn) -> Result<Woken, Errno> {
    /// `SHUTDOWN_suspend`.
    const SUSPEND: u32 = 2;
    calls::OTHER.count();
    let reason = SUSPEND;
    // SAFETY: Xen reads a sched_shutdown, a single u32, from the address. What it and the toolstack write besides is the
    // caller's promise; registers and the stack are as they were when the call returns.
    let woken = unsafe {
        hypercall_3(__HYPERVISOR_sched_op, u64::from(SCHEDOP_shutdown), address(&reason), start_info.0)
    };
    Errno::check(woken).map(|cancelled| if cancelled == 0 { Woken::Restored } else { Woken::Cancelled })
}

/// Xen's version, the major number in the high half (`XENVER_version`).
pub fn xen_version() -> u32 {
    calls::OTHER.count();
    // SAFETY: this command reads no argument and touches no memory of the guest.
    let version = unsafe { hypercall_2(__HYPERVISOR_xen_version, 0, 0) };
    u32::try_from(version).unwrap_or(0)
}

/// Lets other vCPUs run first (`SCHEDOP_yield`).
pub fn yield_now() {
    calls::OTHER.count();
    // SAFETY: takes no argument and touches no memory of the guest.
    unsafe { hypercall_2(__HYPERVISOR_sched_op, u64::from(SCHEDOP_yield), 0) };
}

/// Sleeps until one of the ports is pending or the system time is `until` (absolute, in ns; 0: for ever)
/// (`SCHEDOP_poll`). At most 128 ports. One that is pending already makes it return at once.
pub fn poll(ports: &[Port], until: u64) -> Result<(), Errno> {
    /// `struct sched_poll`.
    #[repr(C)]
    struct Poll {
        ports: u64,
        count: u32,
        timeout: u64,
    }
    const { assert!(size_of::<Poll>() == 24 && size_of::<Port>() == 4) };
    let count = u32::try_from(ports.len()).map_err(|_| Errno::INVALID)?;
    calls::POLL.count();
    let argument = Poll { ports: slice_address(ports), count, timeout: until };
    // SAFETY: Xen reads the sched_poll, and through it `count` port numbers of 4 bytes, all alive here.
    Errno::check(unsafe { hypercall_2(__HYPERVISOR_sched_op, u64::from(SCHEDOP_poll), address(&argument)) })
        .map(drop)
}

/// Any other `sched_op`.
///
/// # Safety
/// `argument` is the struct that sched.h gives for `operation`, and whatever it points to is as sched.h demands.
pub unsafe fn sched_op<T>(operation: u32, argument: &mut T) -> Result<u64, Errno> {
    if operation == SCHEDOP_watchdog { &calls::WATCHDOG } else { &calls::OTHER }.count();
    // SAFETY: the caller's promise.
    Errno::check(unsafe { hypercall_2(__HYPERVISOR_sched_op, u64::from(operation), address_mut(argument)) })
}

/// Tells the other end of an event channel (`EVTCHNOP_send`).
pub fn send(port: Port) -> Result<(), Errno> {
    calls::NOTIFY.count();
    let argument = port.0;
    // SAFETY: Xen reads an evtchn_send, a single u32, from the address; it touches no other memory of the guest.
    Errno::check(unsafe {
        hypercall_2(__HYPERVISOR_event_channel_op, u64::from(EVTCHNOP_send), address(&argument))
    })
    .map(drop)
}

/// An `event_channel_op`.
///
/// # Safety
/// `argument` is the struct that event_channel.h gives for `operation`.
pub unsafe fn event_channel_op<T>(operation: u32, argument: &mut T) -> Result<u64, Errno> {
    calls::OTHER.count();
    // SAFETY: the caller's promise.
    Errno::check(unsafe {
        hypercall_2(__HYPERVISOR_event_channel_op, u64::from(operation), address_mut(argument))
    })
}

/// A `grant_table_op` over a list of operations.
///
/// # Safety
/// `T` is the struct that grant_table.h gives for `operation`, and whatever it points to is as grant_table.h demands.
pub unsafe fn grant_table_op<T>(operation: u32, arguments: &mut [T]) -> Result<u64, Errno> {
    calls::OTHER.count();
    let count = u64::try_from(arguments.len()).map_err(|_| Errno::INVALID)?;
    let first = slice_address(arguments);
    // SAFETY: the caller's promise; the list has `count` entries.
    Errno::check(unsafe { hypercall_3(__HYPERVISOR_grant_table_op, u64::from(operation), first, count) })
}

/// A `memory_op`.
///
/// # Safety
/// `argument` is the struct that memory.h gives for `operation`, and no page that Rust still uses is given away.
pub unsafe fn memory_op<T>(operation: u32, argument: &mut T) -> Result<u64, Errno> {
    calls::OTHER.count();
    // SAFETY: the caller's promise.
    Errno::check(unsafe { hypercall_2(__HYPERVISOR_memory_op, u64::from(operation), address_mut(argument)) })
}

/// A `vcpu_op` on the only vCPU.
///
/// # Safety
/// `argument` is the struct that vcpu.h gives for `operation`.
pub unsafe fn vcpu_op<T>(operation: u32, argument: &mut T) -> Result<u64, Errno> {
    calls::OTHER.count();
    // SAFETY: the caller's promise.
    Errno::check(unsafe { hypercall_3(__HYPERVISOR_vcpu_op, u64::from(operation), 0, address_mut(argument)) })
}

/// Writes page-table entries, in order; Xen checks each.
///
/// # Safety
/// After them, every address that Rust still uses maps the same bytes with the same rights.
pub unsafe fn mmu_update(updates: &[MmuUpdate]) -> Result<(), Errno> {
    calls::OTHER.count();
    let count = u64::try_from(updates.len()).map_err(|_| Errno::INVALID)?;
    let first = slice_address(updates);
    // SAFETY: Xen reads `count` mmu_updates from the list; that the mappings stay sound is the caller's promise.
    Errno::check(unsafe { hypercall_4(__HYPERVISOR_mmu_update, first, count, 0, u64::from(DomId::SELF.0)) })
        .map(drop)
}

/// Writes the last-level entry of one address and drops it from the TLB.
///
/// # Safety
/// As for [`mmu_update`]: Rust uses nothing at that address, or finds the same bytes there with the same rights.
pub unsafe fn update_va_mapping(virtual_address: usize, entry: u64) -> Result<(), Errno> {
    /// `UVMF_INVLPG | UVMF_LOCAL`.
    const INVLPG: u64 = 2;
    calls::OTHER.count();
    let virtual_address = u64::try_from(virtual_address).map_err(|_| Errno::INVALID)?;
    // SAFETY: passes numbers only; that the mapping stays sound is the caller's promise.
    Errno::check(unsafe { hypercall_3(__HYPERVISOR_update_va_mapping, virtual_address, entry, INVLPG) })
        .map(drop)
}

/// Drops every translation from the TLB (`MMUEXT_TLB_FLUSH_LOCAL`).
pub fn flush_tlb() -> Result<(), Errno> {
    /// `struct mmuext_op`, whose arguments this command does not read.
    #[repr(C)]
    struct Operation {
        command: u32,
        argument_1: u64,
        argument_2: u64,
    }
    calls::OTHER.count();
    let argument = Operation { command: MMUEXT_TLB_FLUSH_LOCAL, argument_1: 0, argument_2: 0 };
    // SAFETY: Xen reads one mmuext_op, and a flush changes no mapping.
    Errno::check(unsafe {
        hypercall_4(__HYPERVISOR_mmuext_op, address(&argument), 1, 0, u64::from(DomId::SELF.0))
    })
    .map(drop)
}

/// Sets the handlers of exceptions.
///
/// # Safety
/// The table ends with a row of zeros, and each other row's address is code that takes Xen's exception frame.
pub unsafe fn set_trap_table(table: &[TrapInfo]) -> Result<(), Errno> {
    calls::OTHER.count();
    // SAFETY: Xen reads rows up to the one of zeros, which the caller promised; so with the handlers.
    Errno::check(unsafe { xen_sys::hypercall_1(__HYPERVISOR_set_trap_table, slice_address(table)) }).map(drop)
}

fn address<T>(argument: &T) -> u64 {
    core::ptr::from_ref(argument).expose_provenance() as u64
}

fn address_mut<T>(argument: &mut T) -> u64 {
    core::ptr::from_mut(argument).expose_provenance() as u64
}

fn slice_address<T>(arguments: &[T]) -> u64 {
    arguments.as_ptr().expose_provenance() as u64
}
