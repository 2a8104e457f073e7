//! Frames out and in with an honest backend, in each of the five feature sets.

#![allow(clippy::arithmetic_side_effects, clippy::expect_used)]

use netfront::device::{Change, Sizes};
use netfront::features::FeatureSet;
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, ReceiveChecksum, Slice, TransmitError};
use netfront::sim::{ALL_FEATURES, FEATURE_KEYS, Rig};
use xen::netif::rxf;

const HEADER: [u8; 54] = [0x11; 54];
const CHECKSUM: Option<PartialChecksum> = Some(PartialChecksum { start: 34, offset: 16 });

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8).collect()
}

fn counter(rig: &Rig, name: &str) -> u64 {
    rig.device.counters().iter().find(|(known, _)| *known == name).expect(name).1
}

#[test]
fn a_frame_goes_out_and_its_block_comes_back() {
    for (name, keys) in FEATURE_KEYS {
        let mut rig = Rig::new(keys, Sizes::default());
        assert_eq!(rig.device.features().unwrap().to_string(), name);
        let body = bytes(1446);
        for _ in 0..1000 {
            rig.transmit(&HEADER, &[Slice::Borrowed(&body)], Offload::default()).unwrap();
            rig.flush();
            let sent = rig.backend.transmit();
            let [(packet, frame)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(frame[..54], HEADER);
            assert_eq!(frame[54..], body);
            assert_eq!((packet.fragments.len(), packet.checksum_blank, packet.gso), (1, false, None));
            rig.poll();
        }
        assert_eq!(counter(&rig, "net_tx_frames"), 1000);
        assert_eq!(counter(&rig, "net_tx_bytes"), 1_500_000);
    }
}

#[test]
fn a_static_body_goes_out_by_reference() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let body = rig.site(bytes(60_000));
    let head = bytes(200);
    let payload = [Slice::Borrowed(&head), Slice::Static(body)];
    assert_eq!(rig.device.transmitter().fit(payload.iter().copied()), 60_200);
    let offload = Offload { checksum: CHECKSUM, gso: Some(Gso { size: 1448, kind: GsoKind::TcpV4 }) };
    rig.transmit(&HEADER, &payload, offload).unwrap();
    rig.flush();
    assert!(rig.machine.world().holds() >= 15);
    let sent = rig.backend.transmit();
    let [(packet, frame)] = &sent[..] else { panic!() };
    assert_eq!(packet.total, 60_254);
    assert!(packet.checksum_blank);
    assert_eq!(packet.gso, Some((1448, 1)));
    assert_eq!(frame[54..254], head);
    assert_eq!(frame[254..], *body);
    assert_eq!(counter(&rig, "net_tx_payload_copied"), 200);
    assert_eq!(counter(&rig, "net_tx_payload_referenced"), 60_000);
    rig.poll();
    assert_eq!(rig.machine.world().holds(), 0);
}

/// A body of the site as the stack sends it, in each of the sets: so much as fits, of a segment or of a large packet.
#[test]
fn a_body_of_the_site_goes_out_in_frames_as_long_as_the_set_allows() {
    for (name, keys) in FEATURE_KEYS {
        let mut rig = Rig::new(keys, Sizes::default());
        let features = rig.device.features().unwrap();
        let body = rig.site(bytes(200_000));
        let large = features.gso_v4();
        let offload = Offload {
            checksum: CHECKSUM.filter(|_| features.checksum()),
            gso: large.then_some(Gso { size: 1446, kind: GsoKind::TcpV4 }),
        };
        let (mut left, mut frames) = (body, 0);
        while !left.is_empty() {
            let wanted = left.len().min(if large { 65_000 } else { 1446 });
            let fit = rig.device.transmitter().fit([Slice::Static(left)].into_iter());
            assert!(fit >= wanted, "{name}: {fit} of {wanted} bytes fit");
            let (now, rest) = left.split_at(wanted);
            rig.transmit(&HEADER, &[Slice::Static(now)], offload).unwrap();
            rig.flush();
            let sent = rig.backend.transmit();
            let [(packet, frame)] = &sent[..] else { panic!("{name}: {} frames", sent.len()) };
            assert_eq!((&frame[..54], &frame[54..]), (&HEADER[..], now), "{name}");
            assert_eq!(packet.checksum_blank, name.contains("csum"));
            assert_eq!(packet.gso.is_some(), large);
            assert!(packet.fragments.len() == 1 || name.contains("sg"));
            rig.poll();
            (left, frames) = (rest, frames + 1);
        }
        assert_eq!(frames, if large { 4 } else { 139 });
        let (copied, referenced) =
            (counter(&rig, "net_tx_payload_copied"), counter(&rig, "net_tx_payload_referenced"));
        assert_eq!((copied, referenced), if large { (0, 200_000) } else { (200_000, 0) }, "{name}");
    }
}

