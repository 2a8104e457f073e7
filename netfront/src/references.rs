//! Slots that point at bytes where they lie: an id each, and for as long as the slot is in flight the hold on the page's
//! grant, where the page is the site's, or on the page itself, where it is lent.
//!
//! A page that is lent has a grant for each slot. The hold goes only when that grant has ended: as long as the backend may read
//! the page, whoever owns it cannot write it (MSA00, in another place than the half page).

use crate::blocks::NotInFlight;
use crate::pages::{Held, Quarantine};
use crate::platform::{GrantRef, Lent, PAGE_SIZE, Platform};
use alloc::vec::Vec;

/// A slot's worth of bytes with a hold: neither copied nor made elsewhere.
#[derive(Debug)]
pub struct Reference<L> {
    id: u16,
    shown: Shown<L>,
    offset: u16,
    length: u16,
}

/// What a slot shows.
#[derive(Debug)]
enum Shown<L> {
    /// A page of the site, whose grant may stay.
    Static(GrantRef),
    /// A page that is lent, by a grant of this slot's own.
    Lent(L),
}

impl<L: Lent> Reference<L> {
    /// The id for the ring.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The page's grant.
    pub fn grant(&self) -> GrantRef {
        match &self.shown {
            Shown::Static(grant) => *grant,
            Shown::Lent(page) => page.grant(),
        }
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
pub struct References<P: Platform> {
    first_id: u16,
    free: Vec<u16>,
    /// What those in flight show, by id.
    in_flight: Vec<Option<Shown<P::Lent>>>,
    /// What was not sent after all, and whose grant would not end: the backend guessed it.
    guessed: Vec<Held<P>>,
}

impl<P: Platform> References<P> {
    /// `count` references, with ids from `first_id` on.
    pub fn new(first_id: u16, count: u16) -> Self {
        Self {
            first_id,
            free: (first_id..first_id.saturating_add(count)).rev().collect(),
            in_flight: (0..count).map(|_| None).collect(),
            guessed: Vec::new(),
        }
    }

    /// How many are in flight or on their way there.
    pub fn used(&self) -> usize {
        self.in_flight.len().saturating_sub(self.free.len())
    }

    /// A reference to bytes within one page, with a hold on its grant. `None` while none is to be had.
    pub fn take(&mut self, platform: &mut P, bytes: &'static [u8]) -> Option<Reference<P::Lent>> {
        self.point(bytes, || platform.grant_static(bytes).map(Shown::Static))
    }

    /// The same to bytes that are lent, with a hold on them.
    pub fn lend(
        &mut self,
        platform: &mut P,
        bytes: &[u8],
        lender: P::Lender<'_>,
    ) -> Option<Reference<P::Lent>> {
        self.point(bytes, || platform.lend(bytes, lender).map(Shown::Lent))
    }

    fn point(
        &mut self,
        bytes: &[u8],
        show: impl FnOnce() -> Option<Shown<P::Lent>>,
    ) -> Option<Reference<P::Lent>> {
        let length = u16::try_from(bytes.len()).ok()?;
        let id = self.free.pop()?;
        let Some(shown) = show() else {
            self.free.push(id);
            return None;
        };
        Some(Reference { id, shown, offset: offset_in_page(bytes), length })
    }

    /// Takes back one that is not sent after all.
    pub fn cancel(&mut self, platform: &mut P, reference: Reference<P::Lent>) {
        let Reference { id, shown, .. } = reference;
        match shown {
            Shown::Static(grant) => platform.release_static(grant),
            Shown::Lent(page) => {
                if let Err(page) = platform.end_lent(page) {
                    self.guessed.push(Held::Lent(page));
                }
            }
        }
        self.free.push(id);
    }

    /// Hands over what [`Self::cancel`] could not end.
    pub fn set_apart(&mut self, quarantine: &mut Quarantine<P>) {
        if !self.guessed.is_empty() {
            self.guessed.drain(..).for_each(|held| quarantine.hold(held));
        }
    }

    /// Puts a reference in flight; the request that names it must follow at once.
    pub fn send(&mut self, reference: Reference<P::Lent>) {
        let index = usize::from(reference.id.wrapping_sub(self.first_id));
        if let Some(place) = self.in_flight.get_mut(index) {
            *place = Some(reference.shown);
        }
    }

    /// The response with this id has come.
    pub fn complete(
        &mut self,
        platform: &mut P,
        quarantine: &mut Quarantine<P>,
        id: u16,
    ) -> Result<(), NotInFlight> {
        let index = usize::from(id.wrapping_sub(self.first_id));
        let shown = self.in_flight.get_mut(index).and_then(Option::take).ok_or(NotInFlight)?;
        give_up(platform, quarantine, shown);
        self.free.push(id);
        Ok(())
    }

    /// Drops every hold; the platform ends the grants of static pages with the epoch. Pages lent that the backend still maps go
    /// into quarantine, with their holds.
    pub fn end(mut self, platform: &mut P, quarantine: &mut Quarantine<P>) {
        self.set_apart(quarantine);
        for shown in self.in_flight.into_iter().flatten() {
            give_up(platform, quarantine, shown);
        }
    }
}

/// A slot shows this no more.
fn give_up<P: Platform>(platform: &mut P, quarantine: &mut Quarantine<P>, shown: Shown<P::Lent>) {
    match shown {
        Shown::Static(grant) => platform.release_static(grant),
        Shown::Lent(page) => quarantine.end(platform, Held::Lent(page)),
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
