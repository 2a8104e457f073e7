//! Whole conversations: TCP with a service that sends and receives patterned data, and peers that do what the input says,
//! by the rules or against them, while the device fills up, goes down, and the path changes.
//!
//! Nearly all begin with a whole handshake, its options as chosen. After each step it is checked that every table and budget
//! is within its bounds and agrees with the others
//! (`Tcp::audit`), that no deadline stays in the past, and that the work was bounded; at each segment and each call of the
//! service ([`world`]), that no byte is wrong, out of order, beyond a window or from a connection that is over. In the end
//! everybody falls silent, and nothing may be left.

mod peer;
mod ranges;
mod world;

use crate::choices::Choices;
use crate::depth;
use core::net::{IpAddr, Ipv4Addr};
use netstack::egress::{Ecn, SendError, Unreachable};
use netstack::tcp::{Limits, Tcp};
use netstack::wire::tcp::{Flags, Options, Timestamps};
use netstack::{Duration, Instant};
use peer::Segment;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use world::{Consume, Link, Server, World};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// Peers, each with a port of its own.
const PEERS: usize = 4;
/// Steps of one conversation.
const STEPS: usize = 250;
/// Packets that one call may send: of each connection all that is queued, 128 of the longest chunks in the smallest segments,
/// as a window that was measured in large segments lets out when the path becomes narrow.
const PACKETS: usize = PEERS * 128 * 20_480 / 48;

/// What a service answers with from the start, in bytes.
const REPLIES: [usize; 8] = [0, 100, 1_000, 3_000, 0, 10_000, 1_460, 1];
/// The steps, for whoever asks where a conversation went.
const STEP_NAMES: [&str; 32] = [
    "SYN",
    "ACK",
    "ACK",
    "ECN echo",
    "data",
    "data",
    "FIN",
    "data again",
    "bent",
    "bent",
    "SACK",
    "old ACK",
    "RST",
    "window",
    "noise",
    "time",
    "time",
    "time",
    "ICMP error",
    "device full",
    "device has room",
    "path",
    "service reads",
    "service writes",
    "service closes",
    "service resets",
    "deaf",
    "stop",
    "abandon",
    "handshake",
    "ACKs",
    "data and FIN",
];

/// The target.
pub fn conversation(input: &[u8]) {
    let conversation = converse(input, false);
    // A handshake, and something after it.
    let world = conversation.world.borrow();
    if world.accepted > 0 && world.received > 2 {
        depth::reached();
    }
}

/// Where a conversation went.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The state of a peer's connection, the step that it took there, and how often.
    pub steps: BTreeMap<(&'static str, &'static str), u32>,
    /// What TCP has counted.
    pub counters: BTreeMap<&'static str, u64>,
}

/// Holds a conversation and says where it went.
pub fn watched(input: &[u8]) -> Seen {
    let mut conversation = converse(input, true);
    let mut seen = conversation.seen.take().unwrap_or_default();
    seen.counters = conversation.tcp.counters().iter().collect();
    seen
}

fn converse(input: &[u8], watch: bool) -> Conversation {
    let mut choices = Choices::new(input);
    let mut conversation = Conversation::new(&mut choices);
    conversation.seen = watch.then(Seen::default);
    conversation.open(&mut choices);
    for _ in 0..STEPS {
        if choices.is_empty() {
            break;
        }
        conversation.step(&mut choices);
        conversation.settle();
    }
    conversation.fall_silent();
    conversation
}

struct Conversation {
    tcp: Tcp<Server>,
    server: Server,
    link: Link,
    world: Rc<RefCell<World>>,
    now: Instant,
    limits: Limits,
    /// The last segment, as it was on the wire.
    segment: Vec<u8>,
    seen: Option<Seen>,
}

impl Conversation {
    fn new(choices: &mut Choices<'_>) -> Self {
        let size = choices.byte();
        let limits = Limits {
            half_open: [0, 1, 2, 4][usize::from(size & 3)],
            connections: [1, 2, 3, 4][usize::from(size >> 2 & 3)],
            time_wait: [1, 2, 4, 4][usize::from(size >> 4 & 3)],
            receive: choices.of(&[65_535, 1_460, 4_096, 200_000]),
            receive_all: choices.of(&[1 << 20, 2_048, 16_384, 65_536]),
            sending: choices.of(&[1 << 20, 4_096, 16_384, 65_536]),
            ..Limits::default()
        };
        let now = Instant::from_micros(1_000_000);
        let world = Rc::new(RefCell::new(World::new(PEERS, limits.receive, now)));
        Self {
            tcp: Tcp::with_limits([7; 32], limits),
            server: Server(world.clone()),
            link: Link(world.clone()),
            world,
            now,
            limits,
            segment: Vec::new(),
            seen: None,
        }
    }

