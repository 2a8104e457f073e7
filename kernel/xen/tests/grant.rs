//! The grant table against Xen's protocol, with Xen's part played by the test.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use proptest::prelude::*;
use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use xen::grant::setup::{QuerySize, SetupTable};
use xen::grant::{Access, Active, EndError, GrantError, GrantFrame, GrantTable, Quarantine};
use xen::{DomId, GrantRef, Mfn};

fn frame() -> &'static GrantFrame {
    Box::leak(Box::new([const { AtomicU32::new(0) }; 1024]))
}

/// A table of one frame, and the frame.
fn table() -> (GrantTable, &'static GrantFrame) {
    let frame = frame();
    let mut table = GrantTable::new();
    table.add_frame(frame);
    (table, frame)
}

/// The bytes of an entry as Xen reads them.
fn entry(frame: &GrantFrame, reference: GrantRef) -> [u8; 8] {
    let word = reference.0 as usize * 2;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&frame[word].load(SeqCst).to_ne_bytes());
    bytes[4..].copy_from_slice(&frame[word + 1].load(SeqCst).to_ne_bytes());
    bytes
}

/// Xen marks an entry as in use (`GTF_reading` is 8, `GTF_writing` is 16).
fn map(frame: &GrantFrame, reference: GrantRef, bits: u32) {
    frame[reference.0 as usize * 2].fetch_or(bits, SeqCst);
}

fn unmap(frame: &GrantFrame, reference: GrantRef) {
    frame[reference.0 as usize * 2].fetch_and(!24, SeqCst);
}

#[test]
fn entries_are_grant_entry_v1() {
    let (mut table, frame) = table();
    let write = table.grant(DomId(0x0102), Mfn(0x0A0B_0C0D), Access::ReadWrite).unwrap();
    assert_eq!(entry(frame, write), [1, 0, 0x02, 0x01, 0x0D, 0x0C, 0x0B, 0x0A]);
    let read = table.grant(DomId(0), Mfn(7), Access::ReadOnly).unwrap();
    assert_eq!(entry(frame, read), [5, 0, 0, 0, 7, 0, 0, 0]);
    table.end(write).unwrap();
    assert_eq!(entry(frame, write)[..4], [0, 0, 0, 0]);
}

#[test]
fn arguments_lie_as_in_grant_table_h() {
    assert_eq!(offset_of!(SetupTable, dom), 0);
    assert_eq!(offset_of!(SetupTable, nr_frames), 4);
    assert_eq!(offset_of!(SetupTable, status), 8);
    assert_eq!(offset_of!(SetupTable, frame_list), 16);
    assert_eq!(size_of::<SetupTable>(), 24);
    assert_eq!(offset_of!(QuerySize, dom), 0);
    assert_eq!(offset_of!(QuerySize, nr_frames), 4);
    assert_eq!(offset_of!(QuerySize, max_nr_frames), 8);
    assert_eq!(offset_of!(QuerySize, status), 12);
    assert_eq!(size_of::<QuerySize>(), 16);
    assert_eq!(DomId::SELF.0, 0x7FF0);
}

#[test]
fn reserved_references_are_never_given() {
    let (mut table, frame) = table();
    assert_eq!(table.free(), 504);
    for expected in 8..512 {
        assert_eq!(table.grant(DomId(0), Mfn(1), Access::ReadOnly), Ok(GrantRef(expected)));
    }
    assert_eq!(table.grant(DomId(0), Mfn(1), Access::ReadOnly), Err(GrantError::Exhausted));
    assert_eq!(table.counters().exhausted.get(), 1);
    assert!((0..8).all(|reference| entry(frame, GrantRef(reference)) == [0; 8]));
    assert_eq!(table.end(GrantRef(1)), Err(EndError::NotGranted(GrantRef(1))));
}

#[test]
fn entries_in_use_at_start_are_left_alone() {
    let frame = frame();
    frame[0].store(1, SeqCst); // the toolstack's console grant
    frame[20 * 2].store(5, SeqCst); // what a boot loader left
    frame[21 * 2].store(5, SeqCst);
    let mut table = GrantTable::new();
    table.add_frame(frame);
    assert_eq!(table.free(), 502);
    assert_eq!(table.counters().in_use_at_start.get(), 2, "the toolstack's own is not counted");
    while let Ok(reference) = table.grant(DomId(0), Mfn(1), Access::ReadOnly) {
        assert!(![GrantRef(20), GrantRef(21)].contains(&reference));
    }
}

