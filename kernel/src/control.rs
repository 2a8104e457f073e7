//! What the toolstack asks of the running domain: `control/shutdown`.

use crate::pv::hypercall::Shutdown;
use crate::xenstore::Store;
use xen::control::{FEATURES, Request, SHUTDOWN};
use xen::xenstore::{Error, WatchId};

/// Bytes of an unknown request that the console shows.
const SHOWN: usize = 32;

/// The watch on `control/shutdown`.
pub struct Control {
    watch: WatchId,
}

impl Control {
    /// Says what this domain understands, and watches for it.
    pub fn open(store: &mut Store) -> Result<Self, Error> {
        for feature in FEATURES {
            // An old toolstack has no such nodes, and does not let us make them; it asks all the same.
            store.session().write_unheeded(feature, b"1")?;
        }
        Ok(Self { watch: store.session().watch(SHUTDOWN)? })
    }

    /// The watch: when it fires, [`Control::request`] wants to be called.
    pub fn watch(&self) -> WatchId {
        self.watch
    }

    /// What the toolstack asks, if anything, acknowledged by clearing the node. A request that this domain does not
    /// know is left there, with a line on the console.
    pub fn request(&self, store: &mut Store) -> Result<Option<Shutdown>, Error> {
        let asked = store.session().transaction(|transaction| {
            let value = match transaction.read(SHUTDOWN) {
                Err(error) if error.is_absent() => return Ok(None),
                value => value?,
            };
            let reason = match Request::parse(&value) {
                Request::None => return Ok(None),
                Request::Poweroff => Shutdown::Poweroff,
                Request::Reboot => Shutdown::Reboot,
                Request::Unknown(_) => return Ok(Some(Err(value))),
            };
            transaction.write(SHUTDOWN, b"")?;
            Ok(Some(Ok(reason)))
        })?;
        Ok(match asked {
            None => None,
            Some(Ok(reason)) => {
                log::info!("control: the toolstack asks for {reason:?}");
                Some(reason)
            }
            Some(Err(value)) => {
                let shown = value.get(..SHOWN).unwrap_or(&value);
                log::warn!("control: no such request: {}", shown.escape_ascii());
                None
            }
        })
    }
}
