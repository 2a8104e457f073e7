//! An honest client: opens, sends, receives, closes. It shares no code with the stack but the wire format, counts in 64-bit
//! offsets instead of sequence numbers, and repairs losses in the simplest way that works.

use netstack::wire::tcp::{Flags, Header, Options, Segment, Timestamps};
use netstack::{Duration, Instant};
use std::collections::BTreeMap;

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub mss: u16,
    pub window_scale: Option<u8>,
    pub timestamps: bool,
    pub sack: bool,
    /// Its receive buffer in bytes.
    pub buffer: usize,
    /// What the application reads at each turn; the rest stays in the buffer.
    pub bite: usize,
    /// How long the application sleeps between turns.
    pub nap: Duration,
    /// Acknowledges every second segment, or after 40 ms.
    pub delays: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            mss: 1_460,
            window_scale: Some(7),
            timestamps: true,
            sack: true,
            buffer: 1 << 20,
            bite: usize::MAX,
            nap: Duration::ZERO,
            delays: true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    SynSent,
    Open,
    Reset,
}

pub struct Client {
    pub manner: Manner,
    pub port: u16,
    pub state: State,
    pub out: Vec<Vec<u8>>,
    /// All that it has to say; a FIN follows when `close` is set.
    pub say: Vec<u8>,
    pub close: bool,
    /// All that the application has read.
    pub heard: Vec<u8>,
    iss: u32,
    irs: u32,
    una: u64,
    nxt: u64,
    window: u64,
    peer_shift: u8,
    peer_mss: usize,
    timestamps: bool,
    sack: bool,
    recent: u32,
    /// In order, not read.
    unread: Vec<u8>,
    next: u64,
    apart: BTreeMap<u64, Vec<u8>>,
    latest: u64,
    fin: Option<u64>,
    edge: u64,
    owed: Option<Instant>,
    unacknowledged: usize,
    timer: Option<Instant>,
    backoff: u32,
    turn: Option<Instant>,
}

impl Client {
    pub fn new(port: u16, iss: u32, manner: Manner) -> Self {
        Self {
            manner,
            port,
            state: State::SynSent,
            out: Vec::new(),
            say: Vec::new(),
            close: false,
            heard: Vec::new(),
            iss,
            irs: 0,
            una: 0,
            nxt: 0,
            window: 0,
            peer_shift: 0,
            peer_mss: 536,
            timestamps: false,
            sack: false,
            recent: 0,
            unread: Vec::new(),
            next: 0,
            apart: BTreeMap::new(),
            latest: 0,
            fin: None,
            edge: 0,
            owed: None,
            unacknowledged: 0,
            timer: None,
            backoff: 0,
            turn: None,
        }
    }

    pub fn open(&mut self, now: Instant) {
        let options = Options {
            maximum_segment_size: Some(self.manner.mss),
            window_scale: self.manner.window_scale,
            sack_permitted: self.manner.sack,
            timestamps: self.manner.timestamps.then(|| Timestamps { value: clock(now), echo: 0 }),
            ..Options::default()
        };
        let window = u16::try_from(self.manner.buffer).unwrap_or(u16::MAX);
        self.push(Flags::SYN, self.iss, 0, window, &options, &[]);
        self.timer = Some(now + self.timeout());
    }

    /// The peer's FIN and everything before it have been read.
    pub fn at_end(&self) -> bool {
        self.fin.is_some_and(|fin| self.next > fin) && self.unread.is_empty()
    }

    /// Everything said, the FIN too, is acknowledged.
    pub fn is_heard(&self) -> bool {
        self.una >= self.say.len() as u64 + u64::from(self.close)
    }

