//! The machine under the driver: memory in frames, the shipped grant table over it, event channels.
//!
//! A backend reaches memory only through the words of the table, as through Xen: a grant that has ended leads nowhere,
//! or to the page that the reference shows by then.

use super::memory::{Frame, Hold, Memory, Shared, SimLent, SimPage, SimReadable, SimWritable, give, take};
use crate::platform::{Channel, DomId, GrantRef, PAGE_SIZE, Platform, Port, Ports, RingPage, StillMapped};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use xen::Mfn;
use xen::grant::{Access, GrantFrame, GrantTable, Quarantine, StaticCounters, StaticGrants};

/// References that are free in a machine's table, where the test says nothing else: two frames less the reserved ones.
const REFERENCES: usize = 1016;
/// Static pages that a machine can know.
const STATIC_PAGES: usize = 4096;

/// All that the machine knows; the test and the backend look at it too.
pub struct World {
    frames: Vec<&'static GrantFrame>,
    table: GrantTable,
    statics: StaticGrants,
    quarantine: Quarantine<()>,
    memory: Memory,
    /// How often the backend maps each grant.
    maps: BTreeMap<u32, u32>,
    /// Holds on each static page's grant.
    holds: BTreeMap<u32, u32>,
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
    /// Grants of pages that are lent.
    pub lent: usize,
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

/// Bits of `grant_entry_v1.flags`, typed from xen/grant_table.h.
const PERMIT_ACCESS: u32 = 1;
const READONLY: u32 = 4;
const READING: u32 = 8;
const WRITING: u32 = 16;

impl World {
    fn new(references: usize, statics: usize) -> Self {
        let mut table = GrantTable::new();
        let mut frames = Vec::new();
        for frame in 0..(8 + references).div_ceil(512) {
            let entries: &'static GrantFrame = take();
            for entry in 0..512 {
                // In use by somebody else, as at a boot after another kernel.
                let taken = frame * 512 + entry >= 8 + references;
                entries[entry * 2].store(u32::from(taken), Ordering::Relaxed);
            }
            table.add_frame(entries);
            frames.push(entries);
        }
        Self {
            statics: StaticGrants::new(STATIC_PAGES, frames.len() * 512, statics),
            frames,
            table,
            quarantine: Quarantine::new(),
            memory: Memory::default(),
            maps: BTreeMap::new(),
            holds: BTreeMap::new(),
            pages_max: None,
            pages: 0,
            secrets_shown: 0,
            secrets_kept: 0,
            site: Vec::new(),
            lent: 0,
            ports: None,
            portless: false,
            backend: None,
            transmit_events: 0,
            receive_events: 0,
            grant_faults: 0,
        }
    }

    /// Grants that have not ended.
    pub fn grants(&self) -> usize {
        let counters = self.table.counters();
        (counters.made.get() - counters.ended.get()) as usize
    }

    /// References that are free.
    pub fn references(&self) -> usize {
        self.table.free()
    }

    /// Holds on static pages.
    pub fn holds(&self) -> u32 {
        self.holds.values().sum()
    }

    /// Static pages that are granted.
    pub fn statics(&self) -> usize {
        self.statics.count()
    }

    /// What befell the grants of static pages.
    pub fn static_counters(&self) -> &StaticCounters {
        self.statics.counters()
    }

    fn word(&self, grant: u32) -> Option<&'static AtomicU32> {
        let frame = *self.frames.get(grant as usize / 512)?;
        Some(&frame[grant as usize % 512 * 2])
    }

    /// What a grant shows to the backend, and whether it may write there: as the table says now.
    fn shown(&self, grant: u32) -> Option<(Frame, bool)> {
        let flags = self.word(grant)?.load(Ordering::Relaxed);
        let number = self.frames[grant as usize / 512][grant as usize % 512 * 2 + 1].load(Ordering::Relaxed);
        let permitted = grant >= 8 && flags & 3 == PERMIT_ACCESS;
        permitted.then(|| self.memory.frame(number)).flatten().map(|frame| (frame, flags & READONLY == 0))
    }

    fn grant(&mut self, frame: u32, access: Access) -> Option<GrantRef> {
        let backend = self.backend.expect("an epoch has begun");
        self.table.grant(backend, Mfn(frame.into()), access).ok()
    }

    fn first_shown(&mut self, page: &mut SimPage) {
        self.secrets_shown += usize::from(!page.shown && !page.is_zero());
        page.shown = true;
    }

    /// The backend maps a granted page.
    pub fn map(&mut self, grant: u32) {
        let (_, writable) = self.shown(grant).expect("no such grant");
        *self.maps.entry(grant).or_default() += 1;
        let bits = if writable { READING | WRITING } else { READING };
        self.word(grant).expect("shown").fetch_or(bits, Ordering::Relaxed);
    }

