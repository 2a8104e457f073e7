//! The life of a block: whatever a backend that answers late, out of order, twice or with ids it never got does, and
//! whenever it reads the bytes, it sees in each frame that frame's bytes and no others; and nothing is leaked.
//!
//! The model drives the shipped types. Two builds with a fix undone have to fail it:
//!
//! ```sh
//! CARGO_TARGET_DIR=target/msa00 RUSTFLAGS="--cfg msa00" cargo test -p netfront --test model
//! CARGO_TARGET_DIR=target/msa01 RUSTFLAGS="--cfg msa01" cargo test -p netfront --test model
//! ```
//! In the first the ring id is the page's (MSA00): it says "a foreign byte". In the second pages are granted as they
//! come, not zeroed (MSA01): it says how many "pages shown" had a secret in them. `scripts/undone` heeds the words.
//!
//! `NETFRONT_SEED=n` runs one seed.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::{Change, Microseconds, Sizes};
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use netfront::sim::{Backend, FEATURE_KEYS, Fragment, Hold, Random, Rig};
use std::collections::VecDeque;
use xen::netif::status;

/// A slot that the backend has taken from the ring.
struct Slot {
    fragment: Fragment,
    /// The bytes that the sender meant to be there.
    meant: Vec<u8>,
    /// The backend has read it, so it may answer.
    read: bool,
}

struct Model {
    rig: Rig,
    random: Random,
    site: &'static [u8],
    /// Frames queued and not yet taken by the backend, as their senders meant them.
    queued: VecDeque<Vec<u8>>,
    /// Slots with the backend.
    slots: Vec<Slot>,
    /// Extra-info slots that are owed a response.
    extras: usize,
    frames: u32,
    bytes_compared: usize,
    honest: bool,
    lies: u64,
}

impl Model {
    fn new(seed: u64, honest: bool) -> Self {
        let mut random = Random::new(seed);
        let (_, keys) = FEATURE_KEYS[random.below(0..5)];
        // Few pages, so that blocks come back into use soon.
        let sizes = Sizes { transmit: random.below(9..24) as u16, receive: 32 };
        let rig = Rig::new(keys, sizes);
        let site = rig.site((0..100_000_u32).map(|n| (n * 7 + n / 256) as u8).collect());
        let (queued, slots) = (VecDeque::new(), Vec::new());
        Self { rig, random, site, queued, slots, extras: 0, frames: 0, bytes_compared: 0, honest, lies: 0 }
    }

    fn step(&mut self) {
        match self.random.below(0..100) {
            0..30 => self.send(),
            30..45 => {
                let again = self.rig.flush();
                if again {
                    self.poll();
                }
            }
            45..55 => self.take(),
            55..75 => self.read(),
            75..90 => self.answer(),
            90..98 => self.poll(),
            98 if !self.honest && self.random.one_in(3) => self.lie(),
            99 if self.random.one_in(3) => self.restart(),
            _ => {}
        }
    }

    /// One of four connections sends a frame of its own bytes and of the site's.
    fn send(&mut self) {
        let connection = self.random.below(0..4) as u8;
        self.frames += 1;
        let mut header = vec![connection; 54 + self.random.below(0..40)];
        header[14..18].copy_from_slice(&self.frames.to_be_bytes());
        let own: Vec<u8> = (0..9000).map(|n| ((n + self.frames * 13) as u8) << 2 | connection).collect();
        let mut payload = Vec::new();
        for _ in 0..self.random.below(0..4) {
            let length = self.random.below(0..[50, 1500, 9000][self.random.clone().below(0..3)]);
            payload.push(if self.random.one_in(2) {
                let start = self.random.below(0..self.site.len() - length);
                Slice::Static(&self.site[start..start + length])
            } else {
                Slice::Borrowed(&own[..length])
            });
        }
        let features = self.rig.device.features().unwrap();
        let mut fit = self.rig.device.transmitter().fit(payload.iter().copied());
        if !features.gso_v4() {
            fit = fit.min(1514 - header.len());
        }
        let payload = first(&payload, fit);
        let gso = Gso { size: 1448, kind: GsoKind::TcpV4 };
        let offload = Offload {
            checksum: features.checksum().then_some(PartialChecksum { start: 34, offset: 16 }),
            gso: features.gso_v4().then_some(gso),
        };
        match self.rig.transmit(&header, &payload, offload) {
            Ok(()) => {
                let bytes = payload.iter().flat_map(|slice| slice.bytes()).copied();
                self.queued.push_back(header.into_iter().chain(bytes).collect());
            }
            Err(TransmitError::Full) => {}
            Err(error) => panic!("{error}, of {fit} bytes that fit"),
        }
    }

    /// The backend takes what the ring shows; it reads nothing yet.
    fn take(&mut self) {
        while let Some(packet) = self.rig.backend.take_packet() {
            let frame = self.queued.pop_front().unwrap();
            assert_eq!(usize::from(packet.total), frame.len());
            assert!(packet.fragments.len() <= 18);
            self.extras += usize::from(packet.gso.is_some());
            let mut meant = &frame[..];
            for fragment in packet.fragments {
                let (own, rest) = meant.split_at(fragment.size.into());
                self.slots.push(Slot { fragment, meant: own.to_vec(), read: false });
                meant = rest;
            }
        }
        self.rig.backend.tx.final_check();
    }

