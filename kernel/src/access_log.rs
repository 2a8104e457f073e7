//! The access log (`access_log=on`): lines of its own form on the console, between the log's.
//!
//! A line is written only where none that the console daemon has yet to read is lost for it, and not more than a share of
//! them in a period, since someone may keep them all. The others are counted, and the next line says how many.

use crate::{console, uptime};
use site::{Entry, LONGEST_ACCESS_LINE};
use xen::quota::Quota;

/// Lines in a period.
const SHARE: u32 = 200;
/// That period, in microseconds.
const PERIOD: u64 = 10_000_000;

/// The way to the console.
pub struct AccessLog {
    quota: Quota,
    /// Requests that have no line since the last one that has.
    unwritten: u64,
}

impl AccessLog {
    /// A log that has said nothing.
    pub fn new() -> Self {
        Self { quota: Quota::new(SHARE, PERIOD, uptime::microseconds()), unwritten: 0 }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self::new()
    }
}

impl site::AccessLog for AccessLog {
    fn record(&mut self, entry: &Entry<'_>) -> bool {
        if !console::has_room() || !self.quota.take(uptime::microseconds()) {
            self.unwritten = self.unwritten.saturating_add(1);
            return false;
        }
        match core::mem::take(&mut self.unwritten) {
            0 => {}
            count => console::write(LONGEST_ACCESS_LINE, format_args!("access log: {count} not shown")),
        }
        console::write(LONGEST_ACCESS_LINE, format_args!("{entry}"));
        true
    }
}
