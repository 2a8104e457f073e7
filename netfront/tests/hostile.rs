//! A backend that breaks the protocol: the device stops, says why once, gives back all it can, and can connect again.
//! It never panics and never leaks.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::{Change, Microseconds, Sizes};
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice};
use netfront::handshake::Phase;
use netfront::sim::{ALL_FEATURES, Backend, Random, Rig};
use std::sync::atomic::{AtomicBool, Ordering};
use xen::netif::{Extra, ExtraInfo, RxResponse, rxf, status};

const SIZES: Sizes = Sizes { transmit: 12, receive: 64 };
const HEADER: [u8; 54] = [0x11; 54];
const LARGE: Offload = Offload {
    checksum: Some(PartialChecksum { start: 34, offset: 16 }),
    gso: Some(Gso { size: 1448, kind: GsoKind::TcpV4 }),
};

fn count(rig: &Rig, name: &str) -> u64 {
    rig.device.counters().iter().find(|(known, _)| *known == name).unwrap().1
}

/// Polls until nothing is left to do, and gives what came in.
fn drain(rig: &mut Rig) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    loop {
        let (polled, more) = rig.poll();
        frames.extend(more);
        if !polled.more {
            return frames;
        }
    }
}

/// The backend lets go of all, closes and starts again; the device follows, once its patience allows.
fn reconnect(rig: &mut Rig) {
    rig.backend.unmap();
    rig.store.set_back("state", "6");
    rig.control();
    rig.now = rig.device.deadline().unwrap_or(rig.now);
    rig.control();
    rig.nothing_is_left();
    rig.store.set_back("state", "2");
    rig.control();
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
    assert_eq!(rig.device.problem(), None);
    rig.backend.receive(&[7; 60], 0);
    assert_eq!(drain(rig), [[7; 60]]);
    nothing_is_missing(rig);
}

/// Every page, block and id of the first connection is there in the next one.
fn nothing_is_missing(rig: &mut Rig) {
    rig.backend.take_pages();
    let mut ids: Vec<_> = rig.backend.pages.iter().map(|page| page.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 64, "pages to receive into");
    assert_eq!(rig.machine.world().grants(), 12 + 64 + 2);
    for _ in 0..24 {
        rig.transmit(&HEADER, &[], Offload::default()).unwrap();
    }
    assert!(rig.transmit(&HEADER, &[], Offload::default()).is_err(), "12 pages of two blocks");
    assert_eq!(rig.device.in_flight(), 24);
    let _ = rig.flush();
    let mut ids: Vec<_> = rig.backend.transmit().iter().map(|(packet, _)| packet.fragments[0].id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..24).collect::<Vec<_>>());
    drain(rig);
    assert_eq!(rig.device.in_flight(), 0);
}

/// The lie is found, said, counted, and survived.
#[track_caller]
fn caught(rig: &mut Rig, problem: &str) {
    let lies = count(rig, "net_lies");
    drain(rig);
    assert_eq!(rig.device.problem(), Some(format!("the backend broke the protocol: {problem}").as_str()));
    assert_eq!(count(rig, "net_lies"), lies + 1);
    assert!(rig.transmit(&HEADER, &[], Offload::default()).is_err(), "down at once");
    assert_eq!(rig.device.deadline(), Some(Microseconds(0)), "the store is to be told");
    assert_eq!(rig.control(), Change::Down);
    assert_eq!(rig.device.phase(), Phase::Closing);
    assert_eq!(rig.store.front("state").as_deref(), Some("5"));
    reconnect(rig);
}

#[test]
fn the_transmit_index_jumps() {
    for ahead in [1, 2, 255, 256, 257, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        rig.backend.tx.claim(ahead);
        caught(&mut rig, &format!("transmit ring: rsp_prod {ahead} with 0 requests open at 0"));
    }
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.transmit(&HEADER, &[], Offload::default()).unwrap();
    // Queued and not shown: an answer to it cannot be.
    rig.backend.tx.claim(1);
    let _ = drain(&mut rig);
    assert_eq!(count(&rig, "net_lies"), 1);
}

#[test]
fn the_receive_index_jumps() {
    for ahead in [65, 256, 257, 0x8000_0000, u32::MAX] {
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        rig.backend.rx.claim(ahead);
        caught(&mut rig, &format!("receive ring: rsp_prod {ahead} with 64 requests open at 0"));
    }
}

