//! Frames that met a full device and have nobody above who would send them again: answers to ARP and ICMP, fragments, DHCP.

use super::{Counters, transmit};
use crate::device::{Device, Offload, Slice, TransmitError};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Frames that wait: the longest echo reply is 45 of them at 1,500 bytes.
const FRAMES: usize = 64;
/// Their bytes.
const BYTES: usize = 96 * 1024;

/// Frames in the order in which they are to go out.
#[derive(Debug)]
pub(super) struct Backlog {
    /// With room for all of them from the start: it is not for the first rush to take it.
    frames: VecDeque<Box<[u8]>>,
    bytes: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { frames: VecDeque::with_capacity(FRAMES), bytes: 0 }
    }
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// Sends a frame behind those that wait, or makes it wait too. `Full` where too many do.
    pub(super) fn send(
        &mut self,
        device: &mut impl Device,
        counters: &mut Counters,
        header: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), TransmitError> {
        self.flush(device, counters);
        if self.is_empty() {
            match transmit(device, counters, header, payload, Offload::default()) {
                Err(TransmitError::Full) => {}
                result => return result,
            }
        }
        let runs = core::iter::once(header).chain(payload.iter().map(Slice::bytes));
        let length = runs.clone().fold(0_usize, |sum, run| sum.saturating_add(run.len()));
        let bytes = self.bytes.saturating_add(length);
        if self.frames.len() >= FRAMES || bytes > BYTES {
            counters.backlog_full.count();
            return Err(TransmitError::Full);
        }
        counters.backlog_kept.count();
        let mut frame = Vec::with_capacity(length);
        runs.for_each(|run| frame.extend_from_slice(run));
        self.bytes = bytes;
        self.frames.push_back(frame.into_boxed_slice());
        Ok(())
    }

    /// Sends what the device takes now.
    pub(super) fn flush(&mut self, device: &mut impl Device, counters: &mut Counters) {
        while let Some(frame) = self.frames.front() {
            let sent = transmit(device, counters, frame, &[], Offload::default());
            if sent == Err(TransmitError::Full) {
                break;
            }
            self.bytes = self.bytes.saturating_sub(frame.len());
            self.frames.pop_front();
        }
    }
}
