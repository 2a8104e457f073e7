//! A server and clients over a link that loses, delays, repeats, reorders and damages, in virtual time.

use crate::client::{Client, State};
use crate::nic::{Nic, seal, trace, verify};
use crate::server::Server;
use core::net::{IpAddr, Ipv4Addr};
use netstack::egress::{Ecn, Unreachable};
use netstack::random::Random;
use netstack::tcp::{Limits, Tcp};
use netstack::{Duration, Instant};
use std::collections::BTreeMap;

pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// What a link does to packets; chances in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub loss: u64,
    pub repeat: u64,
    pub damage: u64,
    /// Chance that a packet is delayed by up to `jitter` more.
    pub reorder: u64,
    pub jitter: Duration,
    pub delay: Duration,
    /// Packets that the server's device takes in a millisecond.
    pub room: usize,
    /// Chance that so many packets in a row begin to be lost, or those of a tenth of a second.
    pub burst: (u64, u64),
    /// Every so long nothing passes for a second. No divisor of a minute, which is how far time-outs back off.
    pub outages: Option<Duration>,
    /// What the path takes by turns, for so long each; `None` where it is what the server's device takes.
    pub narrow: Option<Narrow>,
}

/// A path whose MTU changes, first to last and from the first again.
#[derive(Clone, Copy, Debug)]
pub struct Narrow {
    pub mtus: [u16; 3],
    pub span: Duration,
    /// Its routers say what was too large for them.
    pub reports: bool,
}

/// How often each fault has struck.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Struck {
    pub lost: usize,
    pub in_bursts: usize,
    pub in_outages: usize,
    pub repeated: usize,
    pub damaged: usize,
    pub reordered: usize,
    pub too_big: usize,
}

impl Link {
    pub fn clean(delay: Duration) -> Self {
        Self {
            loss: 0,
            repeat: 0,
            damage: 0,
            reorder: 0,
            jitter: Duration::ZERO,
            delay,
            room: usize::MAX,
            burst: (0, 0),
            outages: None,
            narrow: None,
        }
    }
}

enum Event {
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
    DeviceHasRoom,
    /// A router has no room for the packet whose segment starts with this; the next link takes so much.
    TooBig([u8; 8], u16),
}

pub struct Network {
    pub tcp: Tcp<Server>,
    pub server: Server,
    pub nic: Nic,
    pub clients: Vec<Client>,
    pub now: Instant,
    pub random: Random,
    pub link: Link,
    /// Packets that the server has sent.
    pub sent: usize,
    pub struck: Struck,
    /// Losses that a burst still owes, and until when.
    burst: (u64, Instant),
    events: BTreeMap<(Instant, u64), Event>,
    number: u64,
    full: bool,
}

