//! An image that must be ended by Xen's watchdog: it hangs. Before, it lives longer than the time-out, first in a loop
//! that feeds the watchdog, then waiting for a store that is stopped from outside.
#![no_std]
#![no_main]

use kernel::events::Events;
use kernel::panic::fail;
use kernel::pv::boot::Entry;
use kernel::time::Clock;
use kernel::watchdog::Watchdog;
use kernel::xenstore::Store;
use netstack::Duration;

kernel::entry!(protect);

const TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than that.
const LONG: Duration = Duration::from_secs(4);
/// A round of the loop.
const ROUND: Duration = Duration::from_millis(100);

fn protect(entry: Entry) -> ! {
    kernel::boot::machine(entry);
    let events = Events::open().unwrap_or_else(|error| fail("events", &error));
    let mut clock = Clock::start();
    let mut watchdog = Watchdog::start(clock.now(), TIMEOUT);
    let mut store = Store::open(events, watchdog.timer()).unwrap_or_else(|error| fail("xenstore", &error));

    let started = clock.now();
    let mut fed = false;
    loop {
        let asked = clock.now();
        watchdog.feed(asked);
        let answered = store.session().read("name").is_ok();
        let now = clock.now();
        if answered && now.since(asked) > LONG {
            break;
        }
        if !fed && now.since(started) > LONG {
            log::info!("protect-watchdog: fed for {} ms; stop the store now", now.since(started).millis());
            fed = true;
        }
        // Any failure shows: without sleep the loop goes on.
        let _ = events.wait(&[], Some(clock.system_time_at(now + ROUND)));
    }
    log::info!("protect-watchdog: waited for the store, longer than the time-out; now hanging");
    loop {
        core::hint::spin_loop();
    }
}
