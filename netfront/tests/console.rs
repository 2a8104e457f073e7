//! What the driver says: why, once, and never more than a share, whatever a backend does.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic)]

use log::{LevelFilter, Log, Metadata, Record};
use netfront::device::{Change, Microseconds, Sizes};
use netfront::sim::{ALL_FEATURES, Backend, Rig};
use std::sync::Mutex;

const SIZES: Sizes = Sizes { transmit: 12, receive: 64 };

/// The console.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }
    fn flush(&self) {}
}

fn said() -> Vec<String> {
    core::mem::take(&mut *LINES.0.lock().unwrap())
}

/// One test, since there is one console.
#[test]
fn what_is_said() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    a_lie_is_said_once();
    a_bad_key_is_said_once();
    keys_that_change_all_the_time_are_a_few_lines_a_minute();
}

fn a_lie_is_said_once() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    assert_eq!(said(), [""; 0]);
    rig.backend.tx.claim(99);
    for _ in 0..100 {
        rig.poll();
        rig.control();
        rig.now.0 += 100_000;
    }
    assert_eq!(
        said(),
        [
            "ERROR network: the backend broke the protocol: transmit ring: rsp_prod 99 with 0 requests open at 0"
        ]
    );
    // A backend that does nothing but lie is believed again more and more seldom: an hour has few lines.
    let hour = rig.now.0 + 3_600_000_000;
    let mut connections = 0;
    while rig.now.0 < hour {
        rig.backend.unmap();
        rig.store.set_back("state", "6");
        rig.control();
        if let Some(at) = rig.device.deadline() {
            rig.now = at;
            rig.control();
        }
        rig.store.set_back("state", "2");
        rig.control();
        rig.backend = Backend::connect(&rig.machine, &rig.store);
        assert_eq!(rig.control(), Change::Up);
        connections += 1;
        rig.backend.tx.claim(99);
        rig.poll();
        rig.control();
    }
    assert_eq!(said().len(), connections);
    assert!(connections <= 70, "{connections} in an hour");
}

fn a_bad_key_is_said_once() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.store.set_back("state", "x");
    for _ in 0..1000 {
        rig.control();
        rig.now.0 += 1_000_000;
    }
    assert_eq!(said(), ["ERROR network: xenstore's /local/domain/0/backend/vif/7/0/state is \"x\""]);
}

fn keys_that_change_all_the_time_are_a_few_lines_a_minute() {
    let mut rig = Rig::new(ALL_FEATURES, SIZES);
    rig.now = Microseconds(1_000_000_000);
    for state in ["x", "y", "4"].into_iter().cycle().take(60_000) {
        rig.store.set_back("state", state);
        rig.control();
        assert!(rig.device.problem().is_some() || state == "4");
        rig.now.0 += 5_000;
    }
    // Five minutes of it.
    let lines = said().len();
    assert!((8..=48).contains(&lines), "{lines} lines");
}
