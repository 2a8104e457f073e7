//! The command line's words, as the domain was given them.

use crate::pv::start_info;
use xen::cmdline::Options;

/// The options. A word that changes nothing is a warning on the console; the log is as verbose as asked from here on.
pub fn options() -> Options {
    let options = Options::parse(start_info().command_line(), |warning| log::warn!("{warning}"));
    log::set_max_level(options.log);
    options
}
