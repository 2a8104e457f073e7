//! An image that must crash: it panics, when frames have come and gone.
#![no_std]
#![no_main]

use core::hint::black_box;
use kernel::pv::boot::Entry;
use kernel::recorder;
use netstack::Instant;

kernel::entry!(protect);

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    recorder::open();
    recorder::begin(Instant::from_micros(1_000));
    (0..200).for_each(|number: u8| recorder::received(&[number; 100]));
    recorder::sent(&[0xee; 50], core::iter::once(b"the last one".as_slice()));
    let numbers = [black_box(20_u32), black_box(22)];
    let sum = at(&numbers, 0).wrapping_add(at(&numbers, 1));
    log::info!("protect-panic: {sum} is in bounds; now reading out of bounds");
    log::info!("protect-panic: {} was there", at(&numbers, black_box(2)));
    kernel::panic::poweroff()
}

#[expect(clippy::indexing_slicing, reason = "the panic is what this image is for")]
fn at(numbers: &[u32], index: usize) -> u32 {
    numbers[index]
}
