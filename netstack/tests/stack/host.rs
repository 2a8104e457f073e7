//! A stack at 192.0.2.10/24 with its gateway 192.0.2.1, on a device that records, and frames typed by hand for it.

use netstack::device::{Capabilities, Frame, Offload, ReceiveChecksum, TransmitError};
use netstack::service::{Chunk, Service, Stream};
use netstack::stack::{Config, Event};
use netstack::wire::checksum::Sum;
use netstack::wire::ethernet::Address;
use netstack::{Device, Duration, Instant, Stack, addressing::Addressing};
use std::net::SocketAddr;

pub const OURS: Address = Address([0x02, 0, 0, 0, 0, 0x10]);
pub const THEIRS: Address = Address([0x02, 0, 0, 0, 0, 0x20]);
pub const ALL: Address = Address([0xff; 6]);
pub const OUR_IP: [u8; 4] = [192, 0, 2, 10];
pub const THEIR_IP: [u8; 4] = [192, 0, 2, 20];

/// Keeps what is sent.
pub struct Recorder {
    pub sent: Vec<Vec<u8>>,
    /// What was asked of the device with the last frame.
    pub offload: Offload,
    pub capabilities: Capabilities,
    pub fails: Option<TransmitError>,
}

impl Device for Recorder {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        if let Some(error) = self.fails {
            return Err(error);
        }
        let mut bytes = frame.header.to_vec();
        frame.payload.iter().for_each(|slice| bytes.extend(slice.bytes()));
        assert!(bytes.len() <= usize::from(self.capabilities.mtu) + 14 || frame.offload.gso.is_some());
        self.sent.push(bytes);
        self.offload = frame.offload;
        Ok(())
    }
}

/// What [`Nobody`] says.
pub static PAGE: [u8; 4_000] = [b'x'; 4_000];

/// Takes connections at port 80 and says [`PAGE`] when it is asked anything.
pub struct Nobody;

impl Service for Nobody {
    type Connection = ();
    fn listens(&self, port: u16) -> bool {
        port == 80
    }
    fn accept(&mut self, _: SocketAddr, _: SocketAddr, _: &mut dyn Stream) {}
    fn receive(&mut self, (): &mut (), bytes: &[u8], _: bool, stream: &mut dyn Stream) -> usize {
        if !bytes.is_empty() {
            let _ = stream.send(Chunk::Static(&PAGE));
        }
        bytes.len()
    }
    fn acknowledged(&mut self, (): &mut (), _: &mut dyn Stream) {}
    fn deadline(&mut self, (): &mut (), _: &mut dyn Stream) {}
    fn stopping(&mut self, (): &mut (), _: &mut dyn Stream) {}
    fn closed(&mut self, (): ()) {}
}

pub struct Host {
    pub stack: Stack<Nobody>,
    pub device: Recorder,
    pub now: Instant,
}

impl Host {
    /// A host that has its address, has announced it and has heard of no conflict.
    pub fn new() -> Self {
        let addressing =
            Addressing::new("192.0.2.10/24".parse().unwrap(), Some("192.0.2.1".parse().unwrap()));
        let mut host = Self::with(Config::Static(addressing.clone()));
        host.poll();
        assert_eq!(host.stack.next_event(), Some(Event::AddressAcquired(addressing)));
        assert_eq!(host.sent().len(), 1, "the announcement");
        host.settle();
        host
    }

    /// A host that has not begun.
    pub fn with(config: Config) -> Self {
        let capabilities = Capabilities { mtu: 1500, checksum: false, gso_v4: None };
        Self {
            stack: Stack::new(config, OURS, &[7; 32]),
            device: Recorder { sent: Vec::new(), offload: Offload::default(), capabilities, fails: None },
            now: Instant::from_micros(1_000_000_000),
        }
    }

    /// What was sent since the last time.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.device.sent)
    }

    /// Gives the stack a frame; what it sends at once.
    pub fn receive(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.stack.receive(frame, ReceiveChecksum::Unverified, self.now, &mut self.device, &mut Nobody);
        self.sent()
    }

    pub fn poll(&mut self) {
        self.stack.poll(self.now, &mut self.device, &mut Nobody);
    }

    /// Lets time pass, to the deadlines on the way; what is sent meanwhile.
    pub fn wait(&mut self, span: Duration) -> Vec<Vec<u8>> {
        let end = self.now + span;
        while let Some(deadline) = self.stack.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.poll();
            assert!(self.stack.next_deadline().is_none_or(|next| next > self.now), "a deadline that stays");
        }
        self.now = end;
        self.sent()
    }

    /// Lets the probes and announcements of RFC 5227 pass.
    pub fn settle(&mut self) {
        assert_eq!(self.wait(Duration::from_secs(9)).len(), 5);
    }

    /// Lets time pass to the next deadline; what is sent then.
    pub fn wait_for_deadline(&mut self) -> Vec<Vec<u8>> {
        self.wait(self.stack.next_deadline().unwrap().since(self.now))
    }

    /// The neighbour 192.0.2.20 makes itself known.
    pub fn meet(&mut self) {
        let frame = arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP);
        assert_eq!(self.receive(&frame).len(), 1);
    }

    /// The same, where the device does not take the answer.
    pub fn meet_silently(&mut self) {
        assert_eq!(self.receive(&arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP)).len(), 0);
    }

    /// A counter's value.
    pub fn counter(&self, name: &str) -> u64 {
        self.stack.counters().find(|(each, _)| *each == name).unwrap_or_else(|| panic!("no counter {name}")).1
    }
}

