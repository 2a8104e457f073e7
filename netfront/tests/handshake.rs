//! The handshake in xenstore, from the toolstack's keys to the end of the device.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::{Change, Device, Microseconds, Sizes};
use netfront::frame::{Offload, TransmitError};
use netfront::handshake::Phase;
use netfront::sim::{ALL_FEATURES, Backend, FEATURE_KEYS, Machine, Rig, SimStore};

const SIZES: Sizes = Sizes { transmit: 12, receive: 64 };
const NOW: Microseconds = Microseconds(5_000_000);

/// A device that has not begun, on a store as the toolstack left it.
fn fresh(features: &[(&str, &str)]) -> (Machine, SimStore, Device<Machine>) {
    let machine = Machine::new();
    let device = Device::new(machine.clone(), SimStore::FRONT, SIZES);
    (machine, SimStore::with_device(features), device)
}

fn send(device: &mut Device<Machine>) -> Result<(), TransmitError> {
    device.transmitter().transmit(&[0x11; 60], core::iter::empty(), Offload::default())
}

#[track_caller]
fn nothing_is_left(machine: &Machine, device: &Device<Machine>) {
    let world = machine.world();
    assert_eq!((world.grants(), world.pages, device.quarantined()), (0, 0, 0), "leaked");
    assert_eq!((world.ports, world.backend), (None, None));
}

#[test]
fn from_init_wait_to_connected() {
    let (machine, mut store, mut device) = fresh(&[]);
    assert_eq!(device.phase(), Phase::Absent);
    assert_eq!(send(&mut device), Err(TransmitError::Down));
    assert_eq!(device.control(&mut store, NOW), Change::None);
    assert_eq!(device.phase(), Phase::Connecting);
    let identity = device.identity().unwrap();
    assert_eq!(identity.mac.0, [0x00, 0x16, 0x3e, 0x01, 0x02, 0x03]);
    assert_eq!((identity.domain.0, identity.mtu), (0, 1500));
    for (key, value) in [
        ("state", "4"),
        ("event-channel", "5"),
        ("request-rx-copy", "1"),
        ("feature-rx-notify", "1"),
        ("feature-sg", "1"),
        ("feature-gso-tcpv4", "1"),
    ] {
        assert_eq!(store.front(key).as_deref(), Some(value), "{key}");
    }
    for key in ["event-channel-tx", "event-channel-rx", "multi-queue-num-queues"] {
        assert_eq!(store.front(key), None, "{key}");
    }
    assert_ne!(store.front_number("tx-ring-ref"), store.front_number("rx-ring-ref"));
    assert_eq!(
        store.watches().into_iter().collect::<Vec<_>>(),
        ["/local/domain/0/backend/vif/7/0/state", "device/vif/0/backend"]
    );
    assert_eq!(send(&mut device), Err(TransmitError::Down), "netback would lose it");
    assert_eq!(machine.world().transmit_events, 0);
    let mut backend = Backend::connect(&machine, &store);
    assert_eq!(device.control(&mut store, NOW), Change::Up);
    assert_eq!(device.control(&mut store, NOW), Change::None);
    send(&mut device).unwrap();
    assert!(!device.transmitter().flush());
    assert_eq!(backend.transmit().len(), 1);
    backend.take_pages();
    assert_eq!(backend.pages.len(), 64, "posted before the backend came");
    let down = device.counters().iter().find(|(name, _)| *name == "net_tx_down");
    assert_eq!(down, Some(("net_tx_down", 2)));
}

#[test]
fn split_channels_where_they_are_offered() {
    let (machine, mut store, mut device) = fresh(&[("feature-split-event-channels", "1")]);
    device.control(&mut store, NOW);
    assert_eq!(store.front("event-channel-tx").as_deref(), Some("5"));
    assert_eq!(store.front("event-channel-rx").as_deref(), Some("6"));
    assert_eq!(store.front("event-channel"), None);
    // The next backend does not offer them: the keys of the first must not mislead it.
    Backend::connect(&machine, &store).disconnect(&store);
    device.control(&mut store, NOW);
    store.set_back("feature-split-event-channels", "0");
    store.set_back("state", "2");
    device.control(&mut store, NOW);
    assert_eq!(store.front("event-channel").as_deref(), Some("5"));
    assert_eq!((store.front("event-channel-tx"), store.front("event-channel-rx")), (None, None));
}

