//! What the guest shows of itself in the store, under `data/`: its state, its address, and where its site came from.

use crate::site::Source;
use crate::xenstore::Store;
use core::fmt;
use core::net::Ipv4Addr;

/// Where the guest is in its life (`data/state`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No address yet, or no longer.
    Booting,
    /// The site is served.
    Listening,
    /// It is, and each connection ends with its next response.
    Draining,
    /// As before, and no connection is left.
    Drained,
    /// Connections are ending.
    Stopping,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Booting => "booting",
            Self::Listening => "listening",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Stopping => "stopping",
        })
    }
}

/// Shows the state.
pub fn state(store: &mut Store, state: State) {
    write(store, "data/state", &state);
}

/// Shows the address, or that there is none.
pub fn address(store: &mut Store, address: Option<Ipv4Addr>) {
    match address {
        Some(address) => write(store, "data/address", &address),
        None => write(store, "data/address", &""),
    }
}

/// Shows which site is served: `ramdisk`, or `image`, and then why no ramdisk's.
pub fn site(store: &mut Store, source: Source) {
    write(store, "data/site", &source);
}

/// Shows how HTTPS fares: `ok`, `off`, or why its port is shut or a new certificate was refused.
#[cfg(feature = "tls")]
pub fn tls(store: &mut Store, status: &str) {
    write(store, xen::renewal::STATUS, &status);
}

fn write(store: &mut Store, path: &str, value: &dyn fmt::Display) {
    if let Err(error) = store.session().write_unheeded(path, alloc::format!("{value}").as_bytes()) {
        log::debug!("xenstore: {path}: {error}");
    }
}
