//! The DHCP client through all its states, as its stack shows it, against servers that answer, lie, refuse, overload and
//! break their messages, stations that have its address already, links that come and go, and a clock that leaps.
//!
//! After each step: the address is one that was acknowledged and has not run out, and whatever is sent says so; a timer is
//! set, unless a lease has no end; the work is bounded. In the end an honest server answers, and that works.

mod segment;

use super::stack::{ADDRESS, Echo, OURS, THEIRS, packet};
use crate::choices::Choices;
use crate::depth;
use netstack::device::ReceiveChecksum;
use netstack::stack::{Config, Event};
use netstack::wire::dhcpv4::{Answer, Packet};
use netstack::wire::{arp, ethernet, udp};
use netstack::{Duration, Instant, Stack};
use segment::{Given, Kind, Segment};
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
/// Frames that one step may send: those that waited for the device, at most 64, and some.
const FRAMES: usize = 80;
/// Steps of one input.
const STEPS: usize = 120;
/// What a server gives to another host, to none, or to everybody.
const ADDRESSES: [Ipv4Addr; 8] = [
    Ipv4Addr::new(192, 0, 2, 10),
    Ipv4Addr::new(192, 0, 2, 11),
    Ipv4Addr::new(10, 1, 2, 3),
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::BROADCAST,
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(0, 1, 2, 3),
];
const SPANS: [u64; 8] = [1, 9, 60, 3_600, 86_400, 2_592_000, 31_536_000, 3_153_600_000];
const LEASES: [u32; 8] = [60, 3_600, u32::MAX, 0, 1, 10, 86_400, u32::MAX - 1];

/// The target.
pub fn client(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut world = World::new();
    world.settle();
    for _ in 0..STEPS {
        if choices.is_empty() || world.stopped {
            break;
        }
        world.step(&mut choices);
        world.settle();
    }
    if world.stopped {
        world.come_to_rest()
    } else {
        world.meet_an_honest_server()
    }
    if world.acquired {
        depth::reached();
    }
}

struct World {
    stack: Stack<Echo>,
    segment: Segment,
    now: Instant,
    up: bool,
    stopped: bool,
    /// What the stack has told of its address.
    told: Option<Ipv4Addr>,
    acquired: bool,
    /// The last message of a server, which may come again.
    last: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let config = Config::Dhcp { name: Some("fuzz".into()) };
        Self {
            stack: Stack::new(config, OURS, &[9; 32]),
            segment: Segment::new(),
            now: Instant::from_micros(1_000_000),
            up: true,
            stopped: false,
            told: None,
            acquired: false,
            last: Vec::new(),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 16 {
            // By the rules.
            0..=2 => self.answer(choices.byte() & 0x0f),
            3..=5 => self.lie(choices),
            6 => {
                let message = self.message(Kind::Nak, Ipv4Addr::UNSPECIFIED, &[54, 4, 192, 0, 2, 254]);
                self.server_says(SERVER, message);
            }
            7 => self.arp(arp::Operation::Reply, SERVER),
            8 => {
                // Another station has the address, or wants it.
                let address = self.stack.addressing().map_or(ADDRESS, |addressing| addressing.address());
                let operation = choices.of(&[arp::Operation::Reply, arp::Operation::Request]);
                self.arp(operation, address);
            }
            9..=11 => self.wait(),
            12 => {
                let span = choices.of(&SPANS) * u64::from(choices.byte()) / 64;
                self.now = self.now + Duration::from_secs(span);
            }
            13 => {
                self.up = choices.yes();
                self.stack.link(self.up, self.now, &mut self.segment, &mut Echo);
            }
            14 => self.segment.room = choices.of(&[usize::MAX, 0, 1]),
            _ => match choices.byte() {
                0..0x40 => {
                    let message = self.last.clone();
                    self.server_says(SERVER, message);
                }
                0x40..0x80 => self.stack.reseed(&choices.array()),
                0x80..0xf8 => {
                    let length = usize::from(choices.byte());
                    let message = choices.bytes(length).to_vec();
                    self.server_says(SERVER, message);
                }
                _ => {
                    self.stack.stop(self.now, &mut self.segment, &mut Echo);
                    self.stopped = true;
                }
            },
        }
    }