    /// Most conversations begin with a handshake, some of them with another one half done before it, so that the table is
    /// full; and with a service that answers.
    fn open(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        if how & 0xf == 0xf {
            return;
        }
        if how & 0x10 != 0 {
            let syn = self.world.borrow_mut().peers[PEERS - 1].syn(choices);
            self.deliver(PEERS - 1, syn);
        }
        self.shake(0, choices);
        self.world.borrow_mut().peers[0].service.answer(REPLIES[usize::from(how >> 5)], 1);
        self.settle();
    }

    /// A whole handshake.
    fn shake(&mut self, number: usize, choices: &mut Choices<'_>) {
        let syn = self.world.borrow_mut().peers[number].syn(choices);
        self.deliver(number, syn);
        let acknowledgment = self.world.borrow_mut().peers[number].acknowledgment();
        self.deliver(number, acknowledgment);
    }

    /// One thing happens.
    fn step(&mut self, choices: &mut Choices<'_>) {
        let what = choices.byte();
        let number = usize::from(what >> 6) % PEERS;
        self.note(number, STEP_NAMES[usize::from(what & 0x1f)]);
        let world = self.world.clone();
        let mut world = world.borrow_mut();
        let peer = &mut world.peers[number];
        let segment = match what & 0x1f {
            0 => peer.syn(choices),
            // By the rules.
            1 | 2 => peer.acknowledgment(),
            3 => peer.echo(choices),
            4 | 5 => {
                let length = usize::from(choices.byte()) * 8 + 1;
                peer.data(length)
            }
            6 => peer.fin(),
            7 => peer.repeat(choices),
            // Against them, more or less.
            8 | 9 => peer.bent(choices),
            10 => peer.selective(choices),
            11 => peer.duplicate(),
            12 => peer.reset(choices),
            13 => {
                peer.window = choices.of(&[0, 1, 500, 1_460, 65_535, 1 << 20, 3_000, 100]);
                peer.acknowledgment()
            }
            14 => peer.noise(choices),
            // Everybody else.
            15..=17 => {
                drop(world);
                return self.pass(choices);
            }
            18 => {
                let error = choices.of(&[
                    Unreachable::Host,
                    Unreachable::Protocol,
                    Unreachable::Port,
                    Unreachable::Prohibited,
                    Unreachable::PacketTooBig { mtu: 0 },
                ]);
                let error = match error {
                    Unreachable::PacketTooBig { .. } => Unreachable::PacketTooBig { mtu: choices.word() },
                    other => other,
                };
                let quoted = peer.quoted(choices);
                drop(world);
                return self.call(|tcp, server, link, now| {
                    tcp.unreachable(LOCAL, REMOTE, &quoted, error, now, server, link);
                });
            }
            19 => {
                world.device.room = choices.of(&[0, 1, 2, 3, usize::MAX]);
                world.device.failure = choices.of(&[SendError::Full, SendError::Unreachable]);
                return;
            }
            20 => {
                world.device.room = usize::MAX;
                drop(world);
                return self.poll();
            }
            21 => {
                world.device.mtu = choices.of(&[1_500, 68, 576, 1_280, 9_000, 0, 89]);
                world.device.gso = choices.of(&[None, Some(65_535), Some(3_000)]);
                world.device.fit = choices.of(&[usize::MAX, 500, 1_000, 4_096]);
                return;
            }
            22 => {
                peer.service.consume =
                    choices.of(&[Consume::All, Consume::Nothing, Consume::Half, Consume::One]);
                return;
            }
            23 => {
                let (reply, chunks) = (usize::from(choices.byte()), choices.below(8) + 1);
                peer.service.answer(if reply < 0xc0 { reply * 8 } else { (reply - 0xc0) * 320 }, chunks);
                return;
            }
            24 => {
                peer.service.close = true;
                return;
            }
            25 => {
                match choices.byte() % 4 {
                    0 => peer.service.reset = true,
                    1 => peer.service.close_at_end = !peer.service.close_at_end,
                    2 => peer.service.patient = !peer.service.patient,
                    _ => {
                        let span = Duration::from_millis(u64::from(choices.byte()) * 50);
                        peer.service.deadline = Some(span);
                    }
                }
                return;
            }
            26 => {
                peer.deaf = !peer.deaf;
                return;
            }
            27 => {
                drop(world);
                if choices.byte() < 8 {
                    return self.call(|tcp, server, link, now| tcp.stop(now, server, link));
                }
                return self.tcp.reseed(&choices.array());
            }
            28 => {
                drop(world);
                if choices.byte() < 4 {
                    self.call(|tcp, server, _, now| tcp.abandon(now, server));
                }
                return;
            }
            // A whole handshake, and a whole exchange: the way to deep states is short.
            29 => {
                drop(world);
                return self.shake(number, choices);
            }
            30 => {
                drop(world);
                for _ in 0..8 {
                    let acknowledgment = self.world.borrow_mut().peers[number].acknowledgment();
                    self.deliver(number, acknowledgment);
                }
                return;
            }
            _ => {
                let length = usize::from(choices.byte());
                let mut segment = peer.data(length);
                segment.header.flags = segment.header.flags.with(Flags::FIN);
                segment
            }
        };
        drop(world);
        // Routers mark what they please.
        let ecn = if what & 0x20 == 0 { Ecn::NotCapable } else { Ecn::Congestion };
        self.arrive(number, segment, ecn);
    }

