//! How long the guest has run.

use crate::pv::boot::Entry;
use crate::pv::shared_info;
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering};

/// The counter at the entry, or when the guest went on after a restore.
static ENTRY: AtomicU64 = AtomicU64::new(0);
/// Microseconds that the guest had run by then.
static BEFORE: AtomicU64 = AtomicU64::new(0);

/// Notes when the entry was.
pub fn start(entry: &Entry) {
    ENTRY.store(entry.tsc(), Ordering::Relaxed);
}

/// How long the guest has run, for [`resume`].
pub struct Running {
    microseconds: u64,
}

/// Notes how long the guest has run when it is suspended.
pub fn stop() -> Running {
    Running { microseconds: microseconds() }
}

/// Goes on from there: after a restore the counter may be another host's, and run at another speed.
pub fn resume(running: Running) {
    ENTRY.store(ticks(), Ordering::Relaxed);
    BEFORE.store(running.microseconds, Ordering::Relaxed);
}

/// The time stamp counter.
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Xen lets a PV guest use it, or emulates it.
    unsafe { _rdtsc() }
}

/// Microseconds that the guest has run; 0 until shared_info is mapped, which says how fast the counter runs. It does not go
/// back.
pub fn microseconds() -> u64 {
    let Some([cpu, ..]) = shared_info().map(|shared| &shared.vcpu_info) else { return 0 };
    let gained = ticks().saturating_sub(ENTRY.load(Ordering::Relaxed));
    BEFORE.load(Ordering::Relaxed).saturating_add(cpu.time.scale().nanoseconds(gained) / 1000)
}
