//! What a frame looks like in the transmit ring, and how much of it fits.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::Sizes;
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use netfront::sim::{ALL_FEATURES, FEATURE_KEYS, Machine, Random, Rig};
use xen::netif::TxRequest;

const CHECKSUM: Option<PartialChecksum> = Some(PartialChecksum { start: 34, offset: 16 });
const GSO: Option<Gso> = Some(Gso { size: 1400, kind: GsoKind::TcpV4 });

/// `length` bytes of the site that start at `offset` in their page.
fn site(rig: &Rig, offset: usize, length: usize) -> &'static [u8] {
    let site = rig.site((0..length + 8192).map(|n| (n * 13 + n / 256) as u8).collect());
    let start = site.as_ptr().align_offset(4096) + offset;
    &site[start..start + length]
}

fn slots(rig: &mut Rig) -> Vec<[u32; 3]> {
    let _ = rig.flush();
    core::iter::from_fn(|| rig.backend.tx.take()).collect()
}

#[test]
fn a_large_packet_slot_by_slot() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let body = site(&rig, 4000, 5000);
    let payload = [Slice::Borrowed(&[0x22; 100]), Slice::Static(body), Slice::Borrowed(&[0x33; 7])];
    rig.transmit(&[0x11; 54], &payload, Offload { checksum: CHECKSUM, gso: GSO }).unwrap();
    let ring = slots(&mut rig);
    let [first, extra, second, third, fourth, fifth] = ring[..] else { panic!("{ring:x?}") };
    let [first, second, third, fourth, fifth] = [first, second, third, fourth, fifth].map(TxRequest::decode);
    // csum_blank 1, data_validated 2, more_data 4, extra_info 8; the first says 54 + 100 + 5000 + 7.
    assert_eq!((first.flags, first.size, first.offset), (15, 5161, 0));
    // Type 1 (GSO), no flags, 1400 bytes a segment, TCPv4, no features; 4 bytes of padding.
    assert_eq!(extra.map(u32::to_le_bytes).concat(), [1, 0, 0x78, 0x05, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((second.flags, second.offset, second.size), (4, 4000, 96));
    assert_eq!((third.flags, third.offset, third.size), (4, 0, 4096));
    assert_eq!((fourth.flags, fourth.offset, fourth.size), (4, 0, 808));
    // The block after the first one: the page's second half.
    assert_eq!((fifth.flags, fifth.offset, fifth.size), (0, 2048, 7));
    assert_eq!((first.gref, first.id / 2), (fifth.gref, fifth.id / 2), "one page, granted once");
    let mut ids = [first.id, second.id, third.id, fourth.id, fifth.id];
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id each: {ids:?}");
}

#[test]
fn a_small_body_is_copied_behind_its_header() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let head = Slice::Borrowed(&[0x22; 100]);
    let body = site(&rig, 0, 1894);
    let offload = Offload { checksum: CHECKSUM, gso: GSO };
    rig.transmit(&[0x11; 54], &[head, Slice::Static(body)], offload).unwrap();
    let sent = rig.backend.transmit();
    assert!(sent.is_empty(), "not before it is shown");
    let ring = slots(&mut rig);
    let request = TxRequest::decode(ring[0]);
    assert_eq!((ring.len(), request.flags, request.size), (2, 11, 2048));
    assert_eq!(rig.machine.world().holds(), 0);
    // One byte more does not fit the block.
    let body = site(&rig, 0, 1895);
    rig.transmit(&[0x11; 54], &[head, Slice::Static(body)], offload).unwrap();
    assert_eq!((slots(&mut rig).len(), rig.machine.world().holds()), (3, 1));
}