    /// What an honest server says to the last message; how long the lease is, and what comes along, as chosen.
    fn answer(&mut self, with: u8) {
        let Some(sent) = self.segment.last.clone() else { return };
        let (kind, address) = match sent.kind {
            Kind::Discover => (Kind::Offer, ADDRESSES[usize::from(with & 1)]),
            Kind::Request => (Kind::Ack, sent.requested.unwrap_or(sent.client)),
            _ => return,
        };
        let mut options = vec![54, 4, 192, 0, 2, 254, 1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 254, 51, 4];
        options.extend(LEASES[usize::from(with >> 1 & 7)].to_be_bytes());
        let message = self.message(kind, address, &options);
        self.server_says(SERVER, message);
    }

    /// Anything that looks like an answer.
    fn lie(&mut self, choices: &mut Choices<'_>) {
        let with = choices.byte();
        let honest = match self.segment.last.as_ref().map(|sent| sent.kind) {
            Some(Kind::Request) => Kind::Ack,
            _ => Kind::Offer,
        };
        let kind = if with & 1 == 0 {
            honest
        } else {
            choices.of(&[Kind::Ack, Kind::Offer, Kind::Nak, Kind::Discover])
        };
        let wanted = self.segment.last.as_ref().and_then(|sent| sent.requested);
        let address = match wanted {
            Some(wanted) if with & 2 == 0 => wanted,
            _ => choices.of(&ADDRESSES),
        };
        let mut options = Vec::new();
        if with & 4 == 0 {
            options.extend([54, 4, 192, 0, 2, 254]);
        }
        if with & 8 == 0 {
            options.extend([51, 4]);
            options.extend(choices.of(&LEASES).to_be_bytes());
            for code in [58, 59] {
                if choices.yes() {
                    options.extend([code, 4]);
                    options.extend((choices.half() >> (choices.byte() & 31)).to_be_bytes());
                }
            }
        }
        match with >> 4 & 3 {
            // As EC2 did: an MTU, and what follows it must not be lost.
            1 => options.extend([26, 2, 0x23, 0x29, 28, 4, 192, 0, 2, 255, 57, 2, 5, 220]),
            // A host route, and a gateway off the link (RFC 3442).
            2 => options
                .extend([1, 4, 255, 255, 255, 255, 121, 14, 32, 10, 0, 0, 1, 0, 0, 0, 0, 0, 10, 0, 0, 1]),
            3 => {
                let length = choices.below(48);
                options.extend(choices.bytes(length));
            }
            _ => (),
        }
        let mut message = self.message(kind, address, &options);
        if with & 0x40 != 0 {
            match choices.byte() % 4 {
                // Overload: options in the fields of the file and of the server's name.
                0 => {
                    let field = choices.bytes(64);
                    message[108..108 + field.len()].copy_from_slice(field);
                    let field = choices.bytes(64);
                    message[44..44 + field.len()].copy_from_slice(field);
                    message.truncate(message.len() - 1);
                    message.extend([52, 1, choices.byte() & 7, 255]);
                }
                1 => message.truncate(usize::from(choices.word()) % (message.len() + 1)),
                2 => message[choices.below(34)] ^= 1 << (choices.byte() & 7),
                _ => {
                    message.truncate(message.len() - 1);
                    message.extend([0; 60]);
                }
            }
        }
        let source = if with & 0x80 == 0 { SERVER } else { choices.of(&ADDRESSES) };
        self.server_says(source, message);
    }

