//! From the four numbers of a segment to its connection: a hash table with a secret key, so that no peer can make its
//! connections collide. The work is the same for ten connections and for a hundred thousand.

use super::limits::Limits;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::net::IpAddr;

/// The addresses and ports that name a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Tuple {
    pub(super) local: IpAddr,
    pub(super) local_port: u16,
    pub(super) remote: IpAddr,
    pub(super) remote_port: u16,
}

/// A tuple's bytes, and up to 16 more, for a hash.
pub(super) struct TupleBytes {
    bytes: [u8; 52],
    length: usize,
}

impl TupleBytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }
}

impl Tuple {
    pub(super) fn bytes(&self) -> TupleBytes {
        let mut out = TupleBytes { bytes: [0; 52], length: 0 };
        for address in [self.local, self.remote] {
            match address {
                IpAddr::V4(address) => out.put(&address.octets()),
                IpAddr::V6(address) => out.put(&address.octets()),
            }
        }
        out.put(&self.local_port.to_be_bytes());
        out.put(&self.remote_port.to_be_bytes());
        out
    }
}

/// The end of a list.
const NONE: u32 = u32::MAX;

/// Values by tuple, in the order in which they came (or were last touched).
///
/// An index is valid from `insert` to `remove`, then it is used again.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    /// Heads of the chains; a power of two.
    buckets: Vec<u32>,
    free: u32,
    oldest: u32,
    newest: u32,
    length: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Free { next: u32 },
    Taken(Box<Entry<T>>),
}

/// A value with its place in the lists.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) tuple: Tuple,
    hash: u32,
    chain: u32,
    older: u32,
    newer: u32,
    pub(super) value: T,
}

impl<T> Entry<T> {
    /// The one that was inserted or touched after it.
    pub(super) fn newer(&self) -> Option<u32> {
        (self.newer != NONE).then_some(self.newer)
    }
}

impl<T> Table<T> {
    /// A table with room for as many as any limit allows.
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::with_capacity(Limits::LEAST),
            buckets: alloc::vec![NONE; Limits::LEAST],
            free: NONE,
            oldest: NONE,
            newest: NONE,
            length: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// One more than the highest index in use.
    pub(super) fn end(&self) -> u32 {
        index(self.slots.len())
    }

    pub(super) fn find(&self, hash: u32, tuple: &Tuple) -> Option<u32> {
        let mut at = self.buckets.get(self.bucket(hash)).copied()?;
        loop {
            let entry = self.get(at)?;
            if entry.hash == hash && entry.tuple == *tuple {
                return Some(at);
            }
            at = entry.chain;
        }
    }

