//! The ring driver, against a backend and a store that do anything.

use crate::choices::Choices;
use crate::depth;
use netfront::device::{Microseconds, Sizes};
use netfront::frame::{Gso, GsoKind, Offload, PartialChecksum, Slice};
use netfront::handshake::Phase;
use netfront::sim::{Backend, FEATURE_KEYS, Rig};
use xen::netif::RxResponse;

/// Few pages, which are soon used up and soon looked through, and enough for a frame of 18 slots.
const SIZES: [Sizes; 2] = [Sizes { transmit: 9, receive: 20 }, Sizes { transmit: 12, receive: 32 }];
const HEADER: [u8; 54] = [0x11; 54];
/// Connections in one execution: each costs more than all else, and what the tenth does not show the hundredth does not.
const CONNECTIONS_MAX: u64 = 10;
/// Bytes of the site, which may be granted where they lie.
static SITE: [u8; 70_000] = [7; 70_000];

/// No panic, nothing granted that was not meant to be, and when the backend has let go nothing is left.
pub fn netfront(input: &[u8]) {
    let mut choices = Choices::new(input);
    let sizes = choices.of(&SIZES);
    let mut rig = Rig::new(choices.of(&FEATURE_KEYS).1, sizes);
    rig.machine.world().site.push(&SITE);
    let (mut mapped, mut received) = (Vec::new(), 0);
    for _ in 0..300 {
        if choices.is_empty() || rig.device.counters().connects.get() > CONNECTIONS_MAX {
            break;
        }
        received += step(&mut rig, &mut choices, &mut mapped);
        let world = rig.machine.world();
        let most = 2 * usize::from(sizes.transmit + sizes.receive + 2);
        assert!(world.pages <= most, "{} pages", world.pages);
        assert_eq!((world.secrets_shown, world.secrets_kept), (0, 0));
    }
    rig.backend.unmap();
    for grant in mapped {
        rig.machine.world().unmap(grant);
    }
    rig.store.unplug();
    rig.control();
    rig.nothing_is_left();
    // A frame went all the way up.
    if received > 0 {
        depth::reached();
    }
}

/// One thing happens; gives the number of frames received.
fn step(rig: &mut Rig, choices: &mut Choices<'_>, mapped: &mut Vec<u32>) -> usize {
    match choices.byte() % 16 {
        0 => rig.backend.take_pages(),
        1 => while rig.backend.tx.take().is_some() {},
        2 => rig.backend.respond_tx(u16::from(choices.byte()), i16::from(choices.byte() % 5) - 2),
        3 => rig.backend.tx.respond(&[choices.half(), choices.half(), choices.half()]),
        4 => rig.backend.rx.respond(&[choices.half(), choices.half()]),
        5 | 6 => {
            let id = (rig.backend.rx.rsp_prod & 0xff) as u16;
            let flags = u16::from(choices.byte() % 32);
            let status = choices.of(&[60, 14, 13, 0, -1, 4_096, 4_097, 1_514]);
            rig.backend.respond_rx(RxResponse { id, offset: u16::from(choices.byte()) * 17, flags, status });
        }
        7 => rig.backend.push_tx(),
        8 => rig.backend.push_rx(),
        9 => {
            let state = choices.of(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "", "2", "6"]);
            rig.store.set_back("state", state);
            rig.now = Microseconds(rig.now.0 + u64::from(choices.word()) * 1_000);
            rig.control();
            if rig.device.phase() == Phase::Connecting {
                rig.backend.unmap();
                rig.backend = Backend::connect(&rig.machine, &rig.store);
                rig.control();
            }
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
        _ => {
            // Noise may leave something to do for ever.
            return (0..4).map(|_| rig.poll().1.len()).sum();
        }
    }
    0
}
