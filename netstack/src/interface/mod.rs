//! One Ethernet interface and its IPv4: what TCP and DHCP stand on.

mod backlog;
mod icmp;
mod outlet;
mod reassembly;
mod receive;

pub(crate) use outlet::Outlet;
pub(crate) use receive::Delivery;

use crate::addressing::Addressing;
use crate::claim::{Claim, Say};
use crate::device::{Device, Frame, Offload, Slice, TransmitError};
use crate::dhcp;
use crate::egress::Ecn;
use crate::neighbours::{Ask, Neighbours};
use crate::path_mtu::PathMtus;
use crate::random::Random;
use crate::rate::{Bucket, Complaints};
use crate::time::Instant;
use crate::wire::ethernet::Address;
use crate::wire::{arp, dhcpv4, ethernet, ipv4, udp};
use backlog::Backlog;
use core::net::{IpAddr, Ipv4Addr};
use outlet::Way;
use reassembly::Reassembly;

crate::counters! {
    /// What an interface has seen, sent and dropped.
    pub struct Counters {
        /// Frames that came.
        frames_received,
        /// Frames that the device took.
        frames_sent,
        /// Frames that the device had no room for.
        device_full,
        /// Frames lost because the device had no backend.
        device_down,
        /// Of the frames that the device had no room for, those that wait for it.
        backlog_kept,
        /// Of them, those that were lost because too many waited.
        backlog_full,
        /// Frames of a length that the device does not take.
        device_length,
        /// Received frames shorter than an Ethernet header.
        ethernet_short,
        /// Received frames whose source is a group or all zero.
        ethernet_source,
        /// Received frames for other stations, groups among them.
        ethernet_not_ours,
        /// Received frames of a type that is not spoken here.
        ethernet_type,
        /// ARP packets that were not understood.
        arp_malformed,
        /// ARP packets of which nothing concerned us.
        arp_ignored,
        /// ARP packets from another station with our address.
        arp_conflict,
        /// Of those, how often we answered that it is ours.
        arp_defended,
        /// How often the address was given up for one.
        arp_yielded,
        /// ARP requests that were answered.
        arp_answered,
        /// ARP requests sent.
        arp_asked,
        /// Neighbours that did not answer; frames for them that were lost.
        neighbour_lost,
        /// Frames for a neighbour that did not answer just before.
        neighbour_failed,
        /// Frames for a neighbour that had no room in the table.
        neighbour_full,
        /// Frames that could not wait for a neighbour's answer: too many did.
        neighbour_held,
        /// Received packets with fewer than 20 bytes.
        ipv4_short,
        /// Received packets of another version.
        ipv4_version,
        /// Received packets with an impossible header length.
        ipv4_header_length,
        /// Received packets with an impossible total length.
        ipv4_total_length,
        /// Received packets with a wrong header checksum.
        ipv4_checksum,
        /// Received packets with a source or a destination that cannot be.
        ipv4_martian,
        /// Received packets for another address.
        ipv4_not_ours,
        /// Received packets for one address in a frame for many.
        ipv4_link_broadcast,
        /// Received fragments.
        ipv4_fragment,
        /// Packets that were put together of them.
        ipv4_reassembled,
        /// Fragments of an impossible length or place.
        ipv4_fragment_malformed,
        /// Fragments that came twice.
        ipv4_fragment_duplicate,
        /// Fragments that overlap with others; those that followed them.
        ipv4_fragment_overlap,
        /// Packets whose fragments contradict each other in what they say of congestion.
        ipv4_fragment_ecn,
        /// Packets whose fragments left too many holes.
        ipv4_reassembly_full,
        /// Packets that did not become whole in time.
        ipv4_reassembly_timeout,
        /// Packets that made room for others before they were whole.
        ipv4_reassembly_evicted,
        /// Received packets of a protocol that is not spoken here.
        ipv4_protocol,
        /// Packets to send, for which there was no address or no route.
        ipv4_no_route,
        /// Packets sent in fragments.
        ipv4_cut,
        /// Packets to send that were longer than the path takes.
        ipv4_too_long,
        /// ICMP messages with fewer than 8 bytes.
        icmp_short,
        /// ICMP messages with a wrong checksum.
        icmp_checksum,
        /// ICMP messages that ask for nothing here.
        icmp_ignored,
        /// ICMP errors whose quoted packet is not one of ours.
        icmp_quoted,
        /// Reports of a packet too big that cannot be: the router would have taken it.
        icmp_too_big_ignored,
        /// Paths that were found to take less than was thought.
        path_mtu_lowered,
        /// Echo requests that were answered.
        icmp_echo,
        /// Echo requests that could not be answered: no room, no way, too long.
        icmp_echo_lost,
        /// Unreachable and time exceeded messages sent.
        icmp_refused,
        /// Such messages not sent, for the limit on their rate.
        icmp_limited,
        /// UDP datagrams with an impossible length.
        udp_malformed,
        /// UDP datagrams with a wrong checksum.
        udp_checksum,
        /// UDP datagrams for a port where nothing listens.
        udp_no_port,
        /// TCP segments with a wrong checksum.
        tcp_checksum,
        /// TCP segments to a broadcast address.
        tcp_broadcast,
    }
}

