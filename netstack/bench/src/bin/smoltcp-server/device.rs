//! A tap as smoltcp's device, offloads included.

use netstack::Device as _;
use netstack::device::{Frame, Gso, GsoKind, Offload, PartialChecksum, Slice};
use rustix::event::PollFd;
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;
use std::num::NonZeroUsize;
use tap::{Buffer, Tap};

/// The longest frame: an IP packet of 65,535 bytes behind its Ethernet header.
const FRAME: usize = 65_535 + 14;
/// As many as the server that is measured sends in one turn: more, and the tap's queue of what came overflows.
const BURST: usize = 256;
/// Where the TCP header starts, behind an IP header without options; smoltcp writes none.
const TCP: usize = 14 + 20;
const PROTOCOL: usize = 14 + 9;
const ADDRESSES: core::ops::Range<usize> = 14 + 12..14 + 20;

/// The tap, with room for a frame each way.
pub struct TapDevice {
    tap: Tap,
    offload: bool,
    received: Buffer,
    sent: Box<[u8]>,
    /// Frames that smoltcp may still start by itself before it takes what came.
    burst: usize,
}

impl TapDevice {
    /// `offload` as the tap was opened.
    pub fn new(tap: Tap, offload: bool) -> Self {
        Self { tap, offload, received: Buffer::default(), sent: vec![0; FRAME].into(), burst: BURST }
    }

    /// What to wait for.
    pub fn poll_fd(&self) -> PollFd<'_> {
        self.tap.poll_fd()
    }
}

impl Device for TapDevice {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sent<'_>)> {
        self.burst = BURST;
        let (frame, _) = self.tap.receive(&mut self.received).ok()??;
        let Self { tap, offload, sent, .. } = self;
        Some((Received(frame), Sent { tap, offload: *offload, room: sent, meta: PacketMeta::default() }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        self.burst = self.burst.checked_sub(1)?;
        let Self { tap, offload, sent, .. } = self;
        Some(Sent { tap, offload: *offload, room: sent, meta: PacketMeta::default() })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1_500 + 14;
        if self.offload {
            capabilities.checksum.tcp = Checksum::None;
            capabilities.segmentation.tcpv4 = NonZeroUsize::new(FRAME);
        }
        capabilities
    }
}

/// A frame that came.
pub struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to go.
pub struct Sent<'a> {
    tap: &'a mut Tap,
    offload: bool,
    room: &'a mut [u8],
    meta: PacketMeta,
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let (frame, _) = self.room.split_at_mut_checked(length).unwrap_or_default();
        let result = f(frame);
        let mut offload = Offload::default();
        let mut header = length;
        if self.offload && frame.get(PROTOCOL) == Some(&6) && frame.get(12..14) == Some(&[8, 0]) {
            offload.checksum = Some(PartialChecksum { start: 34, offset: 16 });
            offload.gso = self
                .meta
                .segmentation_offload_size
                .map(|size| Gso { size: size.get(), kind: GsoKind::TcpV4 });
            header = header_length(frame);
            finish(frame);
        }
        let (header, payload) = frame.split_at_checked(header).unwrap_or((frame, &[]));
        let payload = [Slice::Borrowed(payload)];
        self.tap.turn();
        // A full tap loses the frame, as smoltcp's own device does.
        let _ = self.tap.transmit(&Frame { header, payload: &payload, offload });
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.meta = meta;
    }
}

/// Bytes of the Ethernet, IP and TCP headers.
fn header_length(frame: &[u8]) -> usize {
    let words = usize::from(frame.get(TCP + 12).copied().unwrap_or(0x50) >> 4);
    words.saturating_mul(4).saturating_add(TCP)
}

/// Puts the pseudo-header's sum into the checksum field.
fn finish(frame: &mut [u8]) {
    let length = frame.len().saturating_sub(TCP);
    let addresses = frame.get(ADDRESSES).unwrap_or_default();
    let words = addresses
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)));
    let sum = words.fold(6, u32::saturating_add).saturating_add(u32::try_from(length).unwrap_or(0));
    let sum = (sum & 0xffff).saturating_add(sum >> 16);
    let sum = (sum & 0xffff).saturating_add(sum >> 16);
    let sum = u16::try_from(sum).unwrap_or(0);
    if let Some(field) = frame.get_mut(TCP + 16..TCP + 18) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_pseudo_header() {
        let mut frame = [0; 54];
        frame[26..34].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
        finish(&mut frame);
        // c000 + 0201 + c000 + 0202 + 0006 + 0014 is 1841d: folded 841e.
        assert_eq!(frame[50..52], [0x84, 0x1e]);
    }
}
