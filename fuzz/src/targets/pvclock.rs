//! The clock's arithmetic.

use crate::choices::Choices;
use std::sync::atomic::Ordering;
use xen::pvclock::{Monotonic, TscScale, VcpuTimeInfo, WallClock};
use xen::shared_info::SharedInfo;

/// Any record and any counter: the time is what 128 bits say, a record that changes under the reader is read again,
/// and the clock on top never goes back.
pub fn pvclock(input: &[u8]) {
    let mut choices = Choices::new(input);
    let info = VcpuTimeInfo::default();
    let mut clock = Monotonic::new(choices.long());
    let mut last = 0;
    while !choices.is_empty() {
        let (timestamp, system_time) = (choices.long(), choices.long());
        let scale = TscScale { mul: choices.half(), shift: choices.byte() as i8 };
        info.tsc_timestamp.store(timestamp, Ordering::Relaxed);
        info.system_time.store(system_time, Ordering::Relaxed);
        info.tsc_to_system_mul.store(scale.mul, Ordering::Relaxed);
        info.tsc_shift.store(scale.shift, Ordering::Relaxed);
        assert_eq!(info.scale(), scale);
        // The record is being written the first few times.
        let (tsc, busy) = (choices.long(), choices.byte() % 4);
        info.version.store(u32::from(busy), Ordering::Relaxed);
        let mut reads = 0;
        let now = info.system_time(|| {
            reads += 1;
            if reads <= busy {
                info.version.fetch_add(1, Ordering::Relaxed);
            }
            tsc
        });
        assert!(reads <= busy + 1);
        let ticks = tsc.saturating_sub(timestamp);
        assert_eq!(now, system_time.wrapping_add(nanoseconds(scale, ticks)));
        let told = clock.now(now);
        assert!(told >= last);
        last = told;
        if choices.yes() {
            clock.resume(choices.long());
            assert!(clock.now(choices.long()) >= last);
            last = clock.now(0);
        }
        let _ = clock.system_time_at(choices.long());
    }
    wall_clock(input);
}

/// `((ticks << shift) * mul) >> 32`, where bits that leave 64 are lost on the way.
fn nanoseconds(scale: TscScale, ticks: u64) -> u64 {
    let shift = i32::from(scale.shift);
    let shifted = match shift {
        64.. | ..=-64 => 0,
        0..64 => (u128::from(ticks) << shift) as u64,
        _ => ticks >> -shift,
    };
    ((u128::from(shifted) * u128::from(scale.mul)) >> 32) as u64
}

fn wall_clock(input: &[u8]) {
    thread_local!(static SHARED: Box<SharedInfo> = Box::default());
    let mut choices = Choices::new(input);
    let (low, high, nanoseconds, at) = (choices.half(), choices.half(), choices.half(), choices.long());
    SHARED.with(|shared| {
        shared.wc_sec.store(low, Ordering::Relaxed);
        shared.wc_sec_hi.store(high, Ordering::Relaxed);
        shared.wc_nsec.store(nanoseconds, Ordering::Relaxed);
        let (seconds, rest) = WallClock::read(shared).at(at);
        let start = u128::from(high) << 32 | u128::from(low);
        let all = start * 1_000_000_000 + u128::from(nanoseconds) + u128::from(at);
        assert_eq!((seconds, u128::from(rest)), ((all / 1_000_000_000) as u64, all % 1_000_000_000));
    });
}
