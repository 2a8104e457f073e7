//! TCP for servers (RFC 9293, passive open): segments in, segments out, and a [`Service`] that sees streams.
//!
//! - A segment finds its connection by a keyed hash ([`demux`]), then meets the checks of RFC 9293 section 3.10.7.4 as RFC
//!   5961 and 7323 sharpen them ([`connection`]); data in order is shown to the service where it lies in the frame,
//!   all other data waits in a bounded buffer ([`assembly`]).
//! - What the service queues is kept as a list of slices until it is acknowledged ([`queue`]), so there is no send buffer.
//!   The scoreboard ([`flight`]) says what is under way, [`congestion`] how much may be, [`output`] sends.
//! - SYN-RECEIVED ([`listener`]) and TIME-WAIT ([`time_wait`]) have small tables of their own; [`admission`] says who gets in,
//!   by [`cookies`] once the first table is full, and [`eviction`] who goes when a bound is met.
//! - Timers lie in wheels ([`timers`]). Nothing here walks over all connections, [`Tcp::stop`] apart.
//!
//! An idle connection is a [`connection::Core`] and what its service keeps; the rest is lent to it while it is busy.

mod admission;
mod assembly;
#[cfg(any(test, feature = "audit"))]
pub mod audit;
mod congestion;
mod connection;
mod cookies;
mod counters;
mod demux;
mod eviction;
mod flight;
mod hystart;
mod isn;
mod limits;
mod listener;
mod options;
mod order;
mod output;
mod queue;
mod recovery;
mod recv;
mod rtt;
mod send;
mod seq;
mod shared;
mod states;
mod stream;
mod time_wait;
mod timers;
mod undo;

pub use counters::Counters;
pub use limits::Limits;

use crate::Instant;
use crate::egress::{Ecn, Egress, SendError, Unreachable};
use crate::service::Service;
use crate::wire::tcp::Segment;
use connection::{Connection, Core};
use core::net::IpAddr;
use demux::{Table, Tuple};
use eviction::{Holders, Holding};
use listener::HalfOpen;
use order::Order;
use seq::SeqNum;
use shared::{Context, Shared};
use states::Fate;
use time_wait::{Disposition, TimeWait};
use timers::Wheel;

/// All connections of a stack.
#[derive(Debug)]
pub struct Tcp<S: Service> {
    shared: Shared,
    half_open: Table<HalfOpen>,
    half_open_timers: Wheel,
    connections: Table<Connection<S::Connection>>,
    timers: Wheel,
    time_wait: Table<TimeWait>,
    holders: Holders,
    /// Connections that met a full device.
    waiting: Order,
    stopping: bool,
}

impl<S: Service> Tcp<S> {
    /// No connections yet. `seed` is fresh entropy.
    pub fn new(seed: [u8; 32]) -> Self {
        Self::with_limits(seed, Limits::default())
    }

    /// The same with budgets of one's own.
    pub fn with_limits(seed: [u8; 32], limits: Limits) -> Self {
        Self {
            shared: Shared::new(&seed, limits),
            half_open: Table::new(),
            half_open_timers: Wheel::new(),
            connections: Table::new(),
            timers: Wheel::new(),
            time_wait: Table::new(),
            holders: Holders::new(),
            waiting: Order::new(),
            stopping: false,
        }
    }

    /// Takes a whole TCP segment whose checksum has been verified; `ecn` is what its packet said of congestion.
    #[expect(clippy::too_many_arguments, reason = "what a packet says of a segment, and the seams")]
    pub fn receive<E: Egress + ?Sized>(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        ecn: Ecn,
        segment: &[u8],
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        let Ok(segment) = Segment::parse(segment) else {
            self.shared.counters.tcp_malformed.count();
            return;
        };
        let (local_port, remote_port) = (segment.header.destination, segment.header.source);
        let tuple = Tuple { local, local_port, remote, remote_port };
        if local_port == remote_port && local == remote {
            self.shared.counters.tcp_land.count();
            return;
        }
        let hash = self.shared.secrets.bucket(&tuple);
        if let Some(at) = self.connections.find(hash, &tuple) {
            self.step(at, now, service, egress, |connection, service, context| {
                connection.arrives(&segment, ecn, service, context)
            });
            return;
        }
        let mut context = Context::new(tuple, now, &mut self.shared, egress);
        if let Some(at) = self.half_open.find(hash, &tuple) {
            self.handshake(at, hash, &segment, ecn, tuple, now, service, egress);
            return;
        }
        let mut floor = None;
        if let Some(at) = self.time_wait.find(hash, &tuple) {
            let Some(entry) = self.time_wait.get_mut(at) else { return };
            match entry.value.arrives(&segment, &mut context) {
                Disposition::Ignored => return,
                Disposition::Again => {
                    entry.value.until = now + self.shared.limits.time_wait_span;
                    self.time_wait.touch(at);
                    return;
                }
                Disposition::Reuse(from) => {
                    self.time_wait.remove(at);
                    floor = Some(from);
                }
            }
        }
        self.listen(hash, tuple, &segment, ecn, floor, now, service, egress);
    }

