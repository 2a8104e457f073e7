//! Time: the stack's, which starts at the boot and never goes back, and the wall clock.

use crate::pv::shared_info;
use core::arch::x86_64::{_mm_lfence, _rdtsc};
use core::num::NonZeroU64;
use netstack::Instant;
use xen::pvclock::{Monotonic, WallClock};

/// System time, in nanoseconds since the host booted; 0 before shared_info is mapped.
pub fn system_time() -> u64 {
    match shared_info().map(|shared| &shared.vcpu_info) {
        Some([cpu, ..]) => cpu.time.system_time(ordered_ticks),
        None => 0,
    }
}

/// The time stamp counter, read after all loads before it: the clock's record and the counter belong together.
fn ordered_ticks() -> u64 {
    // SAFETY: every x86-64 processor has both instructions, and Xen lets a PV guest use the second, or emulates it.
    unsafe {
        _mm_lfence();
        _rdtsc()
    }
}

/// The stack's clock.
pub struct Clock {
    monotonic: Monotonic,
}

impl Clock {
    /// A clock that shows 0 now.
    pub fn start() -> Self {
        Self { monotonic: Monotonic::new(system_time()) }
    }

    /// The time now: never before what was told last.
    pub fn now(&mut self) -> Instant {
        Instant::from_micros(self.monotonic.now(system_time()) / NANOSECONDS_PER_MICROSECOND)
    }

    /// Goes on from the time told last: after a restore, system time is another host's.
    pub fn resume(&mut self) {
        self.monotonic.resume(system_time());
    }

    /// The system time at which this clock shows `instant`: what [`crate::events::Events::wait`] takes.
    pub fn system_time_at(&self, instant: Instant) -> NonZeroU64 {
        let nanoseconds = instant.micros().saturating_mul(NANOSECONDS_PER_MICROSECOND);
        // 0 would be for ever.
        NonZeroU64::new(self.monotonic.system_time_at(nanoseconds)).unwrap_or(NonZeroU64::MIN)
    }
}

const NANOSECONDS_PER_MICROSECOND: u64 = 1000;

/// Unix time: seconds, and nanoseconds beyond; the epoch itself before shared_info is mapped.
pub fn unix() -> (u64, u32) {
    shared_info().map_or((0, 0), |shared| WallClock::read(shared).at(system_time()))
}
