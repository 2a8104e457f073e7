//! A wheel of timers: arming, disarming and expiring cost the same however many there are.
//!
//! Eight levels of 64 slots; a slot of level n spans 64^n ticks of 1,024 microseconds. A timer lies in the level of the
//! highest bit in which its tick differs from the wheel's, and falls to lower levels as the wheel turns (Varghese and
//! Lauck, 1987, scheme 7).

use super::limits::Limits;
use crate::Instant;
use alloc::vec::Vec;
use core::mem;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 64;
const LEVELS: usize = 8;
/// The last tick that the levels can tell apart, some 9,000 years on.
const LAST: u64 = 0xffff_ffff_ffff;
const TICK_BITS: u32 = 10;
const NONE: u32 = u32::MAX;

/// At most one timer for each index.
#[derive(Debug)]
pub(super) struct Wheel {
    /// All timers before this tick have expired.
    now: u64,
    levels: [Level; LEVELS],
    /// How many timers there are: a wheel without any is not searched.
    armed: usize,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// A bit for each slot that holds a timer.
    occupied: u64,
    heads: [u32; SLOTS],
}

#[derive(Clone, Copy, Debug)]
struct Node {
    tick: u64,
    next: u32,
    previous: u32,
    place: Option<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    level: u8,
    slot: u8,
}

impl Wheel {
    /// A wheel with room for as many timers as any limit allows.
    pub(super) fn new() -> Self {
        let level = Level { occupied: 0, heads: [NONE; SLOTS] };
        Self { now: 0, levels: [level; LEVELS], armed: 0, nodes: Vec::with_capacity(Limits::LEAST) }
    }

    /// Makes the timer expire at `deadline` or up to a tick later, unless it is armed for an earlier time already: then
    /// that stands, and who finds it expired early arms it again. So a deadline that moves back with every packet costs
    /// nothing.
    #[inline(always)]
    pub(super) fn arm(&mut self, index: u32, deadline: Instant) {
        let tick = (deadline.micros() >> TICK_BITS).saturating_add(1).min(LAST);
        match self.nodes.get(index as usize) {
            Some(node) if node.place.is_some() && node.tick <= tick => return,
            Some(_) => self.disarm(index),
            None => {
                let wanted = (index as usize).saturating_add(1);
                self.nodes.resize(wanted, Node { tick: 0, next: NONE, previous: NONE, place: None });
            }
        }
        self.armed = self.armed.saturating_add(1);
        self.link(index, tick.max(self.now));
    }

