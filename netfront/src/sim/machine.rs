//! The machine under the driver: pages, a grant table, event channels.

use crate::platform::{
    Channel, DomId, GrantRef, PAGE_SIZE, Page, Platform, Port, Ports, ReadablePage, RingPage, StillMapped,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::AtomicU32;

/// What memory holds before anyone asked for it: somebody's secret.
const SECRET: u8 = 0xd1;

/// An owned page.
#[derive(Debug)]
pub struct SimPage {
    bytes: Box<[u8; PAGE_SIZE]>,
    /// It has been granted since it was allocated.
    shown: bool,
}

impl Page for SimPage {
    fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.bytes
    }
    fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        &mut self.bytes
    }
}

/// A page in both ends' hands. Taken out when its grant ends.
type Shared = Rc<RefCell<Option<SimPage>>>;

/// A page that the backend may read.
#[derive(Debug)]
pub struct SimReadable(Shared);

impl ReadablePage for SimReadable {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let mut page = self.0.borrow_mut();
        page.as_mut().expect("granted").bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

/// A page that the backend may write.
#[derive(Debug)]
pub struct SimWritable(Shared);

enum Shown {
    Read(Shared),
    Write(Shared),
    Ring(&'static RingPage),
    /// Bytes of a static page, and where they start in it.
    Static(&'static [u8], usize),
}

struct Grant {
    shown: Shown,
    /// How often the backend maps it.
    mapped: u32,
    /// Frames in flight that point there (static pages only).
    holds: u32,
}

/// All that the machine knows; the test and the backend look at it too.
#[derive(Default)]
pub struct World {
    grants: BTreeMap<u32, Grant>,
    next_grant: u32,
    /// Most grants at a time; `None` for no bound.
    pub grants_max: Option<usize>,
    /// Most pages at a time; `None` for no bound.
    pub pages_max: Option<usize>,
    /// Pages that the driver has now, rings included.
    pub pages: usize,
    /// Pages granted for the first time with bytes in them that the driver did not write.
    pub secrets_shown: usize,
    /// Pages given back with bytes in them.
    pub secrets_kept: usize,
    /// The site: bytes that may be granted.
    pub site: Vec<&'static [u8]>,
    /// End grants whatever the backend maps, as if the kernel did not heed the refusal (MSA02).
    pub heedless: bool,
    /// Event channels are open.
    pub ports: Option<Ports>,
    /// No event channel is to be had.
    pub portless: bool,
    /// Whom the epoch is with.
    pub backend: Option<DomId>,
    /// Events sent by the driver.
    pub transmit_events: usize,
    pub receive_events: usize,
    /// The backend read or wrote a page that was not granted to it so.
    pub grant_faults: usize,
}

impl World {
    /// Grants that have not ended.
    pub fn grants(&self) -> usize {
        self.grants.len()
    }

    /// Holds on static pages.
    pub fn holds(&self) -> u32 {
        self.grants.values().map(|grant| grant.holds).sum()
    }

    fn grant(&mut self, shown: Shown) -> Option<GrantRef> {
        if self.grants_max.is_some_and(|max| self.grants.len() >= max) {
            return None;
        }
        // As in Xen: 0 to 7 are reserved.
        self.next_grant = self.next_grant.max(7) + 1;
        self.grants.insert(self.next_grant, Grant { shown, mapped: 0, holds: 0 });
        Some(GrantRef(self.next_grant))
    }

    fn end(&mut self, grant: GrantRef) -> bool {
        let mapped = self.grants.get(&grant.0).expect("no such grant").mapped != 0;
        if mapped && !self.heedless {
            return false;
        }
        self.grants.remove(&grant.0);
        true
    }

    fn first_shown(&mut self, page: &mut SimPage) {
        if !page.shown && page.bytes.iter().any(|byte| *byte != 0) {
            self.secrets_shown += 1;
        }
        page.shown = true;
    }

    /// The backend maps a granted page.
    pub fn map(&mut self, grant: u32) {
        self.grants.get_mut(&grant).expect("no such grant").mapped += 1;
    }

    pub fn unmap(&mut self, grant: u32) {
        let Some(held) = self.grants.get_mut(&grant) else { return };
        held.mapped -= 1;
        if held.mapped == 0 && held.holds == 0 && matches!(held.shown, Shown::Static(..)) {
            self.grants.remove(&grant);
        }
    }

    /// The ring behind a grant.
    pub fn ring(&self, grant: u32) -> Option<&'static RingPage> {
        match self.grants.get(&grant)?.shown {
            Shown::Ring(page) => Some(page),
            _ => None,
        }
    }

    /// The backend reads granted bytes; `None` and a fault where it may not.
    pub fn read(&mut self, grant: u32, offset: usize, length: usize) -> Option<Vec<u8>> {
        let bytes = match self.grants.get(&grant).map(|grant| &grant.shown) {
            Some(Shown::Read(page) | Shown::Write(page)) => {
                let page = page.borrow();
                page.as_ref().and_then(|page| page.bytes.get(offset..offset + length).map(<[u8]>::to_vec))
            }
            Some(Shown::Static(bytes, start)) => offset
                .checked_sub(*start)
                .and_then(|offset| bytes.get(offset..offset + length).map(<[u8]>::to_vec)),
            Some(Shown::Ring(_)) | None => None,
        };
        self.grant_faults += usize::from(bytes.is_none());
        bytes
    }

    /// The backend writes granted bytes.
    pub fn write(&mut self, grant: u32, offset: usize, bytes: &[u8]) -> bool {
        let written = match self.grants.get(&grant).map(|grant| &grant.shown) {
            Some(Shown::Write(page)) => {
                let mut page = page.borrow_mut();
                page.as_mut()
                    .and_then(|page| page.bytes.get_mut(offset..offset + bytes.len()))
                    .map(|place| place.copy_from_slice(bytes))
            }
            _ => None,
        };
        self.grant_faults += usize::from(written.is_none());
        written.is_some()
    }
}

/// The machine: shared by the driver, the backend and the test.
#[derive(Clone, Default)]
pub struct Machine(Rc<RefCell<World>>);

impl Machine {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn world(&self) -> core::cell::RefMut<'_, World> {
        self.0.borrow_mut()
    }
}

impl Platform for Machine {
    type Page = SimPage;
    type ReadablePage = SimReadable;
    type WritablePage = SimWritable;

