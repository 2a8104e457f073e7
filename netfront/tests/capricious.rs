//! A backend that keeps to the protocol's letter and to nothing else: it changes what it offers, wakes us for nothing,
//! lets go of the site's pages when it likes, and goes at any time.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::{Change, Device, Microseconds, Sizes};
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use netfront::handshake::Phase;
use netfront::sim::{ALL_FEATURES, Backend, FEATURE_KEYS, Machine, Rig, SimStore};

const SIZES: Sizes = Sizes { transmit: 12, receive: 64 };
const HEADER: [u8; 54] = [0x11; 54];
const CHECKSUM: Option<PartialChecksum> = Some(PartialChecksum { start: 34, offset: 16 });
const LARGE: Offload = Offload { checksum: CHECKSUM, gso: Some(Gso { size: 1448, kind: GsoKind::TcpV4 }) };

fn counters(rig: &Rig) -> Vec<(&'static str, u64)> {
    rig.device.counters().iter().collect()
}

/// The backend ends the connection in order and starts again.
fn reconnect(rig: &mut Rig) {
    rig.backend.disconnect(&rig.store);
    assert_eq!(rig.control(), Change::Down);
    for state in ["6", "2"] {
        rig.store.set_back("state", state);
        rig.control();
    }
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
}

/// What is offered counts when a connection begins; until its end nothing is read again.
#[test]
fn features_that_change() {
    for (before, keys) in FEATURE_KEYS {
        let mut rig = Rig::new(keys, SIZES);
        let site = rig.site(vec![7; 20_000]);
        for (after, keys) in FEATURE_KEYS {
            for key in ["no-csum-offload", "sg", "gso-tcpv4"] {
                rig.store.set_back(&format!("feature-{key}"), "0");
            }
            for (key, value) in keys {
                rig.store.set_back(key, value);
            }
            assert_eq!(rig.control(), Change::None);
            let now = rig.device.features().unwrap().to_string();
            let large = rig.transmit(&HEADER, &[Slice::Static(site)], LARGE);
            assert_eq!(large.is_ok(), now == "csum+sg+gso", "{before}, then {after}: {now}");
            let _ = rig.flush();
            for (packet, _) in rig.backend.transmit() {
                assert!(packet.fragments.len() == 1 || now.contains("sg"));
            }
            rig.poll();
            reconnect(&mut rig);
            assert_eq!(rig.device.features().unwrap().to_string(), after);
        }
    }
}

/// Between our look at the keys and Connected, and after it: no word of it is believed before the next connection.
#[test]
fn features_that_change_in_the_middle_of_the_handshake() {
    let machine = Machine::new();
    let mut store = SimStore::with_device(FEATURE_KEYS[0].1);
    let mut device = Device::new(machine.clone(), SimStore::FRONT, SIZES);
    let now = Microseconds(1);
    device.control(&mut store, now);
    for (key, value) in
        [("feature-sg", "1"), ("feature-no-csum-offload", "nonsense"), ("feature-rx-copy", "0")]
    {
        store.set_back(key, value);
    }
    let _backend = Backend::connect(&machine, &store);
    assert_eq!(device.control(&mut store, now), Change::Up);
    assert_eq!((device.features().unwrap().to_string().as_str(), device.problem()), ("none", None));
    let checksum = Offload { checksum: CHECKSUM, gso: None };
    let sent = device.transmitter().transmit(&HEADER, core::iter::empty(), checksum);
    assert_eq!(sent, Err(TransmitError::Length));
}

/// Events for nothing: each costs a look at the rings, and nothing is sent, counted, granted or allocated for it.
#[test]
fn an_event_storm() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.poll();
    let of = |rig: &Rig| {
        let world = rig.machine.world();
        (counters(rig), world.grants(), world.pages, world.transmit_events, world.receive_events)
    };
    let before = of(&rig);
    for _ in 0..100_000 {
        let (polled, frames) = rig.poll();
        assert!(!polled.more && !polled.room && frames.is_empty());
        assert_eq!(rig.control(), Change::None);
    }
    assert_eq!(of(&rig), before);
    assert_eq!(rig.device.deadline(), None);
}

/// A backend that wants an event for each request gets one for each batch.
#[test]
fn events_for_everything() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let before = rig.machine.world().transmit_events;
    for batch in 1..=100 {
        for _ in 0..8 {
            rig.transmit(&HEADER, &[], Offload::default()).unwrap();
        }
        let _ = rig.flush();
        assert_eq!(rig.backend.transmit().len(), 8);
        rig.poll();
        assert_eq!(rig.machine.world().transmit_events, before + batch);
    }
}

/// A page of the site that a former backend maps for ever is sent to the next one by another reference, and when it is
/// let go nothing is left of it.
#[test]
fn a_page_of_the_site_that_is_kept() {
    let mut rig = Rig::on(Machine::with_grants(200, 40), ALL_FEATURES, SIZES);
    let site = rig.site((0..16_384).map(|n| (n / 64) as u8).collect());
    let mut kept = Vec::new();
    for round in 0..4 {
        rig.transmit(&HEADER, &[Slice::Static(site)], LARGE).unwrap();
        let _ = rig.flush();
        let sent = rig.backend.transmit();
        assert_eq!(sent[0].1[54..], *site);
        for fragment in &sent[0].0.fragments[1..] {
            assert!(!kept.contains(&fragment.gref), "{} is still the former backend's", fragment.gref);
            rig.machine.world().map(fragment.gref);
            kept.push(fragment.gref);
        }
        rig.poll();
        assert_eq!((rig.machine.world().holds(), rig.device.in_flight()), (0, 0), "{round}");
        reconnect(&mut rig);
    }
    assert_eq!(rig.machine.world().grants(), 12 + 64 + 2 + kept.len());
    for grant in kept {
        rig.machine.world().unmap(grant);
    }
    reconnect(&mut rig);
    assert_eq!(rig.machine.world().grants(), 12 + 64 + 2);
}

/// Closing, Closed or gone, wherever the handshake is and whatever our own end is at: each time all comes back, and the
/// next connection serves.
#[test]
fn closing_when_we_are_closing() {
    for last in ["5", "6", "0"] {
        // Our own end began it, by a lie that was found.
        let mut rig = Rig::new(ALL_FEATURES, SIZES);
        rig.backend.tx.claim(7);
        rig.poll();
        rig.store.set_back("state", last);
        rig.backend.unmap();
        assert_eq!(rig.control(), Change::Down);
        assert_eq!(rig.device.phase(), Phase::Closed, "{last}");
        assert_eq!(rig.store.front("state").as_deref(), Some("6"));
        let world = rig.machine.world();
        assert_eq!((world.grants(), world.pages, world.ports), (0, 0, None));
        drop(world);
        rig.store.set_back("state", "2");
        rig.control();
        assert_eq!(rig.device.phase(), Phase::Closed, "after a lie it waits");
        rig.now = rig.device.deadline().unwrap();
        rig.control();
        assert_eq!(rig.device.phase(), Phase::Connecting);
    }
}

/// The device is taken away while our own end is closing, and another is plugged in: its lies are not the first one's.
#[test]
fn unplugged_when_we_are_closing() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.backend.tx.claim(7);
    rig.poll();
    rig.control();
    assert_eq!(rig.device.phase(), Phase::Closing);
    rig.backend.unmap();
    rig.store.unplug();
    assert_eq!(rig.control(), Change::None);
    assert_eq!((rig.device.phase(), rig.machine.world().grants()), (Phase::Absent, 0));
    rig.store.plug_in();
    rig.control();
    rig.now = rig.device.deadline().unwrap_or(rig.now);
    rig.control();
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
}