    pub(super) fn disarm(&mut self, index: u32) {
        let Some(node) = self.nodes.get_mut(index as usize) else { return };
        let Some(place) = node.place.take() else { return };
        self.armed = self.armed.saturating_sub(1);
        let (next, previous) = (node.next, node.previous);
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = previous;
        }
        match self.nodes.get_mut(previous as usize) {
            Some(node) => node.next = next,
            None => {
                self.set_head(place, next);
            }
        }
    }

    /// Takes out one timer whose time has come.
    pub(super) fn expired(&mut self, now: Instant) -> Option<u32> {
        let target = now.micros() >> TICK_BITS;
        while let Some((place, tick)) = self.first() {
            if tick > target {
                break;
            }
            self.now = tick;
            let mut index = self.head(place);
            if place.level == 0 {
                self.disarm(index);
                return Some(index);
            }
            self.set_head(place, NONE);
            while let Some(node) = self.node(index) {
                let next = node.next;
                self.link(index, node.tick);
                index = next;
            }
        }
        self.now = self.now.max(target);
        None
    }

    /// When to look for expired timers next: not after the earliest is due, though perhaps before.
    pub(super) fn next(&self) -> Option<Instant> {
        self.first().map(|(_, tick)| Instant::from_micros(tick << TICK_BITS))
    }

    /// The first slot that holds a timer, and its first tick. Each level is wholly before the next.
    fn first(&self) -> Option<(Place, u64)> {
        if self.armed == 0 {
            return None;
        }
        let mut shift = 0_u32;
        for (number, level) in (0_u8..).zip(&self.levels) {
            // Timers of the wheel's own slot lie on the levels below.
            let here = (self.now >> shift) & 63;
            let ahead = level.occupied & (u64::MAX << here);
            if ahead != 0 {
                let slot = ahead.trailing_zeros();
                let above = self.now >> shift >> SLOT_BITS << SLOT_BITS;
                let place = Place { level: number, slot: u8::try_from(slot).unwrap_or_default() };
                return Some((place, (above | u64::from(slot)) << shift));
            }
            shift = shift.wrapping_add(SLOT_BITS);
        }
        None
    }

    fn link(&mut self, index: u32, tick: u64) {
        let highest = (tick ^ self.now).checked_ilog2().unwrap_or(0);
        let level = highest / SLOT_BITS;
        let slot = (tick >> level.wrapping_mul(SLOT_BITS)) & 63;
        let place = Place {
            level: u8::try_from(level).unwrap_or_default(),
            slot: u8::try_from(slot).unwrap_or_default(),
        };
        let next = self.set_head(place, index);
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = index;
        }
        if let Some(node) = self.nodes.get_mut(index as usize) {
            *node = Node { tick, next, previous: NONE, place: Some(place) };
        }
    }

    fn node(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }

    fn head(&self, place: Place) -> u32 {
        let level = self.levels.get(usize::from(place.level));
        level.and_then(|level| level.heads.get(usize::from(place.slot))).copied().unwrap_or(NONE)
    }

    fn set_head(&mut self, place: Place, index: u32) -> u32 {
        let Some(level) = self.levels.get_mut(usize::from(place.level)) else { return NONE };
        let bit = 1_u64 << (place.slot & 63);
        if index == NONE {
            level.occupied &= !bit;
        } else {
            level.occupied |= bit;
        }
        level.heads.get_mut(usize::from(place.slot)).map_or(NONE, |head| mem::replace(head, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Duration;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn drain(wheel: &mut Wheel, now: Instant) -> Vec<u32> {
        let mut expired: Vec<_> = core::iter::from_fn(|| wheel.expired(now)).collect();
        expired.sort_unstable();
        expired
    }

    #[test]
    fn expires_once_and_never_early() {
        let mut wheel = Wheel::new();
        wheel.arm(3, at(200));
        assert!(drain(&mut wheel, at(199)).is_empty());
        assert_eq!(drain(&mut wheel, at(202)), [3]);
        assert!(drain(&mut wheel, at(100_000)).is_empty());
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn an_earlier_deadline_moves_it_a_later_one_does_not() {
        let mut wheel = Wheel::new();
        wheel.arm(0, at(500));
        wheel.arm(0, at(900));
        wheel.arm(0, at(20));
        assert_eq!(drain(&mut wheel, at(22)), [0]);
        assert!(drain(&mut wheel, at(2_000)).is_empty());
    }

    proptest! {
        /// Against a map; time goes on by small and by very large steps.
        #[test]
        fn agrees_with_a_model(
            steps in prop::collection::vec((0_u32..50, 0_u64..1 << 40, 0_u32..40, 0_u8..4), 0..300),
        ) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<u32, Instant> = BTreeMap::new();
            let mut now = Instant::from_micros(123_456_789);
            for (index, span, shift, step) in steps {
                let span = Duration::from_micros(span >> shift);
                match step {
                    0 => {
                        wheel.disarm(index);
                        model.remove(&index);
                    }
                    1 => {
                        now = now + span;
                        for index in drain(&mut wheel, now) {
                            let deadline = model.remove(&index).unwrap();
                            prop_assert!(deadline <= now);
                        }
                        for deadline in model.values() {
                            prop_assert!(*deadline + Duration::from_micros(1_024) >= now);
                        }
                    }
                    _ => {
                        wheel.disarm(index);
                        wheel.arm(index, now + span);
                        model.insert(index, now + span);
                    }
                }
                match (wheel.next(), model.values().min()) {
                    (Some(next), Some(earliest)) => {
                        prop_assert!(next <= *earliest + Duration::from_micros(1_024));
                    }
                    (next, earliest) => prop_assert_eq!(next.is_some(), earliest.is_some()),
                }
            }
        }
    }
}