#[test]
fn a_mapped_grant_does_not_end() {
    for bits in [8, 16, 24] {
        let (mut table, frame) = table();
        let reference = table.grant(DomId(3), Mfn(9), Access::ReadWrite).unwrap();
        let free = table.free();
        map(frame, reference, bits);
        assert_eq!(table.end(reference), Err(EndError::StillMapped(reference)));
        assert_eq!(table.free(), free, "the reference is not free");
        assert_eq!(entry(frame, reference)[0], 1 | bits as u8, "the entry stands");
        assert_eq!(table.counters().still_mapped.get(), 1);
        unmap(frame, reference);
        assert_eq!(table.end(reference), Ok(()));
        assert_eq!(table.free(), free + 1);
    }
}

#[test]
fn a_grant_ends_once() {
    let (mut table, _) = table();
    let reference = table.grant(DomId(0), Mfn(1), Access::ReadOnly).unwrap();
    table.end(reference).unwrap();
    assert_eq!(table.end(reference), Err(EndError::NotGranted(reference)));
    assert_eq!(table.end(GrantRef(512)), Err(EndError::NotGranted(GrantRef(512))));
    assert_eq!(table.end(GrantRef(u32::MAX)), Err(EndError::NotGranted(GrantRef(u32::MAX))));
    assert_eq!(table.free(), 504, "a second end does not free it twice");
    assert_eq!(table.counters().not_granted.get(), 3);
}

#[test]
fn a_frame_above_16_tib_is_refused() {
    let (mut table, _) = table();
    assert!(table.grant(DomId(0), Mfn(0xFFFF_FFFF), Access::ReadOnly).is_ok());
    let high = Mfn(0x1_0000_0000);
    assert_eq!(table.grant(DomId(0), high, Access::ReadOnly), Err(GrantError::FrameTooHigh(high)));
    assert_eq!((table.counters().frame_too_high.get(), table.free()), (1, 503));
}

#[test]
fn a_second_frame_brings_512_references() {
    let (mut table, first) = table();
    while table.grant(DomId(0), Mfn(1), Access::ReadOnly).is_ok() {}
    let second = frame();
    table.add_frame(second);
    assert_eq!((table.frames(), table.free()), (2, 512));
    let reference = table.grant(DomId(0), Mfn(2), Access::ReadOnly).unwrap();
    assert_eq!(reference, GrantRef(512));
    assert_eq!(second[1].load(SeqCst), 2);
    assert_eq!(first[1].load(SeqCst), 0);
    table.end(reference).unwrap();
}

#[test]
fn active_grants_are_those_to_the_peer() {
    let (mut table, frame) = table();
    frame[2].store(1, SeqCst); // reserved, to domain 0
    let mine = table.grant(DomId(0), Mfn(5), Access::ReadOnly).unwrap();
    table.grant(DomId(4), Mfn(6), Access::ReadWrite).unwrap();
    map(frame, mine, 8);
    let active: Vec<Active> = table.active(DomId(0)).collect();
    assert_eq!(active, [Active { reference: mine, frame: Mfn(5), access: Access::ReadOnly, mapped: true }]);
}

#[test]
fn a_renewed_table_is_whole_again() {
    let (mut table, frame) = table();
    let old = table.grant(DomId(0), Mfn(5), Access::ReadOnly).unwrap();
    for word in frame {
        word.store(0, SeqCst);
    }
    assert!(table.lose());
    table.renew();
    assert_eq!(table.free(), 504);
    assert_eq!(table.end(old), Err(EndError::NotGranted(old)));
}

