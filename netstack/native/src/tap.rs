//! A tap as the stack's device: `virtio_net_hdr` carries the offloads, as netif's extra-info does under Xen.

use crate::ioctl::{self, NAME};
use netstack::Device;
use netstack::device::{Capabilities, Frame, GsoKind, Offload, ReceiveChecksum, Slice, TransmitError};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

/// The bytes of a `virtio_net_hdr` (virtio 1.2, section 5.1.6, without `num_buffers`).
const HEADER: usize = 10;
/// The longest frame either way: an IP packet of 65,535 bytes behind its Ethernet header.
const FRAME: usize = 65_535 + 14;

/// Frames that are sent before those that came have their turn: each calls for an acknowledgment, or half of one, and a tap
/// keeps 1,000 packets, then drops what is sent to it.
const BURST: usize = 256;
/// The most runs of payload in a frame.
const RUNS: usize = 62;

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

/// An open tap.
pub struct Tap {
    file: File,
    capabilities: Capabilities,
    /// A frame did not fit: wait until the tap can be written to.
    blocked: bool,
    /// Frames that may still be sent in this turn.
    burst: usize,
}

/// Room for one frame with its header.
pub struct Buffer(Box<[u8]>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; HEADER + FRAME].into())
    }
}

impl Tap {
    /// Attaches to the tap `name`, which is made if it is not there.
    pub fn open(name: &str, offload: bool) -> io::Result<Self> {
        let mut padded = [0; NAME + 1];
        let room = padded.get_mut(..name.len()).filter(|room| room.len() <= NAME && !room.is_empty());
        room.ok_or(io::Error::other("a name has 1 to 15 bytes"))?.copy_from_slice(name.as_bytes());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open("/dev/net/tun")
            .map_err(|error| explain("/dev/net/tun", error))?;
        let header = i32::try_from(HEADER).map_err(io::Error::other)?;
        ioctl::attach(&file, padded, header).map_err(|error| explain("TUNSETIFF", error.into()))?;
        ioctl::set_offload(&file, offload).map_err(|error| explain("TUNSETOFFLOAD", error.into()))?;
        // A namespace may have no sysfs of its own.
        let mtu = fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok();
        let mtu = mtu.and_then(|mtu| mtu.trim().parse().ok()).unwrap_or(1500);
        let gso_v4 = offload.then_some(65_535);
        let capabilities = Capabilities { mtu, checksum: offload, gso_v4 };
        Ok(Self { file, capabilities, blocked: false, burst: BURST })
    }

    /// Frames that came are about to be taken: after that there is room for [`BURST`] more.
    pub fn turn(&mut self) {
        self.burst = BURST;
    }

    /// The next frame, or `None` where none waits.
    pub fn receive<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<(&'a [u8], ReceiveChecksum)>> {
        let length = match (&self.file).read(&mut buffer.0) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let read = buffer.0.get(..length).unwrap_or_default();
        let Some(([flags, ..], frame)) = read.split_first_chunk::<HEADER>() else { return Ok(None) };
        let trusted = flags & (NEEDS_CSUM | DATA_VALID) != 0;
        Ok(Some((frame, if trusted { ReceiveChecksum::Trusted } else { ReceiveChecksum::Unverified })))
    }

    /// What to wait for: frames, and room where one was missing.
    pub fn poll_fd(&self) -> PollFd<'_> {
        let room = if self.blocked { PollFlags::OUT } else { PollFlags::empty() };
        PollFd::new(&self.file, PollFlags::IN | room)
    }
}

impl Device for Tap {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        payload.iter().take(RUNS).fold(0, |sum, slice| sum.saturating_add(slice.bytes().len()))
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        let Some(burst) = self.burst.checked_sub(1) else {
            self.blocked = true;
            return Err(TransmitError::Full);
        };
        let header = header(frame);
        let mut runs = [IoSlice::new(&[]); RUNS + 2];
        let payload = frame.payload.iter().map(Slice::bytes);
        let bytes = [&header[..], frame.header].into_iter().chain(payload);
        let mut length = 0_usize;
        for (run, bytes) in runs.iter_mut().zip(bytes) {
            *run = IoSlice::new(bytes);
            length = length.saturating_add(bytes.len());
        }
        let runs = runs.get(..frame.payload.len().saturating_add(2)).ok_or(TransmitError::Length)?;
        (self.blocked, self.burst) = (false, burst);
        match self.file.write_vectored(runs) {
            Ok(written) if written == length => Ok(()),
            Ok(_) => Err(TransmitError::Length),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => {
                    self.blocked = true;
                    Err(TransmitError::Full)
                }
                ErrorKind::InvalidInput => Err(TransmitError::Length),
                // EIO: the host's side is down.
                _ => Err(TransmitError::Down),
            },
        }
    }
}

/// The `virtio_net_hdr` of a frame, in the machine's byte order.
fn header(frame: &Frame<'_>) -> [u8; HEADER] {
    let Offload { checksum, gso } = frame.offload;
    let flags = if checksum.is_some() { NEEDS_CSUM } else { 0 };
    let kind = match gso.map(|gso| gso.kind) {
        None => GSO_NONE,
        Some(GsoKind::TcpV4) => GSO_TCPV4,
        Some(GsoKind::TcpV6) => GSO_TCPV6,
    };
    let length = u16::try_from(frame.header.len()).unwrap_or_default();
    let [l0, l1] = length.to_ne_bytes();
    let [g0, g1] = gso.map_or(0, |gso| gso.size).to_ne_bytes();
    let [s0, s1] = checksum.map_or(0, |checksum| checksum.start).to_ne_bytes();
    let [o0, o1] = checksum.map_or(0, |checksum| checksum.offset).to_ne_bytes();
    [flags, kind, l0, l1, g0, g1, s0, s1, o0, o1]
}

/// Names what is missing where the system refuses.
fn explain(what: &str, error: io::Error) -> io::Error {
    let why = match error.kind() {
        ErrorKind::PermissionDenied => " (CAP_NET_ADMIN is needed, or a tap made for this user)",
        ErrorKind::NotFound => " (the kernel has no tun driver, or this container no such device)",
        ErrorKind::ResourceBusy => " (another program serves on it)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("{what}: {error}{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use netstack::device::{Gso, PartialChecksum};

    #[test]
    fn golden_bytes() {
        let header = |offload| super::header(&Frame { header: &[0; 66], payload: &[], offload });
        assert_eq!(header(Offload::default()), [0, 0, 66, 0, 0, 0, 0, 0, 0, 0]);
        let checksum = Some(PartialChecksum { start: 34, offset: 16 });
        assert_eq!(header(Offload { checksum, gso: None }), [1, 0, 66, 0, 0, 0, 34, 0, 16, 0]);
        let gso = Some(Gso { size: 1448, kind: GsoKind::TcpV4 });
        assert_eq!(header(Offload { checksum, gso }), [1, 1, 66, 0, 0xa8, 0x05, 34, 0, 16, 0]);
    }

    #[test]
    fn a_burst_ends_so_that_what_came_has_its_turn() {
        let file = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let capabilities = Capabilities { mtu: 1500, checksum: false, gso_v4: None };
        let mut tap = Tap { file, capabilities, blocked: false, burst: BURST };
        let frame = Frame { header: &[0; 60], payload: &[], offload: Offload::default() };
        for _ in 0..2 {
            for _ in 0..256 {
                assert_eq!(tap.transmit(&frame), Ok(()));
            }
            assert_eq!(tap.transmit(&frame), Err(TransmitError::Full));
            assert!(tap.blocked, "or nobody would wait for room");
            tap.turn();
        }
    }
}
