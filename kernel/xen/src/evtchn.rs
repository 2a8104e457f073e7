//! The 2-level event channel ABI (event_channel.h): bits in the shared page, without upcalls.
//!
//! Every port is masked for good: no upcall ever comes, and yet Xen wakes a vCPU that waits for a port in
//! `SCHEDOP_poll` when its pending bit goes from 0 to 1. So a bit that is left set makes the next poll return at once,
//! and a bit has to be cleared *before* the ring it speaks for is read.

use crate::ids::Port;
use crate::shared_info::{EventBits, SharedInfo};
use core::sync::atomic::{AtomicU64, Ordering};

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

    /// Clears a port's pending bit; true where an event had come.
    pub fn clear_pending(self, port: Port) -> bool {
        // Acquire, and one instruction: either Xen set the bit before this, and then the ring is read as it was when
        // the event was sent or later; or it sets the bit after this, and the next poll returns at once.
        bit_of(self.pending, port)
            .is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::Acquire) & bit != 0)
    }
}

/// The word and the bit of a port.
fn bit_of(bits: &EventBits, port: Port) -> Option<(&AtomicU64, u64)> {
    let word = bits.0.get(usize::try_from(port.0 / u64::BITS).ok()?)?;
    Some((word, 1_u64.wrapping_shl(port.0 % u64::BITS)))
}
