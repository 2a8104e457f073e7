//! The ring driver, against a backend and a store that do anything.

use crate::choices::Choices;
use crate::depth;
use netfront::device::{Microseconds, Sizes};
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice};
use netfront::handshake::Phase;
use netfront::sim::{Backend, FEATURE_KEYS, Rig};
use netfront::store::Store;
use xen::netif::RxResponse;

/// Few pages, which are soon used up and soon looked through, and enough for a frame of 18 slots.
const SIZES: [Sizes; 2] = [Sizes { transmit: 9, receive: 20 }, Sizes { transmit: 12, receive: 32 }];
const HEADER: [u8; 54] = [0x11; 54];
/// Connections in one execution: each costs more than all else, and what the tenth does not show the hundredth does not.
const CONNECTIONS_MAX: u64 = 10;
/// Bytes of the site, which may be granted where they lie.
static SITE: [u8; 70_000] = [7; 70_000];

/// All ends of a device.
struct Play {
    rig: Rig,
    /// The backend's rings are the device's: not so between a restore and the next connection.
    alive: bool,
    /// Grants that the backend maps beside its rings.
    mapped: Vec<u32>,
    /// The store has refused calls, perhaps one that was to end a watch.
    refused: bool,
}

/// No panic, nothing granted that was not meant to be, and when the backend has let go nothing is left.
pub fn netfront(input: &[u8]) {
    let mut choices = Choices::new(input);
    let sizes = choices.of(&SIZES);
    let rig = Rig::new(choices.of(&FEATURE_KEYS).1, sizes);
    rig.machine.world().site.push(&SITE);
    let (mut play, mut received) = (Play { rig, alive: true, mapped: Vec::new(), refused: false }, 0);
    for _ in 0..300 {
        if choices.is_empty() || play.rig.device.counters().connects.get() > CONNECTIONS_MAX {
            break;
        }
        received += play.step(&mut choices);
        assert!(play.refused || play.rig.store.watches().len() <= 3, "{:?}", play.rig.store.watches());
        let world = play.rig.machine.world();
        let most = 2 * usize::from(sizes.transmit + sizes.receive + 2);
        assert!(world.pages <= most, "{} pages", world.pages);
        assert_eq!((world.secrets_shown, world.secrets_kept), (0, 0));
    }
    let Play { mut rig, alive, mapped, .. } = play;
    if alive {
        rig.backend.unmap();
    }
    for grant in mapped {
        rig.machine.world().unmap(grant);
    }
    rig.store.refuse_after(None);
    rig.store.unplug();
    rig.control();
    rig.nothing_is_left();
    // A frame went all the way up.
    if received > 0 {
        depth::reached();
    }
}

