//! How long ago the guest was entered.

use crate::pv::boot::Entry;
use crate::pv::shared_info;
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering};

static ENTRY: AtomicU64 = AtomicU64::new(0);

/// Notes when the entry was.
pub fn start(entry: &Entry) {
    ENTRY.store(entry.tsc(), Ordering::Relaxed);
}

/// How long the guest has run, for [`resume`].
pub struct Running {
    ticks: u64,
}

/// Notes how long the guest has run when it is suspended.
pub fn stop() -> Running {
    Running { ticks: ticks().wrapping_sub(ENTRY.load(Ordering::Relaxed)) }
}

/// Goes on from there: after a restore the counter may be another host's.
pub fn resume(running: Running) {
    ENTRY.store(ticks().wrapping_sub(running.ticks), Ordering::Relaxed);
}

/// The time stamp counter.
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Xen lets a PV guest use it, or emulates it.
    unsafe { _rdtsc() }
}

/// Microseconds since the entry; 0 until shared_info is mapped, which says how fast the counter runs.
pub fn microseconds() -> u64 {
    let Some([cpu, ..]) = shared_info().map(|shared| &shared.vcpu_info) else { return 0 };
    let gained = ticks().wrapping_sub(ENTRY.load(Ordering::Relaxed));
    cpu.time.scale().nanoseconds(gained) / 1000
}