#[test]
fn features_are_what_the_keys_say() {
    for (name, keys) in FEATURE_KEYS {
        let rig = Rig::new(keys, SIZES);
        assert_eq!(rig.device.features().unwrap().to_string(), name);
    }
    // An old backend's directory has no feature but this.
    assert_eq!(Rig::new(&[], SIZES).device.features().unwrap().to_string(), "csum");
}

#[test]
fn the_mtu_is_the_toolstacks() {
    for (key, features, mtu) in [
        (None, ALL_FEATURES, 1500),
        (Some("9001"), ALL_FEATURES, 9001),
        (Some("1400"), ALL_FEATURES, 1400),
        (Some("1000000"), ALL_FEATURES, 65_521),
        (Some("9001"), FEATURE_KEYS[1].1, 1500),
    ] {
        let (machine, mut store, mut device) = fresh(features);
        key.inspect(|mtu| store.set_front("mtu", mtu));
        device.control(&mut store, NOW);
        let _backend = Backend::connect(&machine, &store);
        device.control(&mut store, NOW);
        assert_eq!(device.transmitter().mtu(), Some(mtu), "{key:?}");
    }
}

#[test]
fn a_bad_key_is_named_with_its_value_and_cured() {
    let back = SimStore::BACKEND;
    let table = [
        ("device/vif/0/mac", Some("00:16:3e:01:02"), "xenstore's device/vif/0/mac is \"00:16:3e:01:02\""),
        ("device/vif/0/mac", None, "xenstore has no device/vif/0/mac"),
        ("device/vif/0/backend-id", Some("dom0"), "xenstore's device/vif/0/backend-id is \"dom0\""),
        ("device/vif/0/backend-id", Some("65536"), "xenstore's device/vif/0/backend-id is \"65536\""),
        ("device/vif/0/mtu", Some("67"), "xenstore's device/vif/0/mtu is \"67\""),
        ("device/vif/0/mtu", Some(""), "xenstore's device/vif/0/mtu is \"\""),
        (&format!("{back}/state"), Some("9"), &format!("xenstore's {back}/state is \"9\"")),
        (&format!("{back}/online"), Some("y\n"), &format!("xenstore's {back}/online is \"y\\n\"")),
        (&format!("{back}/feature-sg"), Some("-1"), &format!("xenstore's {back}/feature-sg is \"-1\"")),
        (&format!("{back}/feature-rx-copy"), Some("0"), "the backend does not copy (feature-rx-copy)"),
    ];
    for (key, value, problem) in table {
        let (machine, mut store, mut device) = fresh(ALL_FEATURES);
        let good = store.get(key);
        match value {
            Some(value) => store.set(key, value),
            None => store.remove(key),
        }
        assert_eq!(device.control(&mut store, NOW), Change::None);
        assert_eq!(device.problem(), Some(problem));
        nothing_is_left(&machine, &device);
        match good {
            Some(good) => store.set(key, &good),
            None => store.remove(key),
        }
        assert_eq!(device.deadline(), Some(Microseconds(6_000_000)), "{key}");
        device.control(&mut store, Microseconds(6_000_000));
        assert_eq!(device.phase(), Phase::Connecting, "{key}");
    }
}

