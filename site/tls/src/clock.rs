//! The wall clock, as the shell that owns one sets it.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// Seconds since 1970, UTC; nobody knows the time before it is set.
#[derive(Debug, Default)]
pub struct Clock {
    seconds: AtomicU64,
}

impl Clock {
    /// A clock that does not know the time.
    pub const fn new() -> Self {
        Self { seconds: AtomicU64::new(0) }
    }

    /// Sets it to so many seconds since 1970, UTC. 0: unknown.
    pub fn set(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        match self.seconds.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
        }
    }
}
