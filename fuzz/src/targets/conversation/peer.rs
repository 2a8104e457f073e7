//! One peer: what it says, and what it knows of the connection it is in, or thinks it is.

use super::ranges::Ranges;
use super::stamps;
use super::world::Plan;
use crate::choices::Choices;
use netstack::wire::tcp::{Flags, Header, Options, Timestamps};
use std::sync::LazyLock;

/// What peers send: a pattern that repeats after a prime number of bytes, so that no segment size divides it.
const PERIOD: u32 = 65_521;
/// More than one segment, or one service, is ever given at once.
const LONGEST: usize = 1 << 18;

static THEIRS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |at: u32| ((at % PERIOD).wrapping_mul(0x9e37_79b1) >> 24) as u8;
    (0..PERIOD + LONGEST as u32).map(byte).collect()
});

/// What peers send from this offset of their streams on, and what follows where offsets start again at 0.
pub fn theirs(offset: u32, length: usize) -> (&'static [u8], &'static [u8]) {
    let start = (offset % PERIOD) as usize;
    let until_zero = usize::try_from(offset.wrapping_neg()).unwrap_or(usize::MAX);
    let first = if offset > u32::MAX - LONGEST as u32 { length.min(until_zero) } else { length };
    (&THEIRS[start..start + first], &THEIRS[..length - first])
}

/// A segment that a peer sends. Its data is what stands at its place in the stream, always.
#[derive(Clone, Debug)]
pub struct Segment {
    pub header: Header,
    pub options: Options,
    pub length: usize,
    /// The number of offset 0.
    pub start: u32,
}

impl Segment {
    /// The offset of its first byte of data.
    pub fn offset(&self) -> u32 {
        let syn = u32::from(self.header.flags.has(Flags::SYN));
        self.header.sequence.wrapping_add(syn).wrapping_sub(self.start)
    }

    /// Writes it as it is on the wire.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(self.header.emit(&self.options).bytes());
        let (first, rest) = theirs(self.offset(), self.length);
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(rest);
    }
}

/// A SYN-ACK that it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The number of our first byte.
    pub ours: u32,
    /// The number of its first byte.
    pub theirs: u32,
    /// How much its windows' fields are to be shifted.
    pub shift: u8,
    /// It allows SACK, and has agreed to ECN.
    pub sack: bool,
    pub ecn: bool,
    /// Its TSval.
    pub stamp: Option<u32>,
}

/// A peer.
#[derive(Debug)]
pub struct Peer {
    pub port: u16,
    pub service: Plan,
    /// It loses whatever comes.
    pub deaf: bool,
    /// The window that it offers.
    pub window: u32,
    /// The window scale of its SYN, and the largest of all of them.
    shift: u8,
    pub largest_shift: u8,
    stamped: bool,
    /// The SYN-ACKs that it was sent.
    pub offers: Vec<Offer>,
    pub offer: Offer,
    pub our_shift: u8,
    /// What it has sent, and where a FIN of its stood, in offsets of its stream.
    pub sent: Ranges,
    pub fins: Vec<u32>,
    next: u32,
    /// What it has received of ours, and where our FIN stands.
    pub got: Ranges,
    pub fin: Option<u32>,
    /// The offset up to which it ever let us send.
    pub edge: u32,
    /// The latest of our acknowledgments, and the edge of our window.
    pub acknowledged: u32,
    pub offered: u32,
    /// Our TSval.
    pub recent: u32,
    pub clock: u32,
    /// The service has its connection now; it had it before.
    pub live: bool,
    pub lived: bool,
    pub stamps: Option<bool>,
    /// It gave back a timestamp that it never got, and a cookie tells its options by that: nobody knows what was agreed on.
    pub forged: bool,
    /// The offset up to which we have sent.
    pub reached: u32,
}

impl Peer {
    pub fn new(port: u16) -> Self {
        Self {
            port,
            service: Plan::default(),
            deaf: false,
            window: 65_535,
            shift: 0,
            largest_shift: 0,
            stamped: false,
            offers: Vec::new(),
            offer: Offer { ours: 0, theirs: 0, shift: 0, sack: false, ecn: false, stamp: None },
            our_shift: 0,
            sent: Ranges::default(),
            fins: Vec::new(),
            next: 0,
            got: Ranges::default(),
            fin: None,
            edge: 0,
            acknowledged: 0,
            offered: 0,
            recent: 0,
            clock: 0,
            live: false,
            lived: false,
            stamps: None,
            forged: false,
            reached: 0,
        }
    }

