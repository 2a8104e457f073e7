//! Slots that point into static pages: an id each, and the hold on the page's grant for as long as the slot is in
//! flight.

use crate::blocks::NotInFlight;
use crate::platform::{GrantRef, PAGE_SIZE, Platform};
use alloc::vec::Vec;

/// A slot's worth of static bytes with a hold on its page's grant: neither copied nor made elsewhere.
#[derive(Debug)]
pub struct Reference {
    id: u16,
    grant: GrantRef,
    offset: u16,
    length: u16,
}

impl Reference {
    /// The id for the ring.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The page's grant.
    pub fn grant(&self) -> GrantRef {
        self.grant
    }

    /// Where the bytes start in the page.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// How many bytes.
    pub fn length(&self) -> u16 {
        self.length
    }
}

/// The references of an epoch. Their ids begin where the blocks' end.
pub struct References {
    first_id: u16,
    free: Vec<u16>,
    /// The grants of those in flight, by id.
    in_flight: Vec<Option<GrantRef>>,
}

impl References {
    /// `count` references, with ids from `first_id` on.
    pub fn new(first_id: u16, count: u16) -> Self {
        Self {
            first_id,
            free: (first_id..first_id.saturating_add(count)).rev().collect(),
            in_flight: (0..count).map(|_| None).collect(),
        }
    }

    /// How many are in flight or on their way there.
    pub fn used(&self) -> usize {
        self.in_flight.len().saturating_sub(self.free.len())
    }

    /// A reference to bytes within one page, with a hold on its grant. `None` while none is to be had.
    pub fn take<P: Platform>(&mut self, platform: &mut P, bytes: &'static [u8]) -> Option<Reference> {
        let length = u16::try_from(bytes.len()).ok()?;
        let id = self.free.pop()?;
        let Some(grant) = platform.grant_static(bytes) else {
            self.free.push(id);
            return None;
        };
        Some(Reference { id, grant, offset: offset_in_page(bytes), length })
    }

    /// Takes back one that is not sent after all.
    pub fn cancel<P: Platform>(&mut self, platform: &mut P, reference: Reference) {
        self.give_back(platform, reference.id, reference.grant);
    }

    fn give_back<P: Platform>(&mut self, platform: &mut P, id: u16, grant: GrantRef) {
        platform.release_static(grant);
        self.free.push(id);
    }

    /// Puts a reference in flight; the request that names it must follow at once.
    pub fn send(&mut self, reference: Reference) {
        let index = usize::from(reference.id.wrapping_sub(self.first_id));
        if let Some(place) = self.in_flight.get_mut(index) {
            *place = Some(reference.grant);
        }
    }

    /// The response with this id has come.
    pub fn complete<P: Platform>(&mut self, platform: &mut P, id: u16) -> Result<(), NotInFlight> {
        let index = usize::from(id.wrapping_sub(self.first_id));
        let grant = self.in_flight.get_mut(index).and_then(Option::take).ok_or(NotInFlight)?;
        self.give_back(platform, id, grant);
        Ok(())
    }

    /// Drops every hold; the platform ends the grants with the epoch.
    pub fn end<P: Platform>(self, platform: &mut P) {
        for grant in self.in_flight.into_iter().flatten() {
            platform.release_static(grant);
        }
    }
}

/// Cuts bytes where pages end: the first run, within one page, and the rest.
pub fn split_page(bytes: &[u8]) -> (&[u8], &[u8]) {
    let room = PAGE_SIZE.saturating_sub(usize::from(offset_in_page(bytes)));
    bytes.split_at(room.min(bytes.len()))
}

/// How many pages bytes lie in: into so many runs [`split_page`] cuts them.
pub fn pages(bytes: &[u8]) -> usize {
    if bytes.is_empty() {
        return 0;
    }
    bytes.len().saturating_add(usize::from(offset_in_page(bytes))).div_ceil(PAGE_SIZE)
}

/// As many of the bytes, from the first on, as lie in `pages` pages.
pub fn within(bytes: &[u8], pages: usize) -> &[u8] {
    let reach = pages.saturating_mul(PAGE_SIZE).saturating_sub(offset_in_page(bytes).into());
    bytes.get(..reach).unwrap_or(bytes)
}

/// Where bytes start in the page that holds their first.
fn offset_in_page(bytes: &[u8]) -> u16 {
    const MASK: usize = PAGE_SIZE - 1;
    u16::try_from(bytes.as_ptr().addr() & MASK).unwrap_or(0)
}