impl Network {
    pub fn new(seed: u64, link: Link, limits: Limits) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut random = Random::new(&bytes);
        Self {
            tcp: Tcp::with_limits(random.seed(), limits),
            server: Server::default(),
            nic: Nic { room: link.room, ..Nic::new() },
            clients: Vec::new(),
            now: Instant::from_micros(1_000_000),
            random,
            link,
            sent: 0,
            struck: Struck::default(),
            burst: (0, Instant::ZERO),
            events: BTreeMap::new(),
            number: 0,
            full: false,
        }
    }

    /// Runs until `done`, or to the end of patience.
    pub fn run(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + patience;
        let mut steps = 0_u32;
        loop {
            self.flush();
            if done(self) {
                return;
            }
            let event = self.events.keys().next().map(|key| key.0);
            let clients = self.clients.iter().filter_map(Client::deadline).min();
            let next = [event, clients, self.tcp.next_deadline()].into_iter().flatten().min();
            let next = next.unwrap_or_else(|| panic!("nothing left to happen: {}", self.describe()));
            assert!(next < end, "out of patience: {}", self.describe());
            steps += 1;
            assert!(steps < 3_000_000, "no end of it: {}", self.describe());
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn step(&mut self) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Event::ToServer(bytes) => {
                    if verify(REMOTE, LOCAL, &bytes) {
                        let (server, nic) = (&mut self.server, &mut self.nic);
                        self.tcp.receive(LOCAL, REMOTE, Ecn::NotCapable, &bytes, self.now, server, nic);
                    }
                }
                Event::ToClient(bytes) => {
                    if verify(LOCAL, REMOTE, &bytes) {
                        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
                        let client = self.clients.iter_mut().find(|client| client.port == port);
                        if let Some(client) = client {
                            client.receive(&bytes, self.now);
                        }
                    }
                }
                Event::TooBig(quoted, mtu) => {
                    let (server, nic, error) =
                        (&mut self.server, &mut self.nic, Unreachable::PacketTooBig { mtu });
                    self.tcp.unreachable(LOCAL, REMOTE, &quoted, error, self.now, server, nic);
                }
                Event::DeviceHasRoom => {
                    self.full = false;
                    self.nic.room = self.link.room;
                }
            }
            self.flush();
        }
        self.tcp.poll(self.now, &mut self.server, &mut self.nic);
        for client in &mut self.clients {
            if client.deadline().is_some_and(|at| at <= self.now) {
                client.poll(self.now);
            }
        }
    }

    /// Puts on the link what both sides have sent.
    fn flush(&mut self) {
        for bytes in core::mem::take(&mut self.nic.out) {
            self.sent += 1;
            self.carry(bytes, Event::ToClient);
        }
        for at in 0..self.clients.len() {
            for mut bytes in core::mem::take(&mut self.clients[at].out) {
                seal(REMOTE, LOCAL, &mut bytes);
                self.carry(bytes, Event::ToServer);
            }
        }
        if self.nic.room < self.link.room && !self.full {
            self.full = true;
            self.schedule(self.now + Duration::from_millis(1), Event::DeviceHasRoom);
        }
    }

    fn carry(&mut self, mut bytes: Vec<u8>, event: fn(Vec<u8>) -> Event) {
        if std::env::var_os("TCP_TRACE").is_some() {
            eprintln!("{:>10} {}", self.now.micros(), trace(&bytes));
        }
        if self.link.outages.is_some_and(|every| {
            let into = self.now.micros() % every.micros();
            self.now.micros() >= every.micros() && into < 1_000_000
        }) {
            self.struck.in_outages += 1;
            return;
        }
        if self.chance(self.link.burst.0) {
            self.burst = (self.link.burst.1, self.now + Duration::from_millis(100));
        }
        if self.burst.0 > 0 && self.now < self.burst.1 {
            self.burst.0 -= 1;
            self.struck.in_bursts += 1;
            return;
        }
        if self.chance(self.link.loss) {
            self.struck.lost += 1;
            return;
        }
        if let Some(mtu) = self.too_big(&bytes) {
            self.struck.too_big += 1;
            let quoted = *bytes.first_chunk().unwrap();
            if self.link.narrow.is_some_and(|narrow| narrow.reports) {
                self.schedule(self.now + self.link.delay, Event::TooBig(quoted, mtu));
            }
            return;
        }
        let copies = if self.chance(self.link.repeat) { 2 } else { 1 };
        self.struck.repeated += copies - 1;
        if self.chance(self.link.damage) {
            self.struck.damaged += 1;
            let at = self.random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << self.random.below(8);
        }
        for _ in 0..copies {
            let mut at = self.now + self.link.delay;
            if self.chance(self.link.reorder) {
                self.struck.reordered += 1;
                at = at + self.random.span(self.link.jitter);
            }
            self.schedule(at, event(bytes.clone()));
        }
    }

    /// What the path from the server takes, where that is less than the packet of a segment. The way back is wide.
    fn too_big(&self, segment: &[u8]) -> Option<u16> {
        let Narrow { mtus, span, .. } = self.link.narrow?;
        let turn = self.now.micros() / span.micros() % mtus.len() as u64;
        let mtu = mtus[turn as usize];
        let from_server = segment.starts_with(&80_u16.to_be_bytes());
        (from_server && 20 + segment.len() > usize::from(mtu)).then_some(mtu)
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.random.below(1_000) < thousandths
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    /// Where everybody stands.
    pub fn describe(&self) -> String {
        let clients: Vec<_> = self
            .clients
            .iter()
            .map(|client| {
                let State::Open = client.state else { return format!("{:?}", client.state) };
                format!("heard {} end {} is heard {}", client.heard.len(), client.at_end(), client.is_heard())
            })
            .collect();
        let counters: Vec<_> = self.tcp.counters().iter().filter(|(_, value)| *value != 0).collect();
        format!("at {:?}: {clients:?} {:?} {counters:?}", self.now, self.tcp.lengths())
    }
}
