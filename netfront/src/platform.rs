//! What the driver asks of the machine under it: pages, grants and event channels.

use core::convert::Infallible;
use core::fmt;

/// What rings are made of. Where [`crate::ring`] is built for a model checker, these are the checker's.
pub use core::sync::atomic::{AtomicU32, Ordering, fence};
pub use xen::{DomId, GrantRef, Port};

/// Bytes in a page, and so in whatever one grant shows to the backend (Xen hands a page over whole).
pub const PAGE_SIZE: usize = 4096;

/// A page that nobody else sees.
///
/// The type is the proof: a page shown to the backend is a [`ReadablePage`] or a [`Platform::WritablePage`],
/// and becomes a `Page` again only when its grant has ended.
pub trait Page {
    /// The page's bytes.
    fn bytes(&self) -> &[u8; PAGE_SIZE];
    /// The page's bytes, to fill.
    fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE];
}

/// A page that the backend may read. Only this driver writes it, and the backend sees it change.
pub trait ReadablePage {
    /// Copies `bytes` to `offset` in the page. What would lie past the page's end is left out; this driver never asks
    /// for it.
    fn write(&mut self, offset: usize, bytes: &[u8]);
}

/// A page shared with the backend for reading and writing by both, seen only as atomics: no reference to plain bytes in
/// it ever exists.
pub type RingPage = [AtomicU32; PAGE_SIZE / 4];

/// The machine under the driver: the kernel's grant table and event channels, or a simulation.
///
/// A page that the backend may still write can be neither read nor given back, since a refused end gives back no
/// [`Page`] (MSA02, where the refusal went unheeded):
/// ```compile_fail,E0308
/// # use netfront::platform::{GrantRef, Platform};
/// fn take_back<P: Platform>(platform: &mut P, grant: GrantRef, page: P::WritablePage) {
///     match platform.revoke_write(grant, page) {
///         Ok(page) => platform.release(page),
///         Err(refused) => platform.release(refused),
///     }
/// }
/// ```
pub trait Platform {
    /// An owned page.
    type Page: Page;
    /// A page that the backend may read, until [`Platform::revoke_read`] succeeds.
    type ReadablePage: ReadablePage;
    /// A page that the backend may write, until [`Platform::revoke_write`] succeeds. It cannot be read.
    type WritablePage;
    /// A page that is lent, with a hold on its bytes: they do not change while there is one, and may as soon as the last is
    /// dropped. A type without a value, and the driver's code for lent pages is not there.
    type Lent: Lent + 'static;
    /// What such a hold is taken of.
    type Lender<'a>: Copy;

    /// Begins an epoch: grants and channels made from now on are for this backend.
    fn begin(&mut self, backend: DomId);
    /// Event channels that the backend can bind; `None` when there is none left. Unless `split`, both are the same
    /// port.
    fn open_channels(&mut self, split: bool) -> Option<Ports>;
    /// Ends the epoch, after the driver gave back all else: closes the channels and ends the grants of static pages
    /// (one that the backend still maps stays as it is, and the page's next grant is another reference).
    fn end(&mut self);

    /// A page; its bytes are whatever they are, and the driver zeroes them. `None` when memory is out.
    fn allocate(&mut self) -> Option<Self::Page>;
    /// Gives a page back, zeroed by the driver.
    fn release(&mut self, page: Self::Page);

    /// A page for a ring, all zero, granted to the backend for reading and writing; `None` when memory or grants are
    /// out.
    fn allocate_ring(&mut self) -> Option<(&'static RingPage, GrantRef)>;
    /// Ends a ring page's grant and takes the page back. `StillMapped`: nothing has changed; the driver tries again
    /// later.
    fn release_ring(&mut self, page: &'static RingPage, grant: GrantRef) -> Result<(), StillMapped>;

    /// Shows a page to the backend, read-only. `Err` gives the page back: no grant is left.
    fn grant_read(&mut self, page: Self::Page) -> Result<(GrantRef, Self::ReadablePage), Self::Page>;
    /// Ends a read-only grant. `Err`: the backend has it mapped, and nothing has changed; the driver tries again later.
    fn revoke_read(
        &mut self,
        grant: GrantRef,
        page: Self::ReadablePage,
    ) -> Result<Self::Page, Self::ReadablePage>;

    /// Hands a page to the backend for writing. `Err` gives the page back: no grant is left.
    fn grant_write(&mut self, page: Self::Page) -> Result<(GrantRef, Self::WritablePage), Self::Page>;
    /// Takes a page back. `Err`: the backend still has it mapped, and nothing has changed: the driver keeps the page
    /// apart and tries again later.
    fn revoke_write(
        &mut self,
        grant: GrantRef,
        page: Self::WritablePage,
    ) -> Result<Self::Page, Self::WritablePage>;

    /// Whether these bytes, which live for ever, lie in pages that may be shown to the backend: pages that hold nothing
    /// secret (the site). The answer for given bytes never changes.
    fn is_grantable(&self, bytes: &'static [u8]) -> bool;
    /// Shows the page that holds these bytes, read-only, and takes one hold on its grant: until
    /// [`Platform::release_static`] it does not end. `bytes` is grantable and lies within one page. `None` when no
    /// grant is left, which lasts at most until holds are released: where no hold is out, a grant is to be had.
    fn grant_static(&mut self, bytes: &'static [u8]) -> Option<GrantRef>;
    /// Drops one hold on a static page's grant. The grant may stay for the next time.
    fn release_static(&mut self, grant: GrantRef);

    /// Shows the page that holds these bytes, read-only, and takes a hold on them. They are the lender's, lie within one page,
    /// and nothing secret shares that page. `None` when no grant is left.
    fn lend(&mut self, bytes: &[u8], lender: Self::Lender<'_>) -> Option<Self::Lent>;
    /// Ends such a grant and drops the hold. `Err` gives the page back still lent: it is still mapped, nothing has changed, and
    /// the driver tries again later.
    fn end_lent(&mut self, page: Self::Lent) -> Result<(), Self::Lent>;

    /// Sends an event to the backend.
    fn notify(&mut self, channel: Channel);
}

/// A page that is lent.
pub trait Lent {
    /// Its grant.
    fn grant(&self) -> GrantRef;
}

impl Lent for Infallible {
    fn grant(&self) -> GrantRef {
        match *self {}
    }
}

/// Which event channel: with split channels off, both are the same port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// Requests to transmit are there.
    Transmit,
    /// Pages to receive into are there.
    Receive,
}

/// This domain's ports of the event channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    /// For [`Channel::Transmit`].
    pub transmit: Port,
    /// For [`Channel::Receive`].
    pub receive: Port,
}

/// The backend still maps what was granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StillMapped;

impl fmt::Display for StillMapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the backend still maps the page")
    }
}
