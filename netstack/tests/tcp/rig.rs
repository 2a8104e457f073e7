//! Segments by hand: one side of the conversation is the test.

use crate::network::{LOCAL, REMOTE};
use crate::nic::{Nic, trace};
use crate::server::{Request, Server};
use netstack::egress::Ecn;
use netstack::tcp::{Limits, Tcp};
use netstack::wire::tcp::{Flags, Header, Options, Segment};
use netstack::{Duration, Instant};

pub const SYN: Flags = Flags::SYN;
pub const ACK: Flags = Flags::ACK;
pub const RST: Flags = Flags::RST;
pub const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
pub const FIN_ACK: Flags = Flags::FIN.with(Flags::ACK);
pub const PSH_ACK: Flags = Flags::PSH.with(Flags::ACK);
pub const RST_ACK: Flags = Flags::RST.with(Flags::ACK);
pub const FIN_PSH_ACK: Flags = Flags::FIN.with(Flags::PSH).with(Flags::ACK);

/// What TCP has sent.
#[derive(Clone, Debug)]
pub struct Reply {
    pub header: Header,
    pub options: Options,
    pub payload: Vec<u8>,
}

pub struct Rig {
    pub tcp: Tcp<Server>,
    pub server: Server,
    pub nic: Nic,
    pub now: Instant,
}

/// The test's end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub port: u16,
    /// The next number to send.
    pub next: u32,
    /// The next number to receive.
    pub expected: u32,
    pub window: u16,
}

impl Peer {
    /// A segment of this peer's, in order.
    pub fn header(&self, flags: Flags) -> Header {
        Header {
            source: self.port,
            destination: 80,
            sequence: self.next,
            acknowledgment: self.expected,
            flags,
            window: self.window,
            urgent: 0,
        }
    }
}

impl Rig {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self {
            tcp: Tcp::with_limits([42; 32], limits),
            server: Server::default(),
            nic: Nic::new(),
            now: Instant::from_micros(10_000_000),
        }
    }

    /// A segment comes from the peer.
    pub fn give(&mut self, header: Header, options: &Options, payload: &[u8]) {
        let mut bytes = header.emit(options).bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.tcp.receive(LOCAL, REMOTE, Ecn::NotCapable, &bytes, self.now, &mut self.server, &mut self.nic);
    }

    /// The same, without options.
    pub fn bare(&mut self, header: Header, payload: &[u8]) {
        self.give(header, &Options::default(), payload);
    }

    /// What has been sent since it was asked last.
    pub fn take(&mut self) -> Vec<Reply> {
        let parse = |bytes: Vec<u8>| {
            let Segment { header, options, payload } = Segment::parse(&bytes).unwrap();
            Reply { header, options, payload: payload.to_vec() }
        };
        std::mem::take(&mut self.nic.out).into_iter().map(parse).collect()
    }

    /// The one segment that has been sent.
    #[track_caller]
    pub fn one(&mut self) -> Reply {
        let traces: Vec<_> = self.nic.out.iter().map(|bytes| trace(bytes)).collect();
        let mut replies = self.take();
        assert_eq!(replies.len(), 1, "{traces:#?}");
        replies.remove(0)
    }

    /// Nothing has been sent.
    #[track_caller]
    pub fn none(&mut self) {
        let traces: Vec<_> = self.nic.out.iter().map(|bytes| trace(bytes)).collect();
        assert!(traces.is_empty(), "{traces:#?}");
    }

    /// Time passes, and each deadline is kept.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.tcp.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    pub fn millis(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    pub fn poll(&mut self) {
        self.tcp.poll(self.now, &mut self.server, &mut self.nic);
    }

    /// A handshake with `options` in the SYN; further segments have none, so no timestamps.
    pub fn open_with(&mut self, port: u16, window: u16, options: &Options) -> Peer {
        let mut peer = Peer { port, next: 1_000, expected: 0, window };
        self.give(Header { acknowledgment: 0, ..peer.header(SYN) }, options, &[]);
        let answer = self.one();
        assert_eq!(answer.header.flags, SYN_ACK);
        assert_eq!(answer.header.acknowledgment, 1_001);
        peer.next = 1_001;
        peer.expected = answer.header.sequence.wrapping_add(1);
        self.bare(peer.header(ACK), &[]);
        self.none();
        peer
    }

    pub fn open(&mut self, port: u16) -> Peer {
        let mss = Options { maximum_segment_size: Some(1_460), ..Options::default() };
        self.open_with(port, 65_535, &mss)
    }

    /// The peer sends a request, in order.
    pub fn ask(&mut self, peer: &mut Peer, request: Request) {
        let bytes = request.bytes();
        self.bare(peer.header(PSH_ACK), &bytes);
        peer.next = peer.next.wrapping_add(bytes.len() as u32);
    }

    #[track_caller]
    pub fn counter(&self, name: &str) -> u64 {
        let found = self.tcp.counters().iter().find(|(other, _)| *other == name);
        found.unwrap_or_else(|| panic!("no counter {name}")).1
    }
}

/// A request of `length` bytes of text, without a body.
pub fn request(length: u32) -> Request {
    Request { start: 0, length, body: 0, close: false }
}

/// The same, and the server closes after it.
pub fn last_request(length: u32) -> Request {
    Request { close: true, ..request(length) }
}
