//! The way out: IP header, route, neighbour, frame.

use super::{Interface, request};
use crate::device::{Device, Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use crate::egress::{Ecn, Egress, Path, SendError};
use crate::neighbours::{Ask, Lookup};
use crate::time::Instant;
use crate::wire::checksum::Sum;
use crate::wire::ethernet::Address;
use crate::wire::{ethernet, ipv4};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

/// Where a TCP header has its checksum (RFC 9293 section 3.1).
const TCP_CHECKSUM: usize = 16;
/// The longest transport header: TCP's.
const TRANSPORT_HEADER: usize = 60;
/// The Ethernet and IPv4 headers before it.
const TRANSPORT: usize = ethernet::HEADER + ipv4::HEADER;
/// The same for the device.
const CHECKSUM: PartialChecksum = PartialChecksum { start: 34, offset: 16 };
const _: () = assert!(CHECKSUM.start as usize == TRANSPORT && CHECKSUM.offset as usize == TCP_CHECKSUM);

/// The interface and its device for the time of one call: what TCP sends through.
pub(crate) struct Outlet<'a, D> {
    pub(crate) interface: &'a mut Interface,
    pub(crate) device: &'a mut D,
    pub(crate) now: Instant,
}

impl<D: Device> Egress for Outlet<'_, D> {
    fn path(&self, _remote: IpAddr) -> Path {
        let capabilities = self.device.capabilities();
        let gso = capabilities.gso_v4.filter(|_| capabilities.checksum);
        Path { mtu: self.mtu(), gso }
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        self.device.fit(payload)
    }

    fn send(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        header: &mut [u8],
        payload: &[Slice<'_>],
        gso: Option<u16>,
        ecn: Ecn,
    ) -> Result<(), SendError> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (local, remote) else {
            self.interface.counters.ipv4_no_route.count();
            return Err(SendError::Unreachable);
        };
        let length = payload.iter().fold(header.len(), |sum, slice| sum.saturating_add(slice.bytes().len()));
        let Ok(length) = u16::try_from(length) else {
            self.interface.counters.ipv4_too_long.count();
            return Err(SendError::Unreachable);
        };
        let repr = ipv4::Repr {
            source,
            destination,
            protocol: ipv4::TCP,
            payload: length,
            // TCP finds the path's MTU, so nobody is to cut its packets.
            identification: None,
            ecn,
        };
        let pseudo = Sum::pseudo_header(local, remote, ipv4::TCP, u32::from(length));
        let (hop, station) = self.resolve(&repr, gso.is_some())?;
        let (field, offload) = match station {
            Some(_) if self.device.capabilities().checksum => {
                let gso = gso.map(|size| Gso { size, kind: GsoKind::TcpV4 });
                (pseudo.partial(), Offload { checksum: Some(CHECKSUM), gso })
            }
            // Held frames too: the device may be another one when they go out.
            _ => {
                let sum = payload.iter().fold(pseudo.bytes(header), |sum, slice| sum.bytes(slice.bytes()));
                (sum.checksum(), Offload::default())
            }
        };
        if let Some(checksum) = header.get_mut(TCP_CHECKSUM..).and_then(|rest| rest.first_chunk_mut()) {
            *checksum = field.to_be_bytes();
        }
        self.emit(hop, station, &repr, header, payload, offload)
    }

    fn packet_too_big(&mut self, _remote: IpAddr, _mtu: u16) {}
}

