//! Bytes that must not stay in memory: private keys, and what they are made from.

use core::sync::atomic::{Ordering, compiler_fence};

/// Makes `length` bytes zero, though nobody reads them any more: the compiler leaves these stores where they are.
///
/// # Safety
/// The bytes can be written, and nobody has a reference to them.
pub unsafe fn zero(start: *mut u8, length: usize) {
    for offset in 0..length {
        // SAFETY: one of the bytes that the caller vouches for.
        unsafe { start.wrapping_add(offset).write_volatile(0) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// The same for bytes that are borrowed.
pub fn bytes(bytes: &mut [u8]) {
    // SAFETY: the borrow is exclusive.
    unsafe { zero(bytes.as_mut_ptr(), bytes.len()) };
}
