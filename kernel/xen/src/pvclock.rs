//! The paravirtual clock (xen.h `struct vcpu_time_info`): system time, in nanoseconds since the host booted, from the
//! processor's time stamp counter; and wall-clock time from the shared page.

use crate::counters::Counter;
use crate::shared_info::SharedInfo;
use core::hint;
use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// `struct vcpu_time_info`, 32 bytes. Xen rewrites it now and then, with `version` odd while it does.
#[repr(C)]
#[derive(Debug, Default)]
pub struct VcpuTimeInfo {
    /// Raised before and after each update: odd while one is under way.
    pub version: AtomicU32,
    _padding: AtomicU32,
    /// The counter at the last update.
    pub tsc_timestamp: AtomicU64,
    /// System time at the last update, in nanoseconds.
    pub system_time: AtomicU64,
    /// Nanoseconds per (shifted) tick, times 2^32.
    pub tsc_to_system_mul: AtomicU32,
    /// How far to shift ticks: left where positive, right where negative.
    pub tsc_shift: AtomicI8,
    /// `XEN_PVCLOCK_*`; padding on an old Xen.
    pub flags: AtomicU8,
    _end_padding: [AtomicU8; 2],
}

impl VcpuTimeInfo {
    /// System time now, in nanoseconds. `tsc` reads the counter, ordered after earlier loads (`lfence; rdtsc`).
    ///
    /// The counter is read within the version's protocol: a vCPU that moves to another processor between the two would
    /// else pair one processor's counter with another's record.
    pub fn system_time(&self, mut tsc: impl FnMut() -> u64) -> u64 {
        consistent(&self.version, || {
            // Relaxed, all of them: `consistent` orders them between its two reads of the version.
            let now = tsc();
            let timestamp = self.tsc_timestamp.load(Ordering::Relaxed);
            let system_time = self.system_time.load(Ordering::Relaxed);
            // A counter behind the record (another processor's, a few ticks off) counts as no time since.
            system_time.wrapping_add(self.raw_scale().nanoseconds(now.saturating_sub(timestamp)))
        })
    }

    /// How fast the counter runs.
    pub fn scale(&self) -> TscScale {
        consistent(&self.version, || self.raw_scale())
    }

    /// The scale, to be read within the version's protocol.
    fn raw_scale(&self) -> TscScale {
        TscScale {
            mul: self.tsc_to_system_mul.load(Ordering::Relaxed),
            shift: self.tsc_shift.load(Ordering::Relaxed),
        }
    }
}

/// How ticks of the counter become nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TscScale {
    /// `tsc_to_system_mul`: nanoseconds per shifted tick, times 2^32.
    pub mul: u32,
    /// `tsc_shift`.
    pub shift: i8,
}

impl TscScale {
    /// `((ticks << shift) * mul) >> 32`, with a 96-bit product (xen.h, `vcpu_time_info`).
    pub const fn nanoseconds(self, ticks: u64) -> u64 {
        let distance = self.shift.unsigned_abs() as u32;
        let shifted = if self.shift < 0 { ticks.checked_shr(distance) } else { ticks.checked_shl(distance) };
        let Some(shifted) = shifted else { return 0 };
        // A product of 64 and 32 bits fits 96.
        ((shifted as u128).wrapping_mul(self.mul as u128) >> 32) as u64
    }
}

/// Unix time at the moment when system time was 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallClock {
    seconds: u64,
    nanoseconds: u32,
}

impl WallClock {
    /// Reads the shared page's wall clock.
    pub fn read(shared: &SharedInfo) -> Self {
        consistent(&shared.wc_version, || {
            // Relaxed, all of them: `consistent` orders them between its two reads of the version.
            let low = shared.wc_sec.load(Ordering::Relaxed);
            let high = shared.wc_sec_hi.load(Ordering::Relaxed);
            Self {
                seconds: u64::from(high) << 32 | u64::from(low),
                nanoseconds: shared.wc_nsec.load(Ordering::Relaxed),
            }
        })
    }

    /// Unix time in whole seconds, and the nanoseconds beyond, at this system time in nanoseconds.
    pub const fn at(self, system_time: u64) -> (u64, u32) {
        let nanoseconds = (self.nanoseconds as u64).wrapping_add(system_time % NANOSECONDS);
        let seconds = self.seconds.wrapping_add(system_time / NANOSECONDS);
        (seconds.wrapping_add(nanoseconds / NANOSECONDS), (nanoseconds % NANOSECONDS) as u32)
    }
}

/// Nanoseconds in a second.
const NANOSECONDS: u64 = 1_000_000_000;

/// A clock that starts at 0 and never goes back, over a system time that may: after a restore on another host system
/// time is another host's.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    /// What to add to system time.
    offset: i64,
    last: u64,
    /// How often system time was behind what had been told already.
    pub backwards: Counter,
}

impl Monotonic {
    /// A clock that shows 0 at this system time.
    pub const fn new(system_time: u64) -> Self {
        Self { offset: difference(0, system_time), last: 0, backwards: Counter::new() }
    }

    /// Nanoseconds since the start, at this system time: never less than what was told before.
    pub const fn now(&mut self, system_time: u64) -> u64 {
        let now = system_time.saturating_add_signed(self.offset);
        if now < self.last {
            self.backwards.increment();
            return self.last;
        }
        self.last = now;
        now
    }

    /// The system time at which this clock shows `nanoseconds`: what `SCHEDOP_poll` takes.
    pub const fn system_time_at(&self, nanoseconds: u64) -> u64 {
        nanoseconds.saturating_sub_signed(self.offset)
    }

    /// Goes on from the last time told, on another host whose system time is now this.
    pub const fn resume(&mut self, system_time: u64) {
        self.offset = difference(self.last, system_time);
    }
}

/// `to - from`: no host runs for the 292 years that do not fit.
const fn difference(to: u64, from: u64) -> i64 {
    to.wrapping_sub(from).cast_signed()
}

/// Reads what `version` guards until it was whole.
fn consistent<T>(version: &AtomicU32, mut read: impl FnMut() -> T) -> T {
    loop {
        // Acquire: the fields are read after it.
        let before = version.load(Ordering::Acquire);
        let value = read();
        // Acquire: the fields have been read before the version is looked at again.
        fence(Ordering::Acquire);
        // Relaxed: ordered by the fence.
        if before & 1 == 0 && version.load(Ordering::Relaxed) == before {
            return value;
        }
        // Xen is at it on another processor; it does not sleep in between.
        hint::spin_loop();
    }
}