/// The backend closes wherever the handshake is, and comes back.
#[test]
fn closing_at_every_step() {
    for closing in ["5", "6", "0"] {
        for phase in [Phase::Waiting, Phase::Connecting, Phase::Connected] {
            let (machine, mut store, mut device) = fresh(ALL_FEATURES);
            let mut backend = None;
            if phase == Phase::Waiting {
                store.set_back("state", "1");
            }
            device.control(&mut store, NOW);
            if phase == Phase::Connected {
                backend = Some(Backend::connect(&machine, &store));
                device.control(&mut store, NOW);
            }
            assert_eq!(device.phase(), phase);
            backend.into_iter().for_each(|mut backend| backend.unmap());
            store.set_back("online", "0");
            store.set_back("state", closing);
            let change = device.control(&mut store, NOW);
            assert_eq!(change, if phase == Phase::Connected { Change::Down } else { Change::None });
            nothing_is_left(&machine, &device);
            if phase != Phase::Waiting {
                assert_eq!(store.front("state").as_deref(), Some("6"), "{closing} in {phase:?}");
            }
            store.set_back("state", "6");
            device.control(&mut store, NOW);
            store.set_back("state", "2");
            device.control(&mut store, NOW);
            assert_eq!(device.phase(), Phase::Connecting, "{closing} in {phase:?}");
            let _backend = Backend::connect(&machine, &store);
            assert_eq!(device.control(&mut store, NOW), Change::Up);
        }
    }
}

#[test]
fn a_closed_backend_that_is_online_is_asked_to_start_again() {
    let mut rig = Rig::new(&[], SIZES);
    rig.backend.disconnect(&rig.store);
    assert_eq!(rig.control(), Change::Down);
    assert_eq!(rig.store.front("state").as_deref(), Some("6"));
    assert_eq!(rig.control(), Change::None);
    assert_eq!(rig.store.front("state").as_deref(), Some("6"), "not before it is closed");
    rig.store.set_back("state", "6");
    rig.control();
    assert_eq!(rig.store.front("state").as_deref(), Some("1"));
}

/// The backend follows our Closing, and begins anew once we do.
#[track_caller]
fn follow(rig: &mut Rig) {
    for (backend, front) in [("5", "6"), ("6", "1"), ("2", "4")] {
        rig.store.set_back("state", backend);
        assert_eq!(rig.control(), Change::None);
        assert_eq!(rig.store.front("state").as_deref(), Some(front));
    }
}

/// While it finds us Connected, netback maps the rings that the keys name: they are there until it has followed us.
#[test]
fn a_restarted_backend_gets_fresh_rings() {
    for takes_the_old in [false, true] {
        let mut rig = Rig::new(&[], SIZES);
        let old = rig.store.front_number("tx-ring-ref");
        rig.backend.unmap();
        // Gone and back before we looked.
        rig.store.set_back("state", "2");
        assert_eq!(rig.control(), Change::Down);
        assert_eq!((rig.device.phase(), rig.store.front("state").as_deref()), (Phase::Closing, Some("5")));
        if takes_the_old {
            rig.backend = Backend::connect(&rig.machine, &rig.store);
            assert_eq!(rig.control(), Change::None);
            rig.backend.unmap();
        }
        follow(&mut rig);
        assert_ne!(rig.store.front_number("tx-ring-ref"), old);
        rig.backend = Backend::connect(&rig.machine, &rig.store);
        assert_eq!(rig.control(), Change::Up);
        rig.backend.receive(&[1; 60], 0);
        assert_eq!(rig.poll().1, [[1; 60]]);
    }
}

#[test]
fn a_restarted_backend_that_does_not_follow_is_outwaited() {
    for state in ["1", "2", "3"] {
        let mut rig = Rig::new(&[], SIZES);
        rig.backend.unmap();
        rig.store.set_back("state", state);
        assert_eq!(rig.control(), Change::Down);
        let deadline = Microseconds(rig.now.0 + 2_000_000);
        assert_eq!(rig.device.deadline(), Some(deadline));
        rig.now = Microseconds(deadline.0 - 1);
        rig.control();
        assert_eq!((rig.device.phase(), rig.device.deadline()), (Phase::Closing, Some(deadline)));
        rig.now = deadline;
        rig.control();
        rig.store.set_back("state", "2");
        rig.control();
        assert_eq!(rig.device.phase(), Phase::Connecting, "{state}");
        rig.backend = Backend::connect(&rig.machine, &rig.store);
        assert_eq!(rig.control(), Change::Up);
    }
}

