//! What the stack stands between: the service above it and the device below, which share what they know and hold it to
//! its promises.

use super::peer::{Offer, Peer, Segment, theirs};
use core::net::{IpAddr, SocketAddr};
use netstack::device::Slice;
use netstack::egress::{Ecn, Egress, Path, SendError};
use netstack::service::Inline;
use netstack::wire::tcp::{Flags, Segment as Wire};
use netstack::{Chunk, Duration, Instant, Service, Stream};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

/// The pattern of what we send repeats after so many bytes: a prime, so that no segment size divides it.
const PERIOD: usize = 65_521;
/// The longest chunk.
const LONGEST: usize = 20_480;
/// Segments of a conversation after which services send no more: what comes later is more of the same.
const SEGMENTS: usize = 250;

static OURS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..PERIOD + LONGEST).map(|at| (((at % PERIOD) as u32).wrapping_mul(0x85eb_ca77) >> 23) as u8).collect()
});

/// With FUZZ_TRACE set, a conversation is told as it goes.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TRACE").is_some());

/// What we send from this offset of our stream on.
fn ours(offset: usize, length: usize) -> &'static [u8] {
    let start = offset % PERIOD;
    &OURS[start..start + length]
}

/// How much of what it is shown a service takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consume {
    #[default]
    All,
    Nothing,
    Half,
    One,
}

/// What the service is to do at its next call, and what it knows of the connection that it has.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub consume: Consume,
    /// Bytes to send at each call, in so many chunks.
    reply: usize,
    chunks: usize,
    pub close: bool,
    pub close_at_end: bool,
    pub reset: bool,
    pub deadline: Option<Duration>,
    /// It asks for no keep-alives.
    pub patient: bool,
    /// Bytes taken, bytes sent.
    taken: u32,
    sent: usize,
    closing: bool,
    ended: bool,
}

impl Plan {
    /// At each call it is to send so many bytes, in so many chunks.
    pub fn answer(&mut self, reply: usize, chunks: usize) {
        (self.reply, self.chunks) = (reply, chunks);
    }
}

/// The device.
#[derive(Debug)]
pub struct Device {
    pub mtu: u16,
    pub gso: Option<u32>,
    pub fit: usize,
    /// Packets that it still takes, and what it says then.
    pub room: usize,
    pub failure: SendError,
    /// Packets in this call.
    pub packets: usize,
}

/// What everybody shares.
#[derive(Debug)]
pub struct World {
    pub peers: Vec<Peer>,
    pub device: Device,
    pub now: Instant,
    pub accepted: usize,
    pub closed: usize,
    /// Calls of the service in this call.
    pub calls: usize,
    /// The peers say no more, and the service only closes.
    pub silent: bool,
    receive: u32,
    /// Connections in SYN-RECEIVED and TIME-WAIT before this call: they acknowledge, and no service knows of them.
    unseen: usize,
    /// The acknowledgment of the segment that is being received, its sequence number, and the timestamp that it gives back.
    arriving: (u32, u32, Option<u32>),
    /// Segments to us, and from us.
    pub received: usize,
    pub sent: usize,
}

impl World {
    pub fn new(peers: usize, receive: u32, now: Instant) -> Self {
        Self {
            peers: (0..peers).map(|number| Peer::new(40_000 + number as u16)).collect(),
            device: Device {
                mtu: 1_500,
                gso: None,
                fit: usize::MAX,
                room: usize::MAX,
                failure: SendError::Full,
                packets: 0,
            },
            now,
            accepted: 0,
            closed: 0,
            calls: 0,
            silent: false,
            receive,
            unseen: 0,
            arriving: (0, 0, None),
            received: 0,
            sent: 0,
        }
    }

    /// The stack is called.
    pub fn begin(&mut self, unseen: usize) {
        (self.unseen, self.calls, self.device.packets) = (unseen, 0, 0);
    }