/// Which limit holds for the unreachable messages that others provoke: a burst, then so many a second.
const REFUSALS: Bucket = Bucket::new(50, 100);

/// The interface.
#[derive(Debug)]
pub(crate) struct Interface {
    hardware: Address,
    addressing: Option<Addressing>,
    neighbours: Neighbours,
    /// Where the last packet went: nearly always the next one's way too.
    way: Option<Way>,
    reassembly: Reassembly,
    backlog: Backlog,
    paths: PathMtus,
    refusals: Bucket,
    complaints: Complaints,
    random: Random,
    /// There is a DHCP client.
    configuring: bool,
    /// To the address, while there is one and the link is up.
    claim: Option<Claim>,
    pub(crate) counters: Counters,
}

impl Interface {
    /// An interface without an address.
    ///
    /// `configuring`: UDP to the DHCP client's port is for us, whatever address it is sent to (RFC 2131 section 4.1).
    pub(crate) fn new(hardware: Address, configuring: bool, random: Random) -> Self {
        Self {
            hardware,
            addressing: None,
            neighbours: Neighbours::default(),
            way: None,
            reassembly: Reassembly::default(),
            backlog: Backlog::default(),
            paths: PathMtus::default(),
            refusals: REFUSALS,
            complaints: Complaints::new(),
            random,
            configuring,
            claim: None,
            counters: Counters::default(),
        }
    }

    /// Mixes fresh entropy in.
    pub(crate) fn reseed(&mut self, seed: &[u8; 32]) {
        self.random.reseed(seed);
    }

    /// What its tables hold now, each with its name.
    pub(crate) fn gauges(&self) -> [(&'static str, usize); 2] {
        [("neighbours", self.neighbours.len()), ("ipv4_fragmented", self.reassembly.len())]
    }

    /// Its address, network and routes.
    pub(crate) fn addressing(&self) -> Option<&Addressing> {
        self.addressing.as_ref()
    }

    /// Gives it an address, another one, or none. Neighbours, fragments, paths and what waits for the device are kept only
    /// where the address stays.
    pub(crate) fn set_addressing(
        &mut self,
        addressing: Option<Addressing>,
        now: Instant,
        device: &mut impl Device,
    ) {
        let address = |addressing: &Option<Addressing>| addressing.as_ref().map(Addressing::prefix);
        let same = address(&self.addressing) == address(&addressing);
        self.addressing = addressing;
        self.way = None;
        if same {
            self.set_routers();
        } else {
            self.link_down();
            self.link_up(now, device);
        }
    }

    /// The link is gone, and what was learned of it: the next one may lead elsewhere.
    pub(crate) fn link_down(&mut self) {
        self.neighbours.clear();
        self.way = None;
        self.set_routers();
        self.reassembly.clear();
        self.backlog.clear();
        self.paths.clear();
        self.claim = None;
    }

    /// Takes another link address; `false` where it is the one that it has.
    pub(crate) fn set_hardware(&mut self, hardware: Address) -> bool {
        let other = hardware != self.hardware;
        if other {
            self.hardware = hardware;
            // Frames that wait bear the old one.
            self.link_down();
        }
        other
    }

    /// There is a link: an address that is there is announced, and claimed.
    pub(crate) fn link_up(&mut self, now: Instant, device: &mut impl Device) {
        if self.addressing.is_some() {
            self.say(Say::Announcement, device);
            self.claim = Some(Claim::new(!self.configuring, now, &mut self.random));
        }
    }

    /// Whether nothing waits to go out, for the device or for a neighbour's answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && !self.neighbours.holds()
    }

    fn set_routers(&mut self) {
        let routers = self.addressing.iter().flat_map(Addressing::gateways).map(IpAddr::V4).collect();
        self.neighbours.set_routers(routers);
    }

