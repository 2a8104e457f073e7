//! The page that Xen shares with the domain (`struct shared_info`, xen.h), mapped for ever.

use super::error::Errno;
use super::{PAGE_SIZE, start_info, window};
use spin::Once;
use xen::evtchn::EventChannels;
pub use xen::shared_info::SharedInfo;

static SHARED_INFO: Once<&'static SharedInfo> = Once::new();

/// The page; `None` before [`map`].
pub fn shared_info() -> Option<&'static SharedInfo> {
    SHARED_INFO.get().copied()
}

/// Maps the page and masks every port, once: this guest wants no upcall, and a poller wakes for a masked port all the
/// same.
pub(crate) fn map() -> Result<(), Errno> {
    const { assert!(size_of::<SharedInfo>() <= PAGE_SIZE) };
    let page = window::map_machine_frames(&[start_info().shared_info()])?;
    // SAFETY: start_info names the frame where Xen keeps this struct; it is mapped for ever, at a page's start, and is
    // made of atomics, which Xen may write at any time.
    let shared: &'static SharedInfo = unsafe { page.cast().as_ref() };
    EventChannels::new(shared).mask_all();
    SHARED_INFO.call_once(|| shared);
    Ok(())
}
