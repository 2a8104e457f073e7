//! Bytes that must not stay in memory: private keys, and what they are made from.

use core::arch::asm;

/// Makes `length` bytes zero, though nobody reads them any more: the compiler leaves these stores where they are.
///
/// # Safety
/// The bytes can be written, and nobody has a reference to them.
pub unsafe fn zero(start: *mut u8, length: usize) {
    // SAFETY: the caller vouches for the bytes.
    unsafe { start.write_bytes(0, length) };
    // SAFETY: no instruction at all. To the compiler it is one that may read what `start` points to.
    unsafe { asm!("/* {} */", in(reg) start, options(nostack, preserves_flags)) };
}

/// The same for bytes that are borrowed.
pub fn bytes(bytes: &mut [u8]) {
    // SAFETY: the borrow is exclusive.
    unsafe { zero(bytes.as_mut_ptr(), bytes.len()) };
}