    /// A connection begins, or may: what was known of the one before does not hold for it.
    pub fn begin(&mut self, offer: Offer) {
        (self.offer, self.our_shift) = (offer, offer.shift);
        (self.sent, self.got) = (Ranges::default(), Ranges::default());
        self.fins.clear();
        (self.next, self.fin, self.edge) = (0, None, 0);
        self.again();
    }

    /// A SYN-ACK that has been answered is answered again, as cookies may be: what it sent may have been sent before.
    pub fn again(&mut self) {
        (self.acknowledged, self.offered, self.stamps, self.lived) = (0, 0, None, false);
        (self.forged, self.reached) = (false, 0);
    }

    fn header(&mut self, flags: Flags) -> Segment {
        self.clock = self.clock.wrapping_add(1);
        let received = self.got.reach(0);
        let fin = u32::from(self.fin == Some(received));
        let header = Header {
            source: self.port,
            destination: 80,
            sequence: self.offer.theirs.wrapping_add(self.next),
            acknowledgment: self.offer.ours.wrapping_add(received + fin),
            flags,
            window: u16::try_from(self.window >> self.shift).unwrap_or(u16::MAX),
            urgent: 0,
        };
        let options = if self.stamped { stamps(self.clock, self.recent) } else { Options::default() };
        Segment { header, options, length: 0, start: self.offer.theirs }
    }

    pub fn syn(&mut self, choices: &mut Choices<'_>) -> Segment {
        let (with, more) = (choices.byte(), choices.byte());
        let sequence = match with >> 5 {
            0 => self.offer.theirs.wrapping_add(0x1000_0000),
            1 => u32::MAX - 3,
            2 => self.offer.theirs.wrapping_sub(1),
            3 => choices.half(),
            _ => self.offer.theirs.wrapping_add(200_000),
        };
        self.clock = self.clock.wrapping_add(1_000);
        self.stamped = with & 1 != 0;
        self.shift = if with & 2 != 0 { choices.byte() & 15 } else { 0 };
        self.largest_shift = self.largest_shift.max(self.shift.min(14));
        let options = Options {
            maximum_segment_size: (with & 4 != 0)
                .then(|| [1_460, 536, 1_460, 0, 8_960, 90, 1_220, 48][usize::from(more & 7)]),
            window_scale: (with & 2 != 0).then_some(self.shift),
            sack_permitted: with & 8 != 0,
            timestamps: self.stamped.then_some(Timestamps { value: self.clock, echo: 0 }),
            ..Options::default()
        };
        self.shift = self.shift.min(14);
        // RFC 3168 section 6.1.1: with both it asks for ECN.
        let ecn = [Flags::ECE.with(Flags::CWR), Flags::default(), Flags::ECE, Flags::CWR];
        let ecn = ecn[usize::from(if more & 0x40 == 0 { more >> 3 & 1 } else { more >> 3 & 3 })];
        let mut segment = self.header(Flags::SYN.with(ecn));
        (segment.header.sequence, segment.header.acknowledgment) = (sequence, 0);
        (segment.start, segment.options) = (sequence.wrapping_add(1), options);
        segment.length = if with & 16 != 0 { 20 } else { 0 };
        segment
    }

    pub fn acknowledgment(&mut self) -> Segment {
        self.header(Flags::ACK)
    }

    /// With what it has to say of congestion.
    pub fn echo(&mut self, choices: &mut Choices<'_>) -> Segment {
        self.header(Flags::ACK.with(choices.of(&[Flags::ECE, Flags::CWR, Flags::ECE.with(Flags::CWR)])))
    }

    pub fn duplicate(&mut self) -> Segment {
        let mut segment = self.header(Flags::ACK);
        segment.header.acknowledgment = self.offer.ours;
        segment
    }

    pub fn data(&mut self, length: usize) -> Segment {
        let mut segment = self.header(Flags::ACK.with(Flags::PSH));
        segment.length = length;
        self.next = self.next.wrapping_add(length as u32);
        segment
    }

    pub fn fin(&mut self) -> Segment {
        let segment = self.header(Flags::ACK.with(Flags::FIN));
        self.next = self.next.wrapping_add(1);
        segment
    }