    /// Sends a DHCP client's message: to everybody from whatever address it says, to a server by its route.
    pub(crate) fn send_dhcp(&mut self, message: &dhcp::Message, now: Instant, device: &mut impl Device) {
        let (source, destination) = (message.source, message.destination);
        let ports = udp::Repr { source_port: dhcpv4::CLIENT_PORT, destination_port: dhcpv4::SERVER_PORT };
        let header = ports.emit(source.into(), destination.into(), &message.bytes);
        let payload = u16::try_from(message.bytes.len().saturating_add(udp::HEADER)).unwrap_or(u16::MAX);
        let identification = Some(self.identification());
        let ecn = Ecn::NotCapable;
        let (protocol, part) = (ipv4::UDP, ipv4::Part::default());
        let repr = ipv4::Repr { source, destination, protocol, payload, identification, part, ecn };
        let data = [Slice::Borrowed(&message.bytes)];
        let mut outlet = Outlet::new(self, device, now);
        // What does not go out is repeated by the client, and counted below.
        let _ = if destination.is_broadcast() {
            outlet.broadcast_ipv4(&repr, &header, &data)
        } else {
            outlet.send_ipv4(&repr, &header, &data)
        };
    }

    /// When [`Self::poll`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let claim = self.claim.as_ref().and_then(Claim::next_deadline);
        Instant::earliest(
            Instant::earliest(self.neighbours.next_deadline(), self.reassembly.next_deadline()),
            claim,
        )
    }

    /// Sends what waits for the device, gives up on fragments that did not come, and asks again for neighbours that have
    /// not answered.
    pub(crate) fn poll(&mut self, now: Instant, device: &mut impl Device) {
        self.backlog.flush(device, &mut self.counters);
        while let Some(first) = self.reassembly.expired(now, &mut self.counters) {
            if let Some(fragment) = first {
                self.give_up(&fragment, now, device);
            }
        }
        while let Some(say) = self.claim.as_mut().and_then(|claim| claim.poll(now, &mut self.random)) {
            self.say(say, device);
        }
        let Some(sender) = self.addressing.as_ref().map(Addressing::address) else { return };
        let Self { hardware, counters, backlog, .. } = self;
        let lost = self.neighbours.poll(now, |ask| {
            if let Some(frame) = request(*hardware, sender, ask) {
                counters.arp_asked.count();
                let _ = backlog.send(&mut *device, counters, &frame, &[]);
            }
        });
        self.counters.neighbour_lost.add(lost as u64);
    }

    /// Asks the segment for our address, or tells it (RFC 5227 section 2.3): caches that knew another station for it are
    /// corrected.
    fn say(&mut self, say: Say, device: &mut impl Device) {
        let Some(address) = self.addressing.as_ref().map(Addressing::address) else { return };
        let sender = match say {
            Say::Probe => Ipv4Addr::UNSPECIFIED,
            Say::Announcement => address,
        };
        let ask = Ask { neighbour: address.into(), at: None };
        if let Some(frame) = request(self.hardware, sender, ask) {
            self.transmit_or_keep(device, &frame);
        }
    }

    /// Sends a frame, now or when the device has room. What becomes of it is counted.
    fn transmit_or_keep(&mut self, device: &mut impl Device, frame: &[u8]) {
        let _ = self.backlog.send(device, &mut self.counters, frame, &[]);
    }
}

/// Hands a frame to the device and counts what became of it.
fn transmit(
    device: &mut impl Device,
    counters: &mut Counters,
    header: &[u8],
    payload: &[Slice<'_>],
    offload: Offload,
) -> Result<(), TransmitError> {
    let result = device.transmit(&Frame { header, payload, offload });
    match result {
        Ok(()) => counters.frames_sent.count(),
        Err(TransmitError::Full) => counters.device_full.count(),
        Err(TransmitError::Down) => counters.device_down.count(),
        Err(TransmitError::Length) => counters.device_length.count(),
    }
    result
}

/// An ARP packet in its frame.
fn arp_frame(destination: Address, repr: &arp::Repr) -> [u8; ethernet::HEADER + arp::LENGTH] {
    let source = repr.sender_hardware;
    let header = ethernet::Repr { destination, source, ethertype: ethernet::ARP }.emit();
    let mut frame = [0; ethernet::HEADER + arp::LENGTH];
    for (to, from) in frame.iter_mut().zip(header.iter().chain(&repr.emit())) {
        *to = *from;
    }
    frame
}

/// The frame that asks for a neighbour; `None` where the neighbour is not one that ARP finds.
fn request(hardware: Address, sender: Ipv4Addr, ask: Ask) -> Option<[u8; ethernet::HEADER + arp::LENGTH]> {
    let IpAddr::V4(target) = ask.neighbour else { return None };
    let repr = arp::Repr {
        operation: arp::Operation::Request,
        sender_hardware: hardware,
        sender,
        target_hardware: Address([0; 6]),
        target,
    };
    Some(arp_frame(ask.at.unwrap_or(Address::BROADCAST), &repr))
}
