//! From a frame to what it carries for us. Whatever is wrong with it ends here, with a counter.

use super::reassembly::Whole;
use super::{Interface, arp_frame};
use crate::addressing::Addressing;
use crate::claim::{Say, Verdict};
use crate::device::{Device, ReceiveChecksum};
use crate::egress::{Ecn, Unreachable};
use crate::time::Instant;
use crate::wire::checksum::Sum;
use crate::wire::icmpv4::Refusal;
use crate::wire::{arp, dhcpv4, ethernet, ipv4, udp};
use core::net::{IpAddr, Ipv4Addr};

/// What a frame brought for the layers above.
#[derive(Debug)]
pub(crate) enum Delivery<'a> {
    /// A whole TCP segment with a right checksum.
    Tcp { local: IpAddr, remote: IpAddr, ecn: Ecn, segment: &'a [u8] },
    /// The network did not deliver a TCP segment of ours, whose header starts with `quoted`.
    TcpUnreachable { local: IpAddr, remote: IpAddr, quoted: &'a [u8], why: Unreachable },
    /// A packet that has become whole, for [`Interface::receive_whole`].
    Whole(Whole),
    /// Another station has our address, and it is not to be defended.
    Conflict,
    /// A message to the DHCP client.
    Dhcp { source: Ipv4Addr, message: &'a [u8] },
}

/// A received packet with what its frame says of it.
pub(super) struct Received<'a> {
    pub(super) packet: ipv4::Packet<'a>,
    /// From the IP header on, without padding.
    pub(super) bytes: &'a [u8],
    destination: Destination,
    /// To us alone, by its frame and by its address.
    pub(super) unicast: bool,
    checksum: ReceiveChecksum,
}

/// Whose address a packet is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Destination {
    Ours,
    /// Every station's.
    Broadcast,
    /// One that a DHCP server may be about to give us.
    Other,
}

