#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
use super::*;
use alloc::vec;
use core::net::Ipv4Addr;

const START: Instant = Instant::from_micros(1_000_000_000);
const MAC: Address = Address([2, 0, 0, 0, 0, 9]);

fn at(seconds: u64) -> Instant {
    START + Duration::from_secs(seconds)
}

fn ip(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

fn asks(table: &mut Neighbours, now: Instant) -> Vec<Ask> {
    let mut asks = Vec::new();
    table.poll(now, |ask| asks.push(ask));
    asks
}

#[test]
fn the_first_frame_waits_for_the_answer() {
    let mut table = Neighbours::default();
    assert_eq!(table.lookup(ip(1), at(0)), Lookup::Wait { ask: true });
    assert!(table.hold(ip(1), vec![1].into()));
    assert_eq!(table.lookup(ip(1), at(0)), Lookup::Wait { ask: false });
    assert!(table.hold(ip(1), vec![2].into()));
    let held = table.heard(ip(1), MAC, true, at(0));
    assert_eq!(held, [Box::from([1]), Box::from([2])]);
    assert_eq!(table.lookup(ip(1), at(0)), Lookup::Known(MAC));
    assert!(table.heard(ip(1), MAC, true, at(0)).is_empty());
}

#[test]
fn three_asks_a_second_apart_then_three_seconds_of_silence() {
    let mut table = Neighbours::default();
    table.lookup(ip(1), at(0));
    table.hold(ip(1), vec![1].into());
    let everybody = [Ask { neighbour: ip(1), at: None }];
    assert_eq!(table.next_deadline(), Some(at(1)));
    assert_eq!(asks(&mut table, at(0)), []);
    assert_eq!(asks(&mut table, at(1)), everybody);
    assert_eq!(asks(&mut table, at(2)), everybody);
    assert_eq!(table.poll(at(3), |ask| panic!("{ask:?}")), 1, "the held frame is lost");
    assert_eq!(table.next_deadline(), None);
    assert_eq!(table.lookup(ip(1), at(5)), Lookup::Failed);
    assert_eq!(table.lookup(ip(1), at(6)), Lookup::Wait { ask: true });
    assert_eq!(table.held_bytes, 0);
}

#[test]
fn after_a_minute_a_neighbour_is_asked_at_its_address_and_still_sent_to() {
    let mut table = Neighbours::default();
    table.heard(ip(1), MAC, true, at(0));
    assert_eq!(table.lookup(ip(1), at(59)), Lookup::Known(MAC));
    assert_eq!(table.lookup(ip(1), at(60)), Lookup::Confirm(MAC));
    assert_eq!(table.lookup(ip(1), at(60)), Lookup::Known(MAC));
    assert_eq!(asks(&mut table, at(61)), [Ask { neighbour: ip(1), at: Some(MAC) }]);
    assert_eq!(asks(&mut table, at(62)), [Ask { neighbour: ip(1), at: Some(MAC) }]);
    assert_eq!(asks(&mut table, at(63)), [Ask { neighbour: ip(1), at: None }]);
    assert_eq!(table.lookup(ip(1), at(63)), Lookup::Wait { ask: false });
    let moved = Address([2, 0, 0, 0, 0, 10]);
    table.heard(ip(1), moved, false, at(63));
    assert_eq!(table.lookup(ip(1), at(63)), Lookup::Known(moved));
    assert_eq!(table.unanswered, 0);
}

#[test]
fn what_is_said_to_others_makes_no_entry() {
    let mut table = Neighbours::default();
    table.heard(ip(1), MAC, false, at(0));
    assert_eq!(table.lookup(ip(1), at(0)), Lookup::Wait { ask: true });
}

#[test]
fn frames_that_wait_are_bounded() {
    let mut table = Neighbours::default();
    table.lookup(ip(1), at(0));
    for n in 0..4_u8 {
        assert!(table.hold(ip(1), vec![n].into()));
    }
    assert!(!table.hold(ip(1), vec![4].into()));
    assert!(!table.hold(ip(2), vec![4].into()), "nobody asked for it");
    for n in 2..=44 {
        table.lookup(ip(n), at(0));
        assert!(table.hold(ip(n), vec![0; 1500].into()), "{n}");
    }
    table.lookup(ip(45), at(0));
    assert!(!table.hold(ip(45), vec![0; 1500].into()), "43 times 1,500 bytes are the most in 65,536");
}

#[test]
fn a_flood_of_lookups_evicts_only_the_unanswered() {
    let mut table = Neighbours::default();
    for n in 0..200 {
        table.heard(ip(n), MAC, true, at(0));
        table.lookup(ip(n), at(0));
    }
    for n in 1_000..100_000 {
        assert_eq!(table.lookup(ip(n), at(1)), Lookup::Wait { ask: true });
        table.hold(ip(n), vec![0; 60].into());
    }
    assert_eq!(table.entries.len(), 200 + 256);
    assert!(table.held_bytes <= 65_536);
    assert_eq!(table.unanswered, 256);
    for n in 0..200 {
        assert_eq!(table.lookup(ip(n), at(1)), Lookup::Known(MAC));
    }
}

#[test]
fn a_flood_of_requests_evicts_neither_routers_nor_those_in_use() {
    let mut table = Neighbours::default();
    table.set_routers(vec![ip(7)]);
    table.heard(ip(7), MAC, true, at(0));
    for n in 100..400 {
        table.heard(ip(n), MAC, true, at(1));
        table.lookup(ip(n), at(1));
    }
    for n in 1_000..10_000 {
        table.heard(ip(n), MAC, true, at(2));
    }
    assert_eq!(table.entries.len(), 512);
    assert_eq!(table.lookup(ip(7), at(2)), Lookup::Known(MAC));
    for n in 100..400 {
        assert_eq!(table.lookup(ip(n), at(2)), Lookup::Known(MAC));
    }
}

#[test]
fn a_table_of_neighbours_in_use_takes_no_more_until_one_is_idle() {
    let mut table = Neighbours::default();
    for n in 0..512 {
        table.heard(ip(n), MAC, true, at(0));
        table.lookup(ip(n), at(0));
    }
    assert_eq!(table.lookup(ip(600), at(119)), Lookup::Full);
    assert_eq!(table.lookup(ip(600), at(121)), Lookup::Wait { ask: true });
}
