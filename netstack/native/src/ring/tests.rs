//! The ring between sockets in place of a tap.

#![allow(clippy::arithmetic_side_effects)]

use super::*;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};

static BODY: [u8; 4_000] = [7; 4_000];

struct Wire {
    ring: Ring,
    far: UnixDatagram,
    signals: UnixStream,
    near: (UnixDatagram, UnixStream),
}

/// A pair of datagram sockets in place of a tap; `None` where there is no io_uring.
fn wire() -> Option<Wire> {
    let (near, far) = UnixDatagram::pair().unwrap();
    let (end, signals) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    let ring = Ring::new(&near, &end).ok()?;
    Some(Wire { ring, far, signals, near: (near, end) })
}

const NOW: Instant = Instant::ZERO;

#[test]
fn every_frame_arrives_once_and_in_order() {
    let Some(mut wire) = wire() else { return };
    let (mut sent, mut seen) = (0_u32, 0_u32);
    // More than there are buffers, some of them lent meanwhile.
    let mut lent = VecDeque::new();
    while seen < 1_000 {
        while sent < 1_000 && wire.far.send(&sent.to_be_bytes()).is_ok() {
            sent += 1;
        }
        wire.ring.wait(NOW, None).unwrap();
        while let Some(received) = wire.ring.receive().unwrap() {
            assert_eq!(received.bytes, seen.to_be_bytes());
            seen += 1;
            lent.push_back(received);
            if lent.len() > 100 {
                wire.ring.release(lent.pop_front().unwrap());
            }
        }
    }
    assert_eq!(lent.iter().map(|received| received.bytes[3]).next_back(), Some(999_u32.to_be_bytes()[3]));
}

#[test]
fn a_frame_leaves_whole_wherever_its_parts_lie() {
    let Some(mut wire) = wire() else { return };
    let mut bytes = vec![0; 20_000];
    for number in 0..500_u32 {
        let sent = wire.ring.send(|filling| {
            filling.copy(&number.to_be_bytes());
            if number % 2 == 1 {
                filling.refer(&BODY);
                filling.room(2).copy_from_slice(b"ab");
                filling.refer(&BODY[..10]);
            }
        });
        assert!(sent);
        wire.ring.wait(NOW, Some(NOW)).unwrap();
        let length = wire.far.recv(&mut bytes).unwrap();
        assert_eq!(bytes[..4], number.to_be_bytes());
        let rest = [&BODY[..], b"ab", &BODY[..10]].concat();
        assert_eq!(&bytes[4..length], if number % 2 == 1 { &rest[..] } else { &[] });
    }
    assert_eq!(wire.ring.free.len(), 64);
}

#[test]
fn many_parts_are_copied_rather_than_lost() {
    let Some(mut wire) = wire() else { return };
    assert!(wire.ring.send(|filling| (0..12).for_each(|_| filling.refer(&BODY))));
    wire.ring.wait(NOW, Some(NOW)).unwrap();
    let mut bytes = vec![0; 60_000];
    assert_eq!(wire.far.recv(&mut bytes).unwrap(), 48_000);
    assert_eq!(bytes[..48_000], [7; 48_000]);
}

#[test]
fn a_timer_ends_the_wait_and_a_later_one_is_not_set() {
    let Some(mut wire) = wire() else { return };
    let at = |millis: u64| Some(Instant::from_micros(millis * 1_000));
    assert!(!wire.ring.wait(NOW, at(1)).unwrap());
    assert!(wire.ring.timers.is_empty());
    // These run when the frame comes.
    let mut meanwhile = |until| {
        wire.far.send(b"frame").unwrap();
        wire.ring.wait(NOW, until).unwrap();
        let received = wire.ring.receive().unwrap().unwrap();
        wire.ring.release(received);
        wire.ring.timers.clone()
    };
    assert_eq!(meanwhile(at(100_000)), [Instant::from_micros(100_000_000)]);
    assert_eq!(meanwhile(at(200_000)), [Instant::from_micros(100_000_000)]);
    for millis in 1..40 {
        meanwhile(at(100_000 - millis));
    }
    assert_eq!(meanwhile(at(1)).len(), 16);
}

#[test]
fn each_signal_is_told() {
    let Some(mut wire) = wire() else { return };
    for _ in 0..3 {
        wire.signals.write_all(b"x").unwrap();
        assert!(wire.ring.wait(NOW, None).unwrap());
        assert_eq!(wire.near.1.read(&mut [0; 8]).unwrap(), 1);
        assert!(!wire.ring.wait(NOW, Some(NOW)).unwrap());
    }
}