pub fn frame(destination: Address, source: Address, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination.0[..], &source.0, &ethertype.to_be_bytes(), payload].concat()
}

/// An ARP packet in its frame.
pub fn arp(
    to: Address,
    operation: u8,
    sender: Address,
    sender_ip: [u8; 4],
    target: [u8; 6],
    target_ip: [u8; 4],
) -> Vec<u8> {
    let format = [0, 1, 8, 0, 6, 4, 0, operation];
    frame(to, sender, 0x0806, &[&format[..], &sender.0, &sender_ip, &target, &target_ip].concat())
}

/// An IPv4 packet from THEIR_IP to OUR_IP, its checksum made.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_between(THEIR_IP, OUR_IP, protocol, payload)
}

pub fn ipv4_between(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (payload.len() as u16 + 20).to_be_bytes();
    let start = [0x45, 0, high, low, 0x12, 0x34, 0, 0, 60, protocol, 0, 0];
    summed([&start[..], &source, &destination, payload].concat())
}

/// A fragment of a packet from THEIR_IP to OUR_IP: `offset` in bytes.
pub fn fragment(identification: u16, protocol: u8, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(protocol, payload);
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    let field = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    summed(packet)
}

/// Puts sent fragments together, in order: the payload of the packet.
pub fn joined(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame[18..20], frames[0][18..20], "one identification");
        let field = usize::from(u16::from_be_bytes([frame[20], frame[21]]));
        assert_eq!((field & 0x1fff) * 8, whole.len());
        assert_eq!(field & 0xe000, if number + 1 < frames.len() { 0x2000 } else { 0 });
        whole.extend(payload(frame));
    }
    whole
}

/// Makes the checksum of an IPv4 header anew.
pub fn summed(mut packet: Vec<u8>) -> Vec<u8> {
    let length = usize::from(packet[0] & 0xf) * 4;
    packet[10..12].fill(0);
    let checksum = Sum::new().bytes(&packet[..length]).checksum();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// An IPv4 packet in a frame from THEIRS to OURS.
pub fn to_us(packet: &[u8]) -> Vec<u8> {
    frame(OURS, THEIRS, 0x0800, packet)
}

/// A UDP datagram without checksum.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16 + 8;
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// A TCP segment from THEIR_IP to OUR_IP port 80 without data, its checksum made.
pub fn tcp(flags: u8) -> Vec<u8> {
    segment(flags, 0x1000, 0, b"")
}

/// The same with numbers and data.
pub fn segment(flags: u8, sequence: u32, acknowledgment: u32, data: &[u8]) -> Vec<u8> {
    segment_between(THEIR_IP, OUR_IP, flags, sequence, acknowledgment, data)
}

pub fn segment_between(
    source: [u8; 4],
    destination: [u8; 4],
    flags: u8,
    sequence: u32,
    acknowledgment: u32,
    data: &[u8],
) -> Vec<u8> {
    let (sequence, acknowledgment) = (sequence.to_be_bytes(), acknowledgment.to_be_bytes());
    let end = [0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    let mut segment = [&[0xc0, 0x00, 0, 80][..], &sequence, &acknowledgment, &end, data].concat();
    let sum = Sum::pseudo_header(source.into(), destination.into(), 6, segment.len() as u32);
    let checksum = sum.bytes(&segment).checksum();
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

/// An ICMP echo request.
pub fn echo(data: &[u8]) -> Vec<u8> {
    icmp(8, 0, [0x12, 0x34, 0, 1], data)
}

pub fn icmp(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &rest, data].concat();
    let checksum = Sum::new().bytes(&message).checksum();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// Checks a sent IPv4 frame's header and gives its payload.
pub fn payload(frame: &[u8]) -> &[u8] {
    assert_eq!(frame[12..14], [8, 0], "IPv4");
    let packet = &frame[14..];
    assert_eq!(Sum::new().bytes(&packet[..20]).checksum(), 0);
    assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
    &packet[20..]
}
