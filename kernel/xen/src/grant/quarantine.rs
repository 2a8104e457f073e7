//! Pages whose grants would not end.

use super::{EndError, GrantTable};
use crate::ids::GrantRef;
use alloc::collections::VecDeque;

/// Holds what is still mapped by another domain, until its grant ends.
///
/// Each entry keeps one reference of the table, so the table's size bounds the queue. `P` is whatever owns the page: as
/// long as it is in here, nobody reads, writes or hands out the page.
#[derive(Debug)]
pub struct Quarantine<P> {
    held: VecDeque<(GrantRef, P)>,
}

impl<P> Default for Quarantine<P> {
    fn default() -> Self {
        Self { held: VecDeque::new() }
    }
}

impl<P> Quarantine<P> {
    /// An empty quarantine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a page in whose grant [`GrantTable::end`] refused to end.
    pub fn hold(&mut self, reference: GrantRef, page: P) {
        self.held.push_back((reference, page));
    }

    /// How many pages are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Tries the page that has waited longest: it is given back once its grant has ended, else it waits at the end of
    /// the queue. One store's worth of work, so that a caller can try once a turn.
    pub fn retry(&mut self, table: &mut GrantTable) -> Option<P> {
        let (reference, page) = self.held.pop_front()?;
        match table.end(reference) {
            Ok(()) => Some(page),
            Err(EndError::StillMapped(_)) => {
                self.held.push_back((reference, page));
                None
            }
            // Not a grant any more, so nobody can map it.
            Err(EndError::NotGranted(_)) => Some(page),
        }
    }

    /// Gives everything back: the table these grants stood in is gone (a restored domain has a new one).
    pub fn drain(&mut self) -> impl Iterator<Item = P> + '_ {
        self.held.drain(..).map(|(_, page)| page)
    }
}
