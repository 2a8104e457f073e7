//! An image that must crash: it executes data.
#![no_std]
#![no_main]

use core::arch::global_asm;
use kernel::pv::boot::Entry;

kernel::entry!(protect);

global_asm!(
    ".pushsection .data.protect, \"aw\", @progbits",
    ".globl protect_forbidden",
    "protect_forbidden:",
    ".byte 0",
    ".popsection"
);

unsafe extern "C" {
    fn protect_forbidden();
}

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    let code: *mut u8 = core::ptr::with_exposed_provenance_mut(protect_forbidden as *const () as usize);
    // SAFETY: a byte of the data section that nothing else uses, mapped to be written. It becomes a `ret`.
    unsafe { code.write_volatile(0xc3) };
    log::info!("protect-data: wrote a return at {code:p}; now calling it");
    // SAFETY: none is claimed: the page cannot be executed, and the exception ends this image.
    unsafe { protect_forbidden() };
    kernel::panic::poweroff()
}
