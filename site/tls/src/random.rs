//! The generator of random numbers that keys, nonces and the hello's random come from.
//!
//! ChaCha20 (RFC 8439) with fast key erasure: each block of output begins with the next key, and what has been handed
//! out is wiped, so whoever reads the memory later learns nothing about earlier numbers. It has no source of its own:
//! it refuses until the caller has seeded it.

use alloc::boxed::Box;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use core::fmt;
use hmac::digest::{FixedOutput, KeyInit, Update};
use rustls::crypto::{GetRandomFailed, SecureRandom};
use sha2::Sha256;
use spin::Mutex;
use zeroize::Zeroize;

const KEY: usize = 32;
/// Bytes handed out under one key.
const POOL: usize = 480;

/// The generator. It may be shared; nothing in it is ever waited for on a single thread.
pub struct Random {
    state: Mutex<State>,
}

/// A seed of fewer than 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeedTooShort(
    /// Its bytes.
    pub usize,
);

impl fmt::Display for SeedTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a seed of {} bytes: it takes 32", self.0)
    }
}

impl core::error::Error for SeedTooShort {}

impl Random {
    /// A generator that refuses to work.
    pub const fn new() -> Self {
        Self { state: Mutex::new(State::new()) }
    }

    /// One that lives as long as the program, as rustls wants it. To be called once.
    pub fn leak() -> &'static Self {
        Box::leak(Box::new(Self::new()))
    }

    /// Mixes a seed into what is there, and wipes what was drawn ahead. All 32 bytes or more have to be unguessable:
    /// this cannot tell.
    pub fn seed(&self, seed: &[u8]) -> Result<(), SeedTooShort> {
        if seed.len() < KEY {
            return Err(SeedTooShort(seed.len()));
        }
        self.state.lock().seed(seed);
        Ok(())
    }

    /// Forgets everything. It refuses again, until it is seeded.
    pub fn forget(&self) {
        let mut state = self.state.lock();
        state.wipe();
        state.seeded = false;
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

impl SecureRandom for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        let mut state = self.state.lock();
        if !state.seeded {
            return Err(GetRandomFailed);
        }
        state.fill(bytes);
        Ok(())
    }
}

/// Numbers drawn beforehand, as the generator that ring asks them from. It takes no generators but its own, and of these
/// only this one needs no system. It is asked for exactly as many bytes as there are; asked again, as ring does where a
/// number is too large, it gives the same ones.
#[expect(deprecated, reason = "ring has no other generator that can be fed")]
pub(crate) fn given(bytes: &[u8]) -> impl ring::rand::SecureRandom {
    ring::test::rand::FixedSliceRandom { bytes }
}

/// The key, and behind it what was drawn under the key before.
struct State {
    block: [u8; KEY + POOL],
    /// Bytes of the block that are no longer there to be handed out, the key's among them.
    used: usize,
    seeded: bool,
}

impl State {
    const fn new() -> Self {
        Self { block: [0; KEY + POOL], used: KEY + POOL, seeded: false }
    }

    fn key(&self) -> &[u8; KEY] {
        #[expect(clippy::expect_used, reason = "the block is longer than the key")]
        self.block.first_chunk().expect("a key in front of the block")
    }

    fn wipe(&mut self) {
        self.block.zeroize();
        self.used = self.block.len();
    }

    /// The next key is HMAC-SHA-256 of the seed under this one.
    fn seed(&mut self, seed: &[u8]) {
        #[expect(clippy::expect_used, reason = "RFC 2104: a key may have any length")]
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(self.key()).expect("a key of any length");
        mac.update(seed);
        let mut next = mac.finalize_fixed();
        self.wipe();
        self.block.iter_mut().zip(&next).for_each(|(to, from)| *to = *from);
        next.as_mut_slice().zeroize();
        self.seeded = true;
    }

    fn draw(&mut self) {
        // Each key is used once, so the nonce may stay.
        let mut stream = ChaCha20::new(self.key().into(), &[0; 12].into());
        self.block.zeroize();
        stream.apply_keystream(&mut self.block);
        self.used = KEY;
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.used >= self.block.len() {
                self.draw();
            }
            let ready = self.block.get_mut(self.used..).unwrap_or_default();
            let len = ready.len().min(bytes.len());
            let (to, rest) = bytes.split_at_mut(len);
            let (from, _) = ready.split_at_mut(len);
            to.copy_from_slice(from);
            from.zeroize();
            self.used = self.used.saturating_add(len);
            bytes = rest;
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests;
