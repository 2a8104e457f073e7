//! What the driver asks of the machine under it: pages, grants and notifications.

use core::fmt;
use core::sync::atomic::AtomicU32;

pub use xen::GrantRef;

/// Bytes in a page, and so in whatever one grant shows to the backend (Xen hands a page over whole).
pub const PAGE_SIZE: usize = 4096;

/// A page of the guest's memory that this driver owns and that is *not* granted for writing: nobody else may change it.
///
/// The type is the proof: a page that the backend may write is not a `Page` but whatever [`Platform::grant_write`] gave back.
pub trait Page {
    /// The page's bytes.
    fn bytes(&self) -> &[u8; PAGE_SIZE];
    /// The page's bytes, to fill. Only this driver writes them; a backend with a read-only grant sees them change.
    fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE];
}

/// A page shared with the backend for reading and writing by both, seen only as atomics: no reference to plain bytes in it ever exists.
pub type SharedPage = [AtomicU32; PAGE_SIZE / 4];

/// The machine under the driver: the kernel's grant table and event channels, or a simulation.
pub trait Platform {
    /// An owned page.
    type Page: Page;
    /// A page that the backend may write, until [`Platform::revoke_write`] succeeds. It cannot be read.
    type WritablePage;

    /// A fresh page of zeros; `None` when memory is out.
    fn allocate(&mut self) -> Option<Self::Page>;
    /// Gives a page back. Its bytes are zeroed before anyone else gets it.
    fn release(&mut self, page: Self::Page);

    /// A zeroed page for a ring, granted to the backend for reading and writing; `None` when memory or grants are out.
    fn allocate_ring(&mut self) -> Option<(&'static SharedPage, GrantRef)>;
    /// Ends a ring page's grant; the page goes back, or into quarantine where the backend still maps it. True when it went back.
    fn release_ring(&mut self, page: &'static SharedPage, grant: GrantRef) -> bool;

    /// Shows a page to the backend, read-only. The page stays writable here.
    fn grant_read(&mut self, page: &Self::Page) -> Result<GrantRef, GrantError>;
    /// Shows the page of memory that holds these bytes, read-only, for bytes that live for ever and lie in pages that hold nothing secret (the site).
    /// `bytes` lies within one page. `None` where the memory cannot be granted: its bytes have to be copied.
    fn grant_static(&mut self, bytes: &'static [u8]) -> Option<GrantRef>;
    /// Ends a read-only grant. `StillMapped`: the backend has it mapped; the grant stays, and is not to be used for anything else.
    fn revoke_read(&mut self, grant: GrantRef) -> Result<(), StillMapped>;

    /// Hands a page to the backend for writing.
    fn grant_write(
        &mut self,
        page: Self::Page,
    ) -> Result<(GrantRef, Self::WritablePage), (GrantError, Self::Page)>;
    /// Takes a page back. On `Err` the backend still has it mapped: the page is never to be read or handed out again until a later try succeeds.
    fn revoke_write(
        &mut self,
        grant: GrantRef,
        page: Self::WritablePage,
    ) -> Result<Self::Page, Self::WritablePage>;

    /// Sends an event to the backend over the transmit (or only) channel.
    fn notify(&mut self, channel: Channel);
}

/// Which event channel: with split channels off, both are the same port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// Requests to transmit are there.
    Transmit,
    /// Pages to receive into are there.
    Receive,
}

/// No grant could be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GrantError;

/// The backend still maps what was granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StillMapped;

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the grant table is full")
    }
}

impl fmt::Display for StillMapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the backend still maps the page")
    }
}
