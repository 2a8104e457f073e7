//! A peer that sends anything at all around what it could rightly send. Whatever it sends: what is served is what was asked
//! for, within the windows it told; what is acknowledged was sent; and nothing of it is left in the end. The seed of a
//! failure is printed; `TCP_HOSTILE=n` runs that one alone, `TCP_HOSTILES=n` so many.

use crate::rig::{Rig, request};
use crate::server::Request;
use netstack::Duration;
use netstack::random::Random;
use netstack::wire::tcp::{Flags, Header, Options, SackBlocks, Timestamps};

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len() as u64) as usize]
}

/// What the peer knows, in offsets from the first byte of each stream.
struct Oracle {
    say: Vec<u8>,
    expected: Vec<u8>,
    /// Which of what it has to say has been sent; the last is the FIN.
    sent: Vec<bool>,
    acknowledged: usize,
    /// What it has heard without gaps.
    heard: Vec<bool>,
    /// The furthest that any window told reached.
    edge: u32,
    told: u32,
}

impl Oracle {
    fn contiguous(flags: &[bool]) -> usize {
        flags.iter().position(|flag| !flag).unwrap_or(flags.len())
    }

    /// Holds a segment of the stack's to what it may say.
    fn check(&mut self, header: &Header, payload: &[u8], iss: u32, irs: u32) {
        if header.flags.has(Flags::RST) || header.flags.has(Flags::SYN) {
            return;
        }
        let ack = header.acknowledgment.wrapping_sub(irs).wrapping_sub(1) as usize;
        assert!(ack >= self.acknowledged, "an acknowledgment moved back: {ack} < {}", self.acknowledged);
        assert!(ack <= Self::contiguous(&self.sent), "{ack} acknowledged, which was not sent");
        self.acknowledged = ack;
        let right = ack as u32 + u32::from(header.window);
        // A window that is shut for a FIN or TIME-WAIT tells nothing.
        if ack < self.sent.len() && header.window != 0 {
            assert!(right >= self.told, "the window shrank");
            self.told = right;
        }
        let start = header.sequence.wrapping_sub(iss).wrapping_sub(1);
        let end = start + payload.len() as u32;
        assert!(start as usize <= self.expected.len() + 1, "a number that is not in the stream: {start}");
        assert!(
            payload.is_empty() || payload == &self.expected[start as usize..end as usize],
            "at {start}: not what was asked for"
        );
        assert!(end <= self.edge + 1, "{end} is beyond the window {}", self.edge);
        self.heard[start as usize..end as usize].fill(true);
        if header.flags.has(Flags::FIN) {
            self.heard[end as usize] = true;
        }
    }
}

