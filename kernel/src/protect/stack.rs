//! An image that must crash: it runs off the end of its stack.
//!
//! There is no stack left for an exception to be reported on: Xen ends the domain and says so in its own log.
#![no_std]
#![no_main]

use core::arch::global_asm;
use kernel::pv::boot::Entry;
use kernel::pv::layout;

kernel::entry!(protect);

global_asm!(
    "protect_push:",
    "mov rsp, rdi",
    ".globl protect_forbidden",
    "protect_forbidden:",
    "push 0",
    "ud2"
);

unsafe extern "C" {
    fn protect_push(stack: *mut u64) -> !;
}

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    let lowest: *mut u64 = core::ptr::with_exposed_provenance_mut(layout::stack().start);
    // SAFETY: the lowest 8 bytes of the stack, which its use so far does not reach by many pages.
    unsafe { lowest.write_volatile(0) };
    log::info!("protect-stack: wrote at {lowest:p}, the end of the stack; now pushing below it");
    // SAFETY: none is claimed: the page below is not mapped, and Xen ends the domain.
    unsafe { protect_push(lowest) }
}
