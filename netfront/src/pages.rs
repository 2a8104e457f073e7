//! Pages on their way in and out of the driver, always zeroed, and the quarantine for those that the backend does not
//! let go.

use crate::platform::{GrantRef, Page, Platform, RingPage};
use crate::ring::RING_SIZE;
use alloc::vec::Vec;

/// A page of zeros: whatever it held before, the backend must not see (Xen hands a page over whole).
pub fn fresh<P: Platform>(platform: &mut P) -> Option<P::Page> {
    let mut page = platform.allocate()?;
    if !cfg!(msa01) {
        page.bytes_mut().fill(0);
    }
    Some(page)
}

/// Gives a page back, zeroed: frames are nobody else's business.
pub fn retire<P: Platform>(platform: &mut P, mut page: P::Page) {
    page.bytes_mut().fill(0);
    platform.release(page);
}

/// Pages whose grants would not end: kept apart, neither read nor written nor granted again, until the backend lets go.
pub struct Quarantine<P: Platform> {
    held: Vec<Held<P>>,
    limit: usize,
}

/// What the backend still maps.
pub enum Held<P: Platform> {
    /// A page it may read.
    Readable(GrantRef, P::ReadablePage),
    /// A page it may write.
    Writable(GrantRef, P::WritablePage),
    /// A page that was lent, with the hold that keeps its bytes as they are.
    Lent(P::Lent),
    /// A ring.
    Ring(GrantRef, &'static RingPage),
}

impl<P: Platform> Quarantine<P> {
    /// A quarantine that is full with `limit` pages: no epoch begins or goes on with it. The end of an epoch of at most
    /// `limit` pages, and as many that are lent as a ring has slots, still finds room.
    pub fn new(limit: usize) -> Self {
        let most = limit.saturating_mul(2).saturating_add(RING_SIZE as usize);
        Self { held: Vec::with_capacity(most), limit }
    }

    /// So many pages are held that no more are risked.
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.limit
    }

    /// How many pages are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Ends a grant. A page that the backend lets go is zeroed and released; any other is held.
    pub fn end(&mut self, platform: &mut P, page: Held<P>) {
        if let Err(page) = end(platform, page) {
            self.held.push(page);
        }
    }

    /// Keeps a page that was just refused.
    pub fn hold(&mut self, page: Held<P>) {
        self.held.push(page);
    }

    /// Tries again to end all that is held.
    pub fn sweep(&mut self, platform: &mut P) {
        let mut index = 0;
        while index < self.held.len() {
            let page = self.held.swap_remove(index);
            if let Err(page) = end(platform, page) {
                // It takes the place of the last one, which swap_remove put in its own.
                self.held.push(page);
                let last = self.held.len().saturating_sub(1);
                self.held.swap(index, last);
                index = index.saturating_add(1);
            }
        }
    }
}

fn end<P: Platform>(platform: &mut P, page: Held<P>) -> Result<(), Held<P>> {
    let page = match page {
        Held::Readable(grant, page) => {
            platform.revoke_read(grant, page).map_err(|page| Held::Readable(grant, page))?
        }
        Held::Writable(grant, page) => {
            platform.revoke_write(grant, page).map_err(|page| Held::Writable(grant, page))?
        }
        Held::Lent(page) => return platform.end_lent(page).map_err(Held::Lent),
        Held::Ring(grant, page) => {
            return platform.release_ring(page, grant).map_err(|_still_mapped| Held::Ring(grant, page));
        }
    };
    retire(platform, page);
    Ok(())
}