    /// A message of a server's to the client's last one.
    fn message(&self, kind: Kind, address: Ipv4Addr, options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 240];
        (message[0], message[1], message[2]) = (2, 1, 6);
        message[4..8].copy_from_slice(self.segment.xids.last().unwrap_or(&[0; 4]));
        message[16..20].copy_from_slice(&address.octets());
        message[28..34].copy_from_slice(&OURS.0);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, kind as u8]);
        message.extend(options);
        message.push(255);
        message
    }

    /// It comes; what it gives, if it is understood and for us, is noted.
    fn server_says(&mut self, source: Ipv4Addr, message: Vec<u8>) {
        if let Ok(packet) = Packet::parse(&message)
            && self.segment.xids.contains(&packet.xid().to_be_bytes())
            && let Ok(reply) = packet.reply()
        {
            match reply.answer {
                Answer::Offer => self.segment.offered.push(reply.your),
                Answer::Ack => {
                    // RFC 2131 section 3.3: all ones is for ever. An hour where nothing is said, ten seconds at least.
                    let seconds = reply.lease.unwrap_or(3_600).max(10);
                    let until = self.now + Duration::from_secs(u64::from(seconds));
                    let until = (seconds != u32::MAX).then_some(until);
                    self.segment.given.push(Given { address: reply.your, until });
                }
                Answer::Nak => (),
            }
        }
        let header = udp::Repr { source_port: 67, destination_port: 68 };
        let header = header.emit(source.into(), Ipv4Addr::BROADCAST.into(), &message);
        let packet = packet(source, Ipv4Addr::BROADCAST, 17, &[&header[..], &message].concat());
        self.frame(0x0800, &packet);
        self.last = message;
    }

    /// A station says or asks something about this address.
    fn arp(&mut self, operation: arp::Operation, address: Ipv4Addr) {
        let repr = arp::Repr {
            operation,
            sender_hardware: THEIRS,
            sender: address,
            target_hardware: OURS,
            target: address,
        };
        self.frame(0x0806, &repr.emit());
    }

    fn frame(&mut self, ethertype: u16, payload: &[u8]) {
        let header = ethernet::Repr { destination: ethernet::Address::BROADCAST, source: THEIRS, ethertype };
        let frame = [&header.emit()[..], payload].concat();
        self.stack.receive(&frame, ReceiveChecksum::Unverified, self.now, &mut self.segment, &mut Echo);
    }

    /// Until the next thing is due.
    fn wait(&mut self) {
        self.now = self.now.max(self.stack.next_deadline().unwrap_or(self.now));
    }

    /// What holds between two steps.
    fn settle(&mut self) {
        self.stack.poll(self.now, &mut self.segment, &mut Echo);
        let mut polls = 0;
        while self.stack.next_deadline().is_some_and(|at| at <= self.now) {
            self.stack.poll(self.now, &mut self.segment, &mut Echo);
            polls += 1;
            assert!(polls <= 16, "a deadline that stays in the past");
        }
        assert!(self.segment.frames <= FRAMES, "{:?}", self.segment);
        self.segment.frames = 0;
        while let Some(event) = self.stack.next_event() {
            self.told = match event {
                Event::AddressAcquired(addressing) => Some(addressing.address()),
                Event::AddressLost => None,
            };
        }
        let address = self.stack.addressing().map(|addressing| addressing.address());
        assert_eq!(self.told, address, "what was told is not what is");
        self.segment.current = address;
        self.acquired |= address.is_some();
        if self.stopped {
            return;
        }
        let lasting = |given: &&Given| given.until.is_none_or(|until| until > self.now);
        let mut held =
            self.segment.given.iter().filter(|given| Some(given.address) == address).filter(lasting);
        let endless = match address {
            Some(address) => {
                let first = held.next();
                assert!(first.is_some(), "{address} was not given, or has run out");
                first.into_iter().chain(held).any(|given| given.until.is_none())
            }
            None => false,
        };
        let waits = self.stack.next_deadline().is_some();
        assert!(waits || endless || !self.up, "nothing is due any more");
    }

    /// An honest server answers from now on: there is an address soon, and it is kept.
    fn meet_an_honest_server(&mut self) {
        self.segment.room = usize::MAX;
        if !self.up {
            self.up = true;
            self.stack.link(true, self.now, &mut self.segment, &mut Echo);
        }
        for _ in 0..40 {
            self.segment.last = None;
            self.settle();
            while self.segment.last.is_some() {
                self.answer(2);
                self.segment.last = None;
                self.settle();
            }
            if self.segment.asked_for_server {
                self.segment.asked_for_server = false;
                self.arp(arp::Operation::Reply, SERVER);
                self.settle();
            }
            self.wait();
        }
        self.settle();
        assert!(self.told.is_some(), "no address from an honest server");
    }

    /// After the stop: the address is given back once at most, and nothing remains to be done.
    fn come_to_rest(&mut self) {
        self.segment.room = usize::MAX;
        for _ in 0..20 {
            self.wait();
            self.settle();
        }
        assert!(self.segment.releases <= 1);
        assert!(self.stack.is_stopped(), "it does not come to rest");
    }
}
