//! An image that must crash: it writes to its own code.
#![no_std]
#![no_main]

use core::arch::global_asm;
use kernel::pv::boot::Entry;
use kernel::pv::layout;

kernel::entry!(protect);

global_asm!(".globl protect_forbidden", "protect_forbidden:", "mov byte ptr [rdi], 0", "ret");

unsafe extern "C" {
    fn protect_forbidden(address: *mut u8);
}

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    let code: *mut u8 = core::ptr::with_exposed_provenance_mut(layout::text().start);
    // SAFETY: a byte of the text section, which is mapped to be read.
    let byte = unsafe { code.read_volatile() };
    log::info!("protect-text: read {byte:#04x} at {code:p}; now writing there");
    // SAFETY: none is claimed: the page cannot be written, and the exception ends this image.
    unsafe { protect_forbidden(code) };
    kernel::panic::poweroff()
}
