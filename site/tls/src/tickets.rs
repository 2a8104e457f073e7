//! Session tickets (RFC 8446, section 4.6.1; RFC 5077): the session travels with the client, sealed, and the server
//! keeps nothing but two keys.
//!
//! A ticket is the key's name, a nonce, and the session under XChaCha20-Poly1305, whose nonces are long enough to be
//! drawn at random. A key seals for one period and opens for one more: so nothing in memory opens what is older than
//! two periods.

use crate::clock::Clock;
use crate::random::Random;
use alloc::sync::Arc;
use alloc::vec::Vec;
use chacha20poly1305::aead::array::Array;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use core::fmt;
use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;
use spin::Mutex;
use zeroize::Zeroizing;

/// Seconds for which a key seals: half of the time for which anything can open what it sealed.
pub const PERIOD: u32 = 6 * 60 * 60;

const NAME: usize = 16;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Bytes of the longest ticket that is looked at. A session of ours has some 200 and a server's name of up to 255.
const MOST: usize = 1024;

/// Seals and opens tickets.
pub struct Tickets {
    random: &'static Random,
    clock: Arc<Clock>,
    period: u64,
    keys: Mutex<Keys>,
}

/// The key that seals, and the one before it.
#[derive(Default)]
struct Keys {
    current: Option<Key>,
    previous: Option<Key>,
}

struct Key {
    name: [u8; NAME],
    cipher: XChaCha20Poly1305,
    /// Seconds since 1970.
    born: u64,
}

impl Tickets {
    /// Keys are drawn when they are first needed, and rotate each [`PERIOD`].
    pub fn new(random: &'static Random, clock: Arc<Clock>) -> Self {
        Self { random, clock, period: u64::from(PERIOD), keys: Mutex::new(Keys::default()) }
    }

    /// Forgets every key: no ticket of before opens. Due when the machine's memory may have been copied.
    pub fn forget(&self) {
        *self.keys.lock() = Keys::default();
    }

    /// Ends the keys whose time is over, also when nobody connects. To be called now and then.
    pub fn expire(&self) {
        if let Some(now) = self.now() {
            self.keys.lock().expire(now, self.period);
        }
    }

    fn now(&self) -> Option<u64> {
        self.clock.current_time().map(|now| now.as_secs())
    }

    fn draw(&self, born: u64) -> Option<Key> {
        let mut name = [0; NAME];
        let mut key = Zeroizing::new([0; 32]);
        self.random.fill(&mut name).ok()?;
        self.random.fill(key.as_mut_slice()).ok()?;
        Some(Key { name, cipher: XChaCha20Poly1305::new((&*key).into()), born })
    }

    fn seal(&self, session: &[u8]) -> Option<Vec<u8>> {
        let now = self.now()?;
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce).ok()?;
        let mut keys = self.keys.lock();
        keys.expire(now, self.period);
        if keys.current.is_none() {
            keys.current = self.draw(now);
        }
        let key = keys.current.as_ref()?;
        let mut ticket = Vec::with_capacity(session.len().saturating_add(NAME + NONCE + TAG));
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(session);
        let text = InOutBuf::from(ticket.get_mut(NAME + NONCE..)?);
        let tag = key.cipher.encrypt_inout_detached(&Array(nonce), &key.name, text).ok()?;
        ticket.extend_from_slice(&tag);
        Some(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > MOST {
            return None;
        }
        let now = self.now()?;
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        let mut keys = self.keys.lock();
        keys.expire(now, self.period);
        let key = [&keys.current, &keys.previous].into_iter().flatten().find(|key| key.name == *name)?;
        let mut session = Vec::from(sealed);
        let text = InOutBuf::from(session.as_mut_slice());
        key.cipher.decrypt_inout_detached(&Array(*nonce), name, text, &Array(*tag)).ok()?;
        Some(session)
    }
}

impl Keys {
    /// Moves each key to where its age says. A clock that went back makes ages meaningless: then none is kept.
    fn expire(&mut self, now: u64, period: u64) {
        let age = |key: &Key| now.checked_sub(key.born);
        let seals = |key: &Key| age(key).is_some_and(|age| age < period);
        let opens = |key: &Key| age(key).is_some_and(|age| age / 2 < period);
        if let Some(old) = self.current.take_if(|key| !seals(key)) {
            self.previous = Some(old);
        }
        self.previous.take_if(|key| !opens(key));
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        PERIOD
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.seal(session)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket)
    }
}

#[cfg(test)]
mod tests;
