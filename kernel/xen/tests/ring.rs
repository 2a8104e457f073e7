//! Byte rings: honest peers, indices that start anywhere, and peers that lie.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::SeqCst};
use xen::console::ConsoleInterface;
use xen::ring::{Consumer, IndexError, Producer};

/// A ring of eight bytes whose indices both start at `start`.
struct Ring {
    bytes: [AtomicU8; 8],
    produced: AtomicU32,
    consumed: AtomicU32,
}

impl Ring {
    fn new(start: u32) -> Self {
        Self {
            bytes: [const { AtomicU8::new(0) }; 8],
            produced: AtomicU32::new(start),
            consumed: AtomicU32::new(start),
        }
    }

    fn ends(&self) -> (Producer<'_>, Consumer<'_>) {
        (
            Producer::attach(&self.bytes, &self.produced, &self.consumed),
            Consumer::attach(&self.bytes, &self.produced, &self.consumed),
        )
    }

    fn indices(&self) -> (u32, u32) {
        (self.produced.load(SeqCst), self.consumed.load(SeqCst))
    }
}

fn console() -> ConsoleInterface {
    ConsoleInterface {
        input: [const { AtomicU8::new(0) }; 1024],
        output: [const { AtomicU8::new(0) }; 2048],
        input_consumed: AtomicU32::new(0),
        input_produced: AtomicU32::new(0),
        output_consumed: AtomicU32::new(0),
        output_produced: AtomicU32::new(0),
    }
}

#[test]
fn xencons_interface_lies_as_in_the_header() {
    assert_eq!(offset_of!(ConsoleInterface, input), 0);
    assert_eq!(offset_of!(ConsoleInterface, output), 1024);
    assert_eq!(offset_of!(ConsoleInterface, input_consumed), 3072);
    assert_eq!(offset_of!(ConsoleInterface, input_produced), 3076);
    assert_eq!(offset_of!(ConsoleInterface, output_consumed), 3080);
    assert_eq!(offset_of!(ConsoleInterface, output_produced), 3084);
    assert_eq!(size_of::<ConsoleInterface>(), 3088);
}

/// MSA03: a console writer that advances by what it was asked to write, not by what fitted, prints stale memory.
#[test]
fn the_writer_advances_by_what_it_wrote() {
    let console = console();
    let mut printer = console.printer();
    assert_eq!(printer.write(&[b'a'; 2000]), Ok(2000));
    assert_eq!(printer.write(&[b'b'; 100]), Ok(48), "only 48 bytes of 2,048 were free");
    assert_eq!(console.output_produced.load(SeqCst), 2048);
    assert_eq!(printer.write(b"c"), Ok(0));
    assert_eq!(console.output_produced.load(SeqCst), 2048);
    assert_eq!(console.output[2047].load(SeqCst), b'b');
    assert_eq!(console.output[0].load(SeqCst), b'a', "nothing unread was written over");

    console.output_consumed.store(3, SeqCst);
    assert_eq!(printer.write(b"defg"), Ok(3));
    assert_eq!(console.output_produced.load(SeqCst), 2051);
    assert_eq!([0, 1, 2, 3].map(|i| console.output[i].load(SeqCst)), *b"defa");
}

#[test]
fn the_keyboard_reads_the_input_ring() {
    let console = console();
    console.input[0].store(b's', SeqCst);
    console.input_produced.store(1, SeqCst);
    let mut into = [0; 4];
    assert_eq!(console.keyboard().read(&mut into), Ok(1));
    assert_eq!((into[0], console.input_consumed.load(SeqCst)), (b's', 1));
}

#[test]
fn indices_may_start_anywhere_and_wrap() {
    for start in [0, 1, 7, 8, 1234, u32::MAX - 3, u32::MAX] {
        let ring = Ring::new(start);
        let (mut producer, mut consumer) = ring.ends();
        for round in 0..20_u8 {
            assert_eq!(producer.write(&[round, 1, 2, 3, 4]), Ok(5));
            assert_eq!((producer.free(), consumer.available()), (Ok(3), Ok(5)));
            let mut into = [0; 9];
            assert_eq!(consumer.read(&mut into), Ok(5));
            assert_eq!(into, [round, 1, 2, 3, 4, 0, 0, 0, 0]);
        }
        assert_eq!(ring.indices(), (start.wrapping_add(100), start.wrapping_add(100)));
    }
}

#[test]
fn bytes_left_by_an_earlier_user_are_there_to_read() {
    let ring = Ring::new(u32::MAX - 1);
    ring.ends().0.write(b"stale").unwrap();
    let (mut producer, mut consumer) = ring.ends();
    producer.write(b"new").unwrap();
    let mut into = [0; 8];
    assert_eq!(consumer.read(&mut into), Ok(8));
    assert_eq!(&into, b"stalenew");
}

#[test]
fn a_full_ring_takes_nothing() {
    let ring = Ring::new(5);
    let (mut producer, mut consumer) = ring.ends();
    assert_eq!(producer.write(b"0123456789"), Ok(8));
    assert_eq!(producer.write(b"x"), Ok(0));
    let mut into = [0; 3];
    assert_eq!(consumer.read(&mut into), Ok(3));
    assert_eq!(producer.write(b"abcd"), Ok(3));
    let mut rest = [0; 8];
    assert_eq!(consumer.read(&mut rest), Ok(8));
    assert_eq!(&rest, b"34567abc");
}

#[test]
fn a_peer_that_claims_too_much_is_refused() {
    let ring = Ring::new(100);
    let (mut producer, mut consumer) = ring.ends();
    for lie in [100 + 9, 99, 0, u32::MAX] {
        ring.produced.store(lie, SeqCst);
        let error = IndexError { produced: lie, consumed: 100 };
        assert_eq!(consumer.available(), Err(error));
        assert_eq!(consumer.read(&mut [0; 8]), Err(error));
        assert_eq!(consumer.discard(), Err(error));
        assert_eq!(ring.indices(), (lie, 100), "nothing was consumed");
    }
    for lie in [101, 91, 0, u32::MAX] {
        ring.consumed.store(lie, SeqCst);
        assert_eq!(producer.write(b"x"), Err(IndexError { produced: 100, consumed: lie }));
    }
    assert!(ring.bytes.iter().all(|byte| byte.load(SeqCst) == 0), "nothing was written");
}

#[test]
fn our_own_index_is_not_read_back() {
    let ring = Ring::new(0);
    let (mut producer, mut consumer) = ring.ends();
    ring.produced.store(77, SeqCst);
    assert_eq!(producer.write(b"ab"), Ok(2));
    assert_eq!(ring.produced.load(SeqCst), 2);
    ring.consumed.store(99, SeqCst);
    assert_eq!(consumer.read(&mut [0; 1]), Ok(1));
    assert_eq!(ring.consumed.load(SeqCst), 1);
}

#[test]
fn discard_empties_the_ring() {
    let ring = Ring::new(3);
    let (mut producer, mut consumer) = ring.ends();
    producer.write(b"abcdef").unwrap();
    assert_eq!(consumer.discard(), Ok(6));
    assert_eq!((consumer.available(), producer.free()), (Ok(0), Ok(8)));
}
