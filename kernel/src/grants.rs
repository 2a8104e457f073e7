//! The grant table, and with it the machine under the network's driver: pages, grants, event channels.

use crate::events::Events;
use crate::memory::Page;
use crate::pv::{Errno, PAGE_SIZE, hypercall, map_machine_frames, p2m, remap_machine_frames};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use netfront::platform::{self, Channel, Platform, Ports, RingPage, StillMapped};
use xen::grant::setup::{GNTTABOP_QUERY_SIZE, GNTTABOP_SETUP_TABLE, QuerySize, SetupTable};
use xen::grant::{
    Access, ENTRIES_PER_FRAME, GrantCounters, GrantFrame, GrantTable, Quarantine, RESERVED_ENTRIES,
    StaticCounters, StaticGrants,
};
use xen::{DomId, GrantRef, Mfn};

/// References kept for pages that come and go: a connection's rings, blocks, receive pages and what it may have been lent,
/// twice, since a former backend may still map its own.
const DYNAMIC: usize = 2 * (2 + 128 + 256 + LENT);
/// A page that is lent has a grant for each slot of the ring that points there.
#[cfg(feature = "tls")]
const LENT: usize = 256;
#[cfg(not(feature = "tls"))]
const LENT: usize = 0;
/// References for static pages that there are in any case.
const STATIC_MIN: usize = 32;
/// Frames that the table gets at most: 256 MiB of grants.
const FRAMES_MAX: usize = 128;

/// The grant table and whatever the driver asks of the machine besides.
pub struct Grants {
    table: GrantTable,
    /// Where the table is mapped.
    address: NonNull<GrantFrame>,
    statics: StaticGrants,
    /// Static grants of former connections that their backends still map.
    quarantine: Quarantine<()>,
    /// The addresses of the pages that may be shown to a backend.
    site: Range<usize>,
    events: Events,
    backend: DomId,
    ports: Option<Ports>,
}

impl Grants {
    /// Sets the table up, with references for the site's pages as far as Xen lets it grow. `site` begins a page, and
    /// nothing else shares its last.
    pub fn open(events: Events, site: &'static [u8]) -> Result<Self, SetupError> {
        let site = grantable(site);
        let pages = site.len().div_ceil(PAGE_SIZE);
        let wanted = (RESERVED_ENTRIES as usize).saturating_add(DYNAMIC).saturating_add(pages);
        let size = query_size()?;
        let most = usize::try_from(size.max_nr_frames).unwrap_or(0).min(FRAMES_MAX);
        let frames = wanted.div_ceil(ENTRIES_PER_FRAME).min(most).max(1);
        let mut table = GrantTable::new();
        const { assert!(size_of::<GrantFrame>() == PAGE_SIZE) };
        let address: NonNull<GrantFrame> = map_machine_frames(&set_up(frames)?)?.cast();
        for index in 0..frames {
            // SAFETY: the frames are mapped side by side, for ever but for a suspend, in which nothing looks there, and
            // hold the table, which Xen and this guest see as atomics.
            table.add_frame(unsafe { address.add(index).as_ref() });
        }
        let references = frames.saturating_mul(ENTRIES_PER_FRAME);
        let limit = table.free().saturating_sub(DYNAMIC).max(STATIC_MIN);
        log::debug!(
            "grants: {frames} of {most} frames, {} free, {limit} for the site's {pages} pages",
            table.free()
        );
        Ok(Self {
            table,
            address,
            statics: StaticGrants::new(pages, references, limit),
            quarantine: Quarantine::new(),
            site,
            events,
            backend: DomId(0),
            ports: None,
        })
    }

    /// Bytes of memory that [`Grants::open`] takes at most for a site.
    pub fn tables(site: &[u8]) -> usize {
        StaticGrants::bytes(site.len().div_ceil(PAGE_SIZE), FRAMES_MAX.saturating_mul(ENTRIES_PER_FRAME))
    }

    /// Maps the table where it was, after a suspend.
    pub fn remap(&mut self) -> Result<(), SetupError> {
        let frames = set_up(self.table.frames())?;
        // SAFETY: the address that `map_machine_frames` gave for as many frames, and they hold the domain's grant table.
        unsafe { remap_machine_frames(self.address.cast(), &frames) }?;
        Ok(())
    }

    /// After a restore, [`Grants::remap`] done: mostly the table is another, and the ports are others'. The driver ends its
    /// epoch next, which every grant then lets it do, and then there is [`Grants::renew`].
    pub fn lose(&mut self) {
        if self.table.lose() {
            self.ports = None;
            self.quarantine.drain().for_each(drop);
        }
    }

    /// Takes up the new table.
    pub fn renew(&mut self) {
        self.table.renew();
    }

    /// What befell the table so far.
    pub fn counters(&self) -> &GrantCounters {
        self.table.counters()
    }