    /// A peer sends a segment.
    pub fn sends(&mut self, number: usize, segment: &Segment) {
        let peer = &mut self.peers[number];
        let header = &segment.header;
        if *TRACE {
            eprintln!(
                "{:>10} < {header:?} {:?} length {}",
                self.now.micros(),
                segment.options,
                segment.length
            );
        }
        self.received += 1;
        let echo = segment.options.timestamps.map(|timestamps| timestamps.echo);
        self.arriving = (header.acknowledgment, header.sequence, echo);
        if segment.start == peer.offer.theirs {
            let (offset, length) = (segment.offset(), segment.length as u32);
            peer.sent.add(offset, length);
            if header.flags.has(Flags::FIN) {
                let end = offset.wrapping_add(length);
                peer.sent.add(end, 1);
                peer.fins.push(end);
            }
        }
        let ack = header.acknowledgment.wrapping_sub(peer.offer.ours) as i32;
        let most = peer.service.sent as i64 + 1;
        if header.flags.has(Flags::ACK) && i64::from(ack) <= most {
            let edge = i64::from(ack) + (i64::from(header.window) << peer.largest_shift);
            peer.edge = peer.edge.max(u32::try_from(edge.max(0)).unwrap_or(u32::MAX));
        }
    }

    fn peer(&mut self, port: u16) -> &mut Peer {
        &mut self.peers[usize::from(port - 40_000)]
    }