#[test]
fn a_boot_loaders_connection_is_closed_first() {
    let (machine, mut store, mut device) = fresh(&[]);
    store.set_front("state", "4");
    store.set_back("state", "4");
    device.control(&mut store, NOW);
    assert_eq!(store.front("state").as_deref(), Some("5"));
    for (backend, front) in [("5", "6"), ("6", "1"), ("2", "4")] {
        store.set_back("state", backend);
        device.control(&mut store, NOW);
        assert_eq!(store.front("state").as_deref(), Some(front));
    }
    let _backend = Backend::connect(&machine, &store);
    assert_eq!(device.control(&mut store, NOW), Change::Up);
}

#[test]
fn unplugged_and_plugged_in_again() {
    let mut rig = Rig::new(&[], SIZES);
    rig.backend.unmap();
    rig.store.unplug();
    assert_eq!(rig.control(), Change::Down);
    nothing_is_left(&rig.machine, &rig.device);
    assert_eq!(rig.store.front("state"), None, "no key is made where there is no device");
    assert_eq!(rig.store.watches().into_iter().collect::<Vec<_>>(), ["device/vif/0/backend"]);
    assert_eq!((rig.device.identity(), rig.device.deadline()), (None, None));
    rig.store.plug_in();
    rig.store.set_front("mac", "00:16:3e:09:09:09");
    assert_eq!(rig.control(), Change::None);
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
    assert_eq!(rig.device.identity().unwrap().mac.0[3..], [9, 9, 9]);
    assert_eq!(rig.store.watches().len(), 2);
}

/// Taken out, and another put in at the same place, before we looked.
#[test]
fn replaced_in_its_place() {
    let mut rig = Rig::new(&[], SIZES);
    rig.backend.unmap();
    rig.store.unplug();
    rig.store.plug_in();
    rig.store.set_front("mac", "00:16:3e:09:09:09");
    rig.store.set_front("mtu", "1400");
    rig.store.set_front("backend-id", "3");
    assert_eq!(rig.control(), Change::Down);
    follow(&mut rig);
    assert_eq!(rig.machine.world().backend.map(|domain| domain.0), Some(3));
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
    assert_eq!(rig.device.identity().unwrap().mac.0[3..], [9, 9, 9]);
    assert_eq!(rig.device.transmitter().mtu(), Some(1400));
    assert_eq!(rig.store.watches().len(), 3, "each once: backend, state, online");
}

/// The same with keys that are not well at first.
#[test]
fn replaced_in_its_place_by_one_to_be_cured() {
    let mut rig = Rig::new(&[], SIZES);
    rig.backend.unmap();
    rig.store.set_back("state", "2");
    rig.store.set_front("mac", "00:16:3e");
    for backend in ["2", "5", "6"] {
        rig.store.set_back("state", backend);
        rig.control();
    }
    for _ in 0..3 {
        rig.control();
        assert_eq!(rig.device.problem(), Some("xenstore's device/vif/0/mac is \"00:16:3e\""));
        nothing_is_left(&rig.machine, &rig.device);
        rig.now = rig.device.deadline().unwrap();
    }
    rig.store.set_front("mac", "00:16:3e:09:09:09");
    rig.store.set_back("state", "2");
    rig.control();
    assert_eq!(rig.device.phase(), Phase::Connecting);
    assert_eq!(rig.device.identity().unwrap().mac.0[3..], [9, 9, 9]);
    // Moved meanwhile: the old place is not watched for ever.
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
    rig.backend.disconnect(&rig.store);
    rig.store.set_front("mac", "");
    for backend in ["5", "6"] {
        rig.store.set_back("state", backend);
        rig.control();
    }
    assert!(rig.device.problem().is_some());
    rig.store.set_front("backend", "/local/domain/3/backend/vif/7/0");
    rig.store.set_front("mac", "00:16:3e:09:09:09");
    rig.control();
    let watches: Vec<_> = rig.store.watches().into_iter().collect();
    assert_eq!(watches, ["/local/domain/3/backend/vif/7/0/state", "device/vif/0/backend"]);
}

