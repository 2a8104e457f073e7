//! Bytes that must not stay in memory: private keys, and what they are made from.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
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

/// Bytes of the heap, which no page that is granted has a part of. They are wiped when they go, and do not move before.
pub struct Secret(Vec<u8>);

impl Secret {
    /// None yet, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds bytes; false where there is no room for them.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= self.0.capacity().saturating_sub(self.0.len());
        if fits {
            self.0.extend_from_slice(bytes);
        }
        fits
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        bytes(&mut self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secret bytes", self.0.len())
    }
}