#[test]
fn transmit_responses_nobody_waits_for() {
    let site = vec![9; 20_000].leak();
    for id in [0, 1, 7, 22, 24, 30, 300, 0xffff] {
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        rig.machine.world().site.push(site);
        rig.transmit(&HEADER, &[Slice::Static(site)], LARGE).unwrap();
        let _ = rig.flush();
        let packet = rig.backend.take_packet().unwrap();
        assert!(packet.fragments.len() >= 6);
        if packet.fragments.iter().any(|fragment| fragment.id == id) {
            // In flight once: the second answer is the lie.
            rig.backend.respond_tx(id, status::OKAY);
        }
        rig.backend.respond_tx(id, status::OKAY);
        rig.backend.push_tx();
        caught(&mut rig, &format!("transmit response with id {id}, which is not in flight"));
    }
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.transmit(&HEADER, &[], Offload::default()).unwrap();
    let _ = rig.flush();
    rig.backend.respond_tx(0, status::NULL);
    rig.backend.push_tx();
    caught(&mut rig, "empty transmit response with no extra-info slot in flight");
}

#[test]
fn receive_responses_that_cannot_be() {
    let honest = RxResponse { id: 0, offset: 0, flags: 0, status: 60 };
    let bounds = |offset, size| format!("{size} bytes received at offset {offset} of a page of 4096");
    let table = [
        (RxResponse { id: 1, ..honest }, "receive response with id 1 where 0 was asked for".into()),
        (RxResponse { id: 256, ..honest }, "receive response with id 256 where 0 was asked for".into()),
        (RxResponse { id: 0xffff, ..honest }, "receive response with id 65535 where 0 was asked for".into()),
        (RxResponse { status: 4097, ..honest }, bounds(0, 4097)),
        (RxResponse { offset: 4037, ..honest }, bounds(4037, 60)),
        (RxResponse { offset: 0xffff, status: 0x7fff, ..honest }, bounds(65_535, 32_767)),
        (RxResponse { offset: 4097, status: 0, ..honest }, bounds(4097, 0)),
    ];
    for (response, problem) in table {
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        rig.backend.take_pages();
        rig.backend.respond_rx(response);
        rig.backend.push_rx();
        caught(&mut rig, &problem);
    }
}

#[test]
fn bytes_up_to_the_pages_end_are_no_lie() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.take_pages();
    rig.backend.receive_slot(4036, &[3; 60], 0);
    rig.backend.receive_slot(0, &[4; 4096], 0);
    rig.backend.push_rx();
    assert_eq!(drain(&mut rig), [vec![3; 60], vec![4; 4096]]);
}

#[test]
fn extra_info_without_end() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.take_pages();
    rig.backend.receive_slot(0, &[3; 60], rxf::EXTRA_INFO);
    for _ in 0..5 {
        rig.backend.receive_extra(ExtraInfo { extra: Extra::Gso { size: 1448, kind: 1 }, more: true });
    }
    rig.backend.push_rx();
    caught(&mut rig, "more extra-info slots than there are types");
}

#[test]
fn a_gso_slot_is_taken_and_another_type_costs_the_frame() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.take_pages();
    for (extra, more_data) in [
        (Extra::Gso { size: 1448, kind: 1 }, true),
        (Extra::Gso { size: 1, kind: 2 }, false),
        (Extra::Other(4), true),
    ] {
        let more = if more_data { rxf::MORE_DATA } else { 0 };
        rig.backend.receive_slot(0, &[1; 100], rxf::EXTRA_INFO | rxf::CSUM_BLANK | more);
        rig.backend.receive_extra(ExtraInfo { extra, more: false });
        if more_data {
            rig.backend.receive_slot(8, &[2; 100], 0);
        }
    }
    rig.backend.receive_slot(0, &[5; 60], 0);
    rig.backend.push_rx();
    let long: Vec<u8> = [[1; 100], [2; 100]].concat();
    assert_eq!(drain(&mut rig), [long, vec![1; 100], vec![5; 60]]);
    assert_eq!((count(&rig, "net_rx_joined"), count(&rig, "net_rx_extra")), (2, 1));
}