impl Play {
    /// One thing happens; gives the number of frames received.
    fn step(&mut self, choices: &mut Choices<'_>) -> usize {
        let Self { rig, alive, mapped, refused } = self;
        match choices.byte() % 32 {
            0..=8 | 10 if !*alive => {}
            0 => rig.backend.take_pages(),
            1 => while rig.backend.tx.take().is_some() {},
            2 => rig.backend.respond_tx(u16::from(choices.byte()), i16::from(choices.byte() % 5) - 2),
            3 => rig.backend.tx.respond(&[choices.half(), choices.half(), choices.half()]),
            4 => rig.backend.rx.respond(&[choices.half(), choices.half()]),
            5 | 6 => {
                let id = (rig.backend.rx.rsp_prod & 0xff) as u16;
                let flags = u16::from(choices.byte() % 32);
                let status = choices.of(&[60, 14, 13, 0, -1, 4_096, 4_097, 1_514]);
                rig.backend.respond_rx(RxResponse {
                    id,
                    offset: u16::from(choices.byte()) * 17,
                    flags,
                    status,
                });
            }
            7 => rig.backend.push_tx(),
            8 => rig.backend.push_rx(),
            9 => {
                let state = choices.of(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "", "2", "6"]);
                rig.store.set_back("state", state);
                rig.now = Microseconds(rig.now.0 + u64::from(choices.word()) * 1_000);
                self.control();
            }
            10 => {
                let grant = 8 + u32::from(choices.byte());
                if mapped.len() < 40 && rig.machine.world().read(grant, 0, 1).is_some() {
                    rig.machine.world().map(grant);
                    mapped.push(grant);
                }
            }
            11 => {
                if let Some(grant) = mapped.pop() {
                    rig.machine.world().unmap(grant);
                }
            }
            12 | 13 => {
                let start = usize::from(choices.word());
                let length = usize::from(choices.word()).min(SITE.len() - start);
                let large = Offload {
                    checksum: Some(PartialChecksum { start: 34, offset: 16 }),
                    gso: Some(Gso { size: 1_448, kind: GsoKind::TcpV4 }),
                };
                let offload = if choices.yes() { large } else { Offload::default() };
                let payload = [Slice::Borrowed(&[1; 300]), Slice::Static(&SITE[start..start + length])];
                let fits = rig.device.transmitter().fit(payload.iter().copied());
                if fits == 300 + length {
                    let _ = rig.transmit(&HEADER, &payload, offload);
                }
                let _ = rig.flush();
            }
            16 => self.restore(choices),
            17 => {
                // The store fails from some call on, or an answer is lost, or it is well again.
                let calls = usize::from(choices.byte());
                *refused = true;
                rig.store.refuse_after((calls < 16).then_some(calls));
                rig.store.lose_answer.set(calls % 3 == 0);
                self.control();
            }
            18 => {
                let room = usize::from(choices.byte());
                let mut world = rig.machine.world();
                world.pages_max = (room < 64).then_some(world.pages + room);
            }
            19 => self.replace(choices),
            20 => {
                rig.store.set_back("online", choices.of(&["0", "1", "x"]));
                self.control();
            }
            21 if choices.byte() == 0 => drop(rig.device.stop(&mut rig.store, rig.now)),
            22 => {
                rig.now = rig.device.deadline().unwrap_or(rig.now).max(rig.now);
                self.control();
            }
            _ => {
                // Noise may leave something to do for ever.
                return (0..4).map(|_| rig.poll().1.len()).sum();
            }
        }
        0
    }

    /// What the watches and the deadline lead to, and the backend's answer to it.
    fn control(&mut self) {
        self.rig.control();
        if self.rig.device.phase() == Phase::Connecting {
            // A store that refuses hides that the interface was taken out, with the keys that the device wrote.
            let shown = self.rig.store.front("tx-ring-ref").is_some();
            assert!(shown || self.refused, "it is connecting, and has shown no ring");
            if shown {
                self.connect();
            }
        }
    }

    /// The backend takes up the rings that it is shown.
    fn connect(&mut self) {
        let Self { rig, alive, .. } = self;
        if *alive {
            rig.backend.unmap();
        }
        rig.backend = Backend::connect(&rig.machine, &rig.store);
        *alive = true;
        rig.control();
    }

    /// The domain is saved, and goes on with another backend, at any point of the handshake.
    fn restore(&mut self, choices: &mut Choices<'_>) {
        let Self { rig, alive, mapped, .. } = self;
        rig.machine.world().lose();
        rig.device.resume();
        rig.machine.world().renew();
        mapped.clear();
        *alive = false;
        // Another store, which watches nothing for us.
        for path in rig.store.watches() {
            let _ = rig.store.unwatch(&path);
        }
        rig.store.set_back("state", choices.of(&["2", "1", "6", "4"]));
        self.control();
    }

    /// The interface is taken out, and another put in, seen or unseen.
    fn replace(&mut self, choices: &mut Choices<'_>) {
        self.rig.store.unplug();
        if choices.yes() {
            self.rig.control();
        }
        self.rig.store.plug_in();
        let (key, value) = choices.of(&[
            ("mac", "00:16:3e:09:09:09"),
            ("mtu", "9000"),
            ("mtu", "67"),
            ("backend-id", "3"),
            ("backend-id", "-"),
            ("backend", "/local/domain/3/backend/vif/7/0"),
        ]);
        self.rig.store.set_front(key, value);
        self.control();
    }
}
