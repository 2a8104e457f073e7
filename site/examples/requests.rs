//! Requests for one page on so many connections, in turn, through the whole stack and server: `scripts/packet-cost` counts
//! the instructions that they take.
//!
//! usage: requests BYTES CONNECTIONS REQUESTS [offloads]

use netstack::addressing::{Addressing, Prefix};
use netstack::device::{Capabilities, Device, Frame, ReceiveChecksum, TransmitError};
use netstack::egress::Ecn;
use netstack::stack::Config;
use netstack::wire::checksum::Sum;
use netstack::wire::tcp::{Flags, Header, Options, Timestamps};
use netstack::wire::{arp, ethernet, ipv4};
use netstack::{Instant, Stack};
use site::{Server, Site, WallClock};
use std::net::{IpAddr, Ipv4Addr};

const LOCAL: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const REMOTE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const HARDWARE: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 2]);
const PEER: ethernet::Address = ethernet::Address([2, 0, 0, 0, 0, 1]);
/// As wrk sends it.
const REQUEST: &[u8] = b"GET /page HTTP/1.1\r\nHost: 198.18.0.2\r\n\r\n";

/// A device that is never full. Of what it is given it keeps the last sequence number, and counts the bytes.
struct Sink {
    capabilities: Capabilities,
    sequence: u32,
    timestamp: u32,
    bytes: u32,
}

impl Device for Sink {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        let word = |at: usize| {
            frame.header.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_be_bytes)
        };
        self.sequence = word(38).unwrap_or_default();
        self.timestamp = word(58).unwrap_or_default();
        let length = frame.payload.iter().map(|slice| slice.bytes().len()).sum::<usize>();
        self.bytes = self.bytes.wrapping_add(u32::try_from(length).unwrap_or_default());
        Ok(())
    }
}

struct Peer {
    port: u16,
    next: u32,
    expected: u32,
    echo: u32,
}

struct Link {
    stack: Stack<Server>,
    server: Server,
    sink: Sink,
    now: Instant,
    frame: Vec<u8>,
}

impl Link {
    fn give(&mut self, peer: &Peer, flags: Flags, payload: &[u8]) {
        self.now = Instant::from_micros(self.now.micros().wrapping_add(5));
        let value = u32::try_from(self.now.micros() / 1_000).unwrap_or_default();
        let syn = flags.has(Flags::SYN);
        let options = Options {
            maximum_segment_size: syn.then_some(1_460),
            window_scale: syn.then_some(7),
            sack_permitted: syn,
            timestamps: Some(Timestamps { value, echo: peer.echo }),
            ..Options::default()
        };
        let header = Header {
            source: peer.port,
            destination: 80,
            sequence: peer.next,
            acknowledgment: peer.expected,
            flags,
            window: 65_535,
            urgent: 0,
        };
        let mut header = header.emit(&options);
        let length = u16::try_from(header.bytes().len().wrapping_add(payload.len())).unwrap_or_default();
        let sum = Sum::pseudo_header(IpAddr::V4(REMOTE), IpAddr::V4(LOCAL), ipv4::TCP, u32::from(length));
        let sum = sum.bytes(header.bytes()).bytes(payload).checksum();
        if let Some(field) = header.bytes_mut().get_mut(16..18) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        let packet = ipv4::Repr {
            source: REMOTE,
            destination: LOCAL,
            protocol: ipv4::TCP,
            payload: length,
            identification: None,
            part: ipv4::Part::default(),
            ecn: Ecn::NotCapable,
        };
        let link = ethernet::Repr { destination: HARDWARE, source: PEER, ethertype: ethernet::IPV4 };
        self.frame.clear();
        for part in [&link.emit()[..], &packet.emit(), header.bytes(), payload] {
            self.frame.extend_from_slice(part);
        }
        self.receive();
    }

    fn receive(&mut self) {
        let checksum = match self.sink.capabilities.checksum {
            true => ReceiveChecksum::Trusted,
            false => ReceiveChecksum::Unverified,
        };
        self.stack.receive(&self.frame, checksum, self.now, &mut self.sink, &mut self.server);
        if self.stack.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.stack.poll(self.now, &mut self.sink, &mut self.server);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bytes, connections, requests, offloads @ ..] = words.as_slice() else {
        return Err("usage: requests BYTES CONNECTIONS REQUESTS [offloads]".into());
    };
    let mut archive = site_pack::Archive::new(site_pack::Stamp::Epoch(0));
    archive.add("index.html", b"home", std::time::UNIX_EPOCH)?;
    archive.add("page", &vec![b'x'; bytes.parse()?], std::time::UNIX_EPOCH)?;
    let site = Site::open(archive.finish("site".as_ref())?.leak()).map_err(|error| error.to_string())?;
    let now = Instant::from_micros(1_000_000);
    let prefix = Prefix::new(LOCAL, 24).ok_or("no prefix")?;
    let gso = (!offloads.is_empty()).then_some(65_535);
    let capabilities = Capabilities { mtu: 1_500, checksum: !offloads.is_empty(), gso_v4: gso };
    let mut link = Link {
        stack: Stack::new(Config::Static(Addressing::new(prefix, None)), HARDWARE, &[9; 32]),
        server: Server::new(
            site,
            site::Config::default(),
            WallClock { unix_micros: 784_111_777_000_000, at: now },
        ),
        sink: Sink { capabilities, sequence: 0, timestamp: 0, bytes: 0 },
        now,
        frame: Vec::new(),
    };
    link.stack.poll(now, &mut link.sink, &mut link.server);
    let question = arp::Repr {
        operation: arp::Operation::Request,
        sender_hardware: PEER,
        sender: REMOTE,
        target_hardware: ethernet::Address([0; 6]),
        target: LOCAL,
    };
    let header =
        ethernet::Repr { destination: ethernet::Address::BROADCAST, source: PEER, ethertype: ethernet::ARP };
    link.frame = [&header.emit()[..], &question.emit()].concat();
    link.receive();
    let mut peers = Vec::new();
    for port in 0..connections.parse::<u16>()? {
        let mut peer = Peer { port: port.wrapping_add(40_000), next: 100, expected: 0, echo: 0 };
        link.give(&peer, Flags::SYN, &[]);
        peer.next = 101;
        peer.expected = link.sink.sequence.wrapping_add(1);
        peer.echo = link.sink.timestamp;
        link.give(&peer, Flags::ACK, &[]);
        peers.push(peer);
    }
    let requests = requests.parse::<usize>()?;
    let length = u32::try_from(REQUEST.len())?;
    for peer in (0..peers.len()).cycle().take(requests) {
        let Some(peer) = peers.get_mut(peer) else { break };
        let before = link.sink.bytes;
        link.give(peer, Flags::PSH.with(Flags::ACK), REQUEST);
        peer.next = peer.next.wrapping_add(length);
        peer.expected = peer.expected.wrapping_add(link.sink.bytes.wrapping_sub(before));
        peer.echo = link.sink.timestamp;
    }
    println!("{} requests, {} bytes", link.server.counters().http_requests.get(), link.sink.bytes);
    for (name, value) in link.stack.counters().filter(|(_, value)| *value > 0) {
        println!("{name}={value}");
    }
    Ok(())
}