#[test]
fn a_frame_has_eighteen_slots_at_most() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.take_pages();
    for slots in [18, 19, 64 - 18 - 19] {
        for slot in 1..=slots {
            rig.backend.receive_slot(0, &[slot as u8; 4096], if slot < slots { rxf::MORE_DATA } else { 0 });
        }
    }
    rig.backend.push_rx();
    assert_eq!(drain(&mut rig).iter().map(Vec::len).collect::<Vec<_>>(), [18 * 4096]);
    assert_eq!(count(&rig, "net_rx_slots"), 2);
    rig.backend.receive(&[6; 60], 0);
    assert_eq!(drain(&mut rig), [[6; 60]], "and the ring goes on");
}

#[test]
fn a_chain_that_never_ends_holds_nothing_up_for_ever() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    for _ in 0..1000 {
        rig.backend.take_pages();
        rig.backend.receive_slot(0, &[1; 4096], rxf::MORE_DATA);
        rig.backend.push_rx();
        assert_eq!(drain(&mut rig), [[0; 0]; 0]);
    }
    assert_eq!(count(&rig, "net_rx_slots"), 1);
    reconnect_cleanly(&mut rig);
}

/// The backend closes as it should.
fn reconnect_cleanly(rig: &mut Rig) {
    rig.store.set_back("state", "5");
    reconnect(rig);
}

#[test]
fn errors_and_runts_are_dropped() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.take_pages();
    for status in [status::ERROR, status::DROPPED, i16::MIN] {
        let page = rig.backend.pages.pop_front().unwrap();
        rig.backend.respond_rx(RxResponse { id: page.id, offset: 0, flags: 0, status });
    }
    rig.backend.receive_slot(0, &[1; 13], 0);
    rig.backend.receive_slot(0, &[], 0);
    rig.backend.receive_slot(0, &[2; 10], rxf::MORE_DATA);
    rig.backend.receive_slot(0, &[3; 3], 0);
    // An error in the middle spoils the whole frame, and counts once.
    rig.backend.receive_slot(0, &[2; 4096], rxf::MORE_DATA);
    for flags in [rxf::MORE_DATA, 0] {
        let page = rig.backend.pages.pop_front().unwrap();
        rig.backend.respond_rx(RxResponse { id: page.id, offset: 0, flags, status: -1 });
    }
    rig.backend.receive_slot(0, &[4; 14], 0);
    rig.backend.push_rx();
    assert_eq!(drain(&mut rig), [[4; 14]]);
    assert_eq!((count(&rig, "net_rx_backend_error"), count(&rig, "net_rx_short")), (4, 3));
    for status in [status::ERROR, status::DROPPED, 77] {
        rig.transmit(&HEADER, &[], Offload::default()).unwrap();
        let _ = rig.flush();
        let packet = rig.backend.take_packet().unwrap();
        rig.backend.respond_tx(packet.fragments[0].id, status);
        rig.backend.push_tx();
        drain(&mut rig);
    }
    assert_eq!((count(&rig, "net_tx_backend_error"), count(&rig, "net_tx_backend_dropped")), (2, 1));
    assert_eq!(rig.device.in_flight(), 0);
}

/// MSA02: a page whose grant does not end is neither read nor given to anybody, and comes back when the backend lets
/// go.
#[test]
fn a_page_that_the_backend_keeps_is_kept_apart() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let pages = rig.machine.world().pages;
    rig.backend.take_pages();
    let kept = rig.backend.pages[0].gref;
    rig.machine.world().map(kept);
    rig.backend.receive_slot(0, &[1; 60], 0);
    rig.backend.receive_slot(0, &[2; 60], 0);
    rig.backend.push_rx();
    assert_eq!(drain(&mut rig), [[2; 60]]);
    assert_eq!((rig.device.quarantined(), count(&rig, "net_rx_quarantined")), (1, 1));
    assert_eq!(rig.machine.world().pages, pages + 1, "another was posted in its place");
    assert!(rig.machine.world().write(kept, 0, &[9; 4096]), "it is still the backend's");
    rig.machine.world().unmap(kept);
    drain(&mut rig);
    assert_eq!((rig.device.quarantined(), rig.machine.world().pages), (0, pages));
    assert_eq!(rig.machine.world().secrets_kept, 0);
    reconnect_cleanly(&mut rig);
}