fn harass(seed: u64) {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = Random::new(&bytes);
    let mut rig = Rig::new();
    rig.server.patience = Some(Duration::from_secs(30));
    rig.server.backlog = pick(&mut random, &[None, Some(0), Some(3_000)]);
    let requests: Vec<Request> = (0..1 + random.below(4))
        .map(|_| {
            let (length, body) = (random.below(40_000) as u32, random.below(3_000) as u32);
            Request { start: random.below(10_000) as u32, body, ..request(length) }
        })
        .collect();
    let say: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
    let expected: Vec<u8> = requests.iter().flat_map(|request| request.response()).copied().collect();
    let (sack, timestamps) = (random.below(2) == 0, random.below(2) == 0);
    let stamps = |millis: u32| timestamps.then_some(Timestamps { value: 1_000 + millis, echo: 0 });
    let (irs, port) = (pick(&mut random, &[1_000, 0xffff_fff0]), 5_000);
    let mut header =
        Header { source: port, destination: 80, sequence: irs, window: 65_535, ..Header::default() };
    let offered = Options {
        maximum_segment_size: Some(1_460),
        sack_permitted: sack,
        timestamps: stamps(0),
        ..Options::default()
    };
    header.flags = Flags::SYN;
    rig.give(header, &offered, &[]);
    let iss = rig.one().header.sequence;
    let mut oracle = Oracle {
        sent: vec![false; say.len() + 1],
        heard: vec![false; expected.len() + 1],
        acknowledged: 0,
        edge: 65_535,
        told: 0,
        say,
        expected,
    };
    let began = rig.now;
    for _ in 0..random.below(200) {
        let heard = Oracle::contiguous(&oracle.heard) as u32;
        let next = Oracle::contiguous(&oracle.sent) as i64;
        let stray = pick(&mut random, &[0, 0, 0, 0, -1, 1, -700, 700, 1_460, 70_000]);
        let start = (next + stray).max(-700);
        let from = start.clamp(0, oracle.say.len() as i64) as usize;
        let count = pick(&mut random, &[0, 1, 5, 500, 1_460, 1_460]);
        let to = (from + count).min(oracle.say.len());
        // The stream says the same at the same place; and a FIN stands at its end alone.
        let data = if start < 0 { Vec::new() } else { oracle.say[from..to].to_vec() };
        let at_end = start >= 0 && to == oracle.say.len() && start as usize <= to;
        let fin = at_end && random.below(4) == 0;
        let mut flags = Flags::ACK.with_if(fin, Flags::FIN);
        flags = flags.with_if(random.below(60) == 0, Flags::SYN).with_if(random.below(30) == 0, Flags::URG);
        let sequence = irs.wrapping_add(1).wrapping_add(start as u32);
        if random.below(40) == 0 && sequence != irs.wrapping_add(1).wrapping_add(oracle.acknowledged as u32) {
            flags = flags.with(Flags::RST);
        }
        if random.below(40) == 0 {
            flags = pick(&mut random, &[Flags::default(), Flags::FIN, Flags::SYN, Flags::PSH]);
        }
        let ack = pick(
            &mut random,
            &[heard, heard, heard, heard, 0, heard / 2, heard.wrapping_add(1), heard + 90_000],
        );
        header.window = pick(&mut random, &[65_535, 65_535, 20_000, 1_000, 1, 0]);
        header = Header { flags, sequence, acknowledgment: iss.wrapping_add(1).wrapping_add(ack), ..header };
        let mut options = Options {
            timestamps: stamps((rig.now.since(began).micros() / 1_000) as u32),
            ..Options::default()
        };
        for _ in 0..random.below(4) {
            let left =
                pick(&mut random, &[heard, heard + 1_460, heard / 2, 0]).wrapping_add(iss).wrapping_add(1);
            let length = pick(&mut random, &[0, 1, 100, 1_460, 60_000, u32::MAX]);
            options.sack.push(left, left.wrapping_add(length));
        }
        if random.below(3) == 0 {
            options.sack = SackBlocks::default();
        }
        if !flags.has(Flags::RST) {
            // The service, too, holds every byte to its place.
            for (at, flag) in oracle.sent.iter_mut().enumerate() {
                *flag |= (start..start + data.len() as i64).contains(&(at as i64));
            }
            if fin {
                *oracle.sent.last_mut().unwrap() = true;
            }
            oracle.edge =
                oracle.edge.max(ack.min(oracle.expected.len() as u32 + 1) + u32::from(header.window));
        }
        rig.nic.room = pick(&mut random, &[usize::MAX, usize::MAX, 0, 1, 5]);
        rig.give(header, &options, &data);
        let mut replies = rig.take();
        rig.nic.room = usize::MAX;
        rig.millis(pick(&mut random, &[0, 0, 1, 50, 300]));
        replies.extend(rig.take());
        // A SYN that finds the place free begins another conversation.
        if flags.has(Flags::SYN) && rig.tcp.lengths().0 == 1 && sequence != irs {
            break;
        }
        for reply in replies {
            oracle.check(&reply.header, &reply.payload, iss, irs);
        }
    }
    // Then silence. Each wait has an end: the service's, FIN-WAIT-2, the time-outs, TIME-WAIT.
    rig.millis(2_000_000);
    assert_eq!(rig.tcp.lengths(), (0, 0, 0));
    assert_eq!(rig.tcp.next_deadline(), None);
    assert_eq!(rig.server.accepted, rig.server.closed);
}

#[test]
fn whatever_the_peer_sends() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let run = |seed| {
        let result = std::panic::catch_unwind(|| harass(seed));
        assert!(result.is_ok(), "TCP_HOSTILE={seed}");
    };
    match number("TCP_HOSTILE") {
        Some(seed) => run(seed),
        None => (0..number("TCP_HOSTILES").unwrap_or(300)).for_each(run),
    }
}
