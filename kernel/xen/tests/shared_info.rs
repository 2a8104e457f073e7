//! The shared page's layout, its event bits and its clocks.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use std::cell::Cell;
use std::mem::{offset_of, size_of};
use std::sync::atomic::Ordering::SeqCst;
use xen::Port;
use xen::evtchn::EventChannels;
use xen::pvclock::{Monotonic, TscScale, VcpuTimeInfo, WallClock};
use xen::shared_info::{ArchSharedInfo, SharedInfo, VcpuInfo};

#[test]
fn the_page_lies_as_in_the_headers() {
    assert_eq!(offset_of!(VcpuTimeInfo, version), 0);
    assert_eq!(offset_of!(VcpuTimeInfo, tsc_timestamp), 8);
    assert_eq!(offset_of!(VcpuTimeInfo, system_time), 16);
    assert_eq!(offset_of!(VcpuTimeInfo, tsc_to_system_mul), 24);
    assert_eq!(offset_of!(VcpuTimeInfo, tsc_shift), 28);
    assert_eq!(offset_of!(VcpuTimeInfo, flags), 29);
    assert_eq!(size_of::<VcpuTimeInfo>(), 32);

    assert_eq!(offset_of!(VcpuInfo, evtchn_upcall_pending), 0);
    assert_eq!(offset_of!(VcpuInfo, evtchn_upcall_mask), 1);
    assert_eq!(offset_of!(VcpuInfo, evtchn_pending_sel), 8);
    assert_eq!(offset_of!(VcpuInfo, cr2), 16);
    assert_eq!(offset_of!(VcpuInfo, time), 32);
    assert_eq!(size_of::<VcpuInfo>(), 64);

    assert_eq!(offset_of!(SharedInfo, vcpu_info), 0);
    assert_eq!(offset_of!(SharedInfo, evtchn_pending), 2048);
    assert_eq!(offset_of!(SharedInfo, evtchn_mask), 2560);
    assert_eq!(offset_of!(SharedInfo, wc_version), 3072);
    assert_eq!(offset_of!(SharedInfo, wc_sec), 3076);
    assert_eq!(offset_of!(SharedInfo, wc_nsec), 3080);
    assert_eq!(offset_of!(SharedInfo, wc_sec_hi), 3084);
    assert_eq!(offset_of!(SharedInfo, arch), 3088);
    assert_eq!(size_of::<SharedInfo>(), 3136);

    assert_eq!(offset_of!(ArchSharedInfo, max_pfn), 0);
    assert_eq!(offset_of!(ArchSharedInfo, pfn_to_mfn_frame_list_list), 8);
    assert_eq!(offset_of!(ArchSharedInfo, nmi_reason), 16);
    assert_eq!(offset_of!(ArchSharedInfo, p2m_cr3), 24);
    assert_eq!(offset_of!(ArchSharedInfo, p2m_vaddr), 32);
    assert_eq!(offset_of!(ArchSharedInfo, p2m_generation), 40);
}

#[test]
fn event_bits_are_where_the_abi_has_them() {
    let shared = SharedInfo::default();
    let channels = EventChannels::new(&shared);
    for (port, word, bit) in [(1, 0, 2), (63, 0, 1 << 63), (64, 1, 1), (4095, 63, 1 << 63)] {
        shared.evtchn_pending.0[word].store(u64::MAX, SeqCst);
        assert!(channels.clear_pending(Port(port)));
        assert_eq!(shared.evtchn_pending.0[word].load(SeqCst), !bit, "only its own bit");
        assert!(!channels.clear_pending(Port(port)));
    }
    assert!(shared.evtchn_mask.0.iter().all(|word| word.load(SeqCst) == 0));
    channels.mask_all();
    assert!(shared.evtchn_mask.0.iter().all(|word| word.load(SeqCst) == 0xFFFF_FFFF_FFFF_FFFF));
}

#[test]
fn a_port_beyond_the_abi_has_no_bit() {
    let shared = SharedInfo::default();
    shared.evtchn_pending.0.iter().for_each(|word| word.store(u64::MAX, SeqCst));
    for port in [4096, u32::MAX].map(Port) {
        assert!(!EventChannels::new(&shared).clear_pending(port));
    }
    assert!(shared.evtchn_pending.0.iter().all(|word| word.load(SeqCst) == u64::MAX));
}

