//! What the toolstack allots to the domain: memory (`xl mem-set`), and processors (`xl vcpu-set`), of which this guest
//! uses one.

use crate::memory::{self, Page};
use crate::pv::{self, reservation, start_info};
use crate::xenstore::Store;
use alloc::vec::Vec;
use netstack::tcp::Limits;
use xen::balloon::{Balloon, Step};
use xen::xenstore::Error;

/// Wanted memory, in KiB.
pub const TARGET: &str = "memory/target";
/// A folder for each processor, with `availability`: `online` or `offline`.
pub const PROCESSORS: &str = "cpu";

/// Pages given or taken between two rounds of the loop.
const AT_ONCE: usize = 1024;
/// What the network's driver may come to need, and some.
const DRIVER_PAGES: usize = 1024;

/// What stands of the toolstack's wishes.
pub struct Allotment {
    balloon: Balloon,
    /// Processors that were wanted when that was said last.
    processors: usize,
}

impl Allotment {
    /// As it is at the boot, before the stack has its tables.
    pub fn new() -> Self {
        let pages = start_info().pages();
        // What the budgets of a guest with more memory come to.
        let needed = Limits::ENOUGH.div_ceil(pv::PAGE_SIZE).saturating_add(DRIVER_PAGES);
        let used = pages.saturating_sub(memory::free_pages());
        Self { balloon: Balloon::new(pages, used.saturating_add(needed)), processors: 1 }
    }

    /// Reads how much memory is wanted.
    pub fn read_memory(&mut self, store: &mut Store) -> Result<(), Error> {
        let value = match store.session().read(TARGET) {
            Err(error) if error.is_absent() => return Ok(()),
            value => value?,
        };
        match core::str::from_utf8(&value).ok().and_then(|value| value.trim().parse().ok()) {
            Some(kib) => {
                if let Some(answer) = self.balloon.ask(kib) {
                    log::info!("memory: {answer}");
                }
            }
            None => log::warn!("memory: {TARGET} is no number: {}", value.escape_ascii()),
        }
        Ok(())
    }

    /// Reads how many processors are wanted. One is used, whatever is said; so that is said once.
    pub fn read_processors(&mut self, store: &mut Store) -> Result<(), Error> {
        let numbers = match store.session().list(PROCESSORS) {
            Err(error) if error.is_absent() => return Ok(()),
            numbers => numbers?,
        };
        let paths: Vec<_> =
            numbers.iter().map(|number| alloc::format!("{PROCESSORS}/{number}/availability")).collect();
        let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
        let values = store.session().read_all(&paths);
        let online = values.iter().filter(|value| value.as_deref() == Ok(b"online")).count();
        if core::mem::replace(&mut self.processors, online) != online && online != 1 {
            log::info!("processors: the toolstack wants {online}; this guest runs on one");
        }
        Ok(())
    }

    /// Whether [`Allotment::step`] has more to do.
    pub fn is_busy(&self) -> bool {
        self.balloon.step(AT_ONCE) != Step::Rest
    }

    /// Pages that were given back.
    pub fn given(&self) -> usize {
        self.balloon.given()
    }

    /// Gives or takes some pages.
    pub fn step(&mut self) {
        let done = match self.balloon.step(AT_ONCE) {
            Step::Rest => return,
            Step::Give(count) => {
                let pages: Vec<_> = (0..count).map_while(|_| Page::zeroed()).collect();
                let gave = reservation::give(pages);
                self.balloon.gave(*gave.as_ref().unwrap_or(&0));
                gave.map(|_| ())
            }
            Step::Take(count) => {
                let took = reservation::take(count);
                self.balloon.took(took.as_ref().map_or(0, Vec::len));
                took.map(drop)
            }
        };
        if let Err(error) = done {
            log::error!("memory: {error}");
        }
        if !self.is_busy() {
            let pages = start_info().pages().saturating_sub(self.given());
            log::info!("memory: now {} KiB", pages.saturating_mul(pv::PAGE_SIZE / 1024));
        }
    }
}

impl Default for Allotment {
    fn default() -> Self {
        Self::new()
    }
}
