//! What the domain builder tells the guest at the start (`struct start_info`, xen.h).

use super::{VIRT_BASE, p2m};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use spin::Once;
use xen::{Mfn, Port, ramdisk};

/// The page that rsi points to at entry.
pub type RawStartInfo = xen_sys::start_info_t;

// xen-sys's layout, against xen.h.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(RawStartInfo, nr_pages) == 32 && offset_of!(RawStartInfo, shared_info) == 40);
    assert!(offset_of!(RawStartInfo, flags) == 48 && offset_of!(RawStartInfo, store_mfn) == 56);
    assert!(offset_of!(RawStartInfo, store_evtchn) == 64 && offset_of!(RawStartInfo, console) == 72);
    assert!(offset_of!(RawStartInfo, pt_base) == 88 && offset_of!(RawStartInfo, nr_pt_frames) == 96);
    assert!(offset_of!(RawStartInfo, mfn_list) == 104 && offset_of!(RawStartInfo, mod_start) == 112);
    assert!(offset_of!(RawStartInfo, mod_len) == 120 && offset_of!(RawStartInfo, cmd_line) == 128);
};

/// The guest's own copy: the page itself is written anew by the toolstack when the domain resumes.
pub struct StartInfo {
    raw: RawStartInfo,
    /// Where the page is, in the direct map.
    address: usize,
    renewed: Renewed,
}

/// What is another after a restore.
struct Renewed {
    /// `shared_info`, a machine address.
    shared_info: AtomicU64,
    store_frame: AtomicU64,
    store_port: AtomicU32,
    console_frame: AtomicU64,
    console_port: AtomicU32,
}

impl Renewed {
    fn new(raw: &RawStartInfo) -> Self {
        // SAFETY: of the union's two arms this is the one of every domain but dom0, and both are plain integers that
        // any bytes are valid for.
        let console = unsafe { raw.console.domU };
        Self {
            shared_info: raw.shared_info.into(),
            store_frame: raw.store_mfn.into(),
            store_port: raw.store_evtchn.into(),
            console_frame: console.mfn.into(),
            console_port: console.evtchn.into(),
        }
    }

    /// Takes over what is in another copy. Relaxed, as all reads: there is one vCPU.
    fn set(&self, other: &Self) {
        let copy = |to: &AtomicU64, from: &AtomicU64| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        copy(&self.shared_info, &other.shared_info);
        copy(&self.store_frame, &other.store_frame);
        copy(&self.console_frame, &other.console_frame);
        self.store_port.store(other.store_port.load(Ordering::Relaxed), Ordering::Relaxed);
        self.console_port.store(other.console_port.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

static START_INFO: Once<StartInfo> = Once::new();

/// Copies the page, once.
pub(super) fn keep(raw: &RawStartInfo) {
    START_INFO.call_once(|| StartInfo {
        raw: *raw,
        address: core::ptr::from_ref(raw).expose_provenance(),
        renewed: Renewed::new(raw),
    });
}

/// The copy. It exists from the first Rust instruction on.
pub fn start_info() -> &'static StartInfo {
    START_INFO.wait()
}

impl StartInfo {
    /// "xen-<version>-<platform>".
    pub fn magic(&self) -> &str {
        str::from_utf8(text(&self.raw.magic)).unwrap_or("a Xen without a name")
    }

    /// The kernel's command line (`extra=` in an xl config).
    pub fn command_line(&self) -> &[u8] {
        text(&self.raw.cmd_line)
    }

    /// Pages the domain has.
    pub fn pages(&self) -> usize {
        usize::try_from(self.raw.nr_pages).unwrap_or(0)
    }

    /// The machine frame of shared_info.
    pub fn shared_info(&self) -> Mfn {
        Mfn(self.renewed.shared_info.load(Ordering::Relaxed) >> 12)
    }

    /// The page shared with the xenstore daemon.
    pub fn store_frame(&self) -> Mfn {
        Mfn(self.renewed.store_frame.load(Ordering::Relaxed))
    }

    /// The event channel to the xenstore daemon.
    pub fn store_port(&self) -> Port {
        Port(self.renewed.store_port.load(Ordering::Relaxed))
    }

    /// The page shared with the console daemon.
    pub fn console_frame(&self) -> Mfn {
        Mfn(self.renewed.console_frame.load(Ordering::Relaxed))
    }

    /// The event channel to the console daemon.
    pub fn console_port(&self) -> Port {
        Port(self.renewed.console_port.load(Ordering::Relaxed))
    }

    /// Makes the page ready for a save: it names the store's and the console's pages by the domain's own count, which
    /// holds wherever the domain goes on.
    pub(super) fn hand_over(&self) {
        let own = |frame| p2m::page_of(frame).map_or(0, |page| page.0);
        self.name_rings(own(self.store_frame()), own(self.console_frame()));
    }

    /// The suspend was cancelled: the page says again what it said before.
    pub(super) fn take_back(&self) {
        self.name_rings(self.store_frame().0, self.console_frame().0);
    }

    /// The domain was restored: reads what the toolstack wrote into the page.
    pub(super) fn renew(&self) {
        // SAFETY: the page lies in the direct map, at a page's start, and holds a whole start_info, which the toolstack
        // has just written; nothing writes it now.
        let raw = unsafe { self.page().read_volatile() };
        self.renewed.set(&Renewed::new(&raw));
    }

    fn name_rings(&self, store: u64, console: u64) {
        let page = self.page();
        // SAFETY: the page lies in the direct map, writable, and nobody has a reference to it: `keep` copied it. Both
        // places are aligned fields of it.
        unsafe {
            (&raw mut (*page).store_mfn).write_volatile(store);
            (&raw mut (*page).console.domU.mfn).write_volatile(console);
        }
    }

    fn page(&self) -> *mut RawStartInfo {
        core::ptr::with_exposed_provenance_mut(self.address)
    }

    /// The addresses of the start_info page.
    pub(super) fn own_page(&self) -> Range<usize> {
        self.address..self.address.saturating_add(super::PAGE_SIZE)
    }

    /// The addresses of the list of machine frames, one `u64` for each page of the domain.
    pub(super) fn frame_list(&self) -> Range<usize> {
        range(self.raw.mfn_list, self.raw.nr_pages.saturating_mul(8))
    }

    /// The addresses of the page tables that the domain builder made; the top level is the first.
    pub(super) fn page_tables(&self) -> Range<usize> {
        range(self.raw.pt_base, self.raw.nr_pt_frames.saturating_mul(4096))
    }

    /// The addresses of the module (`ramdisk=`), as long as the file was; empty where there is none.
    pub fn module(&self) -> Range<usize> {
        ramdisk::addresses(self.raw.mod_start, self.raw.mod_len, self.raw.flags, VIRT_BASE)
    }
}

fn range(start: u64, length: u64) -> Range<usize> {
    let end = start.saturating_add(length);
    usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0)
}

/// The bytes up to the first zero.
fn text(bytes: &[i8]) -> &[u8] {
    // SAFETY: i8 and u8 have the same size, alignment and validity.
    let bytes = unsafe { &*(core::ptr::from_ref(bytes) as *const [u8]) };
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