    /// What befell the grants of static pages so far.
    pub fn static_counters(&self) -> &StaticCounters {
        self.statics.counters()
    }

    /// References that are free.
    pub fn free(&self) -> usize {
        self.table.free()
    }

    /// Pages of the site that are granted.
    pub fn static_count(&self) -> usize {
        self.statics.count()
    }

    /// Grants to the backend that stand.
    pub fn active(&self) -> usize {
        self.table.active(self.backend).count()
    }

    fn close_ports(&mut self) {
        if let Some(Ports { transmit, receive }) = self.ports.take() {
            self.events.close(transmit);
            if receive != transmit {
                self.events.close(receive);
            }
        }
    }
}

impl Platform for Grants {
    type Page = Page;
    type ReadablePage = Readable;
    type WritablePage = Writable;
    #[cfg(feature = "tls")]
    type Lent = Lent;
    #[cfg(feature = "tls")]
    type Lender<'a> = &'a netstack::record::Record;
    #[cfg(not(feature = "tls"))]
    type Lent = core::convert::Infallible;
    #[cfg(not(feature = "tls"))]
    type Lender<'a> = core::convert::Infallible;

    fn begin(&mut self, backend: DomId) {
        self.backend = backend;
        for _ in 0..self.quarantine.len() {
            self.quarantine.retry(&mut self.table);
        }
    }

    fn open_channels(&mut self, split: bool) -> Option<Ports> {
        self.close_ports();
        let transmit = self.events.alloc_unbound(self.backend).ok()?;
        let receive = if split { self.events.alloc_unbound(self.backend) } else { Ok(transmit) };
        let Ok(receive) = receive else {
            self.events.close(transmit);
            return None;
        };
        self.ports = Some(Ports { transmit, receive });
        self.ports
    }

    fn end(&mut self) {
        self.close_ports();
        self.statics.end_all(&mut self.table, &mut self.quarantine);
    }

    fn allocate(&mut self) -> Option<Page> {
        Page::zeroed()
    }

    fn release(&mut self, page: Page) {
        drop(page);
    }

    fn allocate_ring(&mut self) -> Option<(&'static RingPage, GrantRef)> {
        let page = Page::zeroed()?;
        let grant = self.table.grant(self.backend, page.machine_frame(), Access::ReadWrite).ok()?;
        // SAFETY: the page is mapped for ever, aligned, all zero, and no longer owned: from here on it is seen as these
        // atomics alone, until `release_ring` has it back.
        Some((unsafe { page.into_address().cast().as_ref() }, grant))
    }

    fn release_ring(&mut self, page: &'static RingPage, grant: GrantRef) -> Result<(), StillMapped> {
        self.table.end(grant).map_err(|_| StillMapped)?;
        // SAFETY: the page came from `allocate_ring`, whose grant has just ended, once; the driver gives its reference
        // up with this call.
        drop(unsafe { Page::from_address(NonNull::from(page).cast()) });
        Ok(())
    }

    fn grant_read(&mut self, page: Page) -> Result<(GrantRef, Readable), Page> {
        match self.table.grant(self.backend, page.machine_frame(), Access::ReadOnly) {
            Ok(grant) => Ok((grant, Readable(page))),
            Err(_) => Err(page),
        }
    }

    fn revoke_read(&mut self, grant: GrantRef, page: Readable) -> Result<Page, Readable> {
        match self.table.end(grant) {
            Ok(()) => Ok(page.0),
            Err(_) => Err(page),
        }
    }

    fn grant_write(&mut self, page: Page) -> Result<(GrantRef, Writable), Page> {
        match self.table.grant(self.backend, page.machine_frame(), Access::ReadWrite) {
            Ok(grant) => Ok((grant, Writable(page.into_address()))),
            Err(_) => Err(page),
        }
    }

    fn revoke_write(&mut self, grant: GrantRef, page: Writable) -> Result<Page, Writable> {
        match self.table.end(grant) {
            // SAFETY: the address is that of a page given up in `grant_write`, and `Writable` is neither copied nor made
            // elsewhere; the grant has just ended, so nobody else reaches the page.
            Ok(()) => Ok(unsafe { Page::from_address(page.0) }),
            Err(_) => Err(page),
        }
    }

    fn is_grantable(&self, bytes: &'static [u8]) -> bool {
        let bytes = bytes.as_ptr_range();
        bytes.start < bytes.end && self.site.start <= bytes.start.addr() && bytes.end.addr() <= self.site.end
    }

    fn grant_static(&mut self, bytes: &'static [u8]) -> Option<GrantRef> {
        let address = bytes.as_ptr().addr();
        let page = address.checked_sub(self.site.start)? / PAGE_SIZE;
        if let Some(reference) = self.statics.hold_again(page) {
            return Some(reference);
        }
        let frame: Mfn = p2m::machine_frame(address)?;
        self.statics.hold(&mut self.table, self.backend, page, frame)
    }