/// A call to a silent store holds all else up: one in a minute at most, however long the silence.
#[test]
fn a_store_that_fails_again_is_asked_less_often() {
    let mut rig = Rig::new(&[], SIZES);
    rig.store.refuse_after(Some(0));
    for wait in [1, 2, 4, 8, 16, 32, 64, 64, 64] {
        assert_eq!(rig.control(), Change::None, "frames pass all the same");
        assert_eq!(rig.device.deadline(), Some(Microseconds(rig.now.0 + wait * 1_000_000)));
        rig.now = rig.device.deadline().unwrap();
    }
    rig.store.refuse_after(None);
    rig.control();
    assert_eq!(rig.device.deadline(), None);
    rig.store.refuse_after(Some(0));
    rig.control();
    assert_eq!(rig.device.deadline(), Some(Microseconds(rig.now.0 + 1_000_000)));
}

/// A backend that waits for a connection has none to close: nobody waits for it.
#[test]
fn a_device_that_stops_before_its_connection_is_closed_at_once() {
    for state in ["1", "3"] {
        let (machine, mut store, mut device) = fresh(&[]);
        store.set_back("state", state);
        device.control(&mut store, NOW);
        assert_eq!(device.phase(), Phase::Waiting);
        device.stop(&mut store, NOW);
        assert_eq!((device.phase(), store.front("state").as_deref()), (Phase::Closed, Some("6")));
        nothing_is_left(&machine, &device);
    }
    let (machine, mut store, mut device) = fresh(&[]);
    device.control(&mut store, NOW);
    assert_eq!(device.phase(), Phase::Connecting);
    device.stop(&mut store, NOW);
    assert_eq!((device.phase(), store.front("state").as_deref()), (Phase::Closed, Some("6")));
    nothing_is_left(&machine, &device);
}

#[test]
fn a_device_that_stops_stays_closed() {
    let mut rig = Rig::new(&[], SIZES);
    assert_eq!(rig.device.stop(&mut rig.store, rig.now), Change::Down);
    assert_eq!(rig.store.front("state").as_deref(), Some("5"));
    rig.backend.unmap();
    for (backend, front) in [("5", "6"), ("6", "6"), ("2", "6")] {
        rig.store.set_back("state", backend);
        rig.control();
        assert_eq!(rig.store.front("state").as_deref(), Some(front));
    }
    assert_eq!(rig.device.phase(), Phase::Closed);
    nothing_is_left(&rig.machine, &rig.device);
}

/// The store refuses at every call of a whole life in turn.
#[test]
fn a_store_that_refuses_costs_no_page() {
    for calls in 0..40 {
        let (machine, mut store, mut device) = fresh(&[]);
        store.refuse_after(Some(calls));
        device.control(&mut store, NOW);
        let mut backend = (device.phase() == Phase::Connecting).then(|| Backend::connect(&machine, &store));
        device.control(&mut store, NOW);
        let refused = device.problem().is_some();
        store.refuse_after(None);
        if refused {
            assert_eq!(device.problem(), Some("xenstore: EIO"));
            let later = device.deadline().unwrap();
            device.control(&mut store, later);
        }
        if backend.is_none() {
            assert_eq!(device.phase(), Phase::Connecting, "after {calls} calls");
            backend = Some(Backend::connect(&machine, &store));
        }
        device.control(&mut store, NOW);
        assert_eq!(device.phase(), Phase::Connected, "after {calls} calls");
        assert_eq!(device.problem(), None);
        backend.unwrap().unmap();
        store.unplug();
        device.control(&mut store, NOW);
        nothing_is_left(&machine, &device);
    }
}

#[test]
fn a_lie_is_told_even_if_the_store_refuses_at_first() {
    let mut rig = Rig::new(&[], SIZES);
    rig.backend.tx.claim(99);
    rig.poll();
    rig.store.refuse_after(Some(0));
    rig.control();
    assert_eq!(rig.device.deadline(), Some(Microseconds(rig.now.0 + 1_000_000)), "and not at once for ever");
    rig.store.refuse_after(None);
    rig.control();
    assert_eq!(rig.device.phase(), Phase::Closing);
}