/// A frame that begins with the site's bytes is the rest of a body, whose other frames went by reference.
#[test]
fn the_rest_of_a_large_body_is_not_copied_however_short() {
    for length in [1, 95, 256, 257, 1300] {
        let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
        let rest = Slice::Static(site(&rig, 0, length));
        let offload = Offload { checksum: CHECKSUM, gso: None };
        assert_eq!(rig.device.transmitter().fit([rest].into_iter()), length);
        rig.transmit(&[0x11; 66], &[rest], offload).unwrap();
        assert_eq!((slots(&mut rig).len(), rig.machine.world().holds()), (2, 1), "{length} bytes");
        assert_eq!(rig.device.counters().tx_payload_copied.get(), 0);
        // Only the first slice is: behind it stands another response.
        rig.transmit(&[0x11; 66], &[rest, Slice::Borrowed(&[0x22; 100]), Slice::Static(&[0x33; 9])], offload)
            .unwrap();
        assert_eq!((slots(&mut rig).len(), rig.machine.world().holds()), (3, 2), "{length} bytes");
        assert_eq!(rig.device.counters().tx_payload_copied.get(), 109);
    }
    // Where no frame of a body is longer than a block, none goes by reference.
    let mut rig = Rig::new(FEATURE_KEYS[3].1, Sizes::default());
    assert!(rig.device.features().is_some_and(|features| features.scatter_gather() && !features.gso_v4()));
    let rest = Slice::Static(site(&rig, 0, 95));
    rig.transmit(&[0x11; 66], &[rest], Offload::default()).unwrap();
    assert_eq!((slots(&mut rig).len(), rig.machine.world().holds()), (1, 0));
}

#[test]
fn a_short_slice_of_a_long_frame_is_copied() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let body = site(&rig, 0, 4096);
    // Up to 256 bytes: a slot of their own would cost more.
    let head = Slice::Borrowed(&[0x22; 100]);
    let payload = [head, Slice::Static(&body[..256]), Slice::Static(&body[..257]), Slice::Static(body)];
    rig.transmit(&[0x11; 54], &payload, Offload { checksum: CHECKSUM, gso: GSO }).unwrap();
    let sizes: Vec<_> = slots(&mut rig).into_iter().map(|slot| TxRequest::decode(slot).size).collect();
    assert_eq!(sizes[2..], [257, 4096], "{sizes:?}");
    assert_eq!((sizes[0], rig.machine.world().holds()), (54 + 100 + 256 + 257 + 4096, 2));
}

#[test]
fn memory_that_may_not_be_granted_is_copied() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let secret: &'static [u8] = vec![0x55; 6000].leak();
    let offload = Offload { checksum: CHECKSUM, gso: GSO };
    rig.transmit(&[0x11; 54], &[Slice::Static(secret)], offload).unwrap();
    let _ = rig.flush();
    let sent = rig.backend.transmit();
    assert_eq!(sent[0].1[54..], *secret);
    assert_eq!((sent[0].0.fragments.len(), rig.machine.world().holds()), (3, 0));
}

#[test]
fn a_frame_is_queued_whole_or_not_at_all() {
    let offload = Offload { checksum: CHECKSUM, gso: GSO };
    // Grants run out in its midst.
    for room in 0..8 {
        let mut rig = Rig::on(Machine::with_grants(1000, room), ALL_FEATURES, Sizes::default());
        let body = site(&rig, 100, 30_000);
        for _ in 0..3 {
            assert_eq!(rig.transmit(&[0x11; 54], &[Slice::Static(body)], offload), Err(TransmitError::Full));
            assert_eq!((rig.machine.world().holds(), rig.device.in_flight()), (0, 0));
        }
    }
    let mut rig = Rig::on(Machine::with_grants(1000, 8), ALL_FEATURES, Sizes::default());
    let body = site(&rig, 100, 30_000);
    rig.transmit(&[0x11; 54], &[Slice::Static(body)], offload).unwrap();
    assert_eq!(slots(&mut rig).len(), 10);
    // Blocks run out: 18 of them, and a copied frame that takes 17.
    let mut rig = Rig::new(ALL_FEATURES, Sizes { transmit: 9, receive: 32 });
    rig.transmit(&[0x11; 54], &[], Offload::default()).unwrap();
    rig.transmit(&[0x11; 54], &[], Offload::default()).unwrap();
    let body = [Slice::Borrowed(&[0x22; 34_000])];
    assert_eq!(rig.transmit(&[0x11; 54], &body, offload), Err(TransmitError::Full));
    assert_eq!((rig.device.in_flight(), slots(&mut rig).len()), (2, 2));
    // Ring slots run out: 20 frames of 10 slots and an extra one leave 36.
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let body = site(&rig, 0, 36_000);
    for _ in 0..23 {
        rig.transmit(&[0x11; 54], &[Slice::Static(body)], offload).unwrap();
    }
    let flight = (rig.device.in_flight(), rig.machine.world().holds());
    assert_eq!(flight, (230, 207));
    assert_eq!(rig.transmit(&[0x11; 54], &[Slice::Static(body)], offload), Err(TransmitError::Full));
    assert_eq!((rig.device.in_flight(), rig.machine.world().holds()), flight);
    assert_eq!(slots(&mut rig).len(), 23 * 11);
}

