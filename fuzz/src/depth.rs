//! How many executions got to the heart of what their target is about: passed the handshake, had an address, sent a
//! response. An engine's own count takes in those that got nowhere, too.

use std::sync::atomic::{AtomicU64, Ordering};

static REACHED: AtomicU64 = AtomicU64::new(0);

/// This execution has got there. Once for each, at most.
pub fn reached() {
    REACHED.fetch_add(1, Ordering::Relaxed);
}

/// How many have, since the process began.
pub fn count() -> u64 {
    REACHED.load(Ordering::Relaxed)
}
