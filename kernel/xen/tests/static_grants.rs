//! Grants of static pages: holds, least recent use, and a model.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use xen::grant::{GrantFrame, GrantTable, Quarantine, StaticGrants};
use xen::{DomId, GrantRef, Mfn};

const BACKEND: DomId = DomId(0);

fn table() -> (GrantTable, &'static GrantFrame) {
    let frame: &'static GrantFrame = Box::leak(Box::new([const { AtomicU32::new(0) }; 1024]));
    let mut table = GrantTable::new();
    table.add_frame(frame);
    (table, frame)
}

/// The machine frame that a reference shows.
fn shown(frame: &GrantFrame, reference: GrantRef) -> u32 {
    frame[reference.0 as usize * 2 + 1].load(SeqCst)
}

fn map(frame: &GrantFrame, reference: GrantRef) {
    frame[reference.0 as usize * 2].fetch_or(8, SeqCst);
}

fn unmap(frame: &GrantFrame, reference: GrantRef) {
    frame[reference.0 as usize * 2].fetch_and(!8, SeqCst);
}

#[test]
fn a_page_is_granted_once_and_read_only() {
    let (mut table, frame) = table();
    let mut grants = StaticGrants::new(10, 512, 4);
    let reference = grants.hold(&mut table, BACKEND, 3, Mfn(103)).unwrap();
    assert_eq!(frame[reference.0 as usize * 2].load(SeqCst), 5);
    assert_eq!(shown(frame, reference), 103);
    assert_eq!(grants.hold(&mut table, BACKEND, 3, Mfn(103)), Some(reference));
    grants.release(reference);
    grants.release(reference);
    assert_eq!(grants.hold(&mut table, BACKEND, 3, Mfn(103)), Some(reference), "it stayed for the next time");
    assert_eq!((grants.count(), grants.counters().made.get(), table.counters().made.get()), (1, 1, 1));
    assert_eq!(grants.hold(&mut table, BACKEND, 10, Mfn(1)), None, "no such page");
}

#[test]
fn the_grant_unused_for_longest_goes_first() {
    let (mut table, frame) = table();
    let mut grants = StaticGrants::new(10, 512, 3);
    let hold = |grants: &mut StaticGrants, table: &mut GrantTable, page: usize| {
        grants.hold(table, BACKEND, page, Mfn(100 + page as u64))
    };
    let [a, b, c] = [0, 1, 2].map(|page| hold(&mut grants, &mut table, page).unwrap());
    assert_eq!(hold(&mut grants, &mut table, 3), None, "every grant is held");
    assert_eq!(grants.counters().refused.get(), 1);
    for reference in [b, a, c] {
        grants.release(reference);
    }
    hold(&mut grants, &mut table, 1).unwrap();
    grants.release(b);
    // Now a, c, b in the order of their last use.
    for (page, expected) in [(3, a), (4, c), (5, b)] {
        assert_eq!(hold(&mut grants, &mut table, page), Some(expected));
        assert_eq!(shown(frame, expected), 100 + page as u32);
    }
    assert_eq!((grants.count(), grants.counters().revoked.get()), (3, 3));
}

#[test]
fn a_full_table_makes_room_too() {
    let (mut table, _) = table();
    let mut grants = StaticGrants::new(600, 512, 600);
    for page in 0..504 {
        let reference = grants.hold(&mut table, BACKEND, page, Mfn(1)).unwrap();
        grants.release(reference);
    }
    assert_eq!(table.free(), 0);
    assert_eq!(grants.hold(&mut table, BACKEND, 504, Mfn(2)), Some(GrantRef(8)));
}

#[test]
fn a_grant_that_will_not_end_is_passed_over() {
    let (mut table, frame) = table();
    let mut grants = StaticGrants::new(10, 512, 2);
    let [a, b] = [0, 1].map(|page| grants.hold(&mut table, BACKEND, page, Mfn(100)).unwrap());
    grants.release(a);
    grants.release(b);
    map(frame, a);
    assert_eq!(grants.hold(&mut table, BACKEND, 2, Mfn(102)), Some(b));
    assert_eq!(grants.counters().still_mapped.get(), 1);
    assert_eq!(grants.hold(&mut table, BACKEND, 3, Mfn(103)), None);
    assert_eq!(shown(frame, a), 100, "the mapped page's grant stands");
    unmap(frame, a);
    assert_eq!(grants.hold(&mut table, BACKEND, 3, Mfn(103)), Some(a));
}

#[test]
fn the_end_of_a_connection_ends_all() {
    let (mut table, frame) = table();
    let mut grants = StaticGrants::new(10, 512, 4);
    let mut quarantine = Quarantine::new();
    let [held, mapped, free] = [0, 1, 2].map(|page| grants.hold(&mut table, BACKEND, page, Mfn(7)).unwrap());
    grants.release(free);
    map(frame, mapped);
    grants.end_all(&mut table, &mut quarantine);
    assert_eq!((grants.count(), quarantine.len(), table.free()), (0, 1, 503));
    assert_ne!(grants.hold(&mut table, BACKEND, 1, Mfn(7)), Some(mapped));
    unmap(frame, mapped);
    assert_eq!(quarantine.retry(&mut table), Some(()));
    grants.release(held);
    grants.release(GrantRef(9999));
    assert_eq!(grants.counters().not_held.get(), 2);
}

proptest! {
    /// A held grant shows its page until its last hold is given back, whatever else happens.
    #[test]
    fn holds_are_kept(steps in proptest::collection::vec((any::<bool>(), 0_usize..12), 0..400)) {
        let (mut table, frame) = table();
        let mut grants = StaticGrants::new(12, 512, 5);
        let mut model: HashMap<usize, (GrantRef, u32)> = HashMap::new();
        for (take, page) in steps {
            if take {
                match grants.hold(&mut table, BACKEND, page, Mfn(1000 + page as u64)) {
                    Some(reference) => {
                        let held = model.entry(page).or_insert((reference, 0));
                        prop_assert_eq!(held.0, reference);
                        held.1 += 1;
                    }
                    None => prop_assert_eq!(model.len(), 5, "refused although a grant was free"),
                }
            } else if let Some(held) = model.get_mut(&page) {
                grants.release(held.0);
                held.1 -= 1;
                if held.1 == 0 {
                    model.remove(&page);
                }
            }
            prop_assert!(grants.count() <= 5);
            for (page, (reference, _)) in &model {
                prop_assert_eq!(shown(frame, *reference), 1000 + *page as u32);
            }
        }
        prop_assert_eq!(grants.counters().not_held.get(), 0);
        prop_assert_eq!(table.free() + grants.count(), 504);
    }
}
