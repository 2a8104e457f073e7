//! The stack: one interface, TCP, and the configuration that DHCP or a person gave it.

use crate::addressing::Addressing;
use crate::device::{Device, ReceiveChecksum};
use crate::dhcp::{self, Action, Outcome};
use crate::interface::{Delivery, Interface, Outlet};
use crate::random::Random;
use crate::service::Service;
use crate::tcp::{Limits, Tcp};
use crate::time::Instant;
use crate::wire::ethernet;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

pub use crate::dhcp::Counters as DhcpCounters;
pub use crate::interface::Counters as InterfaceCounters;

/// Where the address comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Config {
    /// It is given.
    Static(Addressing),
    /// From a DHCP server.
    Dhcp {
        /// The name that goes along (option 12); its first 63 bytes.
        name: Option<Box<str>>,
    },
}

/// What has happened to the stack, for its caller to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The interface has an address now, or another configuration for it.
    AddressAcquired(Addressing),
    /// The address is gone.
    AddressLost,
}

/// The most events that wait to be taken; older ones are dropped.
const EVENTS: usize = 16;

/// The stack with a service on top.
///
/// It owns no device and no clock: each call is given both, and [`Self::next_deadline`] says when to call again at the
/// latest, if no frame comes before.
pub struct Stack<S: Service> {
    interface: Interface,
    random: Random,
    /// The address of [`Config::Static`], until the first poll.
    given: Option<Addressing>,
    client: Option<dhcp::Client>,
    events: VecDeque<Event>,
    tcp: Tcp<S>,
    stopping: bool,
}

impl<S: Service> Stack<S> {
    /// A stack that has yet to be polled. `seed` is fresh entropy.
    pub fn new(config: Config, hardware: ethernet::Address, seed: &[u8; 32]) -> Self {
        Self::with_limits(config, hardware, seed, Limits::default())
    }

    /// The same with budgets of one's own for TCP.
    pub fn with_limits(config: Config, hardware: ethernet::Address, seed: &[u8; 32], limits: Limits) -> Self {
        let mut random = Random::new(seed);
        let (given, client) = match config {
            Config::Static(addressing) => (Some(addressing), None),
            Config::Dhcp { name } => {
                let random = Random::new(&random.seed());
                (None, Some(dhcp::Client::new(hardware, name.as_deref(), random)))
            }
        };
        let interface = Interface::new(hardware, client.is_some(), Random::new(&random.seed()));
        let tcp = Tcp::with_limits(random.seed(), limits);
        Self { interface, random, given, client, events: VecDeque::new(), tcp, stopping: false }
    }

    /// Takes a frame from the device.
    pub fn receive(
        &mut self,
        frame: &[u8],
        checksum: ReceiveChecksum,
        now: Instant,
        device: &mut impl Device,
        service: &mut S,
    ) {
        let whole;
        let delivery = match self.interface.receive(frame, checksum, now, device) {
            Some(Delivery::Whole(packet)) => {
                whole = packet;
                self.interface.receive_whole(&whole, now, device)
            }
            delivery => delivery,
        };
        match delivery {
            Some(Delivery::Tcp { local, remote, ecn, segment }) => {
                let mut outlet = Outlet::new(&mut self.interface, device, now);
                self.tcp.receive(local, remote, ecn, segment, now, service, &mut outlet);
            }
            Some(Delivery::TcpUnreachable { local, remote, quoted, why }) => {
                let mut outlet = Outlet::new(&mut self.interface, device, now);
                self.tcp.unreachable(local, remote, quoted, why, now, service, &mut outlet);
            }
            Some(Delivery::Dhcp { source, message }) => {
                let outcome = self.client.as_mut().and_then(|client| client.receive(source, message, now));
                match outcome {
                    Some(Outcome::Acquired(addressing)) => {
                        self.configure(Some(addressing), now, device, service);
                    }
                    Some(Outcome::Lost) => self.configure(None, now, device, service),
                    None => {}
                }
                self.poll_client(now, device, service);
            }
            Some(Delivery::Conflict) => {
                if let Some(message) = self.client.as_mut().and_then(|client| client.decline(now)) {
                    // RFC 5227 section 2.4: "SHOULD actively attempt to reset any existing connections".
                    let mut outlet = Outlet::new(&mut self.interface, device, now);
                    self.tcp.reset(now, service, &mut outlet);
                    self.configure(None, now, device, service);
                    self.interface.send_dhcp(&message, now, device);
                }
            }
            // What has become whole is no fragment.
            Some(Delivery::Whole(_)) | None => {}
        }
    }

    /// Does what is due, and sends what the device had no room for before.
    pub fn poll(&mut self, now: Instant, device: &mut impl Device, service: &mut S) {
        if let Some(addressing) = self.given.take() {
            self.configure(Some(addressing), now, device, service);
        }
        self.poll_client(now, device, service);
        self.interface.poll(now, device);
        let mut outlet = Outlet::new(&mut self.interface, device, now);
        self.tcp.poll(now, service, &mut outlet);
        self.release(now, device);
    }

