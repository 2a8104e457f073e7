//! The DHCP client (RFC 2131 section 4.4): a state machine that is given messages and the time, and says what to send.
//!
//! There is no start delay, and the address is used from the acknowledgement on. After a loss of the link it goes on being
//! used while the server is asked whether it still holds (INIT-REBOOT).

mod lease;

use crate::addressing::Addressing;
use crate::random::Random;
use crate::rate::Complaints;
use crate::time::{Duration, Instant};
use crate::wire::dhcpv4::{Answer, Operation, Packet, Reply, Repr};
use crate::wire::ethernet::Address;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use lease::Lease;

crate::counters! {
    /// What the client has sent, understood and dropped.
    pub struct Counters {
        /// Messages sent.
        dhcp_sent,
        /// Messages that were not understood.
        dhcp_malformed,
        /// Messages for others, late, or out of place.
        dhcp_ignored,
        /// Offers and acknowledgements of an address that no host can have.
        dhcp_unusable,
        /// Refusals of the address that we asked for or had.
        dhcp_refused,
        /// Leases got.
        dhcp_bound,
        /// Leases prolonged.
        dhcp_renewed,
        /// Leases that ran out.
        dhcp_expired,
        /// Addresses given back because another station has them.
        dhcp_declined,
        /// Leases given back at the end.
        dhcp_released,
    }
}

/// How often an offer is asked for before the client begins anew (RFC 2131 section 3.1, point 5).
const REQUESTS: u32 = 4;
/// The first wait for an answer; it doubles, up to 16 times as long (section 4.1).
const FIRST_WAIT: Duration = Duration::from_secs(4);
/// Each wait is shortened or lengthened by up to this (section 4.1).
const JITTER: Duration = Duration::from_secs(1);
/// The shortest wait in RENEWING and REBINDING (section 4.4.5).
const RENEWAL_WAIT: Duration = Duration::from_secs(60);
/// After an address was declined, nothing is asked for this long (section 3.1, point 5).
const DECLINED_WAIT: Duration = Duration::from_secs(10);
/// MAX_CONFLICTS of RFC 5227 section 1.1: after so many, each wait is as long as RATE_LIMIT_INTERVAL.
const CONFLICTS: u32 = 10;
const CONFLICTS_WAIT: Duration = Duration::from_secs(60);
/// The longest name that is sent: a label of RFC 1035 section 2.3.4.
const NAME: usize = 63;

/// The client.
#[derive(Debug)]
pub(crate) struct Client {
    hardware: Address,
    name: Option<Box<str>>,
    state: State,
    random: Random,
    complaints: Complaints,
    /// Addresses declined since one was prolonged.
    conflicts: u32,
    pub(crate) counters: Counters,
}

/// The states of RFC 2131 figure 5, and those in which nothing is asked.
#[derive(Debug)]
enum State {
    /// INIT: to begin at this time.
    Init { at: Instant },
    /// SELECTING: it has asked everybody.
    Selecting(Exchange),
    /// REQUESTING: it has asked for what `server` offered.
    Requesting { exchange: Exchange, offered: Ipv4Addr, server: Ipv4Addr },
    /// BOUND.
    Bound(Lease),
    /// RENEWING: it asks its server to prolong the lease.
    Renewing { exchange: Exchange, lease: Lease },
    /// REBINDING: it asks every server.
    Rebinding { exchange: Exchange, lease: Lease },
    /// REBOOTING: the link was gone; it asks every server whether the lease still holds.
    Rebooting { exchange: Exchange, lease: Lease },
    /// The link is gone.
    Unplugged(Option<Lease>),
    /// It has given its lease back, or had none to give.
    Stopped,
}

/// A question and its repetitions, which share a transaction id.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    xid: u32,
    began: Instant,
    /// How often it was sent.
    sent: u32,
    /// When to send it next.
    at: Instant,
}

/// A message to send from port 68 to port 67.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) bytes: Vec<u8>,
}

/// What the client wants done.
#[derive(Debug)]
pub(crate) enum Action {
    Send(Message),
    /// The address is gone.
    Lose,
}

