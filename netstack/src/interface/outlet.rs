//! The way out: IP header, route, neighbour, frame.

use super::{Interface, request, transmit};
use crate::device::{Capabilities, Device, Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use crate::egress::{Ecn, Egress, Path, SendError};
use crate::neighbours::{Ask, HELD, Lookup};
use crate::time::{Duration, Instant};
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
    capabilities: Capabilities,
}

/// A known way: from an address of ours to another one, by the station that has the hop's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    hop: Ipv4Addr,
    station: Address,
    until: Instant,
}

/// How long a way is taken before routes and neighbours are asked again.
const WAY: Duration = Duration::from_secs(1);

/// A packet on its way out.
struct Packet<'a> {
    repr: &'a ipv4::Repr,
    /// At most 60 bytes.
    transport: &'a [u8],
    payload: &'a [Slice<'a>],
    offload: Offload,
    /// It waits where the device is full. What TCP sends does not: TCP sends it again.
    kept: bool,
}

impl<D: Device> Egress for Outlet<'_, D> {
    fn path(&self, remote: IpAddr) -> Path {
        let gso = self.capabilities.gso_v4.filter(|_| self.capabilities.checksum);
        let limit = self.interface.paths.get(remote, self.now);
        let mtu = self.mtu();
        Path { mtu: limit.map_or(mtu, |limit| limit.mtu.min(mtu)), gso }
    }

    #[inline(always)]
    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        self.device.fit(payload)
    }

    #[inline(always)]
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
        let cut = self.interface.paths.get(remote, self.now).is_some_and(|limit| limit.cut);
        let repr = ipv4::Repr {
            source,
            destination,
            protocol: ipv4::TCP,
            payload: length,
            // TCP finds the path's MTU, so nobody is to cut its packets, but on a path that takes hardly any.
            identification: cut.then(|| self.interface.identification()),
            part: ipv4::Part::default(),
            ecn,
        };
        let pseudo = Sum::pseudo_header(local, remote, ipv4::TCP, u32::from(length));
        // A header's total length has 16 bits, however large a packet the device cuts.
        let longest = if gso.is_some() { u16::MAX } else { self.mtu() };
        let (hop, station) = self.resolve(&repr, longest)?;
        let (field, offload) = match station {
            Some(_) if self.capabilities.checksum => {
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
        self.emit(hop, station, &Packet { repr: &repr, transport: header, payload, offload, kept: false })
    }

    fn packet_too_big(&mut self, remote: IpAddr, mtu: u16) {
        if mtu < self.mtu() && self.interface.paths.lower(remote, mtu, self.now) {
            self.interface.counters.path_mtu_lowered.count();
        }
    }
}

impl<'a, D: Device> Outlet<'a, D> {
    pub(crate) fn new(interface: &'a mut Interface, device: &'a mut D, now: Instant) -> Self {
        let capabilities = device.capabilities();
        Self { interface, device, now, capabilities }
    }
}

