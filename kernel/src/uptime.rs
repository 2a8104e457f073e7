//! How long ago the guest was entered.

use crate::pv::boot::Entry;
use crate::pv::shared_info;
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering};

static ENTRY: AtomicU64 = AtomicU64::new(0);

/// Notes when the entry was.
pub fn start(entry: &Entry) {
    ENTRY.store(entry.tsc, Ordering::Relaxed);
}

/// The time stamp counter.
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Xen lets a PV guest use it, or emulates it.
    unsafe { _rdtsc() }
}

/// Microseconds since the entry; 0 until shared_info is mapped, which says how fast the counter runs.
pub fn microseconds() -> u64 {
    let Some([cpu, ..]) = shared_info().map(|shared| &shared.vcpus) else { return 0 };
    let gained = ticks().wrapping_sub(ENTRY.load(Ordering::Relaxed));
    let shift = i8::from_ne_bytes([cpu.time.tsc_shift.load(Ordering::Relaxed)]);
    let distance = u32::from(shift.unsigned_abs());
    let shifted = if shift < 0 { gained.checked_shr(distance) } else { gained.checked_shl(distance) };
    let factor = u128::from(cpu.time.tsc_to_system_mul.load(Ordering::Relaxed));
    let nanoseconds = u128::from(shifted.unwrap_or(0)).wrapping_mul(factor) >> 32;
    u64::try_from(nanoseconds / 1000).unwrap_or(u64::MAX)
}
