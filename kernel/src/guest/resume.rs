//! The guest while it is saved and after.

use super::{CONTROL_AGAIN, Guest, Progress};
use crate::pv::start_info;
use crate::pv::suspend::Woken;
use crate::status;
use crate::{console, entropy, uptime};
use netstack::Stack;

impl Guest {
    /// Stops, to be saved, and goes on here or elsewhere. Connections stay: what was in flight is sent again.
    pub(super) fn suspend(&mut self, progress: &mut Progress) {
        let Some(suspend) = &mut self.suspend else {
            log::error!("suspend: there was no memory for what it takes");
            return;
        };
        self.store.settle();
        console::flush();
        let running = uptime::stop();
        let woken = suspend.sleep(self.device.platform());
        if woken == Woken::Restored {
            uptime::resume(running);
            self.clock.resume();
            console::resume(start_info());
            self.events.resume();
        }
        let now = self.clock.now();
        self.watchdog.resume(now, woken == Woken::Restored);
        progress.wall_clock_again = now;
        log::info!("suspend: {woken:?}");
        // Either way the state may have been copied, and its random numbers would come twice. First of all, since what
        // follows sends.
        let (seed, source) = entropy::gather(&self.seed, |_| {});
        entropy::report(source);
        self.seed = seed;
        if let Some(stack) = &mut progress.stack {
            stack.reseed(&seed);
        }
        #[cfg(feature = "tls")]
        self.renew_https();
        if woken == Woken::Restored {
            self.restored(progress);
        }
    }

    /// The domain is another one: with another store, another backend and no grants.
    fn restored(&mut self, progress: &mut Progress) {
        self.device.platform().lose();
        self.device.resume();
        self.device.platform().renew();
        let watched = self.store.resume(self.watchdog.timer());
        self.control.resume(&mut self.store, watched.is_ok());
        if let Err(error) = watched {
            progress.complain(error);
        }
        let now = self.clock.now();
        progress.control_again = Some(now);
        progress.control_delay = CONTROL_AGAIN;
        progress.listen_again = now;
        progress.published.forget();
        let address = progress.stack.as_ref().and_then(Stack::addressing).map(|found| found.address());
        status::address(&mut self.store, address);
        status::state(&mut self.store, Self::state(progress));
        status::site(&mut self.store, self.source);
        #[cfg(feature = "tls")]
        status::tls(&mut self.store, self.https.status());
        self.connect(now, progress);
    }
}
