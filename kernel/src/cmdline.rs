//! The command line's words, as the domain was given them.

use crate::pv::start_info;
#[cfg(not(feature = "tls"))]
use xen::cmdline::Http;
use xen::cmdline::Options;

/// The options. A word that changes nothing is a warning on the console; the log is as verbose as asked from here on.
pub fn options() -> Options {
    let options = Options::parse(start_info().command_line(), |warning| log::warn!("{warning}"));
    log::set_max_level(options.log);
    #[cfg(not(feature = "tls"))]
    if options.http != Http::On || options.hsts.is_some() {
        log::warn!("command line: http=redirect, http=off and hsts= take HTTPS, which this image lacks");
    }
    options
}