#[test]
fn a_packet_carries_at_most_eighteen_slots_and_65535_bytes() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let offload = Offload { checksum: CHECKSUM, gso: GSO };
    // 65,535 bytes less the longest headers (14 + 60 + 60), and 17 pages at most.
    for (offset, fit) in [(0, 65_401), (1, 65_401), (4095, 65_401)] {
        let body = site(&rig, offset, 70_000);
        let whole = [Slice::Static(body)];
        assert_eq!(rig.device.transmitter().fit(whole.into_iter()), fit, "from {offset}");
        rig.transmit(&[0x11; 134], &[Slice::Static(&body[..fit])], offload).unwrap();
        let _ = rig.flush();
        assert_eq!(rig.backend.transmit()[0].0.total, 65_535);
        rig.poll();
        let more = [Slice::Static(&body[..fit + 1])];
        assert_eq!(rig.transmit(&[0x11; 134], &more, offload), Err(TransmitError::Length));
    }
    // What is copied takes blocks of 2,048: 17 of them.
    let body = [Slice::Borrowed(&[0x22; 70_000])];
    assert_eq!(rig.device.transmitter().fit(body.into_iter()), 34_816);
    // Short slices cost a slot each where they stand between references.
    let long = site(&rig, 0, 4096);
    let mixed: Vec<_> = (0..20).flat_map(|_| [Slice::Static(long), Slice::Borrowed(b"x")]).collect();
    assert_eq!(rig.device.transmitter().fit(mixed.iter().copied()), 9 * 4096 + 8);
    // Where a frame is one slot, it is one block of 2,048, beside the longest headers.
    let mut rig = Rig::new(FEATURE_KEYS[0].1, Sizes::default());
    for (length, fit) in [(1_914, 1_914), (1_915, 1_914), (2_182, 1_914)] {
        let body = [Slice::Borrowed(&[0x22; 2_182][..length])];
        assert_eq!(rig.device.transmitter().fit(body.into_iter()), fit);
    }
}

#[test]
fn whatever_fits_is_taken() {
    for seed in 1..=500 {
        let mut random = Random::new(seed);
        let mut rig = Rig::new(FEATURE_KEYS[random.below(0..5)].1, Sizes { transmit: 9, receive: 20 });
        let bytes = site(&rig, 0, 80_000);
        let unlisted: &'static [u8] = if random.one_in(2) { bytes } else { &[0x77; 80_000] };
        let payload: Vec<_> = (0..random.below(0..25))
            .map(|_| {
                let start = random.below(0..9000);
                let length = random.below(0..[2, 300, 3000, 70_000][random.clone().below(0..4)]);
                match random.below(0..3) {
                    0 => Slice::Borrowed(&bytes[start..start + length]),
                    1 => Slice::Static(&bytes[start..start + length]),
                    _ => Slice::Static(&unlisted[start..start + length]),
                }
            })
            .collect();
        let sum: usize = payload.iter().map(|slice| slice.bytes().len()).sum();
        let fit = rig.device.transmitter().fit(payload.iter().copied());
        assert!(fit <= sum);
        let mut left = if rig.device.features().unwrap().gso_v4() { fit } else { fit.min(1380) };
        let payload: Vec<_> = payload
            .into_iter()
            .map(|slice| {
                let length = slice.bytes().len().min(left);
                left -= length;
                match slice {
                    Slice::Borrowed(bytes) => Slice::Borrowed(&bytes[..length]),
                    Slice::Static(bytes) => Slice::Static(&bytes[..length]),
                    Slice::Lent(bytes, hold) => Slice::Lent(&bytes[..length], hold),
                }
            })
            .collect();
        let header = vec![0x11; random.below(14..135)];
        let features = rig.device.features().unwrap();
        let offload = Offload {
            checksum: CHECKSUM.filter(|_| features.checksum()),
            gso: GSO.filter(|_| features.gso_v4()),
        };
        assert_eq!(rig.transmit(&header, &payload, offload), Ok(()), "seed {seed}");
        let _ = rig.flush();
        let expected: Vec<u8> = payload.iter().flat_map(|slice| slice.bytes()).copied().collect();
        assert!(rig.backend.transmit()[0].1[header.len()..] == expected, "seed {seed}");
        rig.poll();
        let counters = rig.device.counters();
        assert_eq!((counters.tx_backend_dropped.get(), counters.tx_backend_error.get()), (0, 0));
    }
}