    /// A segment of ours, payload apart.
    fn sent(&mut self, segment: &Wire<'_>, payload: &[Slice<'_>], ecn: Ecn, taken: bool) {
        self.sent += 1;
        let header = &segment.header;
        let (flags, unseen, receive) = (header.flags, self.unseen, self.receive);
        let length: usize = payload.iter().map(|slice| slice.bytes().len()).sum();
        if *TRACE {
            eprintln!("{:>10} > {header:?} {:?} length {length} {taken}", self.now.micros(), segment.options);
        }
        assert_eq!(header.urgent, 0);
        assert!(!flags.has(Flags::URG));
        if !(40_000..40_000 + self.peers.len() as u16).contains(&header.destination) {
            panic!("a segment to port {}", header.destination);
        }
        // RFC 3168 section 6.1.4 to 6.1.6: of what we send, new data alone may be marked.
        assert!(ecn == Ecn::NotCapable || (ecn == Ecn::Capable && length > 0), "{ecn:?}, {length} bytes");
        let peer = self.peer(header.destination);
        if flags.has(Flags::SYN) {
            assert!(flags.has(Flags::ACK) && !flags.has(Flags::RST) && !flags.has(Flags::FIN) && length == 0);
            assert!(!peer.live, "a SYN-ACK within a connection");
            let offer = Offer {
                ours: header.sequence.wrapping_add(1),
                theirs: header.acknowledgment,
                shift: segment.options.window_scale.unwrap_or(0),
                sack: segment.options.sack_permitted,
                ecn: flags.has(Flags::ECE),
                stamp: segment.options.timestamps.map(|timestamps| timestamps.value),
            };
            assert!(!flags.has(Flags::CWR));
            peer.offers.retain(|known| (known.ours, known.theirs) != (offer.ours, offer.theirs));
            peer.offers.push(offer);
            if peer.lived || (peer.offer.ours, peer.offer.theirs) != (offer.ours, offer.theirs) {
                peer.begin(offer);
            } else {
                // A SYN with the same number may ask for something else.
                (peer.offer, peer.our_shift) = (offer, offer.shift);
            }
            if let Some(timestamps) = segment.options.timestamps {
                peer.recent = timestamps.value;
            }
            return;
        }
        if flags.has(Flags::RST) {
            assert!(length == 0 && !flags.has(Flags::FIN));
            return;
        }
        assert!(flags.has(Flags::ACK), "{flags:?}");
        if !peer.live {
            assert!(length == 0 && !flags.has(Flags::FIN), "data of a connection that is over");
            assert!(unseen > 0, "a word of a connection that is over");
            return;
        }
        // What we send.
        let mut offset = header.sequence.wrapping_sub(peer.offer.ours);
        if offset == u32::MAX && length == 0 {
            // A keep-alive before anything was sent (RFC 9293 section 3.8.4: SEG.SEQ = SND.NXT-1).
            offset = 0;
        }
        let end = offset as usize + length;
        // An acknowledgment after our FIN stands behind it.
        let behind = usize::from(length == 0 && !flags.has(Flags::FIN) && peer.service.closing);
        assert!(end <= peer.service.sent + behind, "bytes {offset} to {end} of {}", peer.service.sent);
        let mut at = offset as usize;
        for slice in payload {
            assert_eq!(slice.bytes(), ours(at, slice.bytes().len()), "wrong bytes from {at} on");
            at += slice.bytes().len();
        }
        let fin = flags.has(Flags::FIN);
        if fin {
            assert!(peer.service.closing && end == peer.service.sent, "a FIN out of place");
        }
        assert!(
            peer.forged || end + usize::from(fin) <= peer.edge as usize + 1,
            "{end} is beyond the peer's window {}",
            peer.edge
        );
        let congestion = ecn == Ecn::Capable || flags.has(Flags::ECE) || flags.has(Flags::CWR);
        assert!(!congestion || peer.offer.ecn || peer.forged, "{flags:?}, {ecn:?}: ECN was not agreed on");
        assert!(!flags.has(Flags::CWR) || length > 0, "CWR without data");
        assert!(ecn == Ecn::NotCapable || offset >= peer.reached, "what is sent again is marked");
        assert!(
            segment.options.sack.as_slice().is_empty() || peer.offer.sack || peer.forged,
            "SACK was not agreed on"
        );
        // What we say of what we received.
        let acknowledged = header.acknowledgment.wrapping_sub(peer.offer.theirs);
        assert!(acknowledged <= peer.sent.reach(0), "{acknowledged} acknowledged, {:?} sent", peer.sent);
        let window = u32::from(header.window) << peer.our_shift;
        assert!(peer.forged || window <= receive, "a window of {window}");
        for (number, (left, right)) in segment.options.sack.as_slice().iter().enumerate() {
            let (left, right) = (left.wrapping_sub(peer.offer.theirs), right.wrapping_sub(peer.offer.theirs));
            // What came twice (RFC 2883): all that is known of it is that it is older than what is acknowledged.
            let twice = number == 0 && right.wrapping_sub(acknowledged) as i32 <= 0;
            if twice {
                assert!((1..0x1_0000).contains(&right.wrapping_sub(left)), "D-SACK of {left} to {right}");
            } else {
                assert!(left < right && peer.sent.reach(left) >= right, "SACK of what never came");
            }
        }
        let stamped = segment.options.timestamps.is_some();
        assert_eq!(*peer.stamps.get_or_insert(stamped), stamped, "timestamps come and go");
        assert!(peer.forged || stamped == peer.offer.stamp.is_some(), "timestamps were not agreed on");
        if !taken {
            return;
        }
        assert!(acknowledged >= peer.acknowledged, "an acknowledgment went back");
        let rounding = (1 << peer.our_shift) - 1;
        assert!(peer.forged || acknowledged + window + rounding >= peer.offered, "the window was shrunk");
        peer.reached = peer.reached.max(end as u32);
        peer.acknowledged = acknowledged;
        peer.offered = peer.offered.max(acknowledged + window);
        if let Some(timestamps) = segment.options.timestamps {
            peer.recent = timestamps.value;
        }
        if !peer.deaf {
            peer.got.add(offset, length as u32);
            if fin {
                peer.fin = Some(end as u32);
            }
        }
    }
}

/// The service of all connections.
#[derive(Debug)]
pub struct Server(pub Rc<RefCell<World>>);

