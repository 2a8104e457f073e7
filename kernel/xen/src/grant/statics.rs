//! Grants of pages that live for ever (the site's), made on first use and revoked by least recent use.

use super::{Access, EndError, GrantError, GrantTable, Quarantine};
use crate::ids::{DomId, GrantRef, Mfn};
use alloc::vec::Vec;

/// Ends the list, and stands where a page has no grant.
const NONE: u32 = u32::MAX;

/// How many grants that would not end are passed over for one that does.
const PASSED_OVER_MAX: usize = 4;

crate::counters! {
    /// What befell the grants of static pages.
    pub struct StaticCounters: "static_grant" {
        /// Pages granted.
        made,
        /// Grants ended to make room for another page's.
        revoked,
        /// Pages refused: every grant is held.
        refused,
        /// Grants passed over because the backend mapped the page although no hold was left.
        still_mapped,
        /// Holds released that nobody had.
        not_held,
    }
}

/// Which static pages are granted, and how many holds each grant has. All calls but [`StaticGrants::end_all`] are O(1),
/// and none but `new` allocates.
///
/// A page is a number from 0, counted by the caller. A grant with a hold never ends; one without is kept for the next
/// time until another page needs its reference.
#[derive(Debug)]
pub struct StaticGrants {
    /// The reference of each page's grant, or [`NONE`].
    granted: Vec<u32>,
    /// Indexed by reference: the page, its holds, its neighbours in the list.
    entries: Vec<Entry>,
    /// The list of grants without a hold: the first to go, the last to go.
    oldest: u32,
    newest: u32,
    count: usize,
    limit: usize,
    counters: StaticCounters,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    page: u32,
    holds: u32,
    older: u32,
    newer: u32,
}

impl Entry {
    const EMPTY: Self = Self { page: NONE, holds: 0, older: NONE, newer: NONE };
}

impl StaticGrants {
    /// None of `pages` pages is granted; at most `limit` will be at a time, from a table of `references` references.
    pub fn new(pages: usize, references: usize, limit: usize) -> Self {
        Self {
            granted: alloc::vec![NONE; pages],
            entries: alloc::vec![Entry::EMPTY; references],
            oldest: NONE,
            newest: NONE,
            count: 0,
            limit,
            counters: StaticCounters::default(),
        }
    }

    /// Bytes of memory that `new` allocates.
    pub const fn bytes(pages: usize, references: usize) -> usize {
        let granted = pages.saturating_mul(size_of::<u32>());
        granted.saturating_add(references.saturating_mul(size_of::<Entry>()))
    }

    /// How many pages are granted.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What befell the grants so far.
    pub fn counters(&self) -> &StaticCounters {
        &self.counters
    }

    /// Takes a hold on the grant of a page to `peer`, read-only; makes the grant where there is none. `None` while every
    /// grant is held.
    pub fn hold(&mut self, table: &mut GrantTable, peer: DomId, page: usize, frame: Mfn) -> Option<GrantRef> {
        if let Some(reference) = self.hold_again(page) {
            return Some(reference);
        }
        let Some(reference) = self.make(table, peer, frame) else {
            self.counters.refused.increment();
            return None;
        };
        *self.entry(reference.0)? = Entry { page: u32::try_from(page).ok()?, holds: 1, ..Entry::EMPTY };
        *self.granted.get_mut(page)? = reference.0;
        self.count = self.count.saturating_add(1);
        self.counters.made.increment();
        Some(reference)
    }

    /// Takes a hold on the grant of a page, if there is one.
    #[inline(always)]
    pub fn hold_again(&mut self, page: usize) -> Option<GrantRef> {
        let granted = *self.granted.get(page)?;
        // No entry has the number NONE.
        let entry = self.entries.get_mut(granted as usize)?;
        entry.holds = entry.holds.saturating_add(1);
        if entry.holds == 1 {
            self.unlink(granted);
        }
        Some(GrantRef(granted))
    }

    /// Gives a hold back. The grant stays until its reference is needed.
    pub fn release(&mut self, reference: GrantRef) {
        let entry = self.entry(reference.0).filter(|entry| entry.holds > 0);
        let Some(entry) = entry else {
            self.counters.not_held.increment();
            return;
        };
        entry.holds = entry.holds.saturating_sub(1);
        if entry.holds == 0 {
            self.link(reference.0);
        }
    }

    /// Ends every grant, held or not: the connection to the backend is over. One that the backend still maps is left to
    /// the quarantine, and its page's next grant has another reference.
    pub fn end_all(&mut self, table: &mut GrantTable, quarantine: &mut Quarantine<()>) {
        for granted in self.granted.iter_mut().filter(|granted| **granted != NONE) {
            let reference = GrantRef(*granted);
            if let Err(EndError::StillMapped(_)) = table.end(reference) {
                quarantine.hold(reference, ());
            }
            *granted = NONE;
        }
        self.entries.fill(Entry::EMPTY);
        (self.oldest, self.newest, self.count) = (NONE, NONE, 0);
    }

    /// A grant for a page that has none, by a free reference or by another page's.
    fn make(&mut self, table: &mut GrantTable, peer: DomId, frame: Mfn) -> Option<GrantRef> {
        if self.count < self.limit {
            match table.grant(peer, frame, Access::ReadOnly) {
                // The list is as long as the table was said to be.
                Ok(reference) if (reference.0 as usize) < self.entries.len() => return Some(reference),
                Ok(beyond) => drop(table.end(beyond)),
                Err(GrantError::FrameTooHigh(_)) => return None,
                Err(GrantError::Exhausted) => {}
            }
        }
        self.revoke_oldest(table)?;
        table.grant(peer, frame, Access::ReadOnly).ok()
    }

    /// Ends the grant that has been without a hold for longest.
    fn revoke_oldest(&mut self, table: &mut GrantTable) -> Option<()> {
        for _ in 0..PASSED_OVER_MAX {
            let oldest = self.oldest;
            let page = self.entry(oldest)?.page;
            self.unlink(oldest);
            if let Err(EndError::StillMapped(_)) = table.end(GrantRef(oldest)) {
                self.counters.still_mapped.increment();
                self.link(oldest);
                continue;
            }
            *self.entry(oldest)? = Entry::EMPTY;
            *self.granted.get_mut(page as usize)? = NONE;
            self.count = self.count.saturating_sub(1);
            self.counters.revoked.increment();
            return Some(());
        }
        None
    }

    fn entry(&mut self, reference: u32) -> Option<&mut Entry> {
        self.entries.get_mut(reference as usize)
    }

    /// Puts a grant that has lost its last hold at the list's newer end.
    fn link(&mut self, reference: u32) {
        let newest = core::mem::replace(&mut self.newest, reference);
        match self.entry(newest) {
            Some(neighbour) => neighbour.newer = reference,
            None => self.oldest = reference,
        }
        if let Some(entry) = self.entry(reference) {
            (entry.older, entry.newer) = (newest, NONE);
        }
    }

    /// Takes a grant out of the list.
    fn unlink(&mut self, reference: u32) {
        let Some(entry) = self.entry(reference) else { return };
        let (older, newer) = (entry.older, entry.newer);
        (entry.older, entry.newer) = (NONE, NONE);
        match self.entry(older) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
        match self.entry(newer) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
    }
}
