//! Which connection goes when a table or a budget is full: one that has long made no progress, so that an honest client is
//! served however many others hold what they have.
//!
//! Progress is a request that is read or data that is acknowledged. What comes a byte at a time and is never whole is none.

use super::Tcp;
use super::connection::{Connection, Core};
use super::demux::Table;
use super::order::Order;
use super::output;
use super::shared::Context;
use super::states::Fate;
use crate::egress::Egress;
use crate::service::Service;
use crate::{Duration, Instant};

/// A connection with nothing to send may have to go after so long.
const IDLE: Duration = Duration::from_secs(1);
/// And one that has something to send, or holds what it received, after so long.
const STALLED: Duration = Duration::from_secs(10);
/// Where none of these is found, the one that made no progress for longest has to go after so long: two retransmissions may
/// be lost.
const PRESSED: Duration = Duration::from_secs(3);
/// How many are looked at.
const LOOKS: usize = 64;

/// The connection that has been idle longest, and may go.
pub(super) fn idle<C>(connections: &Table<Connection<C>>, now: Instant) -> Option<u32> {
    let oldest = connections.oldest()?;
    let mut next = Some(oldest);
    for _ in 0..LOOKS {
        let Some(entry) = next.and_then(|at| connections.get(at)) else { break };
        let quiet = now.since(entry.value.core.progress);
        if quiet < IDLE {
            break;
        }
        if entry.value.core.send.busy.is_none() || quiet >= STALLED {
            return next;
        }
        next = entry.newer();
    }
    (now.since(connections.get(oldest)?.value.core.progress) >= PRESSED).then_some(oldest)
}

/// What a connection holds of what all share.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Holding {
    /// Bytes of the heap for sending; 0 where nothing is to be sent.
    sending: usize,
    /// Received bytes wait.
    buffered: bool,
    progress: Instant,
}

impl Holding {
    pub(super) fn of(core: &Core) -> Self {
        Self {
            sending: core.send.busy.as_ref().map_or(0, |busy| busy.held()),
            buffered: !core.receive.is_empty(),
            progress: core.progress,
        }
    }
}

/// Who holds what all share: first who made no progress for longest.
#[derive(Debug)]
pub(super) struct Holders {
    sending: Order,
    buffered: Order,
}

impl Holders {
    pub(super) fn new() -> Self {
        Self { sending: Order::new(), buffered: Order::new() }
    }

    fn forget(&mut self, at: u32) {
        self.sending.remove(at);
        self.buffered.remove(at);
    }
}

impl<S: Service> Tcp<S> {
    /// Takes note of what a step has changed.
    #[inline]
    pub(super) fn account(&mut self, at: u32, before: Holding, after: Holding) {
        if before == after {
            return;
        }
        if before.sending != after.sending {
            self.shared.pool.account(before.sending, after.sending);
            match (before.sending, after.sending) {
                (0, _) => self.holders.sending.push(at),
                (_, 0) => self.holders.sending.remove(at),
                _ => (),
            }
        }
        match (before.buffered, after.buffered) {
            (false, true) => self.holders.buffered.push(at),
            (true, false) => self.holders.buffered.remove(at),
            _ => (),
        }
        if before.progress != after.progress {
            self.connections.touch(at);
            for order in [&mut self.holders.sending, &mut self.holders.buffered] {
                order.touch(at);
            }
        }
    }

    /// It holds nothing any more.
    pub(super) fn forget(&mut self, at: u32, core: &Core) {
        self.shared.pool.account(Holding::of(core).sending, 0);
        self.holders.forget(at);
    }

    /// After a step of `at`: where a budget is overdrawn, somebody goes.
    pub(super) fn relieve<E: Egress + ?Sized>(
        &mut self,
        at: u32,
        now: Instant,
        service: &mut S,
        egress: &mut E,
    ) {
        if self.shared.pool.is_overdrawn() {
            // Whoever asked last has just made progress: an honest client is let in, however fast others ask.
            let slowest = self.holders.sending.first().unwrap_or(at);
            if self.is_stalled(slowest, now) {
                self.shared.counters.tcp_stalled_evicted.count();
            } else {
                self.shared.counters.tcp_overload_reset.count();
            }
            self.end(slowest, now, service, egress);
        }
        // What had no room is sent again, so only who has stalled goes for it.
        if self.shared.budget.was_refused()
            && let Some(slowest) = self.holders.buffered.first().filter(|at| self.is_stalled(*at, now))
        {
            self.shared.counters.tcp_stalled_evicted.count();
            self.end(slowest, now, service, egress);
        }
    }

    fn is_stalled(&self, at: u32, now: Instant) -> bool {
        self.connections.get(at).is_some_and(|entry| now.since(entry.value.core.progress) >= STALLED)
    }

    /// Ends a connection with a reset.
    pub(super) fn end<E: Egress + ?Sized>(&mut self, at: u32, now: Instant, service: &mut S, egress: &mut E) {
        let Some(entry) = self.connections.get(at) else { return };
        let mut context = Context::new(entry.tuple, now, &mut self.shared, egress);
        output::reset(&entry.value.core, &mut context);
        self.finish(at, Fate::Closed, now, service);
    }
}
