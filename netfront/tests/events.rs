//! How many events a burst costs, on either ring, with one channel and with two.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::Sizes;
use netfront::frame::Offload;
use netfront::sim::Rig;

const FEATURES: [&[(&str, &str)]; 2] =
    [&[("feature-sg", "1")], &[("feature-sg", "1"), ("feature-split-event-channels", "1")]];

/// Events that we have sent for transmit requests and for pages, and those that the backend has.
fn events(rig: &Rig) -> [usize; 4] {
    let world = rig.machine.world();
    let (transmit, receive) = (world.transmit_events, world.receive_events);
    drop(world);
    [transmit, receive, rig.backend.transmit_events, rig.backend.receive_events]
}

fn since(rig: &Rig, before: [usize; 4]) -> [usize; 4] {
    let after = events(rig);
    core::array::from_fn(|n| after[n] - before[n])
}

/// A rig whose indices have left their start behind, both ends asleep.
fn asleep(features: &[(&str, &str)]) -> Rig {
    let mut rig = Rig::new(features, Sizes::default());
    for _ in 0..300 {
        rig.backend.receive(&[1; 60], 0);
        rig.poll();
        rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
        let _ = rig.flush();
        rig.backend.transmit();
    }
    rig.poll();
    rig.backend.take_pages();
    rig
}

#[test]
fn a_burst_of_received_frames_wakes_us_once() {
    for features in FEATURES {
        let mut rig = asleep(features);
        let before = events(&rig);
        // The backend pushes each frame for itself: it wants to be done with it.
        for n in 0..200 {
            rig.backend.receive(&[n; 60], 0);
        }
        assert_eq!(since(&rig, before), [0, 0, 0, 1]);
        // Four polls of 64: the pages go back in four batches, and the backend, asleep, is told once.
        let mut frames = 0;
        let mut polls = 0;
        loop {
            let more = rig.device.poll(64, |_, _| frames += 1).more;
            polls += 1;
            if !more {
                break;
            }
            assert_eq!(events(&rig)[3], before[3] + 1, "held off while we are awake");
        }
        assert_eq!((frames, polls), (200, 4));
        assert_eq!(since(&rig, before), [0, 1, 0, 1]);
        rig.backend.take_pages();
        assert_eq!(rig.backend.pages.len(), 256, "each page is back in the poll that emptied it");
    }
}

/// While we are awake frames come without an event; the last look before sleep finds what came late.
#[test]
fn frames_that_come_while_we_poll_raise_no_event() {
    for features in FEATURES {
        let mut rig = asleep(features);
        rig.backend.receive(&[0; 60], 0);
        let before = events(&rig);
        let mut seen = 0;
        loop {
            let backend = &mut rig.backend;
            let more = rig
                .device
                .poll(64, |_, _| {
                    seen += 1;
                    if seen < 500 {
                        backend.receive(&[0; 60], 0);
                    }
                })
                .more;
            if !more {
                break;
            }
        }
        assert_eq!(seen, 500);
        assert_eq!(since(&rig, before)[3], 0);
        rig.backend.receive(&[0; 60], 0);
        assert_eq!(since(&rig, before)[3], 1, "and none is slept over");
    }
}

#[test]
fn a_burst_of_sent_frames_tells_the_backend_once_and_wakes_us_never() {
    for features in FEATURES {
        let mut rig = asleep(features);
        let before = events(&rig);
        for batch in 0..4 {
            for _ in 0..50 {
                rig.transmit(&[0x11; 60], &[], Offload::default()).unwrap();
            }
            let _ = rig.flush();
            assert_eq!(since(&rig, before), [1, 0, 0, 0], "batch {batch}");
        }
        assert_eq!(rig.backend.transmit().len(), 200);
        // Nobody waits for room: what is done is found at the next occasion.
        assert_eq!(since(&rig, before), [1, 0, 0, 0]);
        rig.poll();
        assert_eq!((since(&rig, before), rig.device.in_flight()), ([1, 0, 0, 0], 0));
    }
}

/// Requests and their answers: one event each way for as many as come together.
#[test]
fn a_burst_of_requests_costs_one_event_each_way() {
    for features in FEATURES {
        let mut rig = asleep(features);
        let before = events(&rig);
        for n in 0..60 {
            rig.backend.receive(&[n; 60], 0);
        }
        rig.device.poll(64, |frame, out| {
            out.transmit(frame.bytes, core::iter::empty(), Offload::default()).unwrap();
        });
        assert_eq!(rig.backend.transmit().len(), 60);
        assert_eq!(since(&rig, before), [1, 1, 0, 1]);
    }
}
