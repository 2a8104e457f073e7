//! Byte rings, against a queue; and against a peer that writes any index.

use crate::choices::Choices;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use xen::ring::{Consumer, Producer};

/// Both ends, with the indices anywhere: what goes in comes out, in order, and never more than there is room for.
pub fn ring(input: &[u8]) {
    const SIZE: usize = 32;
    let mut choices = Choices::new(input);
    let start = choices.half();
    let bytes = [const { AtomicU8::new(0) }; SIZE];
    let (produced, consumed) = (AtomicU32::new(start), AtomicU32::new(start));
    let mut producer = Producer::attach(&bytes, &produced, &consumed);
    let mut consumer = Consumer::attach(&bytes, &produced, &consumed);
    let mut queue = VecDeque::new();
    let mut next = 0_u8;
    while !choices.is_empty() {
        let (what, count) = (choices.byte(), choices.below(48));
        match what % 8 {
            0..=2 => {
                let data: Vec<u8> = (0..count).map(|at| next.wrapping_add(at as u8)).collect();
                assert_eq!(producer.free(), Ok(SIZE - queue.len()));
                let written = producer.write(&data).expect("sound indices");
                assert_eq!(written, count.min(SIZE - queue.len()));
                queue.extend(&data[..written]);
                next = next.wrapping_add(written as u8);
            }
            3..=5 => {
                let mut data = vec![0; count];
                assert_eq!(consumer.available(), Ok(queue.len()));
                let read = consumer.read(&mut data).expect("sound indices");
                assert_eq!(read, count.min(queue.len()));
                assert!(data[..read].iter().copied().eq(queue.drain(..read)));
            }
            6 => {
                assert_eq!(consumer.discard(), Ok(queue.len()));
                queue.clear();
            }
            _ => {
                // A lie, and the truth again: nothing was read or written, and nothing is lost.
                let (lie, of) = (choices.half(), if what & 8 == 0 { &produced } else { &consumed });
                let truth = of.swap(lie, Ordering::Relaxed);
                let apart = if what & 8 == 0 {
                    lie.wrapping_sub(consumed.load(Ordering::Relaxed))
                } else {
                    produced.load(Ordering::Relaxed).wrapping_sub(lie)
                };
                let seen = if what & 8 == 0 { consumer.available() } else { producer.free() };
                assert_eq!(seen.is_ok(), apart as usize <= SIZE);
                if let Err(error) = seen {
                    let _ = error.to_string();
                    let mut data = [0; 8];
                    let refused =
                        if what & 8 == 0 { consumer.read(&mut data) } else { producer.write(&data) };
                    assert_eq!(refused, Err(error));
                }
                of.store(truth, Ordering::Relaxed);
            }
        }
    }
}
