//! An image that must crash: it panics.
#![no_std]
#![no_main]

use core::hint::black_box;
use kernel::pv::boot::Entry;

kernel::entry!(protect);

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
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
