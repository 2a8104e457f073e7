//! One direction of a link: packets go in, and come out later, in another order, twice, changed, or never.

use crate::faults::Faults;
use crate::random::Random;
use netstack::{Duration, Instant};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of an Ethernet header, and where its type stands.
const ETHERNET: usize = 14;
const ETHERTYPE: usize = 12;
const IPV4: [u8; 2] = [8, 0];

/// What became of the packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// IPv4 packets that were offered.
    pub offered: u64,
    /// Lost alone or in a burst.
    pub lost: u64,
    /// Lost in an outage.
    pub outage: u64,
    /// Dropped because the queue was full.
    pub full: u64,
    /// Held back.
    pub reordered: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Changed.
    pub corrupted: u64,
}

/// One direction of a link. Frames that are not IPv4 are only delayed: a lost ARP reply would tell nothing about TCP.
pub struct Link {
    faults: Faults,
    direction: u64,
    counters: Counters,
    /// Losses that a burst still owes.
    burst: u64,
    /// When the rate has sent all that waits.
    free: Instant,
    /// The packets that wait for the rate: when each has left, and its bytes.
    backlog: VecDeque<(Instant, usize)>,
    queued: usize,
    /// The last packet in order comes out then.
    last: Instant,
    /// In flight, by time and then by order of entry.
    flight: BTreeMap<(Instant, u64), Vec<u8>>,
    entered: u64,
}

impl Link {
    /// A link whose two directions differ in `direction`.
    pub fn new(faults: Faults, direction: u64) -> Self {
        Self {
            faults,
            direction,
            counters: Counters::default(),
            burst: 0,
            free: Instant::ZERO,
            backlog: VecDeque::new(),
            queued: 0,
            last: Instant::ZERO,
            flight: BTreeMap::new(),
            entered: 0,
        }
    }

    /// What became of the packets so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a frame, without its checksum sequence.
    pub fn offer(&mut self, frame: &[u8], now: Instant) {
        if frame.get(ETHERTYPE..ETHERNET) != Some(&IPV4) {
            self.fly(now + self.faults.delay, frame.to_vec());
            return;
        }
        let mut random = Random::of_packet(self.faults.seed, self.direction, self.counters.offered);
        self.counters.offered = self.counters.offered.wrapping_add(1);
        // Every packet draws the same numbers, whichever of them come to use.
        let lost = random.chance(self.faults.loss);
        let burst = random.chance(self.faults.burst);
        let reordered = random.chance(self.faults.reorder);
        let duplicated = random.chance(self.faults.duplicate);
        let corrupted = random.chance(self.faults.corrupt);
        let jitter = Duration::from_micros(random.below(self.faults.jitter.micros()));
        let bit = random.next();

        if burst && self.burst == 0 {
            self.burst = self.faults.burst_length;
        }
        if self.is_out(now) {
            self.counters.outage = self.counters.outage.wrapping_add(1);
            return;
        }
        if lost || self.burst > 0 {
            self.burst = self.burst.saturating_sub(1);
            self.counters.lost = self.counters.lost.wrapping_add(1);
            return;
        }
        let Some(sent) = self.queue(frame.len(), now) else {
            self.counters.full = self.counters.full.wrapping_add(1);
            return;
        };
        let mut frame = frame.to_vec();
        if corrupted {
            self.counters.corrupted = self.counters.corrupted.wrapping_add(1);
            turn(&mut frame, bit);
        }
        let mut due = sent + self.faults.delay;
        if reordered {
            self.counters.reordered = self.counters.reordered.wrapping_add(1);
            due = due + self.faults.reorder_delay;
        } else {
            due = (due + jitter).max(self.last);
            self.last = due;
        }
        if duplicated {
            self.counters.duplicated = self.counters.duplicated.wrapping_add(1);
            self.fly(due, frame.clone());
        }
        self.fly(due, frame);
    }

    /// When the next frame comes out.
    pub fn next_due(&self) -> Option<Instant> {
        self.flight.first_key_value().map(|((due, _), _)| *due)
    }

    /// The next frame that is due.
    pub fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        let entry = self.flight.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    fn fly(&mut self, due: Instant, frame: Vec<u8>) {
        self.flight.insert((due, self.entered), frame);
        self.entered = self.entered.wrapping_add(1);
    }

    fn is_out(&self, now: Instant) -> bool {
        let into = now.micros().checked_rem(self.faults.outage_every.micros());
        now.micros() >= self.faults.outage_every.micros()
            && into.is_some_and(|into| into < self.faults.outage.micros())
    }

    /// Waits for the rate: when the last bit has left, or `None` where the queue has no room.
    fn queue(&mut self, length: usize, now: Instant) -> Option<Instant> {
        if self.faults.rate == 0 {
            return Some(now);
        }
        while let Some((left, length)) = self.backlog.front().copied()
            && left <= now
        {
            self.backlog.pop_front();
            self.queued = self.queued.saturating_sub(length);
        }
        let queued = self.queued.saturating_add(length);
        if queued > self.faults.queue {
            return None;
        }
        let bits = u64::try_from(length).unwrap_or(u64::MAX).saturating_mul(8_000_000);
        self.free = self.free.max(now) + Duration::from_micros(bits.div_ceil(self.faults.rate));
        self.backlog.push_back((self.free, length));
        self.queued = queued;
        Some(self.free)
    }
}

/// Turns one bit behind the Ethernet header.
fn turn(frame: &mut [u8], bit: u64) {
    let body = frame.get_mut(ETHERNET..).unwrap_or_default();
    let bits = u64::try_from(body.len()).unwrap_or(u64::MAX).saturating_mul(8);
    let bit = bit.checked_rem(bits).unwrap_or(0);
    let byte = usize::try_from(bit / 8).unwrap_or(usize::MAX);
    if let Some(byte) = body.get_mut(byte) {
        *byte ^= 1 << (bit % 8);
    }
}

#[cfg(test)]
mod tests;
