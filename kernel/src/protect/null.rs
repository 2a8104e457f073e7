//! An image that must crash: it reads page 0.
#![no_std]
#![no_main]

use core::arch::global_asm;
use kernel::pv::boot::Entry;
use kernel::pv::layout;

kernel::entry!(protect);

global_asm!(".globl protect_forbidden", "protect_forbidden:", "mov rax, [8]", "ret");

unsafe extern "C" {
    fn protect_forbidden() -> u64;
}

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    let first: *const u8 = core::ptr::with_exposed_provenance(layout::image().start);
    // SAFETY: the first byte of the image, in the lowest page that is mapped.
    let byte = unsafe { first.read_volatile() };
    log::info!("protect-null: read {byte:#04x} at {first:p}, in the lowest page; now reading at 0x8");
    // SAFETY: none is claimed: the page is not mapped, and the exception ends this image.
    let value = unsafe { protect_forbidden() };
    log::info!("protect-null: {value:#x} was there");
    kernel::panic::poweroff()
}