/// The old domain goes on as if it had been restored: what its backend still maps must not be used for anything else.
#[test]
fn a_table_with_grants_in_it_is_not_lost() {
    let (mut table, frame) = table();
    let mapped = table.grant(DomId(0), Mfn(5), Access::ReadWrite).unwrap();
    let free = table.grant(DomId(0), Mfn(6), Access::ReadOnly).unwrap();
    map(frame, mapped, 16);
    assert!(!table.lose());
    assert_eq!(table.end(mapped), Err(EndError::StillMapped(mapped)));
    assert_eq!(table.end(free), Ok(()));
    table.renew();
    assert_eq!((table.free(), table.counters().in_use_at_start.get()), (503, 0));
    assert_eq!(table.end(mapped), Err(EndError::StillMapped(mapped)));
    unmap(frame, mapped);
    assert_eq!(table.end(mapped), Ok(()));
    assert_eq!(table.free(), 504);
}

/// After a restore: what the old host's backend mapped is nobody's, and the new table's entries stay as they are.
#[test]
fn the_grants_of_a_lost_table_end_at_once() {
    let (mut table, frame) = table();
    let mapped = table.grant(DomId(0), Mfn(5), Access::ReadWrite).unwrap();
    map(frame, mapped, 16);
    assert_eq!(table.end(mapped), Err(EndError::StillMapped(mapped)));
    for word in frame {
        word.store(0, SeqCst);
    }
    assert!(table.lose());
    assert_eq!(table.grant(DomId(0), Mfn(6), Access::ReadOnly), Err(GrantError::Exhausted));
    assert_eq!(table.end(mapped), Ok(()));
    assert!(frame.iter().all(|word| word.load(SeqCst) == 0));
    assert_eq!(table.free(), 0, "no reference is given out before the new table is looked at");
    table.renew();
    assert_eq!(table.free(), 504);
    assert_eq!(table.end(mapped), Err(EndError::NotGranted(mapped)));
}

#[test]
fn quarantine_gives_a_page_back_once_it_is_unmapped() {
    let (mut table, frame) = table();
    let mut quarantine = Quarantine::new();
    for page in ["first", "second"] {
        let reference = table.grant(DomId(0), Mfn(1), Access::ReadWrite).unwrap();
        map(frame, reference, 16);
        assert!(table.end(reference).is_err());
        quarantine.hold(reference, page);
    }
    assert_eq!(quarantine.retry(&mut table), None);
    assert_eq!(quarantine.len(), 2);
    unmap(frame, GrantRef(8));
    assert_eq!(quarantine.retry(&mut table), None, "the second's turn");
    assert_eq!(quarantine.retry(&mut table), Some("first"));
    assert_eq!(quarantine.retry(&mut table), None);
    unmap(frame, GrantRef(9));
    assert_eq!(quarantine.retry(&mut table), Some("second"));
    assert!(quarantine.is_empty());
    assert_eq!(table.free(), 504);
}

proptest! {
    /// No reference stands for two grants, whatever the backend maps and whenever; nothing is lost.
    #[test]
    fn references_are_never_shared(steps in proptest::collection::vec((0_u8..4, 0_usize..40), 0..300)) {
        let (mut table, frame) = table();
        let mut live: Vec<(GrantRef, u32)> = Vec::new();
        for (number, (action, index)) in (1..).zip(steps) {
            let chosen = live.get(index % live.len().max(1)).copied();
            match (action, chosen) {
                (0, _) => {
                    let reference = table.grant(DomId(1), Mfn(u64::from(number)), Access::ReadWrite).unwrap();
                    prop_assert!(live.iter().all(|(other, _)| *other != reference));
                    live.push((reference, number));
                }
                (1, Some((reference, _))) => map(frame, reference, 16),
                (2, Some((reference, _))) => unmap(frame, reference),
                (3, Some((reference, _))) => {
                    let mapped = entry(frame, reference)[0] & 24 != 0;
                    prop_assert_eq!(table.end(reference).is_err(), mapped);
                    if !mapped {
                        live.retain(|(other, _)| *other != reference);
                    }
                }
                _ => {}
            }
            for (reference, number) in &live {
                prop_assert_eq!(&entry(frame, *reference)[4..], number.to_le_bytes());
            }
            prop_assert_eq!(table.free() + live.len(), 504);
            prop_assert_eq!(table.active(DomId(1)).count(), live.len());
        }
    }
}
