//! Xen's watchdog over the domain (`SCHEDOP_watchdog`): a guest that does not come round is ended, and started again
//! where `on_watchdog` says so.

use crate::pv::{Errno, hypercall};
use netstack::{Duration, Instant};
use xen_sys::{SCHEDOP_watchdog, sched_watchdog};

/// How long the loop of the guest may take for one round.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is wound up while it could run: an idle guest wakes for it.
const WINDINGS: u64 = 3;

/// The watchdog, wound up.
pub struct Watchdog {
    timer: Timer,
    due: Instant,
}

impl Watchdog {
    /// Starts it; `timeout` is in whole seconds. Without one the guest runs all the same.
    pub fn start(now: Instant, timeout: Duration) -> Self {
        let seconds = u32::try_from(timeout.secs()).unwrap_or(u32::MAX);
        let started = set(0, seconds).and_then(|id| u32::try_from(id).map_err(|_| Errno::INVALID));
        if let Err(error) = started {
            log::warn!("watchdog: {error}");
        }
        let timer = Timer { id: started.ok(), seconds };
        Self { timer, due: now + timer.period() }
    }

    /// Winds it up again when that is due. To be called in each round of the loop.
    pub fn feed(&mut self, now: Instant) {
        if self.timer.id.is_none() || now < self.due {
            return;
        }
        self.due = now + self.timer.period();
        if let Err(error) = self.timer.wind() {
            log::warn!("watchdog: {error}");
            self.timer.id = None;
        }
    }

    /// Xen's timer is gone with the former domain, or, where the suspend was cancelled, may have run out unheeded
    /// meanwhile: makes another, or winds it up.
    pub fn resume(&mut self, now: Instant, restored: bool) {
        if restored {
            *self = Self::start(now, Duration::from_secs(u64::from(self.timer.seconds)));
        } else {
            self.due = now;
            self.feed(now);
        }
    }

    /// When [`Watchdog::feed`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.timer.id.map(|_| self.due)
    }

    /// The timer itself, for what has to wait within a round.
    pub fn timer(&self) -> Timer {
        self.timer
    }
}

/// Xen's timer behind the watchdog.
#[derive(Clone, Copy)]
pub struct Timer {
    /// Xen's number of it; `None` where Xen has no such timer.
    id: Option<u32>,
    seconds: u32,
}

impl Timer {
    /// Winds it up.
    pub fn wind(self) -> Result<(), Errno> {
        self.id.map_or(Ok(()), |id| set(id, self.seconds).map(drop))
    }

    /// How often it wants to be wound up.
    pub fn period(self) -> Duration {
        Duration::from_millis(u64::from(self.seconds).saturating_mul(1000) / WINDINGS)
    }
}

/// Sets a timer anew, or makes one where `id` is 0: then the answer is its number.
fn set(id: u32, seconds: u32) -> Result<u64, Errno> {
    let mut argument = sched_watchdog { id, timeout: seconds };
    // SAFETY: the struct that sched.h gives for this operation; it points to nothing.
    unsafe { hypercall::sched_op(SCHEDOP_watchdog, &mut argument) }
}