impl Server {
    /// The service does what is planned for it.
    fn act(plan: &mut Plan, silent: bool, tired: bool, stream: &mut dyn Stream) {
        assert!(stream.unacknowledged() <= plan.sent);
        if silent {
            return;
        }
        for number in 0..plan.chunks {
            let length = plan.reply / plan.chunks;
            if length == 0 || tired {
                break;
            }
            let bytes = ours(plan.sent, length);
            let chunk = match (plan.sent + number) % 3 {
                0 => Chunk::Static(bytes),
                1 => Chunk::Owned(bytes.into()),
                _ => Inline::new(bytes).map_or(Chunk::Static(bytes), Chunk::Inline),
            };
            let room = stream.room();
            match stream.send(chunk) {
                Ok(()) => {
                    assert!(room > 0 && !plan.closing);
                    plan.sent += length;
                }
                Err(chunk) => {
                    assert!(room == 0 && chunk.bytes() == bytes);
                    break;
                }
            }
        }
        stream.set_keepalive(!plan.patient);
        if let Some(span) = plan.deadline.take() {
            stream.set_deadline(Some(stream.now() + span));
        }
        if std::mem::take(&mut plan.close) {
            stream.close();
            plan.closing = true;
        }
        if std::mem::take(&mut plan.reset) {
            stream.reset();
        }
    }

    fn call(&mut self, port: u16, stream: &mut dyn Stream) {
        let mut world = self.0.borrow_mut();
        let (silent, tired) = (world.silent, world.sent > SEGMENTS);
        assert_eq!(stream.now(), world.now);
        world.calls += 1;
        let peer = world.peer(port);
        assert!(peer.live, "a call for a connection that is over");
        Self::act(&mut peer.service, silent, tired, stream);
    }
}

impl Service for Server {
    type Connection = u16;

    fn listens(&self, port: u16) -> bool {
        port == 80
    }

    fn accept(&mut self, remote: SocketAddr, local: SocketAddr, stream: &mut dyn Stream) -> u16 {
        assert_eq!(local.port(), 80);
        {
            let mut world = self.0.borrow_mut();
            if *TRACE {
                eprintln!("{:>10} accepted {remote}", world.now.micros());
            }
            world.accepted += 1;
            let (ack, sequence, echo) = world.arriving;
            let peer = world.peer(remote.port());
            assert!(!peer.live, "accepted twice");
            peer.live = true;
            let plan = &mut peer.service;
            (plan.taken, plan.sent, plan.closing, plan.ended) = (0, 0, false, false);
            // Which of the SYN-ACKs it answers; one that nobody saw is a cookie that was guessed.
            let offer = peer.offers.iter().rev().find(|offer| offer.ours == ack).copied();
            let forged = offer.is_none_or(|offer| offer.stamp != echo);
            let offer = offer.unwrap_or(Offer { ours: ack, theirs: sequence, ..peer.offer });
            if (offer.ours, offer.theirs) != (peer.offer.ours, peer.offer.theirs) {
                let edge = peer.edge;
                peer.begin(offer);
                // The segment that completes it has been sent already; how, there is no telling any more.
                (peer.edge, peer.fins) = (edge.max(0x4000_0000), Vec::new());
                peer.sent.add(0, 0x10_0000);
            } else if peer.lived {
                peer.again();
            }
            peer.forged = forged;
        }
        self.call(remote.port(), stream);
        remote.port()
    }

