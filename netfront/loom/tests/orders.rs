//! No slot is read before it is published, none is missed, and whoever goes to sleep is woken.
//!
//! A lost wake-up shows as a deadlock, which loom reports. `scripts/undone` takes each barrier and each final check out,
//! and one of these tests has to fail.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use loom::sync::Notify;
use loom::thread;
use netfront_loom::back_ring::BackRing;
use netfront_loom::platform::{AtomicU32, RingPage};
use netfront_loom::ring::{FrontRing, RING_SIZE};

/// Every order with at most so many switches that neither side asked for.
fn every_order(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(test);
}

/// The ends of a ring in a page of zeros, and an event channel to each. What loom would look after when it ends a run
/// that failed is leaked instead: its complaint would hide the failure.
struct Ends {
    front: FrontRing<2>,
    back: BackRing<2>,
    to_front: &'static Notify,
    to_back: &'static Notify,
}

fn ends() -> Ends {
    let page: &'static RingPage = Box::leak(Box::new(core::array::from_fn(|_| AtomicU32::new(0))));
    let event = || -> &'static Notify { Box::leak(Box::new(Notify::new())) };
    Ends { front: FrontRing::new(page), back: BackRing::new(page), to_front: event(), to_back: event() }
}

/// What request `n` says.
fn request(n: u32) -> [u32; 2] {
    [n * 16, n * 16 + 1]
}

/// What the response to it says.
fn response(n: u32) -> [u32; 2] {
    [n * 16 + 2, n * 16 + 3]
}

#[test]
fn the_ring_has_two_slots() {
    assert_eq!(RING_SIZE, 2);
}

#[test]
fn requests_are_seen_whole_and_none_is_slept_over() {
    every_order(4, || {
        let Ends { mut front, mut back, to_back, .. } = ends();
        let backend = thread::spawn(move || {
            let mut seen = 0;
            while seen < 2 {
                while let Some(words) = back.take() {
                    assert_eq!(words, request(seen));
                    seen += 1;
                }
                if seen < 2 && !back.final_check() {
                    to_back.wait();
                }
            }
        });
        for n in 0..2 {
            front.reserve(1).unwrap().write(request(n));
            if front.push() {
                to_back.notify();
            }
        }
        backend.join().unwrap();
    });
}

/// Two requests are out; the driver takes the responses, asking for an event when so many have come.
fn responses(batch: u32) {
    let Ends { mut front, mut back, to_front, .. } = ends();
    let mut room = front.reserve(2).unwrap();
    room.write(request(0));
    room.write(request(1));
    let _ = front.push();
    let backend = thread::spawn(move || {
        for n in 0..2 {
            assert_eq!(back.take(), Some(request(n)));
            back.respond(&response(n));
            if back.push() {
                to_front.notify();
            }
        }
    });
    let mut seen = 0;
    loop {
        front.responses().unwrap();
        while let Some((position, words)) = front.take() {
            assert_eq!((u32::from(position), words), (seen, response(seen)));
            seen += 1;
        }
        if seen == 2 {
            break;
        }
        if !front.ask_event_after(batch.min(2 - seen)).unwrap() {
            to_front.wait();
        }
    }
    backend.join().unwrap();
}

#[test]
fn responses_are_seen_whole_and_none_is_slept_over() {
    every_order(4, || responses(1));
}

#[test]
fn an_event_for_a_batch_comes() {
    every_order(4, || responses(2));
}

/// Three requests through two slots: each slot is written by both ends, again and again.
#[test]
fn a_slot_goes_round() {
    const REQUESTS: u32 = 3;
    every_order(2, || {
        let Ends { mut front, mut back, to_front, to_back } = ends();
        let backend = thread::spawn(move || {
            let mut seen = 0;
            while seen < REQUESTS {
                while let Some(words) = back.take() {
                    assert_eq!(words, request(seen));
                    back.respond(&response(seen));
                    seen += 1;
                }
                if back.push() {
                    to_front.notify();
                }
                if seen < REQUESTS && !back.final_check() {
                    to_back.wait();
                }
            }
        });
        let (mut written, mut seen) = (0, 0);
        while seen < REQUESTS {
            while written < REQUESTS && front.free() > 0 {
                front.reserve(1).unwrap().write(request(written));
                written += 1;
            }
            if front.push() {
                to_back.notify();
            }
            front.responses().unwrap();
            while let Some((_, words)) = front.take() {
                assert_eq!(words, response(seen));
                seen += 1;
            }
            let full = front.free() == 0 || written == REQUESTS;
            let open = front.outstanding();
            if seen < REQUESTS && full && !front.ask_event_after(open - open / 4).unwrap() {
                to_front.wait();
            }
        }
        backend.join().unwrap();
    });
}
