//! Bytes that must not stay in memory: a private key on its way.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// Makes bytes zero in a way that the compiler cannot leave out. That takes more than safe code can say, so whoever runs
/// this brings it.
pub type Wipe = fn(&mut [u8]);

/// Bytes that are wiped when they go, and that do not move before.
pub struct Secret {
    bytes: Vec<u8>,
    wipe: Wipe,
}

impl Secret {
    /// None yet, and room for so many.
    pub fn with_capacity(capacity: usize, wipe: Wipe) -> Self {
        Self { bytes: Vec::with_capacity(capacity), wipe }
    }

    /// Takes bytes over.
    pub fn new(bytes: Vec<u8>, wipe: Wipe) -> Self {
        Self { bytes, wipe }
    }

    /// Adds a copy of bytes; false, and nothing is added, where there is no room for them.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= self.bytes.capacity().saturating_sub(self.bytes.len());
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        (self.wipe)(&mut self.bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secret bytes", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;
    use alloc::format;
    use alloc::vec::Vec;
    use core::sync::atomic::{AtomicUsize, Ordering};

    static WIPED: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn it_does_not_move_and_is_wiped_when_it_goes() {
        let mut secret = Secret::with_capacity(8, |bytes| {
            bytes.fill(0);
            WIPED.fetch_add(bytes.len(), Ordering::Relaxed);
        });
        assert!(secret.push(b"12345"));
        let place = secret.as_ptr();
        assert!(!secret.push(b"6789"));
        assert!(secret.push(b"678"));
        assert_eq!((&*secret, secret.as_ptr()), (&b"12345678"[..], place));
        assert_eq!(format!("{secret:?}"), "8 secret bytes");
        drop(secret);
        assert_eq!(WIPED.load(Ordering::Relaxed), 8);
        drop(Secret::new(Vec::from(*b"key"), |bytes| {
            WIPED.fetch_add(bytes.len(), Ordering::Relaxed);
        }));
        assert_eq!(WIPED.load(Ordering::Relaxed), 11);
    }
}
