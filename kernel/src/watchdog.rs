//! Xen's watchdog over the domain (`SCHEDOP_watchdog`): a guest that does not come round is ended, and started again
//! where `on_watchdog` says so.

use crate::pv::{Errno, hypercall};
use netstack::{Duration, Instant};
use xen_sys::{SCHEDOP_watchdog, sched_watchdog};

/// How long the loop may take for one round.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is wound up again: an idle guest wakes for it.
const PERIOD: Duration = Duration::from_secs(10);

/// The watchdog, wound up.
pub struct Watchdog {
    /// Xen's number of the timer; `None` where Xen has no such timer.
    id: Option<u32>,
    due: Instant,
}

impl Watchdog {
    /// Starts it. Without one the guest runs all the same.
    pub fn start(now: Instant) -> Self {
        let started = set(0).and_then(|id| u32::try_from(id).map_err(|_| Errno::INVALID));
        if let Err(error) = started {
            log::warn!("watchdog: {error}");
        }
        Self { id: started.ok(), due: now + PERIOD }
    }

    /// Winds it up again when that is due. To be called in each round of the loop.
    pub fn feed(&mut self, now: Instant) {
        let Some(id) = self.id.filter(|_| now >= self.due) else { return };
        self.due = now + PERIOD;
        if let Err(error) = set(id) {
            log::warn!("watchdog: {error}");
            self.id = None;
        }
    }

    /// When [`Watchdog::feed`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.id.map(|_| self.due)
    }
}

/// Sets a timer anew, or makes one where `id` is 0: then the answer is its number.
fn set(id: u32) -> Result<u64, Errno> {
    let seconds = u32::try_from(TIMEOUT.secs()).map_err(|_| Errno::INVALID)?;
    let mut argument = sched_watchdog { id, timeout: seconds };
    // SAFETY: the struct that sched.h gives for this operation; it points to nothing.
    unsafe { hypercall::sched_op(SCHEDOP_watchdog, &mut argument) }
}
