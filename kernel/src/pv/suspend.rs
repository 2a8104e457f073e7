//! The domain stops, to be saved, and goes on: where it was, or as another domain.

use super::error::Errno;
pub use super::hypercall::Woken;
use super::{hypercall, p2m, shared_info, start_info, window};

/// Stops the domain until the toolstack lets it go on. What start_info says may be other afterwards, and shared_info is
/// another page where it was; every port is masked. Nothing else in the window is mapped any more.
///
/// In between there is no clock, so nothing here logs. An error leaves the domain without shared_info.
///
/// # Safety
/// Until it has been mapped again ([`window::remap_machine_frames`]), nobody looks at what
/// [`window::map_machine_frames`] mapped.
pub unsafe fn suspend() -> Result<Woken, Errno> {
    let info = start_info();
    let frame = p2m::machine_frame(info.own_page().start).ok_or(Errno::INVALID)?;
    let shared = shared_info::hide().ok_or(Errno::INVALID)?;
    // SAFETY: of what the window shows, shared_info is hidden, and for the rest there is the caller's promise.
    unsafe { window::clear() }?;
    info.hand_over();
    // SAFETY: the page has just been made ready; beside the window, all mappings are of the domain's own pages (the
    // direct map); and the caller's promise.
    let woken = unsafe { hypercall::suspend(frame) };
    match woken {
        Ok(Woken::Restored) => info.renew(),
        Ok(Woken::Cancelled) | Err(_) => info.take_back(),
    }
    shared_info::remap(shared)?;
    woken
}