    /// The backend lets go of a page, if it maps it.
    pub fn unmap(&mut self, grant: u32) {
        let Some(maps) = self.maps.get_mut(&grant) else { return };
        *maps -= 1;
        if *maps == 0 {
            self.maps.remove(&grant);
            self.word(grant).expect("mapped").fetch_and(!(READING | WRITING), Ordering::Relaxed);
            // The kernel would try at the next connection.
            self.settle();
        }
    }

    /// Tries to end the static grants that a former connection's backend still mapped, as every new connection does.
    fn settle(&mut self) {
        for _ in 0..self.quarantine.len() {
            self.quarantine.retry(&mut self.table);
        }
    }

    /// The domain is restored: its grant table is a new one, and whoever mapped its pages is gone.
    pub fn lose(&mut self) {
        self.frames.iter().flat_map(|frame| frame.iter()).for_each(|word| word.store(0, Ordering::Relaxed));
        self.maps.clear();
        self.table.lose();
        self.settle();
        self.ports = None;
    }

    /// The new table is taken up.
    pub fn renew(&mut self) {
        self.table.renew();
    }

    /// The ring behind a grant.
    pub fn ring(&self, grant: u32) -> Option<&'static RingPage> {
        match self.shown(grant)?.0 {
            Frame::Ring(page) => Some(page),
            _ => None,
        }
    }

    /// The backend reads granted bytes; `None` and a fault where it may not.
    pub fn read(&mut self, grant: u32, offset: usize, length: usize) -> Option<Vec<u8>> {
        let bytes = match self.shown(grant) {
            Some((Frame::Page(page), _)) => {
                let page = page.borrow();
                page.as_ref().and_then(|page| page.bytes.get(offset..offset + length).map(<[u8]>::to_vec))
            }
            Some((Frame::Static(address), _)) => {
                let start = address + offset;
                let held = |site: &&[u8]| {
                    let from = start.checked_sub(site.as_ptr().addr())?;
                    site.get(from..from + length).map(<[u8]>::to_vec)
                };
                self.site.iter().find_map(held)
            }
            // The driver has let go of what the backend still reads: whoever owns it may be writing there.
            Some((Frame::Lent(page, hold), _)) => hold.upgrade().and_then(|hold| {
                let bytes = (*hold).as_ref();
                let start = (page + offset).checked_sub(bytes.as_ptr().addr())?;
                bytes.get(start..start + length).map(<[u8]>::to_vec)
            }),
            Some((Frame::Ring(_), _)) | None => None,
        };
        self.grant_faults += usize::from(bytes.is_none());
        bytes
    }

    /// The backend writes granted bytes.
    pub fn write(&mut self, grant: u32, offset: usize, bytes: &[u8]) -> bool {
        let written = match self.shown(grant) {
            Some((Frame::Page(page), true)) => {
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

impl Drop for World {
    fn drop(&mut self) {
        self.frames.drain(..).for_each(give);
    }
}

/// The machine: shared by the driver, the backend and the test.
#[derive(Clone)]
pub struct Machine(Rc<RefCell<World>>);

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A machine with grants for all that a device can want.
    pub fn new() -> Self {
        Self::with_grants(REFERENCES, REFERENCES)
    }

    /// A machine whose grant table has so many free references, at most `statics` of them for static pages.
    pub fn with_grants(references: usize, statics: usize) -> Self {
        Self(Rc::new(RefCell::new(World::new(references, statics))))
    }

    pub fn world(&self) -> core::cell::RefMut<'_, World> {
        self.0.borrow_mut()
    }
}

impl Platform for Machine {
    type Page = SimPage;
    type ReadablePage = SimReadable;
    type WritablePage = SimWritable;
    type Lent = SimLent;
    type Lender<'a> = &'a Hold;

    fn begin(&mut self, backend: DomId) {
        let mut world = self.world();
        world.backend = Some(backend);
        world.settle();
    }

    fn open_channels(&mut self, split: bool) -> Option<Ports> {
        let ports = Ports { transmit: Port(5), receive: if split { Port(6) } else { Port(5) } };
        let mut world = self.world();
        world.ports = (!world.portless).then_some(ports);
        world.ports
    }

    fn end(&mut self) {
        let world = &mut *self.world();
        world.ports = None;
        world.backend = None;
        assert_eq!(world.holds(), 0, "holds outlive their epoch");
        world.statics.end_all(&mut world.table, &mut world.quarantine);
    }

    fn allocate(&mut self) -> Option<SimPage> {
        let mut world = self.world();
        if world.pages_max.is_some_and(|max| world.pages >= max) {
            return None;
        }
        world.pages += 1;
        Some(world.memory.allocate())
    }

    fn release(&mut self, page: SimPage) {
        let mut world = self.world();
        world.pages -= 1;
        world.secrets_kept += usize::from(!page.is_zero());
    }

    fn allocate_ring(&mut self) -> Option<(&'static RingPage, GrantRef)> {
        let mut world = self.world();
        if world.pages_max.is_some_and(|max| world.pages >= max) {
            return None;
        }
        let (page, frame) = world.memory.allocate_ring();
        let Some(grant) = world.grant(frame, Access::ReadWrite) else {
            world.memory.release_ring(page);
            return None;
        };
        world.pages += 1;
        Some((page, grant))
    }

    fn release_ring(&mut self, page: &'static RingPage, grant: GrantRef) -> Result<(), StillMapped> {
        let mut world = self.world();
        world.table.end(grant).map_err(|_| StillMapped)?;
        world.memory.release_ring(page);
        world.pages -= 1;
        Ok(())
    }

    fn grant_read(&mut self, page: SimPage) -> Result<(GrantRef, SimReadable), SimPage> {
        let (grant, shared) = self.share(page, Access::ReadOnly)?;
        Ok((grant, SimReadable(shared)))
    }

    fn revoke_read(&mut self, grant: GrantRef, page: SimReadable) -> Result<SimPage, SimReadable> {
        self.unshare(grant, &page.0).ok_or(page)
    }

    fn grant_write(&mut self, page: SimPage) -> Result<(GrantRef, SimWritable), SimPage> {
        let (grant, shared) = self.share(page, Access::ReadWrite)?;
        Ok((grant, SimWritable(shared)))
    }

    fn revoke_write(&mut self, grant: GrantRef, page: SimWritable) -> Result<SimPage, SimWritable> {
        self.unshare(grant, &page.0).ok_or(page)
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
        let address = bytes.as_ptr().addr();
        assert!(address % PAGE_SIZE + bytes.len() <= PAGE_SIZE, "a static slice over two pages");
        let world = &mut *self.world();
        let backend = world.backend.expect("an epoch has begun");
        let (page, frame) = world.memory.static_page(address - address % PAGE_SIZE);
        let grant = world.statics.hold(&mut world.table, backend, page, Mfn(frame.into()))?;
        *world.holds.entry(grant.0).or_default() += 1;
        Some(grant)
    }

    fn release_static(&mut self, grant: GrantRef) {
        let world = &mut *self.world();
        let holds = world.holds.get_mut(&grant.0).expect("no such hold");
        *holds -= 1;
        if *holds == 0 {
            world.holds.remove(&grant.0);
        }
        world.statics.release(grant);
        assert_eq!(world.statics.counters().not_held.get(), 0);
    }

    fn lend(&mut self, bytes: &[u8], lender: &Hold) -> Option<SimLent> {
        let address = bytes.as_ptr().addr();
        assert!(address % PAGE_SIZE + bytes.len() <= PAGE_SIZE, "a lent slice over two pages");
        let mut world = self.world();
        let frame = world.memory.lend(address - address % PAGE_SIZE, lender);
        let grant = world.grant(frame, Access::ReadOnly)?;
        world.lent += 1;
        Some(SimLent { grant, _hold: lender.clone() })
    }

    fn end_lent(&mut self, page: SimLent) -> Result<(), SimLent> {
        let mut world = self.world();
        let grant = page.grant;
        let number =
            world.frames[grant.0 as usize / 512][grant.0 as usize % 512 * 2 + 1].load(Ordering::Relaxed);
        if world.table.end(grant).is_err() {
            return Err(page);
        }
        world.memory.take_back(number);
        world.lent -= 1;
        Ok(())
    }

    fn notify(&mut self, channel: Channel) {
        let mut world = self.world();
        match channel {
            Channel::Transmit => world.transmit_events += 1,
            Channel::Receive => world.receive_events += 1,
        }
    }
}

impl Machine {
    fn share(&mut self, mut page: SimPage, access: Access) -> Result<(GrantRef, Shared), SimPage> {
        let mut world = self.world();
        world.first_shown(&mut page);
        let (shared, frame) = world.memory.share(page);
        match world.grant(frame, access) {
            Some(grant) => Ok((grant, shared)),
            None => Err(world.memory.unshare(&shared)),
        }
    }

    fn unshare(&mut self, grant: GrantRef, shared: &Shared) -> Option<SimPage> {
        let mut world = self.world();
        world.table.end(grant).ok()?;
        Some(world.memory.unshare(shared))
    }
}
