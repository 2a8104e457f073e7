//! The 2-level event channel ABI (event_channel.h): bits in the shared page, without upcalls.
//!
//! Every port is masked for good: no upcall ever comes, and yet Xen wakes a vCPU that waits for a port in
//! `SCHEDOP_poll` when its pending bit goes from 0 to 1. So a bit that is left set makes the next poll return at once,
//! and a bit has to be cleared *before* the ring it speaks for is read.

use crate::ids::Port;
use crate::shared_info::{EventBits, SharedInfo, VcpuInfo};
use core::sync::atomic::{AtomicU64, Ordering};

/// Ports of the 2-level ABI on a 64-bit guest (`EVTCHN_2L_NR_CHANNELS`): 0 to 4,095.
pub const CHANNELS: u32 = 4096;

/// The domain's event channels, as bits. A port that the ABI does not have has no bit: it is never pending.
#[derive(Clone, Copy, Debug)]
pub struct EventChannels<'s> {
    pending: &'s EventBits,
    mask: &'s EventBits,
}

impl<'s> EventChannels<'s> {
    /// The channels of a shared page.
    pub fn new(shared: &'s SharedInfo) -> Self {
        Self { pending: &shared.evtchn_pending, mask: &shared.evtchn_mask }
    }

    /// Masks every port. The mask starts all clear.
    pub fn mask_all(self) {
        for word in &self.mask.0 {
            // Relaxed: no memory is published by the mask, and upcalls are off on this vCPU, the only one.
            word.store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// Masks one port.
    pub fn mask(self, port: Port) {
        if let Some((word, bit)) = bit_of(self.mask, port) {
            // Relaxed: as in `mask_all`.
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Unmasks one port. An event that came while it was masked raises no upcall: look at its pending bit afterwards.
    pub fn unmask(self, port: Port) {
        if let Some((word, bit)) = bit_of(self.mask, port) {
            // SeqCst: the pending bit is to be looked at after this.
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// Whether a port is masked.
    pub fn is_masked(self, port: Port) -> bool {
        // Relaxed: only this vCPU writes it.
        bit_of(self.mask, port).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// Whether an event has come to a port. Clears nothing.
    pub fn is_pending(self, port: Port) -> bool {
        // Acquire: what the peer wrote before it sent the event is seen after.
        bit_of(self.pending, port).is_some_and(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
    }

    /// Clears a port's pending bit; true where an event had come.
    pub fn clear_pending(self, port: Port) -> bool {
        // Acquire, and one instruction: either Xen set the bit before this, and then the ring is read as it was when
        // the event was sent or later; or it sets the bit after this, and the next poll returns at once.
        bit_of(self.pending, port)
            .is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::Acquire) & bit != 0)
    }

    /// Sets a port's pending bit, as Xen does: the next poll of it returns at once.
    pub fn set_pending(self, port: Port) {
        if let Some((word, bit)) = bit_of(self.pending, port) {
            // Release: pairs with the Acquire of `clear_pending`.
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// The ports that are pending, lowest first.
    pub fn pending(self) -> impl Iterator<Item = Port> + 's {
        (0..CHANNELS).map(Port).filter(move |port| self.is_pending(*port))
    }
}

/// Takes the selector: bit n says that word n of the pending bits has had a new event on an unmasked port.
/// The words are looked at after it, so that no event falls between.
pub fn take_selector(vcpu: &VcpuInfo) -> u64 {
    // Acquire: the pending bits that Xen set before the selector are seen by reads after this.
    vcpu.evtchn_pending_sel.swap(0, Ordering::Acquire)
}

/// The word and the bit of a port.
fn bit_of(bits: &EventBits, port: Port) -> Option<(&AtomicU64, u64)> {
    let word = bits.0.get(usize::try_from(port.0 / u64::BITS).ok()?)?;
    Some((word, 1_u64.wrapping_shl(port.0 % u64::BITS)))
}
