//! Log lines, on standard error.

use log::{LevelFilter, Log, Metadata, Record};

struct Console;

impl Log for Console {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{}: {}", record.level().as_str().to_ascii_lowercase(), record.args());
    }

    fn flush(&self) {}
}

/// Shows lines of this level and above.
pub fn start(level: LevelFilter) {
    // A second call, which nobody makes, would change nothing.
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(level);
    }
}
