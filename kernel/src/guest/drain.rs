//! The guest on its way out of use (`data/drain`): another has taken its place, and connections end one by one.

use super::{Guest, Progress};
use crate::service::http_mut;
use crate::status::{self, State};
use netstack::Stack;

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Drain {
    /// Nobody has asked.
    No,
    /// Connections are open.
    Draining,
    /// None is. One that still comes is served, and ends with its response.
    Drained,
}

impl Guest {
    /// From now on each connection ends with its next response.
    pub(super) fn drain(&mut self, progress: &mut Progress) {
        if progress.drain == Drain::No && progress.stop.is_none() {
            log::info!("drain: connections end with their next response");
            progress.drain = Drain::Draining;
            http_mut(&mut self.server).drain();
            status::state(&mut self.store, State::Draining);
        }
    }

    /// Tells once that no connection is left.
    pub(super) fn drained(&mut self, progress: &mut Progress) {
        let lengths = || progress.stack.as_ref().map(|stack| stack.tcp().lengths());
        if progress.drain == Drain::Draining
            && lengths().is_none_or(|lengths| (lengths.0, lengths.1) == (0, 0))
        {
            log::info!("drain: no connection is left");
            progress.drain = Drain::Drained;
            status::state(&mut self.store, State::Drained);
        }
    }

    /// What the store is to say of the guest's life, as it is now.
    pub(super) fn state(progress: &Progress) -> State {
        let has_address = progress.stack.as_ref().and_then(Stack::addressing).is_some();
        match (&progress.stop, progress.drain, has_address) {
            (Some(_), ..) => State::Stopping,
            (None, Drain::Draining, _) => State::Draining,
            (None, Drain::Drained, _) => State::Drained,
            (None, Drain::No, true) => State::Listening,
            (None, Drain::No, false) => State::Booting,
        }
    }
}