impl<D: Device> Outlet<'_, D> {
    /// Sends a packet that needs nothing of the device: `transport` (at most 60 bytes), then `payload`. One that is longer
    /// than the link takes goes out in fragments, if it has an identification for them; one that meets a full device waits.
    pub(crate) fn send_ipv4(
        &mut self,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), SendError> {
        let mtu = self.mtu();
        let cut = repr.identification.is_some();
        let (hop, station) = self.resolve(repr, if cut { u16::MAX } else { mtu })?;
        if repr.payload.saturating_add(20) > mtu {
            return self.send_fragments(hop, station, repr, transport, payload);
        }
        self.emit(hop, station, &Packet { repr, transport, payload, offload: Offload::default(), kept: true })
    }

    /// RFC 791 section 3.2, "An Example Fragmentation Procedure".
    fn send_fragments(
        &mut self,
        hop: Ipv4Addr,
        station: Option<Address>,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), SendError> {
        let step = self.mtu().saturating_sub(20) & !7;
        let pieces = repr.payload.checked_div(step).map(|pieces| usize::from(pieces).saturating_add(1));
        let Some(pieces) = pieces.filter(|_| transport.len() <= usize::from(step)) else {
            self.interface.counters.ipv4_too_long.count();
            return Err(SendError::Unreachable);
        };
        if station.is_none() && pieces > HELD {
            self.interface.counters.neighbour_held.count();
            return Err(SendError::Unreachable);
        }
        let mut offset = 0_u16;
        while offset < repr.payload {
            let length = step.min(repr.payload.saturating_sub(offset));
            let part = ipv4::Part { offset, more: length < repr.payload.saturating_sub(offset) };
            // The first one carries the transport header.
            let from = usize::from(offset).saturating_sub(transport.len());
            let transport = if offset == 0 { transport } else { &[] };
            let slices = window(payload, from, usize::from(length).saturating_sub(transport.len()));
            let repr = ipv4::Repr { part, payload: length, ..*repr };
            let offload = Offload::default();
            let packet = Packet { repr: &repr, transport, payload: &slices, offload, kept: true };
            self.emit(hop, station, &packet)?;
            offset = offset.saturating_add(length);
        }
        self.interface.counters.ipv4_cut.count();
        Ok(())
    }

    /// Sends a packet to every station on the link, before there is an address or a route.
    pub(crate) fn broadcast_ipv4(
        &mut self,
        repr: &ipv4::Repr,
        transport: &[u8],
        payload: &[Slice<'_>],
    ) -> Result<(), SendError> {
        let packet = Packet { repr, transport, payload, offload: Offload::default(), kept: true };
        self.emit(repr.destination, Some(Address::BROADCAST), &packet)
    }

    fn mtu(&self) -> u16 {
        let device = self.capabilities.mtu;
        let given = self.interface.addressing().and_then(crate::addressing::Addressing::mtu);
        given.map_or(device, |mtu| mtu.min(device))
    }

    /// Who on the link the packet goes to, and its link address if it is known.
    #[inline(always)]
    fn resolve(&mut self, repr: &ipv4::Repr, longest: u16) -> Result<(Ipv4Addr, Option<Address>), SendError> {
        if repr.payload.checked_add(20).is_none_or(|total| total > longest) {
            self.interface.counters.ipv4_too_long.count();
            return Err(SendError::Unreachable);
        }
        if let Some(way) = self.interface.way
            && (way.source, way.destination) == (repr.source, repr.destination)
            && self.now < way.until
        {
            return Ok((way.hop, Some(way.station)));
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
            Lookup::Known(station) => {
                let (source, destination) = (repr.source, repr.destination);
                let until = self.now + WAY;
                self.interface.way = Some(Way { source, destination, hop, station, until });
                Ok((hop, Some(station)))
            }
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
            self.interface.transmit_or_keep(self.device, &frame);
        }
    }

    /// Puts the frame together and hands it to the device, or to the neighbour's table until its `station` is known.
    #[inline(always)]
    fn emit(
        &mut self,
        hop: Ipv4Addr,
        station: Option<Address>,
        packet: &Packet<'_>,
    ) -> Result<(), SendError> {
        let Packet { repr, transport, payload, offload, kept } = *packet;
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
            let Interface { backlog, counters, .. } = &mut *self.interface;
            let result = if kept {
                backlog.send(self.device, counters, header, payload)
            } else {
                transmit(self.device, counters, header, payload, offload)
            };
            return match result {
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

/// `length` bytes of a list of slices, `from` its start on.
fn window<'a>(slices: &[Slice<'a>], mut from: usize, mut length: usize) -> Vec<Slice<'a>> {
    let mut window = Vec::new();
    for slice in slices {
        let bytes = slice.bytes();
        let rest = bytes.get(from..).unwrap_or_default();
        from = from.saturating_sub(bytes.len());
        let taken = rest.get(..length).unwrap_or(rest);
        length = length.saturating_sub(taken.len());
        if !taken.is_empty() {
            window.push(Slice::Borrowed(taken));
        }
    }
    window
}