#[test]
fn a_frame_comes_in_from_one_slot_and_from_many() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for (length, flags) in [
        (60, rxf::CSUM_BLANK | rxf::DATA_VALIDATED),
        (1514, 0),
        (4096, 0),
        (4097, 0),
        (65_549, rxf::DATA_VALIDATED),
    ] {
        let frame = bytes(length);
        for _ in 0..300 {
            rig.backend.receive(&frame, flags);
            let mut seen = 0;
            rig.device.poll(64, |received, _| {
                assert_eq!(received.bytes, frame);
                let trusted = received.checksum == ReceiveChecksum::Trusted;
                assert_eq!(trusted, flags != 0);
                seen += 1;
            });
            assert_eq!(seen, 1);
        }
    }
    assert_eq!(counter(&rig, "net_rx_frames"), 1500);
    assert_eq!(counter(&rig, "net_rx_joined"), 600);
    assert_eq!(rig.machine.world().secrets_shown, 0);
}

#[test]
fn a_received_frame_is_answered_in_the_same_poll() {
    let mut rig = Rig::new(&[], Sizes::default());
    rig.backend.receive(&bytes(60), 0);
    rig.device.poll(64, |frame, out| {
        out.transmit(frame.bytes, core::iter::empty(), Offload::default()).unwrap();
    });
    let sent = rig.backend.transmit();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, bytes(60));
    assert_eq!(rig.machine.world().transmit_events, 2, "one when it opened, one for the batch");
}

#[test]
fn what_the_backend_does_not_do_is_refused() {
    let mut rig = Rig::new(FEATURE_KEYS[0].1, Sizes::default());
    assert_eq!(rig.device.features(), Some(FeatureSet::None));
    let refused = Err(TransmitError::Length);
    let body = bytes(1446);
    let body = [Slice::Borrowed(&body[..])];
    assert_eq!(rig.transmit(&HEADER, &body, Offload { checksum: CHECKSUM, gso: None }), refused);
    let gso = Some(Gso { size: 1448, kind: GsoKind::TcpV4 });
    assert_eq!(rig.transmit(&HEADER, &body, Offload { checksum: None, gso }), refused);
    assert_eq!(rig.transmit(&HEADER[..13], &body, Offload::default()), refused);
    assert_eq!(rig.transmit(&HEADER, &[Slice::Borrowed(&bytes(1461))], Offload::default()), refused);
    assert_eq!(counter(&rig, "net_tx_length"), 4);
    rig.transmit(&HEADER, &[Slice::Borrowed(&bytes(1460))], Offload::default()).unwrap();
}

#[test]
fn a_full_ring_takes_frames_again_when_some_are_done() {
    let mut rig = Rig::new(&[], Sizes::default());
    let mut sent = 0;
    while rig.transmit(&HEADER, &[], Offload::default()).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 256);
    assert_eq!(counter(&rig, "net_tx_full"), 1);
    rig.poll();
    assert_eq!(rig.backend.transmit().len(), 256);
    assert_eq!(rig.backend.transmit_events, 1, "asked for, since a frame waits");
    assert!(rig.poll().0.room);
    rig.transmit(&HEADER, &[], Offload::default()).unwrap();
}

#[test]
fn nothing_is_left_when_the_epoch_ends() {
    for (_, keys) in FEATURE_KEYS {
        let mut rig = Rig::new(keys, Sizes::default());
        rig.backend.receive(&bytes(1000), 0);
        rig.poll();
        rig.transmit(&HEADER, &[], Offload::default()).unwrap();
        rig.flush();
        let Rig { machine, mut store, mut device, mut backend, now } = rig;
        backend.disconnect(&store);
        assert_eq!(device.control(&mut store, now), Change::Down);
        let world = machine.world();
        assert_eq!((world.grants(), world.pages, device.quarantined()), (0, 0, 0));
        assert_eq!((world.secrets_shown, world.secrets_kept), (0, 0));
    }
}
