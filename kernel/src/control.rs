//! What the toolstack asks of the running domain: `control/shutdown`, and `control/sysrq` (`xl sysrq`).

use crate::pv::hypercall::Shutdown;
use crate::xenstore::Store;
use xen::control::{FEATURES, Request, SHUTDOWN, SYSRQ, Sysrq};
use xen::xenstore::{Error, WatchId};

/// Bytes of an unknown request that the console shows.
const SHOWN: usize = 32;

/// The watches on what the toolstack writes.
pub struct Control {
    watches: [WatchId; 2],
}

/// What `control/shutdown` can order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// To end.
    End(Shutdown),
    /// To stop, be saved, and go on.
    Suspend,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// To end, or to be saved.
    pub order: Option<Order>,
    /// To show counters and tables on the console.
    pub show: bool,
}

impl Control {
    /// Says what this domain understands, and watches for it.
    pub fn open(store: &mut Store) -> Result<Self, Error> {
        let control = Self { watches: [store.session().watch(SHUTDOWN)?, store.session().watch(SYSRQ)?] };
        control.announce(store)?;
        Ok(control)
    }

    /// Says what this domain understands.
    pub fn announce(&self, store: &mut Store) -> Result<(), Error> {
        // An old toolstack has no such nodes, and does not let us make them; it asks all the same.
        FEATURES.into_iter().try_for_each(|feature| store.session().write_unheeded(feature, b"1"))
    }

    /// Whether a watch is one of these: when it fires, [`Control::request`] wants to be called.
    pub fn owns(&self, watch: WatchId) -> bool {
        self.watches.contains(&watch)
    }

    /// What the toolstack asks, acknowledged by clearing the node.
    pub fn request(&self, store: &mut Store) -> Result<Asked, Error> {
        Ok(Asked { order: order(store)?, show: sysrq(store)? })
    }
}

/// Whether to show what `xl sysrq DOMAIN s` is for; help, and letters that nobody knows, are answered here.
fn sysrq(store: &mut Store) -> Result<bool, Error> {
    let value = match store.session().read(SYSRQ) {
        // An old toolstack makes no such node.
        Err(error) if error.is_absent() => return Ok(false),
        value => value?,
    };
    let asked = Sysrq::parse(&value);
    match asked {
        Sysrq::None => return Ok(false),
        Sysrq::Help => log::info!("control: sysrq: {}", Sysrq::HELP),
        Sysrq::Show => {}
        Sysrq::Unknown(letter) => {
            let shown = letter.get(..SHOWN).unwrap_or(letter).escape_ascii();
            log::warn!("control: sysrq: no such letter: {shown}; {}", Sysrq::HELP);
        }
    }
    let show = asked == Sysrq::Show;
    store.session().write_unheeded(SYSRQ, b"")?;
    Ok(show)
}

/// What `control/shutdown` asks for. A request that this domain does not know is left there, with a line on the console.
fn order(store: &mut Store) -> Result<Option<Order>, Error> {
    let asked = store.session().transaction(|transaction| {
        let value = match transaction.read(SHUTDOWN) {
            Err(error) if error.is_absent() => return Ok(None),
            value => value?,
        };
        let order = match Request::parse(&value) {
            Request::None => return Ok(None),
            Request::Poweroff => Order::End(Shutdown::Poweroff),
            Request::Reboot => Order::End(Shutdown::Reboot),
            Request::Suspend => Order::Suspend,
            Request::Unknown(_) => return Ok(Some(Err(value))),
        };
        transaction.write(SHUTDOWN, b"")?;
        Ok(Some(Ok(order)))
    })?;
    Ok(match asked {
        None => None,
        Some(Ok(order)) => {
            match order {
                Order::End(reason) => log::info!("control: the toolstack asks for {reason:?}"),
                Order::Suspend => log::info!("control: the toolstack asks for a suspend"),
            }
            Some(order)
        }
        Some(Err(value)) => {
            let shown = value.get(..SHOWN).unwrap_or(&value);
            log::warn!("control: no such request: {}", shown.escape_ascii());
            None
        }
    })
}
