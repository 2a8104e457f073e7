//! The boot of the guest, in order.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use kernel::access_log::AccessLog;
use kernel::allotment::Allotment;
use kernel::control::Control;
use kernel::events::Events;
use kernel::grants::Grants;
use kernel::guest::{self, Guest, LoopCounters};
#[cfg(feature = "tls")]
use kernel::https::{self, Secrets};
use kernel::panic::fail;
use kernel::pv::boot::Entry;
use kernel::pv::module;
use kernel::site::Chosen;
use kernel::suspend::Suspend;
use kernel::time::Clock;
use kernel::watchdog::{self, Watchdog};
use kernel::xenstore::Store;
use kernel::{boot, cmdline, entropy, recorder, status};
use site::{Config, Server};

kernel::entry!(main);

fn main(entry: Entry) -> ! {
    boot::machine(entry);
    #[cfg(feature = "tls")]
    log::info!("registers: {}", kernel::pv::xstate::enable());
    let options = cmdline::options();
    recorder::open();

    let events = Events::open().unwrap_or_else(|error| fail("events", &error));
    let mut clock = Clock::start();
    let watchdog = Watchdog::start(clock.now(), watchdog::TIMEOUT);

    let mut store = Store::open(events, watchdog.timer()).unwrap_or_else(|error| fail("xenstore", &error));
    let identity = boot::identity(&mut store);
    let mut control = Control::new();
    control.open(&mut store).unwrap_or_else(|error| log::warn!("control: {error}"));

    let (seed, source) = entropy::gather(identity.uuid.as_bytes(), |_| {});
    entropy::report(source);

    let mut module = module::take();
    #[cfg(feature = "tls")]
    let secrets = Secrets::take(&mut module);
    #[cfg(not(feature = "tls"))]
    kernel::site::wipe_secrets(&mut module);
    let Chosen { site, tar, source } = kernel::site::open(module);
    status::site(&mut store, source);

    let suspend = Suspend::open();
    let grants = Grants::open(events, tar).unwrap_or_else(|error| fail("grants", &error));
    let device = guest::device(grants);
    let mut server = Server::new(site, Config::default(), guest::wall_clock(clock.now()));
    if options.access_log {
        server.set_access_log(Box::new(AccessLog::new()));
    }
    #[cfg(feature = "tls")]
    let (https, server) = https::serve(secrets, &identity.uuid, options, server);
    #[cfg(feature = "tls")]
    status::tls(&mut store, https.status());
    let config = guest::config(options.address, identity.name);
    let allotment = Allotment::new();
    let counters = LoopCounters::default();
    Guest {
        events,
        clock,
        store,
        control,
        device,
        server,
        #[cfg(feature = "tls")]
        https,
        source,
        allotment,
        watchdog,
        suspend,
        config,
        seed,
        counters,
    }
    .run()
}
