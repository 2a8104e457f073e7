//! Who on the link has which address: the table behind ARP (RFC 826, RFC 1122 section 2.3.2), with the states of RFC 4861.
//!
//! A peer can make it ask and make it learn, but not grow and not forget: addresses without an answer fill at most half of
//! it, and stations that we talk to, and the routers, are never evicted.

use crate::time::{Duration, Instant};
use crate::wire::ethernet::Address;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Neighbours in the table.
pub const CAPACITY: usize = 512;
/// Of them, those without an answer.
pub const UNANSWERED: usize = CAPACITY / 2;
/// Frames that wait for one neighbour.
pub const HELD: usize = 4;
/// Bytes of all frames that wait.
pub const HELD_BYTES: usize = 64 * 1024;
/// How often a neighbour is asked for before it counts as gone.
const ASKS: u8 = 3;
/// Between two of those (RFC 1122 section 2.3.2.1: at most one a second).
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long an answer is believed before the neighbour is asked again, at its own address.
const REACHABLE: Duration = Duration::from_secs(60);
/// How long a neighbour that did not answer is not asked again.
const FAILED: Duration = Duration::from_secs(3);
/// A neighbour that we sent to within this time is in use.
const IN_USE: Duration = Duration::from_secs(120);

/// What the table knows of a neighbour that a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// Its link address.
    Known(Address),
    /// Its link address, long unconfirmed: ask there now.
    Confirm(Address),
    /// It has been asked for: the frame is to wait. With `ask`, nobody asked yet: ask everybody now.
    Wait {
        /// This is the first lookup.
        ask: bool,
    },
    /// It did not answer of late.
    Failed,
    /// There is no room for another one.
    Full,
}

/// A request that is due: to one station, or to everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Who is asked for.
    pub neighbour: IpAddr,
    /// Where it was last.
    pub at: Option<Address>,
}

/// The table.
#[derive(Debug, Default)]
pub struct Neighbours {
    entries: BTreeMap<IpAddr, Entry>,
    routers: Vec<IpAddr>,
    unanswered: usize,
    held_bytes: usize,
    /// No entry has anything to do before.
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// When we last sent to it, or wanted to.
    used: Option<Instant>,
    /// When it came, or was last heard of.
    heard: Instant,
}

#[derive(Debug)]
enum State {
    /// Asked for `asked` times; again at `again`.
    Incomplete { asked: u8, again: Instant, held: Vec<Box<[u8]>> },
    /// It answered.
    Reachable { at: Address, until: Instant },
    /// It answered long ago, and is being asked again, at its address. It is still sent to.
    Probe { at: Address, asked: u8, again: Instant },
    /// It did not answer.
    Failed { until: Instant },
}

impl State {
    fn is_unanswered(&self) -> bool {
        matches!(self, Self::Incomplete { .. } | Self::Failed { .. })
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Incomplete { held, .. } => {
                held.iter().fold(0, |sum, frame| sum.saturating_add(frame.len()))
            }
            _ => 0,
        }
    }
}