/// No page is left to receive into, and none to be had: when they are let go, the ring is full again and the backend hears
/// of it.
#[test]
fn a_starved_ring_is_filled_again() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let pages = rig.machine.world().pages;
    rig.machine.world().pages_max = Some(pages);
    rig.backend.take_pages();
    let kept: Vec<_> = rig.backend.pages.iter().map(|page| page.gref).collect();
    for page in &kept {
        rig.machine.world().map(*page);
        rig.backend.receive_slot(0, &[1; 60], 0);
    }
    rig.backend.push_rx();
    assert_eq!(drain(&mut rig), [[0; 0]; 0]);
    assert_eq!((rig.device.posted(), rig.device.quarantined(), rig.device.problem()), (0, 64, None));
    assert!(count(&rig, "net_rx_unposted") > 0 && rig.device.is_starved());
    assert!(!rig.backend.rx.final_check(), "the backend sleeps until there are pages");
    let events = rig.machine.world().receive_events;
    for page in kept {
        rig.machine.world().unmap(page);
    }
    assert_eq!(drain(&mut rig), [[0; 0]; 0]);
    assert_eq!((rig.device.posted(), rig.device.quarantined(), rig.device.is_starved()), (64, 0, false));
    assert_eq!(rig.machine.world().receive_events, events + 1);
    rig.backend.receive(&[7; 60], 0);
    assert_eq!(drain(&mut rig), [[7; 60]]);
    reconnect_cleanly(&mut rig);
}

#[test]
fn a_backend_that_keeps_every_page_is_stopped() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let mut kept = Vec::new();
    while rig.device.problem().is_none() {
        rig.backend.take_pages();
        let page = rig.backend.pages[0].gref;
        rig.machine.world().map(page);
        kept.push(page);
        rig.backend.receive_slot(0, &[1; 60], 0);
        rig.backend.push_rx();
        drain(&mut rig);
        assert!(kept.len() <= 78, "an epoch's pages: 12 and 64 and the rings");
    }
    assert_eq!(rig.device.problem(), Some("the backend broke the protocol: too many pages are never let go"));
    // It goes, and keeps what it has: no new connection is risked, and nothing grows.
    rig.control();
    rig.backend.unmap();
    for _ in 0..10 {
        rig.store.set_back("state", "6");
        rig.now = Microseconds(rig.now.0 + 100_000_000);
        rig.control();
        rig.store.set_back("state", "2");
        rig.control();
        assert_eq!(rig.device.problem(), Some("backends still map too many pages of earlier connections"));
        assert_eq!((rig.device.quarantined(), rig.machine.world().pages), (78, 78));
    }
    for page in kept {
        rig.machine.world().unmap(page);
    }
    rig.now = rig.device.deadline().unwrap();
    rig.control();
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
}

#[test]
fn transmit_pages_and_rings_that_are_kept_come_back_later() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.transmit(&HEADER, &[], Offload::default()).unwrap();
    let _ = rig.flush();
    let packet = rig.backend.take_packet().unwrap();
    rig.machine.world().map(packet.fragments[0].gref);
    // It says that it is closing, and maps the rings and a page all the same.
    rig.store.set_back("state", "5");
    assert_eq!(rig.control(), Change::Down);
    assert_eq!((rig.device.quarantined(), rig.machine.world().grants()), (3, 3));
    assert_eq!(rig.backend.read_packet(&packet), HEADER, "its bytes are as they were");
    rig.machine.world().unmap(packet.fragments[0].gref);
    // It asks by itself whether they are free now.
    rig.now = rig.device.deadline().unwrap();
    rig.control();
    assert_eq!((rig.device.quarantined(), rig.device.in_flight()), (2, 0));
    reconnect(&mut rig);
    assert_eq!(rig.device.deadline(), None);
}

#[test]
fn lies_make_the_device_wait_longer_each_time() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    for wait in [1, 2, 4, 8, 16, 32, 64, 64] {
        rig.backend.tx.claim(99);
        drain(&mut rig);
        rig.control();
        rig.backend.unmap();
        rig.store.set_back("state", "6");
        rig.control();
        assert_eq!(rig.device.phase(), Phase::Closed);
        assert_eq!(rig.device.deadline(), Some(Microseconds(rig.now.0 + wait * 1_000_000)));
        reconnect_after(&mut rig);
    }
    // A connection that lasts makes up for it.
    rig.now = Microseconds(rig.now.0 + 60_000_000);
    rig.backend.tx.claim(99);
    drain(&mut rig);
    rig.control();
    rig.backend.unmap();
    rig.store.set_back("state", "6");
    rig.control();
    assert_eq!(rig.device.deadline(), Some(Microseconds(rig.now.0 + 1_000_000)));
}