    fn begin(&mut self, backend: DomId) {
        self.world().backend = Some(backend);
    }

    fn open_channels(&mut self, split: bool) -> Option<Ports> {
        let ports = Ports { transmit: Port(5), receive: if split { Port(6) } else { Port(5) } };
        let mut world = self.world();
        world.ports = (!world.portless).then_some(ports);
        world.ports
    }

    fn end(&mut self) {
        let mut world = self.world();
        world.ports = None;
        world.backend = None;
        let statics = |grant: &Grant| matches!(grant.shown, Shown::Static(..));
        assert!(world.grants.values().filter(|grant| statics(grant)).all(|grant| grant.holds == 0));
        world.grants.retain(|_, grant| !statics(grant) || grant.mapped != 0);
    }

    fn allocate(&mut self) -> Option<SimPage> {
        let mut world = self.world();
        if world.pages_max.is_some_and(|max| world.pages >= max) {
            return None;
        }
        world.pages += 1;
        Some(SimPage { bytes: Box::new([SECRET; PAGE_SIZE]), shown: false })
    }

    fn release(&mut self, page: SimPage) {
        let mut world = self.world();
        world.pages -= 1;
        world.secrets_kept += usize::from(page.bytes.iter().any(|byte| *byte != 0));
    }

    fn allocate_ring(&mut self) -> Option<(&'static RingPage, GrantRef)> {
        let mut world = self.world();
        if world.pages_max.is_some_and(|max| world.pages >= max) {
            return None;
        }
        let page: &'static RingPage = Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_SIZE / 4]));
        let grant = world.grant(Shown::Ring(page))?;
        world.pages += 1;
        Some((page, grant))
    }

    fn release_ring(&mut self, _page: &'static RingPage, grant: GrantRef) -> Result<(), StillMapped> {
        let mut world = self.world();
        if !world.end(grant) {
            return Err(StillMapped);
        }
        world.pages -= 1;
        Ok(())
    }

    fn grant_read(&mut self, mut page: SimPage) -> Result<(GrantRef, SimReadable), SimPage> {
        let mut world = self.world();
        world.first_shown(&mut page);
        let shared = Rc::new(RefCell::new(Some(page)));
        match world.grant(Shown::Read(shared.clone())) {
            Some(grant) => Ok((grant, SimReadable(shared))),
            None => Err(shared.take().expect("just made")),
        }
    }

    fn revoke_read(&mut self, grant: GrantRef, page: SimReadable) -> Result<SimPage, SimReadable> {
        if !self.world().end(grant) {
            return Err(page);
        }
        Ok(page.0.take().expect("granted"))
    }

    fn grant_write(&mut self, mut page: SimPage) -> Result<(GrantRef, SimWritable), SimPage> {
        let mut world = self.world();
        world.first_shown(&mut page);
        let shared = Rc::new(RefCell::new(Some(page)));
        match world.grant(Shown::Write(shared.clone())) {
            Some(grant) => Ok((grant, SimWritable(shared))),
            None => Err(shared.take().expect("just made")),
        }
    }

    fn revoke_write(&mut self, grant: GrantRef, page: SimWritable) -> Result<SimPage, SimWritable> {
        if !self.world().end(grant) {
            return Err(page);
        }
        Ok(page.0.take().expect("granted"))
    }

    fn is_grantable(&self, bytes: &'static [u8]) -> bool {
        let range = bytes.as_ptr_range();
        self.0
            .borrow()
            .site
            .iter()
            .map(|site| site.as_ptr_range())
            .any(|site| site.start.addr() <= range.start.addr() && range.end.addr() <= site.end.addr())
    }

    fn grant_static(&mut self, bytes: &'static [u8]) -> Option<GrantRef> {
        let start = bytes.as_ptr().addr() % PAGE_SIZE;
        assert!(start + bytes.len() <= PAGE_SIZE, "a static slice over two pages");
        let mut world = self.world();
        let grant = world.grant(Shown::Static(bytes, start))?;
        world.grants.get_mut(&grant.0).expect("just made").holds = 1;
        Some(grant)
    }

    fn release_static(&mut self, grant: GrantRef) {
        let mut world = self.world();
        let held = world.grants.get_mut(&grant.0).expect("no such grant");
        held.holds = held.holds.checked_sub(1).expect("a hold released twice");
        if held.mapped == 0 {
            world.grants.remove(&grant.0);
        }
    }

    fn notify(&mut self, channel: Channel) {
        let mut world = self.world();
        match channel {
            Channel::Transmit => world.transmit_events += 1,
            Channel::Receive => world.receive_events += 1,
        }
    }
}
