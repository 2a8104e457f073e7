//! A site of more pages than there are grants: each is granted on first use, and the one unused for longest makes room.
//!
//! The backend maps what it takes, as netback does, finishes frames late and out of order, and reads at its own time.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::Sizes;
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use netfront::sim::{ALL_FEATURES, Machine, Packet, Random, Rig};

const SIZES: Sizes = Sizes { transmit: 12, receive: 32 };
const OFFLOAD: Offload = Offload {
    checksum: Some(PartialChecksum { start: 34, offset: 16 }),
    gso: Some(Gso { size: 1448, kind: GsoKind::TcpV4 }),
};
/// Grants for static pages.
const LIMIT: usize = 40;
/// Pages of the site.
const PAGES: usize = 300;

struct World {
    rig: Rig,
    random: Random,
    site: &'static [u8],
    /// Packets with the backend, each with the place in the site that it was meant to show.
    taken: Vec<(Packet, usize)>,
    sent: usize,
    full: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        // As many references as the rings, the blocks, the receive pages and the limit take, and none to spare.
        let machine = Machine::with_grants(2 + 12 + 32 + LIMIT, LIMIT);
        let rig = Rig::on(machine, ALL_FEATURES, SIZES);
        // No two pages are alike.
        let bytes = (0..(PAGES + 1) * 4096).map(|n| (n % 251 + n / 4096) as u8).collect();
        let site = rig.site(bytes);
        let start = site.as_ptr().align_offset(4096);
        let site = &site[start..start + PAGES * 4096];
        Self { rig, random: Random::new(seed), site, taken: Vec::new(), sent: 0, full: 0 }
    }

    /// Sends bytes of the site from a place on; finishes packets where there is no room for more.
    fn send(&mut self, start: usize, length: usize) {
        let header = [&[0x11; 50][..], &(start as u32).to_be_bytes()].concat();
        loop {
            let payload = [Slice::Static(&self.site[start..start + length])];
            match self.rig.transmit(&header, &payload, OFFLOAD) {
                Ok(()) => break,
                Err(TransmitError::Full) => {
                    self.full += 1;
                    self.take();
                    self.finish();
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.sent += length;
        if self.random.one_in(3) {
            self.take();
        }
        if self.random.one_in(4) {
            self.finish();
        }
        let world = self.rig.machine.world();
        assert!(world.statics() <= LIMIT, "{} pages of the site are granted", world.statics());
    }

    fn take(&mut self) {
        let _ = self.rig.flush();
        while let Some(packet) = self.rig.backend.take_packet() {
            let header = self.rig.backend.read(packet.fragments[0]);
            let start = u32::from_be_bytes(header[50..54].try_into().unwrap());
            for fragment in &packet.fragments[1..] {
                self.rig.machine.world().map(fragment.gref);
            }
            self.taken.push((packet, start as usize));
        }
        self.rig.backend.tx.final_check();
    }

    /// The backend reads a packet, any that it has, lets go of its pages, and answers.
    fn finish(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let (packet, start) = self.taken.swap_remove(self.random.below(0..self.taken.len()));
        let bytes = self.rig.backend.read_packet(&packet);
        assert!(bytes[54..] == self.site[start..start + bytes.len() - 54], "foreign bytes at {start}");
        for fragment in &packet.fragments[1..] {
            self.rig.machine.world().unmap(fragment.gref);
        }
        self.rig.backend.finish(&packet);
        self.rig.backend.push_tx();
        self.rig.poll();
    }

    fn finish_all(&mut self) {
        self.take();
        while !self.taken.is_empty() {
            self.finish();
        }
        assert_eq!((self.rig.device.in_flight(), self.rig.machine.world().holds()), (0, 0));
    }
}

#[test]
fn all_of_it_twice_over() {
    let mut world = World::new(1);
    for _ in 0..2 {
        for start in (0..world.site.len()).step_by(60_000) {
            world.send(start, 60_000.min(world.site.len() - start));
        }
    }
    world.finish_all();
    let machine = world.rig.machine.world();
    let counters = machine.static_counters();
    assert_eq!(world.sent, 2 * PAGES * 4096);
    // In order, no page is still granted when its turn comes again; packets that meet in a page share its grant.
    assert_eq!(counters.made.get(), 2 * PAGES as u64);
    assert_eq!(counters.made.get() - counters.revoked.get(), LIMIT as u64);
    assert_eq!((counters.not_held.get(), machine.grant_faults), (0, 0));
    assert!(world.full > 0, "the table was never full");
}

#[test]
fn here_and_there() {
    for seed in 1..=8 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..500 {
            let start = world.random.below(0..world.site.len() - 60_000);
            let length = world.random.below(2_000..60_000);
            world.send(start, length);
        }
        world.finish_all();
        // What is asked for again and again stays: it costs no grant.
        let made = world.rig.machine.world().static_counters().made.get();
        world.send(0, 60_000);
        world.finish_all();
        let first = world.rig.machine.world().static_counters().made.get();
        for _ in 0..50 {
            world.send(0, 60_000);
            world.finish_all();
        }
        let counters = world.rig.machine.world().static_counters().made.get();
        assert!((made..=made + 15).contains(&first) && counters == first);
        world.rig.backend.unmap();
        world.rig.store.unplug();
        world.rig.control();
        let machine = world.rig.machine.world();
        assert_eq!((machine.grants(), machine.pages, machine.statics(), machine.grant_faults), (0, 0, 0, 0));
    }
}
