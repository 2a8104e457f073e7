//! The page that Xen shares with the domain (`struct shared_info`, xen.h), mapped for ever but for a suspend.

use super::error::Errno;
use super::{PAGE_SIZE, start_info, window};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};
use xen::evtchn::EventChannels;
pub use xen::shared_info::SharedInfo;

static SHARED_INFO: AtomicPtr<SharedInfo> = AtomicPtr::new(null_mut());

/// The page; `None` before [`map`], and while the domain is suspended.
pub fn shared_info() -> Option<&'static SharedInfo> {
    // Relaxed: there is one vCPU.
    let page = NonNull::new(SHARED_INFO.load(Ordering::Relaxed))?;
    // SAFETY: `map` or `remap` found start_info's frame for this struct mapped there, at a page's start, and it stays so
    // until `hide`. It is made of atomics, which Xen may write at any time.
    Some(unsafe { page.as_ref() })
}

/// Maps the page and masks every port, once: this guest wants no upcall, and a poller wakes for a masked port all the
/// same.
pub(crate) fn map() -> Result<(), Errno> {
    const { assert!(size_of::<SharedInfo>() <= PAGE_SIZE) };
    let page = window::map_machine_frames(&[start_info().shared_info()])?;
    show(page.cast());
    Ok(())
}

/// Nobody is given the page until it is mapped again: gives its address for that.
pub(super) fn hide() -> Option<NonNull<SharedInfo>> {
    NonNull::new(SHARED_INFO.swap(null_mut(), Ordering::Relaxed))
}

/// Maps the page that start_info names now where it was before.
pub(super) fn remap(page: NonNull<SharedInfo>) -> Result<(), Errno> {
    // SAFETY: the address is the one that `map` was given for one frame; the new frame is the same struct's.
    unsafe { window::remap_machine_frames(page.cast(), &[start_info().shared_info()]) }?;
    show(page);
    Ok(())
}

/// The page is there: masks every port.
fn show(page: NonNull<SharedInfo>) {
    SHARED_INFO.store(page.as_ptr(), Ordering::Relaxed);
    if let Some(shared) = shared_info() {
        EventChannels::new(shared).mask_all();
    }
}
