//! The store: its client bound to the ring and the event channel that the toolstack made.

use crate::events::Events;
use crate::pv::{PAGE_SIZE, hypercall, p2m, start_info};
use crate::time::system_time;
use crate::uptime::ticks;
use crate::watchdog::Timer;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;
use core::sync::atomic::Ordering;
use xen::xenstore::{Errno, Error, Session, StoreCounters, TimedOut, Wait, WatchId, XenstoreInterface};
use xen::{Port, xenstore};

/// How long a request waits for its reply, in nanoseconds: dom0 may be busy.
const TIMEOUT: u64 = 10_000_000_000;

/// The domain's connection to the store. Calls wait for their reply and leave events for [`Store::fired`].
pub struct Store {
    session: Session<'static, Channel>,
    interface: &'static XenstoreInterface,
    port: Port,
    watches: Vec<(String, WatchId)>,
}

/// Why there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// start_info names no page of this domain for the ring.
    NoPage,
    /// The first request failed.
    Store(Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPage => f.write_str("start_info names no page for the store's ring"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Store {
    /// Takes up the ring where it stands, and makes the store forget what a boot loader before us watched. Waiting winds
    /// the watchdog up: several requests to a slow store may make one round of the guest's loop.
    pub fn open(events: Events, watchdog: Timer) -> Result<Self, OpenError> {
        const { assert!(size_of::<XenstoreInterface>() <= PAGE_SIZE) };
        let info = start_info();
        let address = p2m::address_of_frame(info.store_frame()).ok_or(OpenError::NoPage)?;
        let interface = core::ptr::with_exposed_provenance::<XenstoreInterface>(address);
        // SAFETY: start_info names this page of the domain for the store's ring; the direct map has it for ever, at a
        // page's start, writable, and it is given to nobody else. The struct is made of atomics.
        let interface = unsafe { &*interface };
        let port = info.store_port();
        log::debug!(
            "xenstore: the rings stand at {} and {}",
            interface.requests_produced.load(Ordering::Relaxed),
            interface.replies_consumed.load(Ordering::Relaxed)
        );
        let channel = Channel { events, port, watchdog, deadline: NonZeroU64::MIN };
        // The low bits of the counter: replies to a boot loader's requests have other numbers.
        let seed = u32::try_from(ticks() & u64::from(u32::MAX)).unwrap_or(0);
        let mut session = Session::new(interface.rings(), channel, seed);
        session.reset().map_err(OpenError::Store)?;
        Ok(Self { session, interface, port, watches: Vec::new() })
    }

    /// Waits until the store has answered all that was asked: nothing is under way in a domain that is saved.
    pub fn settle(&mut self) {
        // It answers in order, so whatever it says to this, all before is answered.
        if let Err(error) = self.session.read("name") {
            log::warn!("xenstore: {error}");
        }
    }

    /// After a restore: another store, which knows nothing of us. Watches of the network's driver are forgotten, since it
    /// begins anew; all others are made again, and fire.
    pub fn resume(&mut self, watchdog: Timer) -> Result<(), Error> {
        for (_, watch) in self.watches.drain(..) {
            self.session.forget(watch);
        }
        self.port = start_info().store_port();
        let channel = self.session.wait_mut();
        (channel.port, channel.watchdog) = (self.port, watchdog);
        self.session.reconnect(self.interface.rings())
    }

    /// The event channel that fires when something has come: [`Store::pump`] wants to be called then.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Takes in what has come, without waiting.
    pub fn pump(&mut self) -> Result<(), Error> {
        self.session.pump()
    }

    /// Whether a watch has fired. To be asked before each sleep, since any call may have taken an event in.
    pub fn has_fired(&self) -> bool {
        self.session.client().has_fired()
    }

    /// A watch that has fired since it was last given here: what it watches has to be read again.
    pub fn fired(&mut self) -> Option<WatchId> {
        self.session.fired()
    }

    /// The calls themselves.
    pub fn session(&mut self) -> &mut Session<'static, Channel> {
        &mut self.session
    }

    /// What befell the store's messages so far.
    pub fn counters(&self) -> &StoreCounters {
        self.session.client().counters()
    }
}

/// What the driver of the network asks of the store.
impl netfront::store::Store for Store {
    type Error = Error;

    fn read(&mut self, path: &str) -> Result<Option<String>, Error> {
        found(self.session.read(path))
    }

    fn read_all<const N: usize>(&mut self, paths: [&str; N]) -> Result<[Option<String>; N], Error> {
        let mut values = [const { None }; N];
        for (value, read) in values.iter_mut().zip(self.session.read_all(&paths)) {
            *value = found(read)?;
        }
        Ok(values)
    }

    fn write(&mut self, entries: &[(String, Option<String>)]) -> Result<(), Error> {
        // One key changes at once by itself.
        match entries {
            [] => return Ok(()),
            [(path, Some(value))] => return self.session.write(path, value.as_bytes()),
            [(path, None)] => return self.session.remove(path),
            _ => {}
        }
        self.session.transaction(|transaction| {
            entries.iter().try_for_each(|(path, value)| match value {
                Some(value) => transaction.write(path, value.as_bytes()),
                None => transaction.remove(path),
            })
        })
    }

    fn watch(&mut self, path: &str) -> Result<(), Error> {
        if self.watches.iter().all(|(watched, _)| watched != path) {
            let watch = self.session.watch(path)?;
            self.watches.push((path.to_owned(), watch));
        }
        Ok(())
    }

    fn unwatch(&mut self, path: &str) -> Result<(), Error> {
        match self.watches.iter().position(|(watched, _)| watched == path) {
            Some(index) => self.session.unwatch(self.watches.swap_remove(index).1),
            None => Ok(()),
        }
    }
}

/// A value as text; `None` where there is no such key, or it is not ours to read.
fn found(read: Result<Vec<u8>, Error>) -> Result<Option<String>, Error> {
    match read {
        Ok(value) => String::from_utf8(value).map(Some).map_err(|_| Error::Malformed),
        Err(Error::Refused(Errno::ENOENT | Errno::EACCES)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The event channel to the store's daemon.
pub struct Channel {
    events: Events,
    port: Port,
    watchdog: Timer,
    /// System time, in nanoseconds, until which the reply is awaited.
    deadline: NonZeroU64,
}

impl Wait for Channel {
    fn begin(&mut self) {
        self.deadline = NonZeroU64::MIN.saturating_add(system_time().saturating_add(TIMEOUT));
    }

    fn notify(&mut self) {
        // A daemon that is gone answers nothing, which shows in the waiting.
        let _ = hypercall::send(self.port);
    }

    fn wait(&mut self) -> Result<(), xenstore::TimedOut> {
        let now = system_time();
        if now >= self.deadline.get() {
            return Err(TimedOut);
        }
        // Where it fails, the loop's own winding says so.
        let _ = self.watchdog.wind();
        let period = self.watchdog.period().micros().saturating_mul(1000);
        let until = NonZeroU64::MIN.saturating_add(now.saturating_add(period)).min(self.deadline);
        self.events.wait(&[self.port], Some(until)).map_err(|_| TimedOut)?;
        self.events.take(self.port);
        Ok(())
    }
}
