//! What the toolstack asks of the running domain: `control/shutdown`, `control/sysrq` (`xl sysrq`), `data/drain`, what it
//! allots, and what it brings for HTTPS.

use crate::allotment::{PROCESSORS, TARGET};
use crate::pv::hypercall::Shutdown;
use crate::xenstore::Store;
use xen::control::{FEATURES, Request, SHUTDOWN, SYSRQ, Sysrq};
use xen::xenstore::{Error, WatchId, Watches};

/// Bytes of an unknown request that the console shows.
const SHOWN: usize = 32;

/// What is watched. Orders stand first; the others can wait until the guest serves.
#[cfg(not(feature = "tls"))]
const WATCHED: [&str; 5] = [SHUTDOWN, SYSRQ, TARGET, PROCESSORS, DRAIN];
/// The same, and what comes for HTTPS.
#[cfg(feature = "tls")]
const WATCHED: [&str; 7] =
    [SHUTDOWN, SYSRQ, TARGET, PROCESSORS, DRAIN, xen::renewal::RELOAD, crate::guest::https::CHALLENGES];

/// The node by which a guest is told that another takes its place: `1`.
const DRAIN: &str = "data/drain";

/// The watches on what the toolstack writes, as far as the store has let them be made.
pub struct Control {
    watches: Watches<{ WATCHED.len() }>,
    /// The store knows what this domain understands.
    announced: bool,
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
    /// `data/drain`.
    pub drain: bool,
    /// `data/tls/reload`.
    #[cfg(feature = "tls")]
    pub certificate: bool,
    /// `data/acme`.
    #[cfg(feature = "tls")]
    pub challenges: bool,
}

impl Topics {
    /// All of them.
    pub const ALL: Self = Self {
        orders: true,
        sysrq: true,
        memory: true,
        processors: true,
        drain: true,
        #[cfg(feature = "tls")]
        certificate: true,
        #[cfg(feature = "tls")]
        challenges: true,
    };

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
    /// Nothing is watched yet.
    pub const fn new() -> Self {
        Self { watches: Watches::new(WATCHED), announced: false }
    }

    /// Watches for orders, and says what this domain understands. What is done already is not done again.
    pub fn open(&mut self, store: &mut Store) -> Result<(), Error> {
        self.watches.make(store.session(), 1)?;
        if !self.announced {
            // An old toolstack has no such nodes, and does not let us make them; it asks all the same.
            FEATURES.into_iter().try_for_each(|feature| store.session().write_unheeded(feature, b"1"))?;
            self.announced = true;
        }
        Ok(())
    }

    /// Whether orders are heard.
    pub fn is_open(&self) -> bool {
        self.announced && self.watches.are_made(1)
    }

    /// Whether all is watched.
    pub fn is_whole(&self) -> bool {
        self.watches.are_made(WATCHED.len())
    }

    /// Watches what is not watched yet.
    pub fn complete(&mut self, store: &mut Store) -> Result<(), Error> {
        self.watches.make(store.session(), WATCHED.len())
    }

    /// After a restore: the store is another one. Unless it knows the watches again, they are to be made anew.
    pub fn resume(&mut self, store: &mut Store, watched: bool) {
        self.announced = false;
        if !watched {
            self.watches.forget(store.session());
        }
    }

    /// Adds to the topics the one that a watch tells of; false where the watch is none of these.
    pub fn hears(&self, watch: WatchId, topics: &mut Topics) -> bool {
        let topic = match self.watches.place(watch) {
            Some(0) => &mut topics.orders,
            Some(1) => &mut topics.sysrq,
            Some(2) => &mut topics.memory,
            Some(3) => &mut topics.processors,
            Some(4) => &mut topics.drain,
            #[cfg(feature = "tls")]
            Some(5) => &mut topics.certificate,
            #[cfg(feature = "tls")]
            Some(6) => &mut topics.challenges,
            Some(_) => return true,
            None => return false,
        };
        *topic = true;
        true
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

/// What `xl sysrq` asks to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Nothing, or nothing more.
    Nothing,
    /// `s`: counters and tables.
    Tables,
    /// `p`: the last packets.
    Packets,
}

/// What to show after `xl sysrq`; help, and letters that nobody knows, are answered here.
pub fn sysrq(store: &mut Store) -> Result<Shown, Error> {
    let value = match store.session().read(SYSRQ) {
        // An old toolstack makes no such node.
        Err(error) if error.is_absent() => return Ok(Shown::Nothing),
        value => value?,
    };
    let asked = Sysrq::parse(&value);
    let shown = match asked {
        Sysrq::None => return Ok(Shown::Nothing),
        Sysrq::Help => {
            log::info!("control: sysrq: {}", Sysrq::HELP);
            Shown::Nothing
        }
        Sysrq::Show => Shown::Tables,
        Sysrq::Packets => Shown::Packets,
        Sysrq::Unknown(letter) => {
            let shown = letter.get(..SHOWN).unwrap_or(letter).escape_ascii();
            log::warn!("control: sysrq: no such letter: {shown}; {}", Sysrq::HELP);
            Shown::Nothing
        }
    };
    store.session().write_unheeded(SYSRQ, b"")?;
    Ok(shown)
}

/// Whether the guest is to drain.
pub fn drain(store: &mut Store) -> Result<bool, Error> {
    match store.session().read(DRAIN) {
        Err(error) if error.is_absent() => Ok(false),
        value => Ok(value? == b"1"),
    }
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