    fn release_static(&mut self, grant: GrantRef) {
        self.statics.release(grant);
    }

    #[cfg(feature = "tls")]
    fn lend(&mut self, bytes: &[u8], lender: Self::Lender<'_>) -> Option<Self::Lent> {
        let frame: Mfn = p2m::machine_frame(bytes.as_ptr().addr())?;
        let grant = self.table.grant(self.backend, frame, Access::ReadOnly).ok()?;
        Some(Lent { grant, _hold: lender.clone() })
    }

    #[cfg(not(feature = "tls"))]
    fn lend(&mut self, _bytes: &[u8], lender: Self::Lender<'_>) -> Option<Self::Lent> {
        match lender {}
    }

    #[cfg(feature = "tls")]
    fn end_lent(&mut self, page: Self::Lent) -> Result<(), Self::Lent> {
        self.table.end(page.grant).map_err(|_| page)
    }

    #[cfg(not(feature = "tls"))]
    fn end_lent(&mut self, page: Self::Lent) -> Result<(), Self::Lent> {
        match page {}
    }

    fn notify(&mut self, channel: Channel) {
        let Some(ports) = self.ports else { return };
        let port = match channel {
            Channel::Transmit => ports.transmit,
            Channel::Receive => ports.receive,
        };
        // A backend that is gone hears nothing; the store tells of it.
        let _ = hypercall::send(port);
    }
}

/// A page of records that is lent.
#[cfg(feature = "tls")]
pub struct Lent {
    grant: GrantRef,
    _hold: netstack::record::Record,
}

#[cfg(feature = "tls")]
impl platform::Lent for Lent {
    fn grant(&self) -> GrantRef {
        self.grant
    }
}

impl platform::Page for Page {
    fn bytes(&self) -> &[u8; PAGE_SIZE] {
        self.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        self.bytes_mut()
    }
}

/// A page that the backend may read.
pub struct Readable(Page);

impl platform::ReadablePage for Readable {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let room = PAGE_SIZE.saturating_sub(offset);
        let length = bytes.len().min(room);
        if length == 0 {
            return;
        }
        // SAFETY: offset + length is at most a page, the page is this owner's and mapped writable; `bytes` lies
        // elsewhere, since nobody else has a reference into the page. No reference to the rest of the page is made:
        // the backend may be reading another block there.
        unsafe {
            let to = self.0.address().add(offset);
            to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), length);
        }
    }
}

/// A page that the backend may write: nobody here looks at it.
pub struct Writable(NonNull<u8>);

/// Why there is no grant table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetupError {
    /// A hypercall or a mapping failed.
    Xen(Errno),
    /// Xen refused with this status (`GNTST_*`).
    Status(i16),
}

impl From<Errno> for SetupError {
    fn from(error: Errno) -> Self {
        Self::Xen(error)
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xen(error) => error.fmt(f),
            Self::Status(status) => write!(f, "grant status {status}"),
        }
    }
}

/// The addresses of bytes that an entry of the table can name, which are all or none: those of an empty range where a
/// page lies above 16 TiB, whose bytes then have to be copied.
fn grantable(bytes: &'static [u8]) -> Range<usize> {
    let bytes = bytes.as_ptr_range();
    let addresses = bytes.start.addr()..bytes.end.addr();
    let named = |address| p2m::machine_frame(address).is_some_and(|frame| u32::try_from(frame.0).is_ok());
    if addresses.clone().step_by(PAGE_SIZE).all(named) {
        return addresses;
    }
    log::warn!("grants: the site lies too high in memory to be shared: its bytes are copied");
    0..0
}

/// How long the table is and may become.
fn query_size() -> Result<QuerySize, SetupError> {
    let mut size = QuerySize { dom: DomId::SELF, nr_frames: 0, max_nr_frames: 0, status: 0 };
    // SAFETY: the struct that grant_table.h gives for this operation; it points to nothing.
    unsafe { hypercall::grant_table_op(GNTTABOP_QUERY_SIZE, core::slice::from_mut(&mut size)) }?;
    if size.status == 0 { Ok(size) } else { Err(SetupError::Status(size.status)) }
}

/// Makes the table `frames` long: gives its machine frames.
fn set_up(frames: usize) -> Result<Vec<Mfn>, SetupError> {
    let mut list = vec![0_u64; frames];
    let mut setup = SetupTable {
        dom: DomId::SELF,
        nr_frames: u32::try_from(frames).map_err(|_| Errno::INVALID)?,
        status: 0,
        frame_list: list.as_mut_ptr(),
    };
    // SAFETY: the struct that grant_table.h gives for this operation; the list has as many entries as it says.
    unsafe { hypercall::grant_table_op(GNTTABOP_SETUP_TABLE, core::slice::from_mut(&mut setup)) }?;
    if setup.status != 0 {
        return Err(SetupError::Status(setup.status));
    }
    Ok(list.into_iter().map(Mfn).collect())
}