impl<D: Device> Outlet<'_, D> {
    /// Sends a packet that needs nothing of the device: `transport` (at most 60 bytes), then `payload`.
    pub(crate) fn send_ipv4(
        &mut self,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), SendError> {
        let (hop, station) = self.resolve(repr, false)?;
        self.emit(hop, station, repr, transport, payload, Offload::default())
    }

    /// Sends a packet to every station on the link, before there is an address or a route.
    pub(crate) fn broadcast_ipv4(
        &mut self,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), SendError> {
        self.emit(repr.destination, Some(Address::BROADCAST), repr, transport, payload, Offload::default())
    }

    fn mtu(&self) -> u16 {
        let device = self.device.capabilities().mtu;
        let given = self.interface.addressing().and_then(crate::addressing::Addressing::mtu);
        given.map_or(device, |mtu| mtu.min(device))
    }

    /// Who on the link the packet goes to, and its link address if it is known.
    fn resolve(&mut self, repr: &ipv4::Repr, gso: bool) -> Result<(Ipv4Addr, Option<Address>), SendError> {
        // A header's total length has 16 bits, however large a packet the device cuts.
        let longest = if gso { u16::MAX } else { self.mtu() };
        if repr.payload.checked_add(20).is_none_or(|total| total > longest) {
            self.interface.counters.ipv4_too_long.count();
            return Err(SendError::Unreachable);
        }
        let addressing = self.interface.addressing.as_ref();
        let addressing = addressing.filter(|addressing| addressing.address() == repr.source);
        let hop = addressing.and_then(|addressing| {
            let hop = addressing.next_hop(repr.destination)?;
            (!addressing.is_broadcast(hop)).then_some(hop)
        });
        let Some(hop) = hop else {
            self.interface.counters.ipv4_no_route.count();
            return Err(SendError::Unreachable);
        };
        let counters = &mut self.interface.counters;
        match self.interface.neighbours.lookup(hop.into(), self.now) {
            Lookup::Known(at) => Ok((hop, Some(at))),
            Lookup::Confirm(at) => {
                self.ask(repr.source, Ask { neighbour: hop.into(), at: Some(at) });
                Ok((hop, Some(at)))
            }
            Lookup::Wait { ask } => {
                if ask {
                    self.ask(repr.source, Ask { neighbour: hop.into(), at: None });
                }
                Ok((hop, None))
            }
            Lookup::Failed => {
                counters.neighbour_failed.count();
                Err(SendError::Unreachable)
            }
            Lookup::Full => {
                counters.neighbour_full.count();
                Err(SendError::Unreachable)
            }
        }
    }

    fn ask(&mut self, sender: Ipv4Addr, ask: Ask) {
        if let Some(frame) = request(self.interface.hardware, sender, ask) {
            self.interface.counters.arp_asked.count();
            let _ = self.interface.transmit(self.device, &frame, &[], Offload::default());
        }
    }

    /// Puts the frame together and hands it to the device, or to the neighbour's table until its `station` is known.
    fn emit(
        &mut self,
        hop: Ipv4Addr,
        station: Option<Address>,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
        offload: Offload,
    ) -> Result<(), SendError> {
        let link = ethernet::Repr {
            destination: station.unwrap_or(Address([0; 6])),
            source: self.interface.hardware,
            ethertype: ethernet::IPV4,
        };
        let mut header = [0; TRANSPORT + TRANSPORT_HEADER];
        header[..ethernet::HEADER].copy_from_slice(&link.emit());
        header[ethernet::HEADER..TRANSPORT].copy_from_slice(&repr.emit());
        let end = TRANSPORT.saturating_add(transport.len());
        let Some(room) = header.get_mut(TRANSPORT..end) else {
            self.interface.counters.ipv4_too_long.count();
            return Err(SendError::Unreachable);
        };
        room.copy_from_slice(transport);
        let header = header.get(..end).unwrap_or_default();
        if station.is_some() {
            return match self.interface.transmit(self.device, header, payload, offload) {
                Ok(()) => Ok(()),
                Err(TransmitError::Full) => Err(SendError::Full),
                Err(TransmitError::Down | TransmitError::Length) => Err(SendError::Unreachable),
            };
        }
        let runs = core::iter::once(header).chain(payload.iter().map(Slice::bytes));
        let frame: Vec<u8> = runs.flatten().copied().collect();
        let longest = usize::from(self.mtu()).saturating_add(ethernet::HEADER);
        if frame.len() > longest || !self.interface.neighbours.hold(hop.into(), frame.into_boxed_slice()) {
            self.interface.counters.neighbour_held.count();
            return Err(SendError::Unreachable);
        }
        Ok(())
    }
}