    pub(super) fn get(&self, at: u32) -> Option<&Entry<T>> {
        match self.slots.get(at as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free { .. } => None,
        }
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Entry<T>> {
        match self.slots.get_mut(at as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free { .. } => None,
        }
    }

    /// The one that was inserted or touched longest ago.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The tuple must not be in the table yet.
    pub(super) fn insert(&mut self, hash: u32, tuple: Tuple, value: T) -> u32 {
        if self.length >= self.buckets.len() {
            self.grow();
        }
        let bucket = self.bucket(hash);
        let at = if self.free == NONE { index(self.slots.len()) } else { self.free };
        let chain = match self.buckets.get_mut(bucket) {
            Some(head) => mem::replace(head, at),
            None => NONE,
        };
        let entry = Box::new(Entry { tuple, hash, chain, older: NONE, newer: NONE, value });
        match self.slots.get_mut(at as usize) {
            Some(slot) => {
                if let Slot::Free { next } = mem::replace(slot, Slot::Taken(entry)) {
                    self.free = next;
                }
            }
            None => self.slots.push(Slot::Taken(entry)),
        }
        self.length = self.length.saturating_add(1);
        self.link_newest(at);
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<(Tuple, T)> {
        self.unlink(at);
        let (hash, chain) = self.get(at).map(|entry| (entry.hash, entry.chain))?;
        self.unchain(hash, at, chain);
        let slot = mem::replace(self.slots.get_mut(at as usize)?, Slot::Free { next: self.free });
        self.free = at;
        self.length = self.length.saturating_sub(1);
        match slot {
            Slot::Taken(entry) => Some((entry.tuple, entry.value)),
            Slot::Free { .. } => None,
        }
    }

    /// Makes it the newest.
    pub(super) fn touch(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    fn bucket(&self, hash: u32) -> usize {
        // A power of two, so this is the remainder.
        hash as usize & self.buckets.len().wrapping_sub(1)
    }

    fn unchain(&mut self, hash: u32, at: u32, next: u32) {
        let bucket = self.bucket(hash);
        let Some(head) = self.buckets.get_mut(bucket) else { return };
        if *head == at {
            *head = next;
            return;
        }
        let mut before = *head;
        while let Some(entry) = self.get_mut(before) {
            if entry.chain == at {
                entry.chain = next;
                return;
            }
            before = entry.chain;
        }
    }

    /// Twice the buckets: each entry moves once for each doubling, so once or twice in its life on average.
    fn grow(&mut self) {
        let count = self.buckets.len().saturating_mul(2);
        self.buckets.clear();
        self.buckets.resize(count, NONE);
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Slot::Taken(entry) = slot else { continue };
            let bucket = entry.hash as usize & count.wrapping_sub(1);
            if let Some(head) = self.buckets.get_mut(bucket) {
                entry.chain = mem::replace(head, index(at));
            }
        }
    }

    fn link_newest(&mut self, at: u32) {
        let older = mem::replace(&mut self.newest, at);
        match self.get_mut(older) {
            Some(entry) => entry.newer = at,
            None => self.oldest = at,
        }
        if let Some(entry) = self.get_mut(at) {
            (entry.older, entry.newer) = (older, NONE);
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some((older, newer)) = self.get(at).map(|entry| (entry.older, entry.newer)) else { return };
        match self.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }
}

/// Tables are bounded far below 2^32 entries.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn tuple(port: u16) -> Tuple {
        let local = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        Tuple { local, local_port: 80, remote: local, remote_port: port }
    }

    /// The heap of the kernel cuts blocks of 384 bytes, the next ones have 512.
    #[test]
    fn a_connection_and_what_its_service_keeps_fit_one_block() {
        use crate::tcp::connection::Connection;
        assert_eq!(size_of::<Entry<Connection<[u64; 8]>>>(), 384);
    }

    #[test]
    fn tuple_golden_bytes() {
        let tuple = Tuple {
            local: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            local_port: 80,
            remote: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)),
            remote_port: 0x1234,
        };
        assert_eq!(tuple.bytes().as_slice(), [192, 0, 2, 1, 198, 51, 100, 2, 0, 80, 0x12, 0x34]);
    }

    proptest! {
        /// Against a map and a list, with hashes that collide.
        #[test]
        fn agrees_with_a_model(steps in prop::collection::vec((0_u16..40, 0_u8..3), 0..400)) {
            let mut table = Table::new();
            let mut model = BTreeMap::new();
            let mut order = Vec::new();
            for (port, step) in steps {
                let hash = u32::from(port % 5);
                let found = table.find(hash, &tuple(port));
                prop_assert_eq!(found, model.get(&port).copied());
                match (step, found) {
                    (0, None) => {
                        model.insert(port, table.insert(hash, tuple(port), port));
                        order.push(port);
                    }
                    (1, Some(at)) => {
                        prop_assert_eq!(table.remove(at), Some((tuple(port), port)));
                        model.remove(&port);
                        order.retain(|other| *other != port);
                    }
                    (2, Some(at)) => {
                        table.touch(at);
                        order.retain(|other| *other != port);
                        order.push(port);
                    }
                    _ => (),
                }
                prop_assert_eq!(table.len(), model.len());
                let oldest = table.oldest().and_then(|at| table.get(at)).map(|entry| entry.value);
                prop_assert_eq!(oldest, order.first().copied());
            }
            prop_assert!(table.slots.len() <= 40);
        }
    }
}
