//! The end of the domain, by intent or by failure.
//!
//! A failure prints its reason, the registers, the calls that led there, the last lines of the log, and what another part
//! registered (the last packets); then the domain crashes, so that `on_crash` decides.

use crate::console::{self, LastLines};
use crate::pv::hypercall::{Shutdown, shutdown};
use crate::registers::Registers;
use core::fmt::{self, Display, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Once;

/// Log lines in a report.
const LINES: usize = 12;

/// Writes lines behind a report. It takes no lock: the crash may have come while one was held.
pub type Reporter = fn();

static REPORTER: Once<Reporter> = Once::new();
static CRASHING: AtomicBool = AtomicBool::new(false);

/// Has `reporter` called after a report; the first one wins.
pub fn on_crash(reporter: Reporter) {
    REPORTER.call_once(|| reporter);
}

/// Ends the domain: it is done.
pub fn poweroff() -> ! {
    console::drain();
    shutdown(Shutdown::Poweroff)
}

/// Ends the domain: it is to start anew.
pub fn reboot() -> ! {
    console::drain();
    shutdown(Shutdown::Reboot)
}

/// Ends the domain because a stage of the boot failed.
pub fn fail(stage: &str, error: &dyn Display) -> ! {
    crash(format_args!("cannot boot: {stage}: {error}"), &Registers::here())
}

/// Reports, and crashes the domain. When the report itself fails, there is none.
pub fn crash(reason: fmt::Arguments<'_>, registers: &Registers) -> ! {
    if CRASHING.swap(true, Ordering::Relaxed) {
        shutdown(Shutdown::Crash);
    }
    console::report(|out, log| {
        // Writing to the history cannot fail.
        let _ = write_report(out, &log, reason, registers);
    });
    if let Some(reporter) = REPORTER.get() {
        reporter();
    }
    shutdown(Shutdown::Crash)
}

fn write_report(
    out: &mut dyn Write,
    log: &LastLines,
    reason: fmt::Arguments<'_>,
    registers: &Registers,
) -> fmt::Result {
    writeln!(out, "CRASH: {reason}")?;
    writeln!(out, "{registers}")?;
    writeln!(out, "{}", registers.calls())?;
    writeln!(out, "  console: {} bytes lost; the last lines:", console::lost())?;
    log.show(LINES, |line| {
        let _ = writeln!(out, "  | {line}");
    });
    write!(out, "the domain crashes now")
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let registers = Registers::here();
    match info.location() {
        Some(at) => crash(
            format_args!("panic at {}:{}:{}: {}", at.file(), at.line(), at.column(), info.message()),
            &registers,
        ),
        None => crash(format_args!("panic: {}", info.message()), &registers),
    }
}