impl Neighbours {
    /// Names the routers: they stay.
    pub fn set_routers(&mut self, routers: Vec<IpAddr>) {
        self.routers = routers;
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets everybody: the interface has another address now.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Where a frame to `neighbour` goes.
    pub fn lookup(&mut self, neighbour: IpAddr, now: Instant) -> Lookup {
        let Some(entry) = self.entries.get_mut(&neighbour) else {
            return self.first_lookup(neighbour, now);
        };
        entry.used = Some(now);
        match entry.state {
            State::Reachable { at, until } if now < until => Lookup::Known(at),
            State::Reachable { at, .. } => {
                let again = now + ASK_AGAIN;
                entry.state = State::Probe { at, asked: 1, again };
                self.wake(again);
                Lookup::Confirm(at)
            }
            State::Probe { at, .. } => Lookup::Known(at),
            State::Incomplete { .. } => Lookup::Wait { ask: false },
            State::Failed { until } if now < until => Lookup::Failed,
            State::Failed { .. } => {
                let again = now + ASK_AGAIN;
                entry.state = State::Incomplete { asked: 1, again, held: Vec::new() };
                self.wake(again);
                Lookup::Wait { ask: true }
            }
        }
    }

    /// Keeps a frame until `neighbour` answers. `false` where too many wait already: the first ones stay, so that a
    /// handshake's are among them.
    pub fn hold(&mut self, neighbour: IpAddr, frame: Box<[u8]>) -> bool {
        let Some(Entry { state: State::Incomplete { held, .. }, .. }) = self.entries.get_mut(&neighbour)
        else {
            return false;
        };
        let bytes = self.held_bytes.saturating_add(frame.len());
        if held.len() >= HELD || bytes > HELD_BYTES {
            return false;
        }
        self.held_bytes = bytes;
        held.push(frame);
        true
    }

    /// A neighbour said where it is. `to_us`: it spoke to this station, so it is worth an entry (RFC 826); else only an
    /// entry that is there is renewed. Gives back the frames that waited for it.
    pub fn heard(&mut self, neighbour: IpAddr, at: Address, to_us: bool, now: Instant) -> Vec<Box<[u8]>> {
        let state = State::Reachable { at, until: now + REACHABLE };
        let Some(entry) = self.entries.get_mut(&neighbour) else {
            if to_us && self.make_room(now) {
                self.entries.insert(neighbour, Entry { state, used: None, heard: now });
            }
            return Vec::new();
        };
        entry.heard = now;
        let old = core::mem::replace(&mut entry.state, state);
        self.forget_state(&old);
        match old {
            State::Incomplete { held, .. } => held,
            _ => Vec::new(),
        }
    }

    /// Whether frames wait for an answer.
    pub fn holds(&self) -> bool {
        self.held_bytes > 0
    }

    /// When [`Self::poll`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Asks again for those that have not answered, and gives up on those that were asked often enough. Returns how many
    /// frames were lost with them.
    pub fn poll(&mut self, now: Instant, mut ask: impl FnMut(Ask)) -> usize {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return 0;
        }
        let (mut next, mut lost) = (None::<Instant>, 0_usize);
        for (&neighbour, entry) in &mut self.entries {
            match &mut entry.state {
                State::Incomplete { asked, again, held } if *again <= now => {
                    if *asked < ASKS {
                        *asked = asked.saturating_add(1);
                        *again = now + ASK_AGAIN;
                        ask(Ask { neighbour, at: None });
                    } else {
                        lost = lost.saturating_add(held.len());
                        self.held_bytes = self.held_bytes.saturating_sub(entry.state.held_bytes());
                        entry.state = State::Failed { until: now + FAILED };
                    }
                }
                State::Probe { at, asked, again } if *again <= now => {
                    *again = now + ASK_AGAIN;
                    if *asked < ASKS {
                        *asked = asked.saturating_add(1);
                        ask(Ask { neighbour, at: Some(*at) });
                    } else {
                        // It may have another link address now: ask everybody. One of ours: it does not count as a flood.
                        let again = *again;
                        entry.state = State::Incomplete { asked: 1, again, held: Vec::new() };
                        self.unanswered = self.unanswered.saturating_add(1);
                        ask(Ask { neighbour, at: None });
                    }
                }
                _ => {}
            }
            if let State::Incomplete { again, .. } | State::Probe { again, .. } = entry.state {
                next = Some(next.map_or(again, |next| next.min(again)));
            }
        }
        self.deadline = next;
        lost
    }

    fn first_lookup(&mut self, neighbour: IpAddr, now: Instant) -> Lookup {
        if self.unanswered >= UNANSWERED {
            self.evict(|entry| entry.state.is_unanswered().then_some(entry.used.unwrap_or(entry.heard)));
        }
        if !self.make_room(now) {
            return Lookup::Full;
        }
        let again = now + ASK_AGAIN;
        let state = State::Incomplete { asked: 1, again, held: Vec::new() };
        self.entries.insert(neighbour, Entry { state, used: Some(now), heard: now });
        self.unanswered = self.unanswered.saturating_add(1);
        self.wake(again);
        Lookup::Wait { ask: true }
    }

    /// Where the table is full: evicts who was learned and never sent to, the longest unheard first; then who has not been
    /// sent to for long. `false` where all are in use.
    fn make_room(&mut self, now: Instant) -> bool {
        self.entries.len() < CAPACITY
            || self.evict(|entry| entry.used.is_none().then_some(entry.heard))
            || self.evict(|entry| entry.used.filter(|used| now.since(*used) > IN_USE))
            || self.evict(|entry| entry.state.is_unanswered().then_some(entry.heard))
    }

    /// Removes the entry with the least `rank`, routers left out.
    fn evict(&mut self, rank: impl Fn(&Entry) -> Option<Instant>) -> bool {
        let ranked = self.entries.iter().filter(|(neighbour, _)| !self.routers.contains(neighbour));
        let victim = ranked.filter_map(|(neighbour, entry)| Some((rank(entry)?, *neighbour))).min();
        let Some((_, victim)) = victim else { return false };
        if let Some(entry) = self.entries.remove(&victim) {
            self.forget_state(&entry.state);
        }
        true
    }

    fn forget_state(&mut self, state: &State) {
        self.unanswered = self.unanswered.saturating_sub(usize::from(state.is_unanswered()));
        self.held_bytes = self.held_bytes.saturating_sub(state.held_bytes());
    }

    fn wake(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
    }
}

#[cfg(test)]
mod tests;