#[test]
fn little_memory_and_few_grants_are_enough_or_said() {
    // 12 blocks' pages, 64 to receive into and two rings would be 78.
    for limit in 0..90 {
        for grants in [false, true] {
            let machine = if grants { Machine::with_grants(limit, 0) } else { Machine::new() };
            machine.world().pages_max = (!grants).then_some(limit);
            let (mut store, mut device) =
                (SimStore::with_device(&[]), Device::new(machine.clone(), SimStore::FRONT, SIZES));
            device.control(&mut store, NOW);
            // Two rings, 12 pages of blocks (they come first) and 20 to receive into.
            if limit < 34 {
                let problem = "no page, grant or event channel is left for the rings";
                assert_eq!(device.problem(), Some(problem), "{limit}");
                nothing_is_left(&machine, &device);
            } else {
                assert_eq!((device.phase(), device.problem()), (Phase::Connecting, None), "{limit}");
            }
            let world = machine.world();
            assert_eq!((world.secrets_shown, world.secrets_kept), (0, 0));
        }
    }
}

#[test]
fn no_event_channel_is_said() {
    let (machine, mut store, mut device) = fresh(&[]);
    machine.world().portless = true;
    device.control(&mut store, NOW);
    assert_eq!(device.problem(), Some("no page, grant or event channel is left for the rings"));
    nothing_is_left(&machine, &device);
    machine.world().portless = false;
    device.control(&mut store, device.deadline().unwrap());
    assert_eq!(device.phase(), Phase::Connecting);
}

/// The toolstack moves the device to a backend in another domain, while the first still maps its rings.
#[test]
fn another_backend_domain() {
    let mut rig = Rig::new(&[], SIZES);
    let elsewhere = "/local/domain/3/backend/vif/7/0";
    for (key, value) in [("state", "2"), ("online", "1"), ("feature-rx-copy", "1")] {
        rig.store.set(&format!("{elsewhere}/{key}"), value);
    }
    rig.store.set_front("backend-id", "3");
    rig.store.set_front("backend", elsewhere);
    assert_eq!(rig.control(), Change::Down);
    assert_eq!(rig.machine.world().backend.map(|domain| domain.0), Some(3));
    assert_eq!((rig.device.phase(), rig.device.quarantined()), (Phase::Connecting, 2));
    rig.backend.unmap();
    rig.control();
    assert_eq!(rig.device.quarantined(), 0);
    let watches: Vec<_> = rig.store.watches().into_iter().collect();
    assert_eq!(watches, [format!("{elsewhere}/state"), "device/vif/0/backend".to_owned()]);
}

#[test]
fn a_backend_that_runs_in_circles_does_not_keep_us() {
    let mut rig = Rig::new(&[], SIZES);
    for round in 0..1000 {
        rig.store.set_back("state", ["2", "4", "5", "6", "0", "1", "3", "7", "8"][round * 7 % 9]);
        rig.control();
    }
    rig.backend.unmap();
    rig.store.unplug();
    rig.control();
    nothing_is_left(&rig.machine, &rig.device);
}

/// Each call to the store fails once, at every place; with the store well again, the device gets to its connection by
/// the watches that it has set and its own deadline alone.
#[test]
fn a_refusal_leaves_no_watch_unset() {
    for calls in 0..40 {
        let (machine, mut store, mut device) = fresh(&[]);
        store.refuse_after(Some(calls));
        device.control(&mut store, NOW);
        store.refuse_after(None);
        let mut now = NOW;
        while let Some(at) = device.deadline() {
            now = at.max(now);
            device.control(&mut store, now);
        }
        assert_eq!(device.phase(), Phase::Connecting, "after {calls} calls");
        let state = format!("{}/state", SimStore::BACKEND);
        assert!(store.watches().contains(&state), "after {calls} calls nothing tells of the backend");
        let _backend = Backend::connect(&machine, &store);
        assert_eq!(device.control(&mut store, now), Change::Up);
    }
}