/// Each line by hand: ticks, shift, multiplier (nanoseconds per shifted tick times 2^32), nanoseconds.
#[test]
fn ticks_become_nanoseconds() {
    for (ticks, shift, mul, nanoseconds) in [
        (1_000, 1, 0x8000_0000, 1_000),                  // 1 GHz: (1000 * 2) / 2
        (3_000_000_000, 0, 0x8000_0000, 1_500_000_000),  // 2 GHz: half a nanosecond a tick
        (3_000_000_000, 0, 1_431_655_765, 999_999_999),  // 3 GHz: 2^32 / 3, rounded down
        (5_000_000_000, -1, 1_717_986_918, 999_999_999), // 5 GHz: 0.4 * 2^32 for every second tick
        (600_000_000, 1, 3_579_139_413, 999_999_999),    // 600 MHz: 2^32 / 1.2 for half a tick
        (1 << 40, 0, 0xFFFF_FFFF, 1_099_511_627_520),    // 2^40 - 2^8: the product needs 72 bits
        (7, -2, 0x8000_0000, 0),                         // (7 >> 2) / 2
        (0xFFFF_FFFF_FFFF_FFFF, 0, 0x8000_0000, 0x7FFF_FFFF_FFFF_FFFF),
        (5, 64, 0x8000_0000, 0), // no such shift
        (5, -128, 0x8000_0000, 0),
    ] {
        let scale = TscScale { mul, shift };
        assert_eq!(scale.nanoseconds(ticks), nanoseconds, "{ticks} ticks, {scale:?}");
    }
}

/// A record as Xen leaves it: 2 GHz, 5 s after boot at tick 1,000.
fn record() -> VcpuTimeInfo {
    let record = VcpuTimeInfo::default();
    record.version.store(2, SeqCst);
    record.tsc_timestamp.store(1_000, SeqCst);
    record.system_time.store(5_000_000_000, SeqCst);
    record.tsc_to_system_mul.store(0x8000_0000, SeqCst);
    record
}

#[test]
fn system_time_is_the_record_plus_the_ticks_since() {
    assert_eq!(record().system_time(|| 1_000), 5_000_000_000);
    assert_eq!(record().system_time(|| 1_500), 5_000_000_250);
    assert_eq!(record().system_time(|| 999), 5_000_000_000, "a counter behind the record");
}

#[test]
fn an_update_in_between_is_read_again() {
    let record = record();
    let reads = Cell::new(0);
    let time = record.system_time(|| {
        reads.set(reads.get() + 1);
        match reads.get() {
            // An update begins while the counter is read, ...
            1 => {
                record.version.store(3, SeqCst);
                record.system_time.store(77, SeqCst);
            }
            // ... is still under way, ...
            2 => {}
            // ... and ends; what was read with it is torn.
            3 => {
                record.system_time.store(6_000_000_000, SeqCst);
                record.tsc_timestamp.store(2_000, SeqCst);
                record.version.store(4, SeqCst);
            }
            _ => {}
        }
        2_000
    });
    assert_eq!((time, reads.get()), (6_000_000_000, 4));
}

#[test]
fn the_wall_clock_is_an_offset_from_system_time() {
    let shared = SharedInfo::default();
    shared.wc_version.store(8, SeqCst);
    shared.wc_sec.store(0xFFFF_FFFF, SeqCst);
    shared.wc_nsec.store(999_999_999, SeqCst);
    shared.wc_sec_hi.store(1, SeqCst);
    let clock = WallClock::read(&shared);
    assert_eq!(clock.at(0), (0x1_FFFF_FFFF, 999_999_999));
    assert_eq!(clock.at(1), (0x2_0000_0000, 0));
    assert_eq!(clock.at(10_500_000_002), (0x2_0000_0000 + 10, 500_000_001));
}

#[test]
fn the_clock_starts_at_zero_and_never_goes_back() {
    let mut clock = Monotonic::new(7_000);
    assert_eq!(clock.now(7_000), 0);
    assert_eq!(clock.now(7_500), 500);
    assert_eq!(clock.now(7_499), 500);
    assert_eq!(clock.now(6_000), 500);
    assert_eq!(clock.backwards.get(), 2);
    assert_eq!(clock.now(7_501), 501);
    assert_eq!(clock.system_time_at(600), 7_600);
}

#[test]
fn the_clock_goes_on_after_a_restore() {
    for (before, after) in [(9_000_000, 40), (40, 9_000_000)] {
        let mut clock = Monotonic::new(before);
        assert_eq!(clock.now(before + 100), 100);
        clock.resume(after);
        assert_eq!(clock.now(after), 100);
        assert_eq!(clock.now(after + 5), 105);
        assert_eq!(clock.system_time_at(200), after + 100);
        assert_eq!(clock.backwards.get(), 0);
    }
}