impl Client {
    /// A client that begins at once.
    pub(crate) fn new(hardware: Address, name: Option<&str>, random: Random) -> Self {
        let name = name.map(|name| name.get(..name.floor_char_boundary(NAME)).unwrap_or_default());
        Self {
            hardware,
            name: name.filter(|name| !name.is_empty()).map(Box::from),
            state: State::Init { at: Instant::ZERO },
            random,
            complaints: Complaints::new(),
            conflicts: 0,
            counters: Counters::default(),
        }
    }

    /// Mixes fresh entropy in.
    pub(crate) fn reseed(&mut self, seed: &[u8; 32]) {
        self.random.reseed(seed);
    }

    /// When [`Self::poll`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Init { at } => Some(*at),
            State::Selecting(exchange) | State::Requesting { exchange, .. } => Some(exchange.at),
            State::Bound(lease) => lease.times.map(|times| times.renew),
            State::Renewing { exchange, lease } => {
                Some(lease.times.map_or(exchange.at, |times| times.rebind.min(exchange.at)))
            }
            State::Rebinding { exchange, lease } | State::Rebooting { exchange, lease } => {
                Some(lease.times.map_or(exchange.at, |times| times.expire.min(exchange.at)))
            }
            State::Unplugged(lease) => lease.as_ref()?.times.map(|times| times.expire),
            State::Stopped => None,
        }
    }

    /// The link is there, perhaps another one than before; or it is gone.
    pub(crate) fn link(&mut self, up: bool, now: Instant) {
        let state = core::mem::replace(&mut self.state, State::Stopped);
        let lease = match state {
            State::Stopped => return,
            State::Init { .. } | State::Selecting(_) | State::Requesting { .. } => None,
            State::Unplugged(lease) => lease,
            State::Bound(lease)
            | State::Renewing { lease, .. }
            | State::Rebinding { lease, .. }
            | State::Rebooting { lease, .. } => Some(lease),
        };
        self.state = match lease {
            lease if !up => State::Unplugged(lease),
            Some(lease) => State::Rebooting { exchange: self.exchange(now), lease },
            None => State::Init { at: now },
        };
    }

    /// Takes another link address. Says whether there was a lease: it is over.
    pub(crate) fn set_hardware(&mut self, hardware: Address, now: Instant) -> bool {
        let leased = self.lease().is_some();
        self.hardware = hardware;
        self.state = match self.state {
            State::Stopped => State::Stopped,
            State::Unplugged(_) => State::Unplugged(None),
            _ => State::Init { at: now },
        };
        leased
    }

    /// Another station has the address: gives the message that says so, where there is a lease, which is over now.
    pub(crate) fn decline(&mut self, now: Instant) -> Option<Message> {
        let lease = self.lease()?;
        let (address, server) = (lease.addressing.address(), lease.server);
        log::warn!("dhcp: {address} is declined: another station has it");
        let message = self.notice(Operation::Decline, address, server);
        self.counters.dhcp_declined.count();
        self.conflicts = self.conflicts.saturating_add(1);
        let least = if self.conflicts < CONFLICTS { DECLINED_WAIT } else { CONFLICTS_WAIT };
        let wait = least + self.random.span(JITTER);
        self.state = State::Init { at: now + wait };
        Some(message)
    }

    /// Ends the client for good: gives the message that gives the lease back, where there is one.
    pub(crate) fn release(&mut self) -> Option<Message> {
        let lease = self.lease().map(|lease| (lease.addressing.address(), lease.server));
        self.state = State::Stopped;
        let (address, server) = lease?;
        self.counters.dhcp_released.count();
        Some(self.notice(Operation::Release, address, server))
    }

    /// A message that has no answer (RFC 2131 sections 4.4.4 and 4.4.6, table 5): to the server whose address it is, or to
    /// everybody, without using what is another's.
    fn notice(&mut self, operation: Operation, address: Ipv4Addr, server: Ipv4Addr) -> Message {
        let (source, requested, destination) = match operation {
            Operation::Release => (address, None, server),
            _ => (Ipv4Addr::UNSPECIFIED, Some(address), Ipv4Addr::BROADCAST),
        };
        let repr = Repr {
            operation,
            xid: self.random.half(),
            secs: 0,
            client: source,
            hardware: self.hardware,
            requested,
            server: Some(server),
            name: None,
        };
        self.counters.dhcp_sent.count();
        Message { source, destination, bytes: repr.emit() }
    }

    /// Whether [`Self::release`] has been called.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(lease)
            | State::Renewing { lease, .. }
            | State::Rebinding { lease, .. }
            | State::Rebooting { lease, .. } => Some(lease),
            State::Unplugged(lease) => lease.as_ref(),
            _ => None,
        }
    }

    /// The next thing that is due; call until there is none.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Action> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.advance(now);
        if let Some(lease) = self.lease().filter(|lease| lease.is_over(now)) {
            log::warn!("dhcp: the lease of {} has run out", lease.addressing.address());
            self.counters.dhcp_expired.count();
            self.state = match self.state {
                State::Unplugged(_) => State::Unplugged(None),
                _ => State::Init { at: now },
            };
            return Some(Action::Lose);
        }
        let mut repr = Repr {
            operation: Operation::Request,
            xid: 0,
            secs: 0,
            client: Ipv4Addr::UNSPECIFIED,
            hardware: self.hardware,
            requested: None,
            server: None,
            name: self.name.as_deref(),
        };
        let mut destination = Ipv4Addr::BROADCAST;
        let (exchange, wait) = match &mut self.state {
            State::Selecting(exchange) => {
                repr.operation = Operation::Discover;
                let wait = exchange.backoff(&mut self.random);
                (exchange, wait)
            }
            State::Requesting { exchange, offered, server } => {
                (repr.requested, repr.server) = (Some(*offered), Some(*server));
                let wait = exchange.backoff(&mut self.random);
                (exchange, wait)
            }
            // Neither option 50 nor 54 here (section 4.3.2): the address stands in ciaddr.
            State::Renewing { exchange, lease } => {
                repr.client = lease.addressing.address();
                destination = lease.server;
                (exchange, lease.renewal_wait(now))
            }
            State::Rebinding { exchange, lease } => {
                repr.client = lease.addressing.address();
                (exchange, lease.rebinding_wait(now))
            }
            // Option 50, and neither 54 nor ciaddr (section 4.3.2).
            State::Rebooting { exchange, lease } => {
                repr.requested = Some(lease.addressing.address());
                let wait = exchange.backoff(&mut self.random);
                (exchange, wait)
            }
            State::Init { .. } | State::Bound(_) | State::Unplugged(_) | State::Stopped => return None,
        };
        repr.xid = exchange.xid;
        repr.secs = u16::try_from(now.since(exchange.began).secs()).unwrap_or(u16::MAX);
        exchange.sent = exchange.sent.saturating_add(1);
        exchange.at = now + wait;
        self.counters.dhcp_sent.count();
        Some(Action::Send(Message { source: repr.client, destination, bytes: repr.emit() }))
    }

    /// Reads a message from `source`. Gives the new configuration, or says that there is none any more; what is to be
    /// sent then is given by [`Self::poll`].
    pub(crate) fn receive(&mut self, source: Ipv4Addr, message: &[u8], now: Instant) -> Option<Outcome> {
        let parsed = Packet::parse(message);
        let ours = |packet: &Packet<'_>| {
            Some(packet.xid()) == self.xid() && packet.client_hardware() == self.hardware
        };
        let reply = match parsed {
            Ok(packet) if !ours(&packet) => {
                self.counters.dhcp_ignored.count();
                return None;
            }
            Ok(packet) => packet.reply(),
            Err(error) => Err(error),
        };
        match reply {
            Ok(reply) => self.answered(source, &reply, now),
            Err(error) => {
                self.counters.dhcp_malformed.count();
                if let Some(left_out) = self.complaints.take(now) {
                    log::warn!("dhcp: a message from {source} was dropped: {error}{left_out}");
                }
                None
            }
        }
    }

    fn answered(&mut self, source: Ipv4Addr, reply: &Reply, now: Instant) -> Option<Outcome> {
        // Oracle's cloud leaves option 54 out.
        let server = reply.server.filter(|server| !server.is_unspecified()).unwrap_or(source);
        let usable = is_host(reply.your) && !reply.prefix.is_broadcast(reply.your);
        if reply.answer != Answer::Nak && !usable {
            self.counters.dhcp_unusable.count();
            return None;
        }
        match (&self.state, reply.answer) {
            (State::Selecting(exchange), Answer::Offer) => {
                log::debug!("dhcp: {server} offers {}", reply.your);
                let exchange = Exchange { sent: 0, at: now, ..*exchange };
                self.state = State::Requesting { exchange, offered: reply.your, server };
                None
            }
            (State::Requesting { server: asked, .. }, Answer::Nak) if *asked == server => {
                self.counters.dhcp_refused.count();
                // Not at once: a server that offers and refuses would keep us busy.
                let wait = FIRST_WAIT + self.random.span(JITTER);
                self.state = State::Init { at: now + wait };
                None
            }
            (State::Requesting { .. }, Answer::Ack) => {
                self.counters.dhcp_bound.count();
                Some(self.bind(server, reply, now))
            }
            (State::Renewing { .. } | State::Rebinding { .. } | State::Rebooting { .. }, Answer::Ack) => {
                self.counters.dhcp_renewed.count();
                self.conflicts = 0;
                Some(self.bind(server, reply, now))
            }
            (
                State::Renewing { lease, .. }
                | State::Rebinding { lease, .. }
                | State::Rebooting { lease, .. },
                Answer::Nak,
            ) => {
                log::warn!("dhcp: {server} takes {} back", lease.addressing.address());
                self.counters.dhcp_refused.count();
                self.state = State::Init { at: now };
                Some(Outcome::Lost)
            }
            _ => {
                self.counters.dhcp_ignored.count();
                None
            }
        }
    }

    fn bind(&mut self, server: Ipv4Addr, reply: &Reply, now: Instant) -> Outcome {
        let lease = Lease::new(server, reply, now, &mut self.random);
        let addressing = lease.addressing.clone();
        self.state = State::Bound(lease);
        Outcome::Acquired(addressing)
    }

    fn xid(&self) -> Option<u32> {
        match &self.state {
            State::Init { .. } | State::Bound(_) | State::Unplugged(_) | State::Stopped => None,
            State::Selecting(exchange)
            | State::Requesting { exchange, .. }
            | State::Renewing { exchange, .. }
            | State::Rebinding { exchange, .. }
            | State::Rebooting { exchange, .. } => Some(exchange.xid),
        }
    }

    /// Takes the transitions that only time brings.
    fn advance(&mut self, now: Instant) {
        let state = core::mem::replace(&mut self.state, State::Init { at: now });
        self.state = match state {
            State::Init { at } if at <= now => State::Selecting(self.exchange(now)),
            State::Requesting { exchange, .. } if exchange.at <= now && exchange.sent >= REQUESTS => {
                State::Selecting(self.exchange(now))
            }
            State::Bound(lease) if lease.times.is_some_and(|times| times.renew <= now) => {
                State::Renewing { exchange: self.exchange(now), lease }
            }
            State::Renewing { lease, .. } if lease.times.is_some_and(|times| times.rebind <= now) => {
                State::Rebinding { exchange: self.exchange(now), lease }
            }
            // Section 3.2, point 3: without an answer it may be used for as long as it was given.
            State::Rebooting { exchange, lease } if exchange.at <= now && exchange.sent >= REQUESTS => {
                State::Bound(lease)
            }
            other => other,
        };
    }

    fn exchange(&mut self, now: Instant) -> Exchange {
        Exchange { xid: self.random.half(), began: now, sent: 0, at: now }
    }
}

/// What a message changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// This is the configuration from now on.
    Acquired(Addressing),
    /// There is none any more.
    Lost,
}

impl Exchange {
    /// 4, 8, 16, 32, 64, 64 … seconds, a second more or less.
    fn backoff(&self, random: &mut Random) -> Duration {
        let doubled = FIRST_WAIT.times(1 << self.sent.min(4));
        doubled - JITTER + random.span(JITTER.times(2))
    }
}

/// Whether a host can have this address.
fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first < 224
}