    fn receive(&mut self, port: &mut u16, bytes: &[u8], end: bool, stream: &mut dyn Stream) -> usize {
        let consumed = {
            let mut world = self.0.borrow_mut();
            let (silent, receive) = (world.silent, world.receive as usize);
            let peer = world.peer(*port);
            let plan = &mut peer.service;
            assert!(bytes.len() <= receive, "{} bytes are shown", bytes.len());
            let (first, rest) = theirs(plan.taken, bytes.len());
            let (shown, after) = bytes.split_at(first.len());
            assert!(shown == first && after == rest, "wrong bytes from {} on", plan.taken);
            assert!(plan.taken as usize + bytes.len() <= peer.sent.reach(0) as usize);
            assert!(end || !plan.ended, "after the end comes the end");
            if end && !plan.ended {
                plan.ended = true;
                let at = plan.taken + bytes.len() as u32;
                assert!(peer.fins.is_empty() || peer.fins.contains(&at), "the end is at {:?}", peer.fins);
                plan.close |= plan.close_at_end;
            }
            let consumed = match plan.consume {
                _ if silent => bytes.len(),
                Consume::All => bytes.len(),
                Consume::Nothing => 0,
                Consume::Half => bytes.len() / 2,
                Consume::One => bytes.len().min(1),
            };
            plan.taken += consumed as u32;
            consumed
        };
        self.call(*port, stream);
        consumed
    }

    fn acknowledged(&mut self, port: &mut u16, stream: &mut dyn Stream) {
        self.call(*port, stream);
    }

    fn deadline(&mut self, port: &mut u16, stream: &mut dyn Stream) {
        self.call(*port, stream);
    }

    fn stopping(&mut self, port: &mut u16, stream: &mut dyn Stream) {
        self.0.borrow_mut().peer(*port).service.closing = true;
        stream.close();
        self.call(*port, stream);
    }

    fn closed(&mut self, port: u16) {
        let mut world = self.0.borrow_mut();
        if *TRACE {
            eprintln!("{:>10} closed {port}", world.now.micros());
        }
        world.closed += 1;
        let peer = world.peer(port);
        assert!(std::mem::take(&mut peer.live), "closed twice");
        peer.lived = true;
    }
}

/// The device below all connections.
#[derive(Debug)]
pub struct Link(pub Rc<RefCell<World>>);

impl Egress for Link {
    fn path(&self, _: IpAddr) -> Path {
        let device = &self.0.borrow().device;
        Path { mtu: device.mtu, gso: device.gso }
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        let sum: usize = payload.iter().map(|slice| slice.bytes().len()).sum();
        sum.min(self.0.borrow().device.fit)
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
        let mut world = self.0.borrow_mut();
        assert_eq!((local, remote), (super::LOCAL, super::REMOTE));
        assert_eq!(header[16..18], [0, 0], "the checksum is IP's to fill in");
        let segment = Wire::parse(header).expect("a sound header");
        assert!(
            segment.payload.is_empty() && segment.header.source == 80 || segment.header.flags.has(Flags::RST)
        );
        assert!(payload.iter().all(|slice| !slice.bytes().is_empty()));
        let length: usize = payload.iter().map(|slice| slice.bytes().len()).sum();
        // The smallest segment has 48 bytes, options counted, however small the path is.
        let mtu = usize::from(world.device.mtu).max(88);
        assert!(length <= world.device.fit);
        match gso {
            _ if length == 0 => assert_eq!(gso, None),
            None => assert!(20 + header.len() + length <= mtu, "{length} bytes on a path of {mtu}"),
            Some(size) => {
                assert!(20 + header.len() + usize::from(size) <= mtu && length > usize::from(size));
                assert!(20 + header.len() + length <= world.device.gso.expect("it was offered") as usize);
            }
        }
        world.device.packets += 1;
        let taken = world.device.room > 0;
        world.sent(&segment, payload, ecn, taken);
        if !taken {
            return Err(world.device.failure);
        }
        world.device.room = world.device.room.saturating_sub(usize::from(world.device.room != usize::MAX));
        Ok(())
    }

    fn packet_too_big(&mut self, _: IpAddr, mtu: u16) {
        let device = &mut self.0.borrow_mut().device;
        device.mtu = device.mtu.min(mtu.max(68));
    }
}