/// A closed device waits for its backend's `online` as well as for its state, whatever fails on the way.
#[test]
fn online_alone_starts_a_closed_device() {
    let mut closed = 0;
    for calls in 0..8 {
        let mut rig = Rig::new(&[], SIZES);
        let online = format!("{}/online", SimStore::BACKEND);
        assert!(!rig.store.watches().contains(&online), "nobody heeds it");
        rig.store.set_back("online", "0");
        rig.backend.disconnect(&rig.store);
        rig.store.set_back("state", "6");
        rig.store.refuse_after(Some(calls));
        rig.control();
        rig.store.refuse_after(None);
        while let Some(at) = rig.device.deadline() {
            rig.now = at.max(rig.now);
            rig.control();
        }
        if rig.device.phase() == Phase::Waiting {
            // Our Closed was refused, so we began anew, and the backend's state is what counts.
            continue;
        }
        assert_eq!(rig.device.phase(), Phase::Closed, "after {calls} calls");
        closed += 1;
        assert!(rig.store.watches().contains(&online), "after {calls} calls nothing tells of it");
        rig.store.set_back("online", "1");
        rig.control();
        assert_eq!(rig.store.front("state").as_deref(), Some("1"));
    }
    assert!(closed > 4, "only {closed}");
}

#[test]
fn keys_written_without_an_answer_are_taken_back() {
    let (machine, mut store, mut device) = fresh(&[]);
    store.lose_answer.set(true);
    device.control(&mut store, NOW);
    // We do not know of it, but the backend has seen Connected.
    assert_eq!(store.front("state").as_deref(), Some("4"));
    store.set_back("state", "4");
    let now = device.deadline().unwrap();
    device.control(&mut store, now);
    assert_eq!(store.front("state").as_deref(), Some("5"), "the backend waits for us, and we for it");
    store.set_back("state", "5");
    device.control(&mut store, now);
    store.set_back("state", "6");
    device.control(&mut store, now);
    assert_eq!(store.front("state").as_deref(), Some("1"));
    store.set_back("state", "2");
    device.control(&mut store, now);
    let _backend = Backend::connect(&machine, &store);
    assert_eq!(device.control(&mut store, now), Change::Up);
}

/// What the former backend mapped is nobody's after a restore: every page comes back at once, and the table is whole.
#[test]
fn a_restored_domain_begins_anew_and_has_all_its_pages() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    let site = rig.site(vec![7; 20_000]);
    rig.transmit(&[0x11; 60], &[netfront::frame::Slice::Static(site)], gso()).unwrap();
    rig.flush();
    rig.backend.take_pages();
    let (mapped, ring) = (rig.backend.pages[0].gref, rig.store.front_number("tx-ring-ref"));
    for grant in [mapped, ring] {
        rig.machine.world().map(grant);
    }
    let free = rig.machine.world().references();

    rig.machine.world().lose();
    rig.device.resume();
    nothing_is_left(&rig.machine, &rig.device);
    rig.machine.world().renew();
    assert_eq!(rig.machine.world().references(), 1016, "{free} were free before");

    rig.store = SimStore::with_device(ALL_FEATURES);
    assert_eq!(rig.control(), Change::Down);
    rig.backend = Backend::connect(&rig.machine, &rig.store);
    assert_eq!(rig.control(), Change::Up);
    assert_eq!(rig.store.watches().len(), 2, "watched in the new store");
    send(&mut rig.device).unwrap();
    rig.flush();
    assert_eq!(rig.backend.transmit().len(), 1);
    assert_eq!(rig.machine.world().grant_faults, 0);
}

/// A TCP segment for the backend to cut.
fn gso() -> Offload {
    use netfront::frame::{Gso, GsoKind, PartialChecksum};
    let checksum = Some(PartialChecksum { start: 34, offset: 16 });
    Offload { checksum, gso: Some(Gso { size: 1448, kind: GsoKind::TcpV4 }) }
}
