//! halfpage on a Linux tap: the same stack and the same server as in the guest, for tests, benchmarks and captures.

mod arguments;
mod console;
mod heap;
mod secure;
mod serve;

use arguments::{Arguments, SitePath, USAGE};
use serve::Clock;
use site::{Config, Server, Site};
use site_pack::Stamp;
use std::process::ExitCode;
use std::{env, fs};
use tap::Port;
use tap::signals::Signals;

/// The site that the build packed.
static EMBEDDED: &[u8] = include_bytes!(env!("HALFPAGE_SITE_TAR"));

fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("halfpage-tap: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    console::start(arguments.log);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("halfpage-tap: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let site = open(arguments.site.as_ref())?;
    log::info!("site: {} pages", site.pages());
    let (signals, told) = Signals::heed().map_err(|error| error.to_string())?;
    let port = Port::open(&arguments.tap, arguments.offload, told)
        .map_err(|error| format!("tap {}: {error}", arguments.tap))?;
    let clock = Clock::start();
    let server = Server::new(site, Config::default(), clock.wall());
    let run = match &arguments.tls {
        None => serve::run(port, &signals, server, &clock, arguments),
        Some((cert, key)) => {
            let server = secure::server(server, cert, key)?;
            serve::run(port, &signals, server, &clock, arguments)
        }
    };
    run.map_err(|error| error.to_string())
}

/// The site of a folder, of a tar, or the embedded one. It stays for good.
fn open(path: Option<&SitePath>) -> Result<Site, String> {
    let tar = match path {
        None => EMBEDDED,
        Some(SitePath::Folder(folder)) => {
            let stamp = Stamp::from_environment().map_err(|error| error.to_string())?;
            site_pack::pack(folder, stamp).map_err(|error| error.to_string())?.leak()
        }
        Some(SitePath::Tar(tar)) => {
            fs::read(tar).map_err(|error| format!("{}: {error}", tar.display()))?.leak()
        }
    };
    let site = Site::open(tar).map_err(|error| format!("site: {error}"))?;
    site.complaints().0.iter().for_each(|complaint| eprintln!("site: {complaint}; the line is left out"));
    Ok(site)
}
