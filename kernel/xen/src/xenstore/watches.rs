//! Watches that belong together: made in their order, as far as the store lets them, and the rest later.

use super::client::WatchId;
use super::error::Error;
use super::session::{Session, Wait};

/// `N` watches, each known by its place in the list.
#[derive(Debug)]
pub struct Watches<const N: usize> {
    paths: [&'static str; N],
    made: [Option<WatchId>; N],
}

impl<const N: usize> Watches<N> {
    /// None is made yet.
    pub const fn new(paths: [&'static str; N]) -> Self {
        Self { paths, made: [None; N] }
    }

    /// Makes those of the first `count` that are not there. Where one fails, those before it stay, and the next call goes on
    /// from there.
    pub fn make<W: Wait>(&mut self, session: &mut Session<'_, W>, count: usize) -> Result<(), Error> {
        let missing = self.paths.iter().zip(&mut self.made).take(count).filter(|(_, made)| made.is_none());
        for (path, made) in missing {
            *made = Some(session.watch(path)?);
        }
        Ok(())
    }

    /// Whether the first `count` are there.
    pub fn are_made(&self, count: usize) -> bool {
        self.made.iter().take(count).all(Option::is_some)
    }

    /// The place of a watch that is one of these.
    pub fn place(&self, watch: WatchId) -> Option<usize> {
        self.made.iter().position(|made| *made == Some(watch))
    }

    /// Forgets all, without telling the store: one that is gone, or that may not know all of them.
    pub fn forget<W: Wait>(&mut self, session: &mut Session<'_, W>) {
        self.made.iter_mut().filter_map(Option::take).for_each(|watch| session.forget(watch));
    }
}
