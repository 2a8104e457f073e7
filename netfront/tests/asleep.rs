//! Both ends sleep when they have nothing to do, and wake for events alone: nothing is slept over, whatever the order of
//! their steps, however late the backend's answers are, and whatever there is too little of.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use netfront::device::Sizes;
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice, TransmitError};
use netfront::sim::{FEATURE_KEYS, Machine, Packet, Random, Rig};

const HEADER: [u8; 54] = [0x11; 54];

/// The guest's loop and the backend's, each awake or not.
struct Model {
    rig: Rig,
    random: Random,
    site: &'static [u8],
    large: bool,
    guest_awake: bool,
    backend_awake: bool,
    /// An event for the guest, which ends its sleep, or its next one at once.
    pending: bool,
    /// Events that the backend has seen of ours.
    events: usize,
    /// Frames that the guest has still to send.
    to_send: usize,
    /// The next of them, refused once already.
    refused: Option<usize>,
    sent: usize,
    /// Packets that the backend has, and whose answers come when they come.
    held: Vec<Packet>,
    /// Frames that the backend has still to pass on.
    to_pass: usize,
    received: usize,
    sleeps: [usize; 2],
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (_, keys) = FEATURE_KEYS[random.below(0..5)];
        let sizes =
            Sizes { transmit: [9, 12, 128][random.below(0..3)], receive: [20, 32, 256][random.below(0..3)] };
        // Few grants for the site, or as many as the ring has slots.
        let statics = [18, 40, 256][random.below(0..3)];
        let all = usize::from(sizes.transmit + sizes.receive) + 2 + statics;
        let rig = Rig::on(Machine::with_grants(all, statics), keys, sizes);
        let site = rig.site(vec![7; 300_000]);
        let large = rig.device.features().unwrap().gso_v4();
        let (guest_awake, backend_awake) = (true, true);
        let (to_send, to_pass) = (random.below(100..600), random.below(100..600));
        Self {
            rig,
            random,
            site,
            large,
            guest_awake,
            backend_awake,
            pending: false,
            events: 0,
            to_send,
            refused: None,
            sent: 0,
            held: Vec::new(),
            to_pass,
            received: 0,
            sleeps: [0; 2],
        }
    }

    /// A round of the guest's loop, as the kernel has it: what came, then what is to be sent, then sleep. The backend goes on
    /// meanwhile.
    fn guest(&mut self) {
        self.pending = false;
        let Self { rig, received, .. } = self;
        let budget = [1, 5, 64][self.random.below(0..3)];
        let more = rig.device.poll(budget, |_, _| *received += 1).more;
        let burst = self.random.below(1..40);
        for _ in 0..burst {
            if self.to_send == 0 || !self.send() {
                break;
            }
        }
        if self.random.one_in(2) {
            self.answer();
        }
        if self.random.one_in(2) && self.backend_awake {
            self.backend();
        }
        let asked = self.rig.flush();
        // What was not refused goes on by itself; what was waits for the device.
        let waits = self.to_send == 0 || self.refused.is_some();
        if !more && !asked && waits {
            self.guest_awake = false;
            self.sleeps[0] += 1;
        }
    }

    /// False: the device is full.
    fn send(&mut self) -> bool {
        let length = match self.refused {
            Some(length) => length,
            None if self.large => self.random.below(0..60_000),
            None => self.random.below(0..1400),
        };
        let start = self.random.below(0..self.site.len() - length);
        let payload = [Slice::Static(&self.site[start..start + length])];
        let fit = self.rig.device.transmitter().fit(payload.iter().copied());
        let payload = [Slice::Static(&self.site[start..start + length.min(fit)])];
        let offload = if self.large {
            let checksum = Some(PartialChecksum { start: 34, offset: 16 });
            Offload { checksum, gso: Some(Gso { size: 1400, kind: GsoKind::TcpV4 }) }
        } else {
            Offload::default()
        };
        match self.rig.transmit(&HEADER, &payload, offload) {
            Ok(()) => {
                (self.to_send, self.sent, self.refused) = (self.to_send - 1, self.sent + 1, None);
                true
            }
            Err(TransmitError::Full) => {
                self.refused = Some(length);
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A round of the backend's: takes some packets and pages, passes some frames on, and sleeps where there are none.
    fn backend(&mut self) {
        for _ in 0..self.random.below(1..20) {
            let Some(packet) = self.rig.backend.take_packet() else { break };
            self.held.push(packet);
        }
        self.rig.backend.take_pages();
        for _ in 0..self.random.below(1..40) {
            if self.to_pass == 0 || self.rig.backend.pages.is_empty() {
                break;
            }
            self.rig.backend.receive_slot(0, &[1; 60], 0);
            self.to_pass -= 1;
            if self.random.one_in(3) {
                self.show_received();
            }
        }
        self.show_received();
        let backend = &mut self.rig.backend;
        let work = backend.tx.final_check();
        let stuck = self.to_pass == 0 || backend.pages.is_empty();
        let pages = backend.rx.final_check();
        if !work && stuck && (self.to_pass == 0 || !pages) {
            self.backend_awake = false;
            self.sleeps[1] += 1;
        }
    }

    fn show_received(&mut self) {
        self.pending |= self.rig.backend.rx.push();
    }

    /// What the backend has given on comes back, in any order.
    fn answer(&mut self) {
        for _ in 0..self.random.below(1..10) {
            if self.held.is_empty() {
                break;
            }
            let packet = self.held.swap_remove(self.random.below(0..self.held.len()));
            self.rig.backend.finish(&packet);
        }
        self.pending |= self.rig.backend.tx.push();
    }

    fn step(&mut self) {
        self.guest_awake |= self.pending;
        match self.random.below(0..3) {
            0 if self.guest_awake => self.guest(),
            1 if self.backend_awake => self.backend(),
            2 => self.answer(),
            _ => {}
        }
        let world = self.rig.machine.world();
        let events = world.transmit_events + world.receive_events;
        self.backend_awake |= core::mem::replace(&mut self.events, events) != events;
    }
}

#[test]
fn nothing_is_slept_over() {
    let seeds = match std::env::var("NETFRONT_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => 1..=300,
    };
    let (mut sleeps, mut refused) = ([0; 2], 0);
    for seed in seeds {
        println!("NETFRONT_SEED={seed}");
        let mut model = Model::new(seed);
        let (to_send, to_pass) = (model.to_send, model.to_pass);
        while model.guest_awake || model.pending || model.backend_awake || !model.held.is_empty() {
            model.step();
        }
        assert_eq!((model.sent, model.received), (to_send, to_pass), "sent and received");
        let counters = model.rig.device.counters();
        assert_eq!((counters.lies.get(), counters.tx_length.get()), (0, 0));
        refused += counters.tx_full.get();
        sleeps = [sleeps[0] + model.sleeps[0], sleeps[1] + model.sleeps[1]];
    }
    println!("{sleeps:?} sleeps, {refused} frames refused");
    assert!(sleeps[0] > 300 && sleeps[1] > 300 && refused > 300, "{sleeps:?}, {refused}");
}