    /// The backend's copy time: any slot that it has.
    fn read(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        let index = self.random.below(0..self.slots.len());
        let slot = &mut self.slots[index];
        let bytes = self.rig.backend.read(slot.fragment);
        assert!(bytes == slot.meant, "a foreign byte in block {}", slot.fragment.id);
        self.bytes_compared += bytes.len();
        slot.read = true;
    }

    /// The backend answers any slot that it has read, and shows it now or later.
    fn answer(&mut self) {
        let read: Vec<_> = (0..self.slots.len()).filter(|index| self.slots[*index].read).collect();
        if !read.is_empty() {
            let slot = self.slots.swap_remove(read[self.random.below(0..read.len())]);
            let status = [status::OKAY, status::ERROR, status::DROPPED, -77][self.random.below(0..4)];
            self.rig.backend.respond_tx(slot.fragment.id, status);
        }
        if self.extras > 0 && self.random.one_in(3) {
            self.extras -= 1;
            self.rig.backend.respond_tx(self.random.number() as u16, status::NULL);
        }
        if self.random.one_in(2) {
            self.rig.backend.push_tx();
        }
    }

    fn poll(&mut self) {
        self.rig.poll();
        assert_eq!(self.count("net_lies"), self.lies, "{:?}", self.rig.device.problem());
    }

    /// The backend answers what it has no reason to answer: an id that is not in flight, or one for the second time.
    fn lie(&mut self) {
        // What it shows must be possible as an index, or that would be the lie.
        self.take();
        if self.slots.is_empty() {
            return;
        }
        let id = if self.slots.len() >= 2 && self.random.one_in(2) {
            let slot = self.slots.swap_remove(self.random.below(0..self.slots.len()));
            self.rig.backend.respond_tx(slot.fragment.id, status::OKAY);
            slot.fragment.id
        } else {
            u16::MAX
        };
        self.rig.backend.respond_tx(id, status::OKAY);
        self.rig.backend.push_tx();
        self.lies += 1;
        self.poll();
        assert!(self.rig.device.problem().unwrap().contains("not in flight"));
        assert_eq!(self.rig.control(), Change::Down);
        self.connect_again();
    }

    /// The backend closes, whatever is in flight.
    fn restart(&mut self) {
        self.rig.store.set_back("state", "5");
        self.connect_again();
    }

    fn connect_again(&mut self) {
        // Some still read what they have, after the end was announced: the grants are still there.
        while self.random.one_in(2) {
            self.read();
        }
        let rig = &mut self.rig;
        rig.backend.unmap();
        rig.store.set_back("state", "6");
        rig.now = Microseconds(rig.now.0 + 100_000_000);
        rig.control();
        self.nothing_is_left();
        let rig = &mut self.rig;
        rig.store.set_back("state", "2");
        rig.control();
        rig.backend = Backend::connect(&rig.machine, &rig.store);
        assert_eq!(rig.control(), Change::Up);
        (self.queued, self.slots, self.extras) = (VecDeque::new(), Vec::new(), 0);
    }

    fn nothing_is_left(&self) {
        self.rig.nothing_is_left();
        assert_eq!(self.rig.machine.world().grant_faults, 0);
    }

    /// The backend does all that is left to do.
    fn finish(mut self) -> (u32, usize) {
        loop {
            let _ = self.rig.flush();
            self.take();
            if self.slots.is_empty() && self.extras == 0 {
                break;
            }
            while self.slots.iter().any(|slot| !slot.read) {
                self.read();
            }
            while !self.slots.is_empty() || self.extras != 0 {
                self.answer();
            }
        }
        self.rig.backend.push_tx();
        self.poll();
        assert_eq!(self.rig.device.in_flight(), 0);
        assert_eq!(self.rig.machine.world().holds(), 0);
        self.restart();
        (self.frames, self.bytes_compared)
    }

    fn count(&self, name: &str) -> u64 {
        self.rig.device.counters().iter().find(|(known, _)| *known == name).unwrap().1
    }
}

/// The slices of the first `fit` bytes.
fn first<'a>(payload: &[Slice<'a, &'a Hold>], mut fit: usize) -> Vec<Slice<'a, &'a Hold>> {
    let mut cut = |slice: &Slice<'a, &'a Hold>| {
        let length = slice.bytes().len().min(fit);
        fit -= length;
        match slice {
            Slice::Static(bytes) => Slice::Static(&bytes[..length]),
            Slice::Borrowed(bytes) => Slice::Borrowed(&bytes[..length]),
            Slice::Lent(bytes, hold) => Slice::Lent(&bytes[..length], *hold),
        }
    };
    payload.iter().map(&mut cut).collect()
}

/// Says which seed was run when its run fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("NETFRONT_SEED={}", self.0);
        }
    }
}

/// Runs the model with many seeds.
fn run(honest: bool) {
    let seeds = match std::env::var("NETFRONT_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => 1..=100,
    };
    let (mut frames, mut compared) = (0, 0);
    for seed in seeds.clone() {
        let _said = Seed(seed);
        let mut model = Model::new(seed, honest);
        for _ in 0..2000 {
            model.step();
        }
        let done = model.finish();
        frames += done.0;
        compared += done.1;
    }
    println!("seeds {seeds:?}: {frames} frames, {compared} bytes compared");
    assert!(compared > 1000, "the model went to sleep");
}

#[test]
fn a_slow_backend_sees_each_frame_and_no_other() {
    run(true);
}

#[test]
fn a_lying_backend_sees_each_frame_and_no_other() {
    run(false);
}