#[test]
fn events_are_sent_once_for_a_batch_and_only_when_asked_for() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let opened = rig.machine.world().transmit_events;
    for _ in 0..10 {
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    }
    assert!(!rig.flush() && !rig.flush());
    assert_eq!(rig.machine.world().transmit_events, opened + 1);
    // The backend is awake, and has not asked again.
    rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    let _ = rig.flush();
    assert_eq!(rig.machine.world().transmit_events, opened + 1);
    assert_eq!(rig.backend.transmit().len(), 11);
    rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    let _ = rig.flush();
    assert_eq!(rig.machine.world().transmit_events, opened + 2);
    assert!(rig.backend.transmit_events <= 1, "what is done is found at the next poll");
}

/// Sends until the ring is full, a lap after its start, where no event is left over from the beginning.
fn full() -> Rig {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for _ in 0..300 {
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
        let _ = rig.flush();
        rig.backend.transmit();
        rig.poll();
    }
    for _ in 0..256 {
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    }
    rig
}

#[test]
fn a_poll_without_a_response_leaves_the_event_asked_for() {
    let mut rig = full();
    assert_eq!(rig.transmit(&[0x11; 60], &[], Offload::default()), Err(TransmitError::Full));
    for _ in 0..3 {
        assert!(!rig.poll().0.room);
    }
    let before = rig.backend.transmit_events;
    assert_eq!(rig.backend.transmit().len(), 256);
    assert_eq!(rig.backend.transmit_events, before + 1);
    assert!(rig.poll().0.room);
    // Nobody waits any more: the next ones raise none.
    rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    let _ = rig.flush();
    rig.backend.transmit();
    assert_eq!(rig.backend.transmit_events, before + 1);
}

#[test]
fn what_comes_during_the_poll_is_not_slept_over() {
    // A frame that comes while another is looked at.
    let mut rig = full();
    rig.backend.receive(&[1; 60], 0);
    let backend = &mut rig.backend;
    let polled = rig.device.poll(64, |_, _| backend.receive(&[2; 60], 0));
    assert!(polled.more);
    assert_eq!(rig.poll().1, [[2; 60]]);
    let before = rig.backend.receive_events;
    rig.backend.receive(&[3; 60], 0);
    assert_eq!(rig.backend.receive_events, before + 1, "asked for before sleeping");
    // A response that makes room after a refusal.
    let mut rig = full();
    rig.backend.receive(&[1; 60], 0);
    let backend = &mut rig.backend;
    let polled = rig.device.poll(64, |frame, out| {
        let refused = out.transmit(frame.bytes, core::iter::empty(), Offload::default());
        assert_eq!(refused, Err(TransmitError::Full));
        let _ = out.flush();
        backend.transmit();
    });
    assert!(polled.more);
    assert!(rig.poll().0.room);
}

#[test]
fn a_budget_is_kept_and_what_is_left_is_said() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for n in 0..10 {
        rig.backend.receive(&[n; 60], 0);
    }
    let mut frames = 0;
    for (more, seen) in [(true, 4), (true, 8), (false, 10)] {
        assert_eq!(rig.device.poll(4, |_, _| frames += 1).more, more);
        assert_eq!(frames, seen);
    }
}

#[test]
fn a_frame_refused_after_the_poll_still_gets_its_event() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for _ in 0..256 {
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    }
    rig.poll();
    let before = rig.backend.transmit_events;
    assert_eq!(rig.transmit(&[0x11; 60], &[], Offload::default()), Err(TransmitError::Full));
    assert!(!rig.flush(), "nothing is done yet");
    // Three quarters of what is open bring the event.
    let packets: Vec<_> = (0..192).map(|_| rig.backend.take_packet().unwrap()).collect();
    for (done, packet) in packets.iter().enumerate() {
        assert_eq!(rig.backend.transmit_events, before, "after {done}");
        rig.backend.finish(packet);
        rig.backend.push_tx();
    }
    assert_eq!(rig.backend.transmit_events, before + 1);
    // Where it is done before the event is asked for, no event comes, and the flush says so.
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for _ in 0..256 {
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
    }
    let _ = rig.flush();
    rig.backend.transmit();
    assert_eq!(rig.transmit(&[0x11; 60], &[], Offload::default()), Err(TransmitError::Full));
    assert!(rig.flush(), "poll before sleeping");
    assert!(rig.poll().0.room);
}