    /// What it thinks is lost: from our acknowledgment on, or a part of that.
    pub fn repeat(&mut self, choices: &mut Choices<'_>) -> Segment {
        let back = u32::from(choices.byte()) * 4;
        let mut segment = self.header(Flags::ACK);
        let length = self.next.wrapping_sub(self.acknowledged).min(1_460);
        segment.header.sequence = self.offer.theirs.wrapping_add(self.acknowledged).wrapping_add(back);
        segment.length = length.saturating_sub(back) as usize;
        if choices.byte() & 7 == 7 {
            // And from there on it goes on.
            self.next = self.acknowledged;
        }
        segment
    }

    /// SACK blocks: what it has, or what it says it has.
    pub fn selective(&mut self, choices: &mut Choices<'_>) -> Segment {
        let mut segment = self.header(Flags::ACK);
        let received = self.got.reach(0);
        if choices.yes() {
            for (left, right) in self.got.beyond(received).take(4) {
                let ours = self.offer.ours;
                segment.options.sack.push(ours.wrapping_add(left), ours.wrapping_add(right));
            }
            return segment;
        }
        let mut at = segment.header.acknowledgment;
        for _ in 0..choices.below(5) {
            let left = at.wrapping_add(u32::from(choices.byte()) * 64);
            at = left.wrapping_add(u32::from(choices.byte()) * 64);
            segment.options.sack.push(left, at);
        }
        segment
    }

    pub fn reset(&mut self, choices: &mut Choices<'_>) -> Segment {
        let flags = if choices.yes() { Flags::RST } else { Flags::RST.with(Flags::ACK) };
        let mut segment = self.header(flags);
        let at =
            choices.of(&[self.acknowledged, self.acknowledged + 1, self.offered, self.next, 0x7000_0000]);
        segment.header.sequence = self.offer.theirs.wrapping_add(at);
        segment
    }

    /// By the rules, but for a number or two.
    pub fn bent(&mut self, choices: &mut Choices<'_>) -> Segment {
        let how = choices.byte();
        let mut segment = self.header(Flags::ACK);
        let around = |choices: &mut Choices<'_>| match choices.byte() {
            near @ 0..=0x7f => u32::from(near).wrapping_sub(0x40),
            far => u32::from(far & 0x3f).wrapping_sub(0x20).wrapping_mul(1_017),
        };
        if how & 1 != 0 {
            let from = choices.of(&[self.next, self.acknowledged, self.offered, 0]);
            segment.header.sequence = self.offer.theirs.wrapping_add(from).wrapping_add(around(choices));
        }
        if how & 2 != 0 {
            segment.header.acknowledgment = segment.header.acknowledgment.wrapping_add(around(choices));
        }
        if how & 4 != 0 {
            segment.header.flags = Flags::new(choices.byte());
        }
        if how & 8 != 0 {
            segment.header.window = choices.word();
        }
        if how & 16 != 0 {
            segment.header.urgent = choices.word();
        }
        if how & 32 != 0 {
            segment.options.timestamps = match choices.byte() {
                0..0x40 => None,
                back => Some(Timestamps {
                    value: self.clock.wrapping_sub(u32::from(back)),
                    echo: self.recent.wrapping_add(u32::from(choices.byte())).wrapping_sub(100),
                }),
            };
        }
        if how & 64 != 0 {
            segment.length = usize::from(choices.byte()) * 16;
        }
        segment
    }

    /// Anything, to its port.
    pub fn noise(&mut self, choices: &mut Choices<'_>) -> Segment {
        let mut segment = self.header(Flags::new(choices.byte()));
        segment.header.sequence = choices.half();
        segment.header.acknowledgment = choices.half();
        segment.header.destination = choices.of(&[80, 81]);
        segment.length = choices.below(200);
        segment.options = Options {
            maximum_segment_size: choices.yes().then(|| choices.word()),
            timestamps: choices.yes().then(|| Timestamps { value: choices.half(), echo: choices.half() }),
            ..Options::default()
        };
        segment
    }

    /// The start of one of our segments, as an ICMP error quotes it.
    pub fn quoted(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        let around = u32::from(choices.byte()) * 32;
        let received = self.got.reach(0);
        let sequence = self.offer.ours.wrapping_add(received).wrapping_add(around).wrapping_sub(64);
        let mut quoted = [80_u16.to_be_bytes(), self.port.to_be_bytes()].concat();
        quoted.extend(sequence.to_be_bytes());
        quoted.truncate(8 - choices.below(16).saturating_sub(8));
        quoted
    }
}