    /// When to poll at the latest; `None` where only a frame can bring something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.given.is_some() {
            return Some(Instant::ZERO);
        }
        let client = self.client.as_ref().and_then(dhcp::Client::next_deadline);
        Instant::earliest(Instant::earliest(client, self.interface.next_deadline()), self.tcp.next_deadline())
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The interface's configuration, once there is one.
    pub fn addressing(&self) -> Option<&Addressing> {
        self.interface.addressing()
    }

    /// The device's link to its segment is there, or is gone; say so also where it came back by itself, as after a restore.
    ///
    /// Connections outlast the loss of a link, as long as the address does. What was learned of the segment does not; the
    /// address is announced again and goes on being used while DHCP asks whether it still holds.
    pub fn link(&mut self, up: bool, now: Instant, device: &mut impl Device, service: &mut S) {
        self.interface.link_down();
        if up {
            self.interface.link_up(now, device);
        }
        if let Some(client) = &mut self.client {
            client.link(up, now);
        }
        self.poll_client(now, device, service);
    }

    /// The device has this link address now: another one where its interface was taken out and a new one put in. To be said
    /// before [`Self::link`] says that the link is there.
    ///
    /// An address that a person gave moves along, with its connections. A lease does not: the server keeps it for the old link
    /// address (RFC 2131 section 4.2).
    pub fn set_hardware(
        &mut self,
        hardware: ethernet::Address,
        now: Instant,
        device: &mut impl Device,
        service: &mut S,
    ) {
        if self.interface.set_hardware(hardware)
            && self.client.as_mut().is_some_and(|client| client.set_hardware(hardware, now))
        {
            self.configure(None, now, device, service);
        }
    }

    /// Ends every connection in order: what is queued is sent, then a FIN. After the last one the lease is given back.
    pub fn stop(&mut self, now: Instant, device: &mut impl Device, service: &mut S) {
        let mut outlet = Outlet::new(&mut self.interface, device, now);
        self.tcp.stop(now, service, &mut outlet);
        self.stopping = true;
        self.release(now, device);
    }

    /// After [`Self::stop`]: whether no connection is left, TIME-WAIT apart, and nothing is to be sent any more.
    pub fn is_stopped(&self) -> bool {
        self.tcp.is_empty()
            && self.client.as_ref().is_none_or(dhcp::Client::is_stopped)
            && self.interface.is_idle()
    }

    /// Mixes fresh entropy in, as after a restore.
    pub fn reseed(&mut self, seed: &[u8; 32]) {
        self.random.reseed(seed);
        self.interface.reseed(&self.random.seed());
        self.tcp.reseed(&self.random.seed());
        if let Some(client) = &mut self.client {
            client.reseed(&self.random.seed());
        }
    }

    /// What the interface has seen, sent and dropped.
    pub fn interface_counters(&self) -> &InterfaceCounters {
        &self.interface.counters
    }

    /// TCP, for its tables and counters.
    pub fn tcp(&self) -> &Tcp<S> {
        &self.tcp
    }

    /// Every counter with its name.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let client = self.client.as_ref().map(|client| client.counters).unwrap_or_default();
        self.interface.counters.iter().chain(client.iter()).chain(self.tcp.counters().iter())
    }

    /// Counters that say nothing of a frame that came: they move with frames that nothing is wrong with, with those that wait
    /// for the device, or because another one moves.
    pub const USUAL: [&'static str; 9] = [
        "frames_received",
        "frames_sent",
        "device_full",
        "backlog_kept",
        "tcp_established",
        "tcp_device_full",
        "arp_asked",
        "icmp_refused",
        "icmp_limited",
    ];

    /// The sum of all counters but the first six of [`Self::USUAL`], modulo 2^64: it moves when a frame met with something
    /// that is counted.
    pub fn incidents(&self) -> u64 {
        let interface = &self.interface.counters;
        let tcp = self.tcp.counters();
        let client = self.client.as_ref().map_or(0, |client| client.counters.total());
        let usual = [
            &interface.frames_received,
            &interface.frames_sent,
            &interface.device_full,
            &interface.backlog_kept,
            &tcp.tcp_established,
            &tcp.tcp_device_full,
        ];
        let all = interface.total().wrapping_add(tcp.total()).wrapping_add(client);
        usual.iter().fold(all, |sum, counter| sum.wrapping_sub(counter.get()))
    }

    /// What every table and budget holds now, each with its name.
    pub fn gauges(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.interface.gauges().into_iter().chain(self.tcp.gauges())
    }

    /// Once everything is over, tells the DHCP server that the address is free.
    fn release(&mut self, now: Instant, device: &mut impl Device) {
        if !self.stopping || !self.tcp.is_empty() {
            return;
        }
        if let Some(message) = self.client.as_mut().and_then(dhcp::Client::release) {
            self.interface.send_dhcp(&message, now, device);
        }
    }

    /// Sends what the DHCP client has to say.
    fn poll_client(&mut self, now: Instant, device: &mut impl Device, service: &mut S) {
        while let Some(action) = self.client.as_mut().and_then(|client| client.poll(now)) {
            match action {
                Action::Send(message) => self.interface.send_dhcp(&message, now, device),
                Action::Lose => self.configure(None, now, device, service),
            }
        }
    }

    /// Takes a configuration, or none. Connections end where their address does.
    fn configure(
        &mut self,
        addressing: Option<Addressing>,
        now: Instant,
        device: &mut impl Device,
        service: &mut S,
    ) {
        if self.interface.addressing() == addressing.as_ref() {
            return;
        }
        let event = addressing.clone().map_or(Event::AddressLost, Event::AddressAcquired);
        let address = |addressing: Option<&Addressing>| addressing.map(Addressing::address);
        if address(self.interface.addressing()) != address(addressing.as_ref()) {
            self.tcp.abandon(now, service);
        }
        self.interface.set_addressing(addressing, now, device);
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