    /// Takes note of a step, where anybody wants to know.
    fn note(&mut self, number: usize, step: &'static str) {
        let Some(seen) = &mut self.seen else { return };
        let state = self.tcp.audit_state(self.world.borrow().peers[number].port);
        *seen.steps.entry((state, step)).or_default() += 1;
    }

    /// A peer's segment comes.
    fn deliver(&mut self, number: usize, segment: Segment) {
        self.arrive(number, segment, Ecn::NotCapable);
    }

    /// A peer's segment comes, marked or not.
    fn arrive(&mut self, number: usize, segment: Segment, ecn: Ecn) {
        let mut bytes = mem::take(&mut self.segment);
        segment.write(&mut bytes);
        self.world.borrow_mut().sends(number, &segment);
        self.call(|tcp, server, link, now| {
            tcp.receive(LOCAL, REMOTE, ecn, &bytes, now, server, link);
        });
        self.segment = bytes;
    }

    /// Time passes.
    fn pass(&mut self, choices: &mut Choices<'_>) {
        let number = u64::from(choices.byte());
        let span = match number & 3 {
            0 => Duration::from_micros(number * 100),
            1 => Duration::from_millis(number * 4),
            2 => Duration::from_millis(number * 250),
            _ => match self.tcp.next_deadline() {
                Some(deadline) => deadline.since(self.now),
                None => Duration::from_secs(1),
            },
        };
        self.set_now(self.now + span);
        self.poll();
    }

    fn set_now(&mut self, now: Instant) {
        self.now = now;
        self.world.borrow_mut().now = now;
    }

    fn poll(&mut self) {
        self.call(|tcp, server, link, now| tcp.poll(now, server, link));
    }

    /// One call of the stack.
    fn call(&mut self, call: impl FnOnce(&mut Tcp<Server>, &mut Server, &mut Link, Instant)) {
        let (half_open, _, resting) = self.tcp.lengths();
        self.world.borrow_mut().begin(half_open + resting);
        call(&mut self.tcp, &mut self.server, &mut self.link, self.now);
        let world = self.world.borrow();
        assert!(world.device.packets <= PACKETS, "{} packets at once", world.device.packets);
        assert!(world.calls <= 4_096, "{} calls of the service at once", world.calls);
    }

    /// What holds between two steps.
    fn settle(&mut self) {
        // Whatever is due is done in a few polls.
        let mut polls = 0;
        while self.tcp.next_deadline().is_some_and(|at| at <= self.now) {
            self.poll();
            polls += 1;
            assert!(
                polls <= 4,
                "a deadline that stays in the past: {:?} at {:?}",
                self.tcp.next_deadline(),
                self.now
            );
        }
        if let Err(what) = self.tcp.audit() {
            panic!("{what}: {:?}", self.tcp);
        }
        let lengths = self.tcp.lengths();
        assert!(lengths.0 <= self.limits.half_open && lengths.1 <= self.limits.connections);
        assert!(lengths.2 <= self.limits.time_wait);
        let world = self.world.borrow();
        assert_eq!(lengths.1, world.accepted - world.closed, "the service knows of other connections");
        assert_eq!(self.tcp.counters().tcp_established, world.accepted as u64);
    }

    /// The peers say no more, and the stack stops: in the end nothing is left, and nothing is due.
    fn fall_silent(&mut self) {
        self.world.borrow_mut().device.room = usize::MAX;
        self.world.borrow_mut().silent = true;
        self.call(|tcp, server, link, now| tcp.stop(now, server, link));
        self.poll();
        let end = self.now + Duration::from_secs(3_600);
        let mut steps = 0;
        while let Some(deadline) = self.tcp.next_deadline() {
            self.settle();
            let next = self.tcp.next_deadline().unwrap_or(deadline);
            assert!(next < end, "something waits for more than an hour: {:?}", self.tcp);
            self.set_now(self.now.max(next));
            self.poll();
            steps += 1;
            assert!(steps < 2_000, "no end of it: {:?}", self.tcp);
        }
        self.settle();
        assert_eq!(self.tcp.lengths(), (0, 0, 0), "left behind");
        assert!(self.tcp.is_empty());
    }
}

/// The timestamps of a segment by the rules.
fn stamps(value: u32, echo: u32) -> Options {
    Options { timestamps: Some(Timestamps { value, echo }), ..Options::default() }
}
