//! A device, its machine, its store and a backend, put together.

use super::{Backend, Hold, Machine, SimStore};
use crate::device::{Change, Device, Microseconds, Polled, Sizes};
use crate::frame::{Offload, Received, Slice, TransmitError};
use alloc::vec::Vec;

/// The keys of each of the five feature sets, beside `feature-rx-copy`.
pub const FEATURE_KEYS: [(&str, &[(&str, &str)]); 5] = [
    ("none", &[("feature-no-csum-offload", "1")]),
    ("csum", &[]),
    ("sg", &[("feature-no-csum-offload", "1"), ("feature-sg", "1")]),
    ("csum+sg", &[("feature-sg", "1")]),
    ("csum+sg+gso", &[("feature-sg", "1"), ("feature-gso-tcpv4", "1")]),
];

/// The keys of the largest set.
pub const ALL_FEATURES: &[(&str, &str)] = FEATURE_KEYS[4].1;

/// All of it, connected.
pub struct Rig {
    pub machine: Machine,
    pub store: SimStore,
    pub device: Device<Machine>,
    pub backend: Backend,
    pub now: Microseconds,
}

impl Rig {
    /// A connected device; the backend has these keys beside `feature-rx-copy`.
    pub fn new(features: &[(&str, &str)], sizes: Sizes) -> Self {
        Self::on(Machine::new(), features, sizes)
    }

    /// The same, on a machine of the test's.
    pub fn on(machine: Machine, features: &[(&str, &str)], sizes: Sizes) -> Self {
        let mut store = SimStore::with_device(features);
        let mut device = Device::new(machine.clone(), SimStore::FRONT, sizes);
        let now = Microseconds(1_000_000);
        assert_eq!(device.control(&mut store, now), Change::None);
        let backend = Backend::connect(&machine, &store);
        assert_eq!(device.control(&mut store, now), Change::Up);
        Self { machine, store, device, backend, now }
    }

    /// Bytes in pages of the site: they may be granted.
    pub fn site(&self, bytes: Vec<u8>) -> &'static [u8] {
        let bytes: &'static [u8] = bytes.leak();
        self.machine.world().site.push(bytes);
        bytes
    }

    pub fn transmit(
        &mut self,
        header: &[u8],
        payload: &[Slice<'_, &Hold>],
        offload: Offload,
    ) -> Result<(), TransmitError> {
        self.device.transmitter().transmit(header, payload.iter().copied(), offload)
    }

    /// True: poll again.
    pub fn flush(&mut self) -> bool {
        self.device.transmitter().flush()
    }

    /// Polls once, and gives what was received.
    pub fn poll(&mut self) -> (Polled, Vec<Vec<u8>>) {
        let mut frames = Vec::new();
        let polled = self.device.poll(64, |frame: Received<'_>, _| frames.push(frame.bytes.to_vec()));
        (polled, frames)
    }

    /// Control at this time.
    pub fn control(&mut self) -> Change {
        self.device.control(&mut self.store, self.now)
    }

    /// Once the connection has ended and the backend has let go: no grant, page or quarantined thing is left, and no page
    /// was shown, or given back, with the bytes of a frame in it.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        let world = self.machine.world();
        assert_eq!((world.grants(), world.pages, self.device.quarantined()), (0, 0, 0), "leaked");
        assert_eq!((world.secrets_shown, world.secrets_kept), (0, 0), "pages shown, pages given back");
    }
}