impl Interface {
    /// Takes a frame: answers what is answered here, and gives back what is for others.
    pub(crate) fn receive<'a>(
        &mut self,
        frame: &'a [u8],
        checksum: ReceiveChecksum,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        self.counters.frames_received.count();
        let Some((header, payload)) = ethernet::Repr::parse(frame) else {
            self.counters.ethernet_short.count();
            return None;
        };
        if !header.source.is_station() {
            self.counters.ethernet_source.count();
            return None;
        }
        let broadcast = header.destination == ethernet::Address::BROADCAST;
        if !broadcast && header.destination != self.hardware {
            self.counters.ethernet_not_ours.count();
            return None;
        }
        match header.ethertype {
            ethernet::IPV4 => self.receive_ipv4(payload, broadcast, checksum, now, device),
            ethernet::ARP => self.receive_arp(payload, now, device),
            _ => {
                self.counters.ethernet_type.count();
                None
            }
        }
    }

    /// Takes a packet that was put together of fragments.
    pub(crate) fn receive_whole<'a>(
        &mut self,
        whole: &'a Whole,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        let checksum = ReceiveChecksum::Unverified;
        self.receive_ipv4(&whole.bytes, whole.link_broadcast, checksum, now, device)
    }

    /// Gives what is for others: the end of our address.
    fn receive_arp<'a>(
        &mut self,
        bytes: &[u8],
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        let Ok(packet) = arp::Repr::parse(bytes) else {
            self.counters.arp_malformed.count();
            return None;
        };
        let ours = self.addressing.as_ref().map(Addressing::address);
        if ours.is_some_and(|ours| packet.sender == ours) && packet.sender_hardware != self.hardware {
            return self.conflict(packet.sender_hardware, now, device);
        }
        self.receive_neighbour(&packet, now, device);
        None
    }

    /// RFC 5227 section 2.4: another station says that it has our address.
    fn conflict<'a>(
        &mut self,
        station: ethernet::Address,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        self.counters.arp_conflict.count();
        if let Some(left_out) = self.complaints.take(now) {
            log::warn!("arp: {station} says that it has our address{left_out}");
        }
        match self.claim.as_mut().map_or(Verdict::Bear, |claim| claim.conflict(now)) {
            Verdict::Bear => None,
            Verdict::Defend => {
                self.counters.arp_defended.count();
                self.say(Say::Announcement, device);
                None
            }
            Verdict::Yield => {
                self.counters.arp_yielded.count();
                Some(Delivery::Conflict)
            }
        }
    }

    fn receive_neighbour(&mut self, packet: &arp::Repr, now: Instant, device: &mut impl Device) {
        let Some(addressing) = &self.addressing else { return self.counters.arp_ignored.count() };
        let ours = addressing.address();
        if packet.sender_hardware == self.hardware {
            return self.counters.arp_ignored.count();
        }
        let to_us = packet.target == ours;
        if addressing.is_neighbour(packet.sender) {
            self.way = None;
            let held = self.neighbours.heard(packet.sender.into(), packet.sender_hardware, to_us, now);
            for mut frame in held {
                if let Some(destination) = frame.first_chunk_mut() {
                    *destination = packet.sender_hardware.0;
                }
                self.transmit_or_keep(device, &frame);
            }
        }
        if !to_us {
            return self.counters.arp_ignored.count();
        }
        if packet.operation == arp::Operation::Request {
            let reply = arp::Repr {
                operation: arp::Operation::Reply,
                sender_hardware: self.hardware,
                sender: ours,
                target_hardware: packet.sender_hardware,
                target: packet.sender,
            };
            self.counters.arp_answered.count();
            let frame = arp_frame(packet.sender_hardware, &reply);
            self.transmit_or_keep(device, &frame);
        }
    }

    fn receive_ipv4<'a>(
        &mut self,
        bytes: &'a [u8],
        link_broadcast: bool,
        checksum: ReceiveChecksum,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        let received = self.admit(bytes, link_broadcast, checksum)?;
        if received.packet.is_fragment() {
            let packet = &received.packet;
            let whole = self.reassembly.add(packet, link_broadcast, now, &mut self.counters);
            return whole.map(Delivery::Whole);
        }
        match (received.packet.protocol(), received.destination) {
            (ipv4::TCP, Destination::Ours) => self.receive_tcp(&received),
            (ipv4::TCP, _) => {
                self.counters.tcp_broadcast.count();
                None
            }
            (ipv4::UDP, _) => self.receive_udp(&received, now, device),
            (ipv4::ICMP, _) => self.receive_icmp(&received, now, device),
            _ => {
                self.counters.ipv4_protocol.count();
                self.refuse(Refusal::Protocol, &received, now, device);
                None
            }
        }
    }

    /// Drops what is malformed, impossible, or for others.
    fn admit<'a>(
        &mut self,
        bytes: &'a [u8],
        link_broadcast: bool,
        checksum: ReceiveChecksum,
    ) -> Option<Received<'a>> {
        let counters = &mut self.counters;
        let packet = match ipv4::Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                match error {
                    ipv4::Malformed::Short => counters.ipv4_short.count(),
                    ipv4::Malformed::Version(_) => counters.ipv4_version.count(),
                    ipv4::Malformed::HeaderLength(_) => counters.ipv4_header_length.count(),
                    ipv4::Malformed::TotalLength(_) => counters.ipv4_total_length.count(),
                    ipv4::Malformed::Checksum => counters.ipv4_checksum.count(),
                }
                return None;
            }
        };
        let addressing = self.addressing.as_ref();
        if is_martian(&packet, addressing) {
            counters.ipv4_martian.count();
            return None;
        }
        let address = packet.destination();
        let for_client = self.configuring && packet.protocol() == ipv4::UDP;
        let destination = match addressing {
            Some(addressing) if addressing.address() == address => Destination::Ours,
            Some(addressing) if addressing.is_broadcast(address) => Destination::Broadcast,
            None if address.is_broadcast() => Destination::Broadcast,
            _ if for_client => Destination::Other,
            _ => {
                counters.ipv4_not_ours.count();
                return None;
            }
        };
        // RFC 1122 section 3.3.6: a frame for many must carry a packet for many.
        if destination == Destination::Ours && link_broadcast && !for_client {
            counters.ipv4_link_broadcast.count();
            return None;
        }
        let unicast = destination == Destination::Ours && !link_broadcast;
        let bytes = bytes.get(..usize::from(packet.total_length())).unwrap_or(bytes);
        Some(Received { packet, bytes, destination, unicast, checksum })
    }

    fn receive_tcp<'a>(&mut self, received: &Received<'a>) -> Option<Delivery<'a>> {
        let (local, remote) = (received.packet.destination().into(), received.packet.source().into());
        let segment = received.packet.payload();
        if received.checksum == ReceiveChecksum::Unverified {
            let length = u32::try_from(segment.len()).unwrap_or(u32::MAX);
            if Sum::pseudo_header(remote, local, ipv4::TCP, length).bytes(segment).checksum() != 0 {
                self.counters.tcp_checksum.count();
                return None;
            }
        }
        Some(Delivery::Tcp { local, remote, ecn: received.packet.ecn(), segment })
    }

    fn receive_udp<'a>(
        &mut self,
        received: &Received<'a>,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        let Ok(datagram) = udp::Packet::parse(received.packet.payload()) else {
            self.counters.udp_malformed.count();
            return None;
        };
        let (source, destination) = (received.packet.source(), received.packet.destination());
        if received.checksum == ReceiveChecksum::Unverified
            && !datagram.verify(source.into(), destination.into())
        {
            self.counters.udp_checksum.count();
            return None;
        }
        if self.configuring && datagram.destination_port == dhcpv4::CLIENT_PORT {
            return Some(Delivery::Dhcp { source, message: datagram.payload });
        }
        if received.destination != Destination::Other {
            self.counters.udp_no_port.count();
            self.refuse(Refusal::Port, received, now, device);
        } else {
            self.counters.ipv4_not_ours.count();
        }
        None
    }
}

/// Whether a packet has a source that no host has, or that is our own, or a destination that is never on a link
/// (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7). Multicast to us is not ours, but no martian.
fn is_martian(packet: &ipv4::Packet<'_>, addressing: Option<&Addressing>) -> bool {
    let (source, destination) = (packet.source(), packet.destination());
    let [first, ..] = source.octets();
    let no_host = first == 0 || source.is_loopback() || first >= 224;
    let ours = |addressing: &Addressing| {
        source == addressing.address()
            || (addressing.is_broadcast(source) && addressing.prefix().length() > 0)
    };
    no_host || addressing.is_some_and(ours) || destination.is_loopback() || destination.octets()[0] == 0
}
