//! The stack's device over the network's driver: the one place where the two meet.

use crate::grants::Grants;
use crate::recorder;
use netfront::device::Transmitter;
use netfront::frame;
use netfront::platform::Platform;
use netstack::device::{
    Capabilities, Device, Frame, GsoKind, Offload, ReceiveChecksum, Slice, TransmitError,
};

/// The largest packet that is left to the backend to cut, from its IP header on: with its Ethernet header it has to
/// stay within 65,535 bytes (xen/io/netif.h).
const GSO_MAX: u32 = 65_535 - 14;

/// The MTU that the stack reckons with while there is no backend.
const MTU: u16 = 1500;

/// The way out for the stack's frames.
pub struct Nic<'t, 'd> {
    /// The driver's.
    pub transmitter: &'t mut Transmitter<'d, Grants>,
}

impl Device for Nic<'_, '_> {
    fn capabilities(&self) -> Capabilities {
        let features = self.transmitter.features();
        Capabilities {
            mtu: self.transmitter.mtu().unwrap_or(MTU),
            checksum: features.is_some_and(|features| features.checksum()),
            gso_v4: features.filter(|features| features.gso_v4()).map(|_| GSO_MAX),
        }
    }

    #[inline(always)]
    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        self.transmitter.fit(payload.iter().map(slice))
    }

    #[inline(always)]
    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        let payload = frame.payload.iter().map(slice);
        recorder::sent(frame.header, frame.payload.iter().map(Slice::bytes));
        let sent = self.transmitter.transmit(frame.header, payload, offload(frame.offload));
        sent.map_err(|error| {
            let (error, verdict) = match error {
                frame::TransmitError::Full => (TransmitError::Full, "net_tx_full"),
                frame::TransmitError::Down => (TransmitError::Down, "net_tx_down"),
                frame::TransmitError::Length => (TransmitError::Length, "net_tx_length"),
            };
            recorder::not_sent(verdict);
            error
        })
    }
}

fn slice<'a>(slice: &Slice<'a>) -> frame::Slice<'a, <Grants as Platform>::Lender<'a>> {
    match *slice {
        Slice::Borrowed(bytes) => frame::Slice::Borrowed(bytes),
        Slice::Static(bytes) => frame::Slice::Static(bytes),
        #[cfg(feature = "tls")]
        Slice::Record(bytes, record) => frame::Slice::Lent(bytes, record),
    }
}

fn offload(offload: Offload) -> frame::Offload {
    frame::Offload {
        checksum: offload.checksum.map(|sum| frame::PartialChecksum { start: sum.start, offset: sum.offset }),
        gso: offload.gso.map(|gso| frame::Gso {
            size: gso.size,
            kind: match gso.kind {
                GsoKind::TcpV4 => frame::GsoKind::TcpV4,
                GsoKind::TcpV6 => frame::GsoKind::TcpV6,
            },
        }),
    }
}

/// What the driver knows of a received frame's checksum, in the stack's words.
pub fn checksum(checksum: frame::ReceiveChecksum) -> ReceiveChecksum {
    match checksum {
        frame::ReceiveChecksum::Unverified => ReceiveChecksum::Unverified,
        frame::ReceiveChecksum::Trusted => ReceiveChecksum::Trusted,
    }
}
