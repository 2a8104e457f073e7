//! What the toolstack asks of the running domain: `control/shutdown`, `control/sysrq` (`xl sysrq`), and what it allots.

use crate::allotment::{PROCESSORS, TARGET};
use crate::pv::hypercall::Shutdown;
use crate::xenstore::Store;
use xen::control::{FEATURES, Request, SHUTDOWN, SYSRQ, Sysrq};
use xen::xenstore::{Error, WatchId};

/// Bytes of an unknown request that the console shows.
const SHOWN: usize = 32;

/// The watches on what the toolstack writes. That on orders stands first; the others can wait until the guest serves.
pub struct Control {
    orders: WatchId,
    others: Option<[WatchId; 3]>,
}

/// What the toolstack may have written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Topics {
    /// `control/shutdown`.
    pub orders: bool,
    /// `control/sysrq`.
    pub sysrq: bool,
    /// `memory/target`.
    pub memory: bool,
    /// `cpu`.
    pub processors: bool,
}

impl Topics {
    /// All of them.
    pub const ALL: Self = Self { orders: true, sysrq: true, memory: true, processors: true };

    /// Whether it is none of them.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// What `control/shutdown` can order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// To end.
    End(Shutdown),
    /// To stop, be saved, and go on.
    Suspend,
}

impl Control {
    /// Says what this domain understands, and watches for it.
    pub fn open(store: &mut Store) -> Result<Self, Error> {
        let control = Self { orders: store.session().watch(SHUTDOWN)?, others: None };
        control.announce(store)?;
        Ok(control)
    }

    /// Says what this domain understands.
    pub fn announce(&self, store: &mut Store) -> Result<(), Error> {
        // An old toolstack has no such nodes, and does not let us make them; it asks all the same.
        FEATURES.into_iter().try_for_each(|feature| store.session().write_unheeded(feature, b"1"))
    }

    /// Whether all is watched.
    pub fn is_whole(&self) -> bool {
        self.others.is_some()
    }

    /// Watches what is not watched yet.
    pub fn complete(&mut self, store: &mut Store) -> Result<(), Error> {
        if self.others.is_none() {
            let session = store.session();
            self.others = Some([session.watch(SYSRQ)?, session.watch(TARGET)?, session.watch(PROCESSORS)?]);
        }
        Ok(())
    }

    /// Adds to the topics the one that a watch tells of; false where the watch is none of these.
    pub fn hears(&self, watch: WatchId, topics: &mut Topics) -> bool {
        let topic = match self.others {
            _ if watch == self.orders => &mut topics.orders,
            Some([sysrq, ..]) if watch == sysrq => &mut topics.sysrq,
            Some([_, memory, _]) if watch == memory => &mut topics.memory,
            Some([.., processors]) if watch == processors => &mut topics.processors,
            _ => return false,
        };
        *topic = true;
        true
    }
}

/// Whether to show what `xl sysrq DOMAIN s` is for; help, and letters that nobody knows, are answered here.
pub fn sysrq(store: &mut Store) -> Result<bool, Error> {
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
pub fn order(store: &mut Store) -> Result<Option<Order>, Error> {
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