    /// Takes an ICMP error about a packet of ours; `quoted` is the packet's TCP header, 8 bytes of it at least.
    ///
    /// RFC 5927: only an error that quotes a number in flight is heeded; and RFC 9293 section 3.9.2.2 lets none of them end
    /// a synchronized connection.
    #[expect(clippy::too_many_arguments, reason = "what an ICMP error consists of, and the seams")]
    pub fn unreachable<E: Egress + ?Sized>(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        quoted: &[u8],
        error: Unreachable,
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        let Some(&[l0, l1, r0, r1, s0, s1, s2, s3]) = quoted.first_chunk::<8>() else {
            self.shared.counters.tcp_unreachable_ignored.count();
            return;
        };
        let (local_port, remote_port) = (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([r0, r1]));
        let sequence = SeqNum::new(u32::from_be_bytes([s0, s1, s2, s3]));
        let tuple = Tuple { local, local_port, remote, remote_port };
        let hash = self.shared.secrets.bucket(&tuple);
        if let Some(at) = self.connections.find(hash, &tuple) {
            self.step(at, now, service, egress, |connection, _, context| {
                connection.core.unreachable(sequence, error, context);
                Fate::Lives
            });
        } else if let Some(at) = self.half_open.find(hash, &tuple)
            && self.half_open.get(at).is_some_and(|entry| entry.value.quotes(sequence))
        {
            self.shared.counters.tcp_unreachable.count();
            if matches!(error, Unreachable::Protocol | Unreachable::Port | Unreachable::Prohibited) {
                self.shared.counters.tcp_half_open_reset.count();
                self.forget_half_open(at);
            }
        } else {
            self.shared.counters.tcp_unreachable_ignored.count();
        }
    }

    /// Does what is due, and goes on with the connections that met a full device.
    pub fn poll<E: Egress + ?Sized>(&mut self, now: Instant, service: &mut S, egress: &mut E) {
        while let Some(at) = self.waiting.first() {
            self.waiting.remove(at);
            if let Some(entry) = self.connections.get_mut(at) {
                entry.value.core.waiting = false;
            }
            self.step(at, now, service, egress, |_, _, _| Fate::Lives);
            if self.connections.get(at).is_some_and(|entry| entry.value.core.waiting) {
                // It meets a full device again, and so would all others. It keeps its place.
                self.waiting.push_first(at);
                break;
            }
        }
        while let Some(at) = self.timers.expired(now) {
            self.step(at, now, service, egress, |connection, service, context| {
                connection.timer(service, context)
            });
        }
        while let Some(at) = self.half_open_timers.expired(now) {
            self.half_open_timer(at, now, egress);
        }
        while let Some(at) = self.time_wait.oldest() {
            if self.time_wait.get(at).is_none_or(|entry| entry.value.until > now) {
                break;
            }
            self.time_wait.remove(at);
        }
    }

    /// When to poll at the latest. A device that has room again is a reason to poll, too.
    pub fn next_deadline(&self) -> Option<Instant> {
        let oldest = self.time_wait.oldest().and_then(|at| self.time_wait.get(at));
        let time_wait = oldest.map(|entry| entry.value.until);
        Instant::earliest(Instant::earliest(self.timers.next(), self.half_open_timers.next()), time_wait)
    }

    /// Takes no more connections, and lets the service finish those that there are.
    pub fn stop<E: Egress + ?Sized>(&mut self, now: Instant, service: &mut S, egress: &mut E) {
        self.stopping = true;
        while let Some(at) = self.half_open.oldest() {
            self.forget_half_open(at);
        }
        for at in 0..self.connections.end() {
            self.step(at, now, service, egress, |connection, service, context| {
                connection.stopping(service, now, context.shared);
                Fate::Lives
            });
        }
    }

    /// Resets every connection, as their address is about to be given up; what the device has no room for is not told.
    pub fn reset<E: Egress + ?Sized>(&mut self, now: Instant, service: &mut S, egress: &mut E) {
        for at in 0..self.connections.end() {
            self.step(at, now, service, egress, |connection, _, _| {
                connection.core.reset = true;
                Fate::Lives
            });
        }
    }

