//! What the guest tells of itself: its counters in the store and on the console, and how full its tables are.

use super::{Guest, Progress};
use crate::service::{Service, http};
use crate::{console, memory};
use netstack::{Instant, Stack};
use xen::shown::Shown;

/// The counters in the store are written again no sooner than so many microseconds after the last time.
const REWRITE_PERIOD: u64 = 2_000_000;
/// Their folder.
const FOLDER: &str = "data/counters/";

xen::counters! {
    /// What the loop has done.
    pub struct LoopCounters: "loop" {
        /// Rounds.
        rounds,
        /// Events of the network's backend that were taken.
        network_events,
        /// Blocks that the heap gave out while frames were taken, answered and sent.
        network_allocations,
    }
}

/// The counters that stand in the store, and whether they may be old.
pub(super) struct Published {
    shown: Shown,
    /// [`Guest::activity`] when they were written last.
    activity: u64,
}

impl Published {
    /// None stands there.
    pub(super) const fn new() -> Self {
        Self { shown: Shown::new(REWRITE_PERIOD), activity: 0 }
    }

    /// After a restore none does.
    pub(super) fn forget(&mut self) {
        self.shown.forget();
        self.activity = 0;
    }
}

impl Guest {
    /// Every counter's name and value, always in the same order.
    fn counters<'a>(
        &'a self,
        stack: Option<&'a Stack<Service>>,
    ) -> impl Iterator<Item = (&'static str, u64)> + 'a {
        let grants = self.device.machine();
        let own = http(&self.server).counters().iter().chain(self.device.counters().iter());
        #[cfg(feature = "tls")]
        let own = own.chain(self.server.counters().iter());
        let below = grants.counters().iter().chain(grants.static_counters().iter());
        let machine = self.store.counters().iter().chain(crate::pv::calls::counters());
        // The stack comes last, since it is not there from the start.
        own.chain(below)
            .chain(machine)
            .chain(self.counters.iter())
            .chain(stack.into_iter().flat_map(Stack::counters))
    }

    /// A number that moves when the counters may have: what goes on without the network is written along with it.
    fn activity(&self) -> u64 {
        let net = self.device.counters();
        let frames = net.tx_frames.get().wrapping_add(net.rx_frames.get());
        frames.wrapping_add(net.tx_down.get()).wrapping_add(net.disconnects.get())
    }

    /// When [`Self::publish`] has something to do.
    pub(super) fn publish_deadline(&self, progress: &Progress) -> Option<Instant> {
        let Published { shown, activity } = &progress.published;
        (*activity != self.activity()).then(|| Instant::from_micros(shown.not_before()))
    }

    /// Writes the counters that have changed into the store, at a bounded rate.
    pub(super) fn publish(&mut self, now: Instant, progress: &mut Progress) {
        if self.publish_deadline(progress).is_none_or(|at| now < at) {
            return;
        }
        progress.published.activity = self.activity();
        let counters: alloc::vec::Vec<_> = self.counters(progress.stack.as_ref()).collect();
        let session = self.store.session();
        progress.published.shown.rewrite(now.micros(), counters.into_iter(), |name, value| {
            session.queue_unheeded(FOLDER, name, alloc::format!("{value}").as_bytes()).is_ok()
        });
        if let Err(error) = session.pump() {
            progress.complain(error);
        }
    }

    /// Prints every counter that has counted.
    pub(super) fn print_counters(&self, stack: Option<&Stack<Service>>) {
        for (name, value) in self.counters(stack).filter(|(_, value)| *value > 0) {
            log::info!("counter {name}={value}");
            // The ring is shorter than all of them.
            console::flush();
        }
    }

    /// Prints how full each table is: connections, grants, memory, rings.
    pub(super) fn print_tables(&self, stack: Option<&Stack<Service>>) {
        let device = &self.device;
        if let Some((half_open, established, time_wait)) = stack.map(|stack| stack.tcp().lengths()) {
            log::info!("connections: half_open={half_open} established={established} time_wait={time_wait}");
        }
        for (name, value) in stack.into_iter().flat_map(Stack::gauges) {
            log::info!("gauge {name}={value}");
        }
        let grants = device.machine();
        log::info!(
            "grants: active={} site={} free={}",
            grants.active(),
            grants.static_count(),
            grants.free()
        );
        log::info!(
            "memory: free_pages={} given_pages={} console_lost={} console_ignored={}",
            memory::free_pages(),
            self.allotment.given(),
            console::lost(),
            console::ignored()
        );
        let heap = memory::heap_usage();
        log::info!("heap: bytes={} peak={} size={}", heap.in_use, heap.peak, heap.size);
        log::info!(
            "ring: phase={:?} tx_in_flight={} rx_posted={} quarantined={}",
            device.phase(),
            device.in_flight(),
            device.posted(),
            device.quarantined()
        );
    }
}
