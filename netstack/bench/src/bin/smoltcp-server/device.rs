//! A tap as smoltcp's device, offloads included.

use netstack::device::{Gso, GsoKind, Offload, PartialChecksum};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;
use std::io;
use std::num::NonZeroUsize;
use tap::{Port, Received as Arrived};

/// The longest frame: an IP packet of 65,535 bytes behind its Ethernet header.
const FRAME: usize = 65_535 + 14;
/// Where the TCP header starts, behind an IP header without options; smoltcp writes none.
const TCP: usize = 14 + 20;
const PROTOCOL: usize = 14 + 9;
const ADDRESSES: core::ops::Range<usize> = 14 + 12..14 + 20;

/// The tap, and the frame that is being looked at.
pub struct TapDevice {
    port: Port,
    offload: bool,
    arrived: Option<Arrived>,
}

impl TapDevice {
    /// `offload` as the tap was opened.
    pub fn new(port: Port, offload: bool) -> Self {
        Self { port, offload, arrived: None }
    }

    /// Whether smoltcp would have sent more.
    pub fn is_blocked(&self) -> bool {
        self.port.is_blocked()
    }

    /// Sends what is queued, and waits for a frame, for a signal, or until a time. `true` where a signal came.
    pub fn wait(&mut self, now: Instant, until: Option<Instant>) -> io::Result<bool> {
        let instant = |at: Instant| {
            netstack::Instant::from_micros(u64::try_from(at.total_micros()).unwrap_or_default())
        };
        self.port.wait(instant(now), until.map(instant))
    }
}

impl Device for TapDevice {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sent<'_>)> {
        self.port.turn();
        if let Some(arrived) = self.arrived.take() {
            self.port.release(arrived);
        }
        let Self { port, offload, arrived } = self;
        let frame = arrived.insert(port.receive().ok()??).frame().0;
        Some((Received(frame), Sent { port, offload: *offload, meta: PacketMeta::default() }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        let Self { port, offload, .. } = self;
        port.has_room().then_some(Sent { port, offload: *offload, meta: PacketMeta::default() })
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
    port: &'a mut Port,
    offload: bool,
    meta: PacketMeta,
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Self { port, offload: finished, meta } = self;
        let (mut f, mut result) = (Some(f), None);
        // Where there is no room the frame is lost, as with smoltcp's own device.
        port.send_with(length, |frame| {
            result = f.take().map(|f| f(frame));
            let mut offload = Offload::default();
            if !finished || frame.get(PROTOCOL) != Some(&6) || frame.get(12..14) != Some(&[8, 0]) {
                return (offload, length);
            }
            offload.checksum = Some(PartialChecksum { start: 34, offset: 16 });
            let size = meta.segmentation_offload_size;
            offload.gso = size.map(|size| Gso { size: size.get(), kind: GsoKind::TcpV4 });
            finish(frame);
            (offload, header_length(frame))
        });
        result.unwrap_or_else(|| {
            let f = f.take();
            #[expect(clippy::expect_used, reason = "it is taken only where there is a result")]
            f.expect("not called")(&mut vec![0; length])
        })
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
