//! Requests on so many connections, each in turn on another one: `scripts/packet-cost` counts the instructions that they take.
//!
//! usage: packets CONNECTIONS REQUESTS

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::device::Slice;
use netstack::egress::{Ecn, Egress, Path, SendError};
use netstack::tcp::Tcp;
use netstack::wire::tcp::{Flags, Header, Options};
use netstack::{Chunk, Instant, Service, Stream};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const RESPONSE: u32 = 1_000;
static PAGE: [u8; RESPONSE as usize] = [b'x'; RESPONSE as usize];

/// Answers everything with a page.
struct Pages;

impl Service for Pages {
    type Connection = [u64; 8];

    fn listens(&self, _: u16) -> bool {
        true
    }

    fn accept(&mut self, _: SocketAddr, _: SocketAddr, _: &mut dyn Stream) -> [u64; 8] {
        [0; 8]
    }

    fn receive(&mut self, _: &mut [u64; 8], bytes: &[u8], _: bool, stream: &mut dyn Stream) -> usize {
        let _ = stream.send(Chunk::Static(&PAGE));
        bytes.len()
    }

    fn acknowledged(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn deadline(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn stopping(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn closed(&mut self, _: [u64; 8]) {}
}

/// A device that is never full; it keeps the last sequence number.
struct Sink {
    sequence: u32,
}

impl Egress for Sink {
    fn path(&self, _: IpAddr) -> Path {
        Path { mtu: 1_500, gso: None }
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        payload.iter().fold(0, |sum, slice| sum.saturating_add(slice.bytes().len()))
    }

    fn send(
        &mut self,
        _: IpAddr,
        _: IpAddr,
        header: &mut [u8],
        _: &[Slice<'_>],
        _: Option<u16>,
        _: Ecn,
    ) -> Result<(), SendError> {
        if let [_, _, _, _, a, b, c, d, ..] = *header {
            self.sequence = u32::from_be_bytes([a, b, c, d]);
        }
        Ok(())
    }

    fn packet_too_big(&mut self, _: IpAddr, _: u16) {}
}

struct Peers {
    tcp: Tcp<Pages>,
    sink: Sink,
    now: Instant,
    packet: Vec<u8>,
}

impl Peers {
    fn give(&mut self, peer: u32, flags: Flags, sequence: u32, acknowledgment: u32, payload: &[u8]) {
        // A millisecond for every thousand packets, and the timers that come due.
        self.now = Instant::from_micros(self.now.micros().wrapping_add(1));
        let header = Header {
            source: 40_000,
            destination: 80,
            sequence,
            acknowledgment,
            flags,
            window: 65_535,
            urgent: 0,
        };
        self.packet.clear();
        self.packet.extend_from_slice(header.emit(&Options::default()).bytes());
        self.packet.extend_from_slice(payload);
        let remote = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | peer));
        self.tcp.receive(LOCAL, remote, Ecn::NotCapable, &self.packet, self.now, &mut Pages, &mut self.sink);
        if self.tcp.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.tcp.poll(self.now, &mut Pages, &mut self.sink);
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u32>());
    let (Some(Ok(connections)), Some(Ok(requests))) = (words.next(), words.next()) else {
        eprintln!("usage: packets CONNECTIONS REQUESTS");
        std::process::exit(2);
    };
    let mut peers = Peers {
        tcp: Tcp::new([9; 32]),
        sink: Sink { sequence: 0 },
        now: Instant::from_micros(1_000_000),
        packet: Vec::new(),
    };
    let mut numbers = Vec::new();
    for peer in 0..connections {
        peers.give(peer, Flags::SYN, 100, 0, &[]);
        let expected = peers.sink.sequence.wrapping_add(1);
        peers.give(peer, Flags::ACK, 101, expected, &[]);
        numbers.push((101_u32, expected));
    }
    let request = u32::try_from(REQUEST.len()).unwrap_or_default();
    let mut peer = 0_usize;
    for _ in 0..requests {
        // A prime above all counts: each in turn, far from the one before.
        peer = peer.wrapping_add(1_000_003).checked_rem(numbers.len()).unwrap_or(0);
        let Some(numbers) = numbers.get_mut(peer) else { break };
        let peer = u32::try_from(peer).unwrap_or_default();
        let (next, expected) = *numbers;
        *numbers = (next.wrapping_add(request), expected.wrapping_add(RESPONSE));
        peers.give(peer, Flags::PSH.with(Flags::ACK), next, expected, REQUEST);
        peers.give(peer, Flags::ACK, numbers.0, numbers.1, &[]);
    }
    println!("{} connections, {requests} requests", peers.tcp.lengths().1);
}
