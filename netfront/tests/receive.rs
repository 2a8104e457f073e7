//! Frames that come in several slots: cut anywhere, at any offset, with and without extra-info slots.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::Sizes;
use netfront::frame::ReceiveChecksum::{self, Trusted, Unverified};
use netfront::sim::{ALL_FEATURES, Random, Rig};
use xen::netif::{Extra, ExtraInfo, rxf};

const GSO: ExtraInfo = ExtraInfo { extra: Extra::Gso { size: 1448, kind: 1 }, more: false };

fn count(rig: &Rig, name: &str) -> u64 {
    rig.device.counters().iter().find(|(known, _)| *known == name).unwrap().1
}

/// What comes in until nothing is left to do.
fn received(rig: &mut Rig) -> Vec<(Vec<u8>, ReceiveChecksum)> {
    let mut frames = Vec::new();
    while rig.device.poll(64, |frame, _| frames.push((frame.bytes.to_vec(), frame.checksum))).more {}
    frames
}

#[test]
fn a_frame_of_eighteen_slots_and_an_extra_one() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    for _ in 0..40 {
        rig.backend.take_pages();
        let first = rxf::EXTRA_INFO | rxf::MORE_DATA | rxf::CSUM_BLANK | rxf::DATA_VALIDATED;
        rig.backend.receive_slot(0, &[1; 4096], first);
        rig.backend.receive_extra(GSO);
        for slot in 2..=18 {
            rig.backend.receive_slot(0, &[slot; 4096], if slot < 18 { rxf::MORE_DATA } else { 0 });
        }
        rig.backend.push_rx();
        let frames = received(&mut rig);
        let [(bytes, Trusted)] = &frames[..] else { panic!("{} frames", frames.len()) };
        assert!(bytes.chunks(4096).enumerate().all(|(n, slot)| slot == [n as u8 + 1; 4096]));
        assert_eq!(bytes.len(), 73_728);
    }
    assert_eq!((count(&rig, "net_rx_joined"), count(&rig, "net_rx_frames")), (40, 40));
}

/// The first slot's flags say what is known of the checksum; those of the others say nothing.
#[test]
fn the_checksum_is_what_the_first_slot_says() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    let table = [
        (0, 0, Unverified),
        (0, rxf::CSUM_BLANK | rxf::DATA_VALIDATED, Unverified),
        (rxf::CSUM_BLANK, 0, Trusted),
        (rxf::DATA_VALIDATED, 0, Trusted),
        (rxf::CSUM_BLANK | rxf::DATA_VALIDATED, 0, Trusted),
    ];
    for (first, second, checksum) in table {
        rig.backend.take_pages();
        rig.backend.receive_slot(0, &[1; 100], first);
        rig.backend.receive_slot(0, &[2; 100], first | rxf::MORE_DATA);
        rig.backend.receive_slot(0, &[3; 100], second);
        rig.backend.push_rx();
        let frames = received(&mut rig);
        assert_eq!(frames.iter().map(|frame| frame.1).collect::<Vec<_>>(), [checksum, checksum]);
    }
}

/// A slot without bytes, a slot of one, and the last byte of a page.
#[test]
fn slots_of_any_length_at_any_offset() {
    let mut rig = Rig::new(ALL_FEATURES, Sizes::default());
    rig.backend.take_pages();
    let slots = [(4095, &[1][..]), (4096, &[]), (0, &[2; 4096]), (0, &[]), (2048, &[3; 2048]), (1, &[4; 12])];
    for (n, (offset, bytes)) in slots.into_iter().enumerate() {
        rig.backend.receive_slot(offset, bytes, if n + 1 < slots.len() { rxf::MORE_DATA } else { 0 });
    }
    rig.backend.push_rx();
    let expected = [&[1][..], &[2; 4096], &[3; 2048], &[4; 12]].concat();
    assert_eq!(received(&mut rig), [(expected, Unverified)]);
}

/// Frames of all lengths, cut anywhere, in batches of any size: each comes out as it went in, once, in order.
#[test]
fn any_cut_gives_the_frame() {
    for seed in 1..=300 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let pages = random.below(20..257) as u16;
        let mut rig = Rig::new(ALL_FEATURES, Sizes { transmit: 9, receive: pages });
        let (mut meant, mut seen) = (Vec::new(), Vec::new());
        for frame in 0..60_u8 {
            rig.backend.take_pages();
            let slots = random.below(1..19);
            // A frame of 18 slots and two of extra info is the longest that is waited for.
            if rig.backend.pages.len() < 20 {
                rig.backend.push_rx();
                seen.extend(received(&mut rig));
                rig.backend.take_pages();
            }
            let mut bytes = Vec::new();
            let extras = random.below(0..3);
            for slot in 0..slots {
                let least = if slots == 1 { 14 } else { 0 };
                let offset = random.below(0..4097 - least);
                let mut part = vec![frame; random.below(least..4097 - offset)];
                part.iter_mut().for_each(|byte| *byte ^= random.number() as u8 & 0x0f);
                let more = if slot + 1 < slots { rxf::MORE_DATA } else { 0 };
                let extra = if slot == 0 && extras > 0 { rxf::EXTRA_INFO } else { 0 };
                let flags = more | extra | if slot == 0 { rxf::CSUM_BLANK } else { 0 };
                rig.backend.receive_slot(offset as u16, &part, flags);
                bytes.extend(part);
                for left in (0..if slot == 0 { extras } else { 0 }).rev() {
                    rig.backend.receive_extra(ExtraInfo { more: left > 0, ..GSO });
                }
            }
            if bytes.len() >= 14 {
                meant.push((bytes, Trusted));
            }
            if random.one_in(4) {
                rig.backend.push_rx();
                rig.device.poll(random.below(1..70) as u32, |frame, _| {
                    seen.push((frame.bytes.to_vec(), frame.checksum));
                });
            }
        }
        rig.backend.push_rx();
        seen.extend(received(&mut rig));
        assert!(seen == meant, "seed {seed}: {} frames of {}", seen.len(), meant.len());
        assert_eq!(count(&rig, "net_lies"), 0);
    }
}
