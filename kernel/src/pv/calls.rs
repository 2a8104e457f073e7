//! How many hypercalls the guest has made, by what they are for.

use core::sync::atomic::{AtomicU64, Ordering};

/// A count. Only the one vCPU writes it, so a load and a store will do.
#[derive(Debug)]
pub(super) struct Calls(AtomicU64);

impl Calls {
    /// Counts one.
    pub(super) fn count(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// Events sent (`EVTCHNOP_send`).
pub(super) static NOTIFY: Calls = Calls(AtomicU64::new(0));
/// Sleeps (`SCHEDOP_poll`).
pub(super) static POLL: Calls = Calls(AtomicU64::new(0));
/// Windings of the watchdog (`SCHEDOP_watchdog`).
pub(super) static WATCHDOG: Calls = Calls(AtomicU64::new(0));
/// All others.
pub(super) static OTHER: Calls = Calls(AtomicU64::new(0));

/// Each count with its name.
pub fn counters() -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("hypercall_notify", &NOTIFY),
        ("hypercall_poll", &POLL),
        ("hypercall_watchdog", &WATCHDOG),
        ("hypercall_other", &OTHER),
    ]
    .into_iter()
    .map(|(name, calls)| (name, calls.0.load(Ordering::Relaxed)))
}