    pub fn deadline(&self) -> Option<Instant> {
        if self.state == State::Reset {
            return None;
        }
        [self.timer, self.owed, self.turn].into_iter().flatten().min()
    }

    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let segment = Segment::parse(bytes).unwrap();
        let header = segment.header;
        assert_eq!(header.destination, self.port);
        if self.state == State::Reset {
            return;
        }
        if self.state == State::SynSent {
            self.syn_sent(&segment, now);
            return;
        }
        let offset = self.receive_offset(header.sequence);
        if header.flags.has(Flags::RST) {
            // In TIME-WAIT a reset is ignored (RFC 1337).
            let over = self.is_heard() && self.close && self.fin.is_some_and(|fin| self.next > fin);
            if offset == self.next as i64 && !over {
                self.state = State::Reset;
            }
            return;
        }
        if header.flags.has(Flags::SYN) {
            self.acknowledge(now);
            return;
        }
        if self.timestamps {
            let timestamps = segment.options.timestamps.expect("timestamps in every segment");
            if offset <= self.next as i64 {
                self.recent = timestamps.value;
            }
        }
        self.take_ack(&header, now);
        self.take_data(offset, &header, segment.payload, now);
        self.read(now);
        self.send(now);
    }

    pub fn poll(&mut self, now: Instant) {
        if self.turn.is_some_and(|at| at <= now) {
            self.turn = None;
            self.read(now);
        }
        if self.owed.is_some_and(|at| at <= now) {
            self.acknowledge(now);
        }
        if self.timer.is_some_and(|at| at <= now) {
            self.backoff += 1;
            self.timer = None;
            if self.state == State::SynSent {
                self.open(now);
                return;
            }
            self.nxt = self.una;
            if self.window == 0 {
                // A probe: a byte, or the FIN.
                self.transmit(1, now);
            }
        }
        self.send(now);
    }

    /// Sends what the window allows, eight segments at a time at most.
    pub fn send(&mut self, now: Instant) {
        if self.state != State::Open {
            return;
        }
        let most = self.peer_mss - if self.timestamps { 12 } else { 0 };
        loop {
            let end = self.say.len() as u64 + u64::from(self.close);
            let usable = (self.una + self.window.min(8 * most as u64)).saturating_sub(self.nxt);
            let count = end.saturating_sub(self.nxt).min(usable).min(most as u64);
            if count == 0 {
                break;
            }
            self.transmit(count as usize, now);
        }
        if self.nxt > self.una || self.una < self.say.len() as u64 + u64::from(self.close) {
            let timeout = self.timeout();
            self.timer.get_or_insert(now + timeout);
        } else {
            self.timer = None;
        }
    }

    fn transmit(&mut self, count: usize, now: Instant) {
        let length = self.say.len() as u64;
        let from = self.nxt.min(length) as usize;
        let to = (self.nxt + count as u64).min(length) as usize;
        let fin = self.close && self.nxt + count as u64 > length;
        let data = self.say[from..to].to_vec();
        let sequence = self.sequence(self.nxt);
        let flags = Flags::ACK.with_if(fin, Flags::FIN).with_if(!data.is_empty(), Flags::PSH);
        self.nxt += data.len() as u64 + u64::from(fin);
        let (ack, window) = self.announce();
        let options = self.options(now);
        self.push(flags, sequence, ack, window, &options, &data);
    }

    fn acknowledge(&mut self, now: Instant) {
        let (ack, window) = self.announce();
        let options = self.options(now);
        let sequence = self.sequence(self.nxt);
        self.push(Flags::ACK, sequence, ack, window, &options, &[]);
    }

    fn syn_sent(&mut self, segment: &Segment<'_>, now: Instant) {
        let Segment { header, options, .. } = segment;
        if header.flags.has(Flags::RST) {
            self.state = State::Reset;
            return;
        }
        if !header.flags.has(Flags::SYN.with(Flags::ACK)) || header.acknowledgment != self.iss.wrapping_add(1)
        {
            return;
        }
        self.irs = header.sequence;
        self.state = State::Open;
        self.window = u64::from(header.window);
        self.peer_mss = usize::from(options.maximum_segment_size.expect("an MSS in every SYN-ACK"));
        assert_eq!(options.window_scale.is_some(), self.manner.window_scale.is_some());
        assert_eq!(options.timestamps.is_some(), self.manner.timestamps);
        assert_eq!(options.sack_permitted, self.manner.sack);
        self.peer_shift = options.window_scale.unwrap_or(0);
        self.timestamps = self.manner.timestamps;
        self.sack = self.manner.sack;
        self.recent = options.timestamps.map_or(0, |timestamps| timestamps.value);
        (self.timer, self.backoff) = (None, 0);
        self.edge = self.manner.buffer.min(65_535) as u64;
        if self.say.is_empty() && !self.close {
            self.acknowledge(now);
        }
        self.send(now);
    }

    fn take_ack(&mut self, header: &Header, now: Instant) {
        let distance = header.acknowledgment.wrapping_sub(self.sequence(self.una));
        let ack = self.una + u64::from(distance);
        let end = self.say.len() as u64 + u64::from(self.close);
        if distance > i32::MAX as u32 {
            return;
        }
        assert!(ack <= end, "an acknowledgment of what was never sent");
        self.window = u64::from(header.window) << self.peer_shift;
        if ack > self.una {
            self.una = ack;
            self.nxt = self.nxt.max(ack);
            (self.timer, self.backoff) = (None, 0);
        }
        let _ = now;
    }

    fn take_data(&mut self, offset: i64, header: &Header, data: &[u8], now: Instant) {
        let end = offset + data.len() as i64;
        let fin = header.flags.has(Flags::FIN);
        if data.is_empty() && !fin {
            // A keep-alive, or a plain acknowledgment.
            if offset < self.next as i64 {
                self.acknowledge(now);
            }
            return;
        }
        let probe = end - data.len() as i64 == self.next as i64 && data.len() == 1;
        assert!(end <= self.edge as i64 || probe, "data beyond the window: {end} > {}", self.edge);
        if fin {
            assert!(end >= 0 && self.fin.is_none_or(|fin| fin == end as u64), "one FIN in one place");
            self.fin = Some(end as u64);
        }
        let old = end + i64::from(fin) <= self.next as i64;
        if end > self.edge as i64 {
            self.acknowledge(now);
            return;
        }
        if end > self.next as i64 {
            let skip = (self.next as i64 - offset).max(0) as usize;
            let start = (offset + skip as i64) as u64;
            self.latest = start;
            let run = self.apart.entry(start).or_default();
            if run.len() < data.len() - skip {
                *run = data[skip..].to_vec();
            }
        }
        let before = self.next;
        while let Some((&start, _)) = self.apart.range(..=self.next).next_back() {
            let run = self.apart.remove(&start).unwrap();
            let skip = (self.next - start) as usize;
            if let Some(rest) = run.get(skip..) {
                self.unread.extend_from_slice(rest);
                self.next += rest.len() as u64;
            }
        }
        if self.fin == Some(self.next) {
            self.next += 1;
        }
        self.unacknowledged += 1;
        let plain = self.next > before && self.apart.is_empty() && !fin && !old;
        if self.manner.delays && plain && self.unacknowledged < 2 {
            self.owed = Some(now + Duration::from_millis(40));
        } else {
            self.acknowledge(now);
        }
    }

    /// The application's turn.
    fn read(&mut self, now: Instant) {
        if self.turn.is_some() || self.unread.is_empty() {
            return;
        }
        let count = self.unread.len().min(self.manner.bite);
        self.heard.extend(self.unread.drain(..count));
        if self.manner.nap != Duration::ZERO {
            self.turn = Some(now + self.manner.nap);
        }
        // Tell of a window that was shut, or nearly so.
        let free = self.next + self.free() as u64;
        if free.saturating_sub(self.edge) >= 1_460.min(self.manner.buffer as u64 / 2)
            && self.edge - self.next < self.manner.buffer as u64 / 2
        {
            self.acknowledge(now);
        }
    }

    fn free(&self) -> usize {
        let apart: usize = 0;
        self.manner.buffer.saturating_sub(self.unread.len() + apart)
    }

    fn announce(&mut self) -> (u32, u16) {
        (self.owed, self.unacknowledged) = (None, 0);
        let shift = self.manner.window_scale.unwrap_or(0);
        let reach = (self.next + self.free() as u64).max(self.edge);
        let step = 1_460.min(self.manner.buffer as u64 / 2);
        let reach = if reach - self.edge >= step { reach } else { self.edge };
        let field = u16::try_from(reach.saturating_sub(self.next) >> shift).unwrap_or(u16::MAX);
        self.edge = self.edge.max(self.next + (u64::from(field) << shift));
        (self.irs.wrapping_add(1).wrapping_add(self.next as u32), field)
    }

    fn options(&self, now: Instant) -> Options {
        let mut options = Options::default();
        if self.timestamps {
            options.timestamps = Some(Timestamps { value: clock(now), echo: self.recent });
        }
        if self.sack {
            let mut blocks: Vec<(u64, u64)> = Vec::new();
            for (start, run) in &self.apart {
                let end = start + run.len() as u64;
                match blocks.last_mut() {
                    Some(last) if last.1 >= *start => last.1 = last.1.max(end),
                    _ => blocks.push((*start, end)),
                }
            }
            blocks.sort_by_key(|block| !(block.0..block.1).contains(&self.latest));
            let base = self.irs.wrapping_add(1);
            for (left, right) in blocks {
                options.sack.push(base.wrapping_add(left as u32), base.wrapping_add(right as u32));
            }
        }
        options
    }

    fn push(&mut self, flags: Flags, sequence: u32, ack: u32, window: u16, options: &Options, data: &[u8]) {
        let header = Header {
            source: self.port,
            destination: 80,
            sequence,
            acknowledgment: ack,
            flags,
            window,
            urgent: 0,
        };
        let mut segment = header.emit(options).bytes().to_vec();
        segment.extend_from_slice(data);
        self.out.push(segment);
    }

    fn sequence(&self, offset: u64) -> u32 {
        self.iss.wrapping_add(1).wrapping_add(offset as u32)
    }

    /// Where a segment's data stands in the stream; before its start for what is older than the stream.
    fn receive_offset(&self, sequence: u32) -> i64 {
        let next = self.irs.wrapping_add(1).wrapping_add(self.next as u32);
        self.next as i64 + i64::from(sequence.wrapping_sub(next).cast_signed())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(300 << self.backoff.min(5))
    }
}

fn clock(now: Instant) -> u32 {
    (now.micros() / 1_000) as u32
}
