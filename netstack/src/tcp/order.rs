//! Connections that hold or want something that all share, in the order in which they came to it or were last touched.

use alloc::vec::Vec;

const NONE: u32 = u32::MAX;

/// A list through a vector of links, by the connections' indices; each is in it once at most.
#[derive(Debug)]
pub(super) struct Order {
    links: Vec<Link>,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

/// Not in the list: no index is its own neighbour.
const fn absent(at: u32) -> Link {
    Link { before: at, after: at }
}

impl Order {
    pub(super) fn new() -> Self {
        Self { links: Vec::new(), first: NONE, last: NONE }
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// Puts it last, wherever it was.
    pub(super) fn push(&mut self, at: u32) {
        let mut known = u32::try_from(self.links.len()).unwrap_or(NONE);
        while known <= at {
            self.links.push(absent(known));
            known = known.saturating_add(1);
        }
        self.remove(at);
        let before = core::mem::replace(&mut self.last, at);
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = at,
            None => self.first = at,
        }
        self.set(at, Link { before, after: NONE });
    }

    /// Puts it first, wherever it was.
    pub(super) fn push_first(&mut self, at: u32) {
        self.push(at);
        if self.first == at {
            return;
        }
        self.remove(at);
        let after = core::mem::replace(&mut self.first, at);
        if let Some(link) = self.links.get_mut(after as usize) {
            link.before = at;
        }
        self.set(at, Link { before: NONE, after });
    }

    /// All of them, from the first on.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let after = |at: &u32| self.links.get(*at as usize).map(|link| link.after).filter(|at| *at != NONE);
        core::iter::successors(self.first(), after)
    }

    /// Puts it last if it is in the list.
    pub(super) fn touch(&mut self, at: u32) {
        if self.last != at && self.links.get(at as usize).is_some_and(|link| link.before != at) {
            self.push(at);
        }
    }

    pub(super) fn remove(&mut self, at: u32) {
        let Some(Link { before, after }) = self.links.get(at as usize).copied() else { return };
        if before == at {
            return;
        }
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match self.links.get_mut(after as usize) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
        self.set(at, absent(at));
    }

    fn set(&mut self, at: u32, value: Link) {
        if let Some(link) = self.links.get_mut(at as usize) {
            *link = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_vector(steps in prop::collection::vec((0_u32..20, 0_u8..4), 0..200)) {
            let (mut order, mut model) = (Order::new(), Vec::<u32>::new());
            for (at, step) in steps {
                let was_there = model.contains(&at);
                model.retain(|other| *other != at);
                match step {
                    0 => {
                        order.push(at);
                        model.push(at);
                    }
                    1 => {
                        order.push_first(at);
                        model.insert(0, at);
                    }
                    2 => {
                        order.touch(at);
                        model.extend(was_there.then_some(at));
                    }
                    _ => order.remove(at),
                }
                prop_assert!(order.iter().eq(model.iter().copied()));
            }
            for at in model {
                prop_assert_eq!(order.first(), Some(at));
                order.remove(at);
            }
            prop_assert_eq!(order.first(), None);
        }
    }
}
