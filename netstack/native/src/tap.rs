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
pub(crate) const HEADER: usize = 10;
/// The longest frame either way: an IP packet of 65,535 bytes behind its Ethernet header.
pub(crate) const FRAME: usize = 65_535 + 14;
/// The most runs of payload in a frame.
const RUNS: usize = 62;

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

/// An open tap. Each frame costs a system call.
pub struct Tap {
    file: File,
    capabilities: Capabilities,
}

/// Room for one frame with its header.
pub struct Buffer {
    bytes: Box<[u8]>,
    length: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: vec![0; HEADER + FRAME].into(), length: 0 }
    }
}

impl Buffer {
    /// The frame that was read, and what is known of its checksum.
    pub fn frame(&self) -> (&[u8], ReceiveChecksum) {
        parse(self.bytes.get(..self.length).unwrap_or_default())
    }

    /// Room for a frame of this length with its header.
    pub(crate) fn room(&mut self, frame: usize) -> &mut [u8] {
        self.bytes.get_mut(..frame.saturating_add(HEADER)).unwrap_or_default()
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
        Ok(Self { file, capabilities })
    }

    /// Reads the next frame; `false` where none waits.
    pub fn read(&self, buffer: &mut Buffer) -> io::Result<bool> {
        match (&self.file).read(&mut buffer.bytes) {
            Ok(length) => {
                buffer.length = length;
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a frame that stands, with its header, in these runs.
    pub(crate) fn write(&mut self, runs: &[IoSlice<'_>]) -> Result<(), TransmitError> {
        let length = runs.iter().fold(0_usize, |sum, run| sum.saturating_add(run.len()));
        match self.file.write_vectored(runs) {
            Ok(written) if written == length => Ok(()),
            Ok(_) => Err(TransmitError::Length),
            Err(error) => Err(match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => TransmitError::Full,
                ErrorKind::InvalidInput => TransmitError::Length,
                // EIO: the host's side is down.
                _ => TransmitError::Down,
            }),
        }
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What to wait for: frames.
    pub fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.file, PollFlags::IN)
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
        let header = header(frame.header.len(), frame.offload);
        let mut runs = [IoSlice::new(&[]); RUNS + 2];
        let payload = frame.payload.iter().map(Slice::bytes);
        for (run, bytes) in runs.iter_mut().zip([&header[..], frame.header].into_iter().chain(payload)) {
            *run = IoSlice::new(bytes);
        }
        let runs = runs.get(..frame.payload.len().saturating_add(2)).ok_or(TransmitError::Length)?;
        self.write(runs)
    }
}

/// A frame as it was read, without its header; nothing where it is shorter than that.
pub(crate) fn parse(read: &[u8]) -> (&[u8], ReceiveChecksum) {
    let Some(([flags, ..], frame)) = read.split_first_chunk::<HEADER>() else {
        return (&[], ReceiveChecksum::Unverified);
    };
    let trusted = flags & (NEEDS_CSUM | DATA_VALID) != 0;
    (frame, if trusted { ReceiveChecksum::Trusted } else { ReceiveChecksum::Unverified })
}

/// The `virtio_net_hdr` of a frame with so many bytes of headers, in the machine's byte order.
pub(crate) fn header(headers: usize, offload: Offload) -> [u8; HEADER] {
    let Offload { checksum, gso } = offload;
    let flags = if checksum.is_some() { NEEDS_CSUM } else { 0 };
    let kind = match gso.map(|gso| gso.kind) {
        None => GSO_NONE,
        Some(GsoKind::TcpV4) => GSO_TCPV4,
        Some(GsoKind::TcpV6) => GSO_TCPV6,
    };
    let [l0, l1] = u16::try_from(headers).unwrap_or_default().to_ne_bytes();
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
        assert_eq!(header(66, Offload::default()), [0, 0, 66, 0, 0, 0, 0, 0, 0, 0]);
        let checksum = Some(PartialChecksum { start: 34, offset: 16 });
        assert_eq!(header(66, Offload { checksum, gso: None }), [1, 0, 66, 0, 0, 0, 34, 0, 16, 0]);
        let gso = Some(Gso { size: 1448, kind: GsoKind::TcpV4 });
        assert_eq!(header(66, Offload { checksum, gso }), [1, 1, 66, 0, 0xa8, 0x05, 34, 0, 16, 0]);
    }
}