    /// Ends every connection without a word, as the address that they had is gone: what was sent from it would be another
    /// station's, or a lie.
    pub fn abandon(&mut self, now: Instant, service: &mut S) {
        while let Some(at) = self.half_open.oldest() {
            self.forget_half_open(at);
        }
        while let Some(at) = self.connections.oldest() {
            self.shared.counters.tcp_abandoned.count();
            self.finish(at, Fate::Closed, now, service);
        }
        while let Some(at) = self.time_wait.oldest() {
            self.time_wait.remove(at);
        }
    }

    /// Mixes fresh entropy in: what will be initial sequence numbers cannot be told from those of before.
    pub fn reseed(&mut self, seed: &[u8; 32]) {
        self.shared.secrets.reseed(seed);
    }

    /// Whether nothing is left, TIME-WAIT apart.
    pub fn is_empty(&self) -> bool {
        self.connections.len() == 0 && self.half_open.len() == 0
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// How many connections stand in each table: half-open, established, TIME-WAIT.
    pub fn lengths(&self) -> (usize, usize, usize) {
        (self.half_open.len(), self.connections.len(), self.time_wait.len())
    }

    /// What the tables and budgets hold now, each with its name.
    pub fn gauges(&self) -> [(&'static str, usize); 5] {
        [
            ("tcp_half_open", self.half_open.len()),
            ("tcp_connections", self.connections.len()),
            ("tcp_time_wait", self.time_wait.len()),
            ("tcp_bytes_sending", self.shared.pool.used()),
            ("tcp_bytes_received", self.shared.budget.used()),
        ]
    }

    /// One step of one connection, then what it has to send, then what has become of it.
    fn step<E: Egress + ?Sized>(
        &mut self,
        at: u32,
        now: Instant,
        service: &mut S,
        egress: &mut E,
        step: impl FnOnce(&mut Connection<S::Connection>, &mut S, &mut Context<'_, E>) -> Fate,
    ) {
        let Some(entry) = self.connections.get_mut(at) else { return };
        let tuple = entry.tuple;
        let connection = &mut entry.value;
        let before = Holding::of(&connection.core);
        if let Some(busy) = connection.core.send.busy.as_mut() {
            busy.confine(self.shared.pool.is_full());
        }
        let mut context = Context::new(tuple, now, &mut self.shared, egress);
        let mut fate = step(connection, service, &mut context);
        if connection.core.reset && fate == Fate::Lives {
            output::reset(&connection.core, &mut context);
            fate = Fate::Closed;
        }
        // One that waits for the device has its turn in `poll`: until then a segment would be built only to be thrown away.
        let ready = match fate {
            Fate::Lives => !connection.core.waiting,
            Fate::TimeWait => true,
            Fate::Closed => false,
        };
        if ready && output::output(&mut connection.core, &mut context) == Err(SendError::Full) {
            self.shared.counters.tcp_device_full.count();
            connection.core.waiting = true;
            self.waiting.push(at);
        }
        let after = Holding::of(&connection.core);
        if fate == Fate::Lives {
            if let Some(deadline) = connection.core.next_deadline(&self.shared.limits) {
                self.timers.arm(at, deadline);
            }
            self.account(at, before, after);
            self.relieve(at, now, service, egress);
        } else {
            self.account(at, before, after);
            self.finish(at, fate, now, service);
        }
    }

    /// A connection is over.
    fn finish(&mut self, at: u32, fate: Fate, now: Instant, service: &mut S) {
        self.timers.disarm(at);
        let Some((tuple, mut connection)) = self.connections.remove(at) else { return };
        self.forget(at, &connection.core);
        let core = &mut connection.core;
        if core.waiting {
            // An index is used again, and its next owner must not find itself in the queue.
            self.waiting.remove(at);
        }
        core.receive.release(&mut self.shared.budget);
        if let Some(busy) = core.send.busy.take() {
            self.shared.pool.give(busy);
        }
        if fate == Fate::TimeWait {
            self.rest(tuple, &connection.core, now);
        }
        service.closed(connection.service);
    }

    /// Into TIME-WAIT; when there are too many, the oldest goes.
    fn rest(&mut self, tuple: Tuple, core: &Core, now: Instant) {
        if self.time_wait.len() >= self.shared.limits.time_wait
            && let Some(oldest) = self.time_wait.oldest()
        {
            self.shared.counters.tcp_time_wait_evicted.count();
            self.time_wait.remove(oldest);
        }
        let until = now + self.shared.limits.time_wait_span;
        let hash = self.shared.secrets.bucket(&tuple);
        self.time_wait.insert(hash, tuple, TimeWait::new(core, until));
    }
}