fn reconnect_after(rig: &mut Rig) {
    rig.now = rig.device.deadline().unwrap();
    rig.control();
    assert_eq!(rig.store.front("state").as_deref(), Some("1"));
    rig.store.set_back("state", "2");
    rig.control();
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
}

/// Every word of both rings changes all the time, from another thread: what was judged is what is used.
#[test]
fn rings_that_change_while_they_are_read() {
    let mut lies = 0;
    for round in 0..40 {
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        let site = rig.site(vec![7; 70_000]);
        let rings = ["tx-ring-ref", "rx-ring-ref"].map(|key| {
            let grant = rig.store.front_number(key);
            rig.machine.world().ring(grant).unwrap()
        });
        let stop = AtomicBool::new(false);
        let mut random = Random::new(round);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let ring = rings[random.below(0..2)];
                    // Small numbers often, so that indices and ids are possible.
                    let value = random.number() as u32 & if random.one_in(2) { 0x3f } else { 0xffff_ffff };
                    ring[random.below(0..1024)].store(value, Ordering::Release);
                    ring[2].store(value & 7, Ordering::Release);
                }
            });
            for _ in 0..200 {
                let _ = rig.transmit(&HEADER, &[Slice::Static(&site[..20_000])], LARGE);
                let _ = rig.flush();
                rig.poll();
            }
            stop.store(true, Ordering::Relaxed);
        });
        rig.control();
        rig.backend.unmap();
        rig.store.unplug();
        rig.control();
        rig.nothing_is_left();
        lies += count(&rig, "net_lies");
    }
    assert!(lies <= 40, "one a connection at most");
}

/// Anything at all in the rings and in the store.
#[test]
fn noise_neither_panics_nor_leaks() {
    let seeds = match std::env::var("NETFRONT_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => 1..=300,
    };
    let mut lies = 0;
    for seed in seeds {
        println!("NETFRONT_SEED={seed}");
        lies += noise(seed);
    }
    assert!(lies > 100, "{lies} lies were found");
}

fn noise(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let site = rig.site(vec![7; 70_000]);
    let mut mapped = Vec::new();
    for _ in 0..400 {
        match random.below(0..12) {
            0 => rig.backend.take_pages(),
            1 => while rig.backend.tx.take().is_some() {},
            2 => {
                let id = random.below(0..90) as u16;
                rig.backend.respond_tx(id, random.below(0..5) as i16 - 2);
            }
            3 => rig.backend.tx.respond(&[random.number() as u32; 3]),
            4 => rig.backend.rx.respond(&[random.number() as u32, random.number() as u32]),
            5 => {
                let id = (rig.backend.rx.rsp_prod & 0xff) as u16;
                let flags = random.below(0..32) as u16;
                rig.backend.respond_rx(RxResponse { id, offset: 0, flags, status: 60 });
            }
            6 => rig.backend.push_tx(),
            7 => rig.backend.push_rx(),
            8 if random.one_in(8) => {
                let state = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ""][random.below(0..11)];
                rig.store.set_back("state", state);
                rig.now = Microseconds(rig.now.0 + random.below(0..50_000_000) as u64);
                rig.control();
                if rig.device.phase() == Phase::Connecting {
                    rig.backend.unmap();
                    rig.backend = Backend::connect(&rig.machine, &rig.store);
                    rig.control();
                }
            }
            8 => {
                let grant = 8 + random.below(0..100) as u32;
                if rig.machine.world().read(grant, 0, 1).is_some() {
                    rig.machine.world().map(grant);
                    mapped.push(grant);
                }
            }
            9 => {
                let start = random.below(0..70_000);
                let payload = [Slice::Borrowed(&[1; 300]), Slice::Static(&site[start..])];
                let length = rig.device.transmitter().fit(payload.iter().copied());
                if length == 300 + site.len() - start {
                    let _ = rig.transmit(&HEADER, &payload, LARGE);
                }
                let _ = rig.flush();
            }
            _ => {
                drain_some(&mut rig);
            }
        }
    }
    rig.backend.unmap();
    for grant in mapped {
        rig.machine.world().unmap(grant);
    }
    rig.store.unplug();
    rig.control();
    rig.nothing_is_left();
    count(&rig, "net_lies")
}

/// Polls a few times: noise may leave something to do for ever.
fn drain_some(rig: &mut Rig) {
    for _ in 0..4 {
        rig.poll();
    }
}
