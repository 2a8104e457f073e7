//! The stages that every image begins with.

use crate::pv::boot::Entry;
use crate::xenstore::Store;
use crate::{console, memory, panic, pv, uptime};
use alloc::boxed::Box;
use alloc::string::String;

/// The machine itself: the log, the handlers of exceptions, memory.
pub fn machine(entry: Entry) {
    let info = pv::start_info();
    uptime::start(&entry);
    console::open(info);
    pv::traps::install().unwrap_or_else(|error| panic::fail("traps", &error));
    memory::open(entry).unwrap_or_else(|error| panic::fail("memory", &error));
    log::info!("halfpage {} on {}", env!("CARGO_PKG_VERSION"), info.magic());
}

/// What the toolstack calls the domain.
pub struct Identity {
    /// Its name, where the store says one.
    pub name: Option<Box<str>>,
    /// Its uuid, as text; empty where the store says none.
    pub uuid: String,
}

/// Reads who the domain is: the store answers, so it is there.
pub fn identity(store: &mut Store) -> Identity {
    // Both for the wait of one.
    let mut values = store.session().read_all(&["name", "vm"]).into_iter();
    let mut text = || values.next()?.ok().and_then(|value| String::from_utf8(value).ok());
    let (name, uuid) = (text().map(String::into_boxed_str), text().unwrap_or_default());
    log::info!("xenstore: this is {}", name.as_deref().unwrap_or("a domain without a name"));
    Identity { name, uuid }
}
