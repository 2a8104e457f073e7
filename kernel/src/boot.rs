//! The stages that every image begins with.

use crate::pv::boot::Entry;
use crate::{console, memory, panic, pv, uptime};

/// The machine itself: the log, the handlers of exceptions, memory.
pub fn machine(entry: &Entry) {
    let info = pv::start_info();
    uptime::start(entry);
    console::open(info);
    pv::traps::install().unwrap_or_else(|error| panic::fail("traps", &error));
    memory::open().unwrap_or_else(|error| panic::fail("memory", &error));
    log::info!("halfpage {} on {}", env!("CARGO_PKG_VERSION"), info.magic());
}
