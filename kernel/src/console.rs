//! The log: lines into a bounded history, and from there to the console ring as its reader makes room.
//!
//! Nothing here waits, takes a lock or grows: when the reader is slow, the oldest lines are lost and their bytes are
//! counted. The same history gives a crash report its last lines.

use crate::pv::{PAGE_SIZE, StartInfo, hypercall, p2m};
use crate::uptime;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use log::{LevelFilter, Log, Metadata, Record};
use spin::Once;
use xen::Port;
use xen::console::ConsoleInterface;
use xen::console::history::History;
use xen::console::line::Line;

static HISTORY: History = History::new();
static RING: Once<Ring> = Once::new();
static LOST: AtomicU64 = AtomicU64::new(0);
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Bytes of a log line.
const LONGEST_LINE: usize = 512;
/// Bytes of a report, less than the history holds: it quotes from there.
const LONGEST_REPORT: usize = 6144;

/// The way to the console daemon.
struct Ring {
    interface: &'static ConsoleInterface,
    port: AtomicU32,
}

impl Ring {
    fn port(&self) -> Port {
        Port(self.port.load(Ordering::Relaxed))
    }
}

/// Finds the console ring and makes the log go there, once. A domain without one logs into the history alone.
pub fn open(info: &StartInfo) {
    const { assert!(size_of::<ConsoleInterface>() <= PAGE_SIZE) };
    if let Some(address) = p2m::address_of_frame(info.console_frame()) {
        let interface = core::ptr::with_exposed_provenance::<ConsoleInterface>(address);
        // SAFETY: start_info names this page of the domain for the console ring; the domain builder mapped it and the
        // guest's own tables keep it mapped, at a page's start, writable. The struct is made of atomics.
        let interface = unsafe { &*interface };
        RING.call_once(|| Ring { interface, port: info.console_port().0.into() });
    }
    // Only a second logger is refused, and there is none.
    let _ = log::set_logger(&Console);
    log::set_max_level(LevelFilter::Info);
}

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = uptime::microseconds();
        let level = record.level().as_str();
        let mut line = Line::new(&HISTORY, LONGEST_LINE);
        // Writing a line cannot fail.
        let _ = write!(line, "[{:3}.{:06}] {level:5} {}", now / 1_000_000, now % 1_000_000, record.args());
        line.end();
        flush();
    }

    fn flush(&self) {
        flush();
    }
}

/// Whether a good deal can be written before anything is lost that the daemon has yet to read: half of the history.
pub fn has_room() -> bool {
    HISTORY.has_room()
}

/// Writes a line of at most `longest` bytes as it is, without time and level. The next [`flush`] hands it on.
pub fn write(longest: usize, text: fmt::Arguments<'_>) {
    let mut line = Line::new(&HISTORY, longest);
    // Writing a line cannot fail.
    let _ = line.write_fmt(text);
    line.end();
}

/// Moves what the ring has room for from the history to the console daemon. True when something is left: to be called
/// again when the console's event channel fires.
pub fn flush() -> bool {
    let Some(ring) = RING.get() else { return false };
    let passed = HISTORY.pass(&mut ring.interface.printer());
    LOST.fetch_add(passed.lost, Ordering::Relaxed);
    if passed.any {
        // A daemon that is gone hears nothing; there is nobody to tell.
        let _ = hypercall::send(ring.port());
    }
    passed.left
}

/// The event channel that fires when the daemon has made room.
pub fn port() -> Option<Port> {
    RING.get().map(Ring::port)
}

/// After a restore: the page and what waits in it are the same, the event channel is another.
pub fn resume(info: &StartInfo) {
    if let Some(ring) = RING.get() {
        ring.port.store(info.console_port().0, Ordering::Relaxed);
    }
}

/// Throws away what was typed: nothing here reads it, and the daemon waits for the room. To be called when the console's
/// event channel has fired.
pub fn ignore_input() {
    let Some(ring) = RING.get() else { return };
    // The daemon's indices make no sense: there is nothing to throw away.
    let ignored = ring.interface.keyboard().discard().unwrap_or(0);
    if ignored > 0 {
        IGNORED.fetch_add(u64::try_from(ignored).unwrap_or(0), Ordering::Relaxed);
        let _ = hypercall::send(ring.port());
    }
}

/// Bytes that were typed, and ignored.
pub fn ignored() -> u64 {
    IGNORED.load(Ordering::Relaxed)
}

/// Bytes of the log that were dropped before the daemon read them.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Writes a report past the log, whatever its level, and waits for the daemon to read it: about a second at most.
pub(crate) fn report(write: impl FnOnce(&mut dyn Write, LastLines)) {
    let before = LastLines { end: HISTORY.end() };
    let mut line = Line::new(&HISTORY, LONGEST_REPORT);
    write(&mut line, before);
    line.end();
    drain();
}

/// The log as it was when a report began.
pub(crate) struct LastLines {
    end: u64,
}

impl LastLines {
    /// Shows the last lines, oldest first, at most `most`.
    pub(crate) fn show(&self, most: usize, show: impl FnMut(&str)) {
        HISTORY.last_lines(self.end, most, show);
    }
}

/// Gives the daemon about a second to read what is there: a domain's ring is gone soon after the domain. True when it has.
pub(crate) fn drain() -> bool {
    /// Ticks of a counter that runs at 1 to 4 GHz.
    const PATIENCE: u64 = 2_000_000_000;
    let start = uptime::ticks();
    while uptime::ticks().wrapping_sub(start) < PATIENCE {
        let all_sent = !flush();
        let Some(ring) = RING.get() else { return false };
        if all_sent && ring.interface.printer().free() == Ok(ring.interface.output.len()) {
            return true;
        }
        hypercall::yield_now();
    }
    false
}
