//! The kernel's command line (`extra=` in the domain's configuration; `cmd_line` in `start_info`).
//!
//! Words between spaces, each `name=value`; of a name that comes twice the last holds. A word that is unknown or whose
//! value makes no sense is a warning and changes nothing: a boot loader may add words of its own.

use core::fmt;
use core::net::Ipv4Addr;
use log::LevelFilter;

/// What the command line sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `ip=dhcp`, or `ip=192.0.2.10/24` with `gw=192.0.2.1`.
    pub address: Address,
    /// `log=error|warn|info|debug`.
    pub log: LevelFilter,
    /// `access_log=on|off`.
    pub access_log: bool,
    /// `http=on|redirect|off`.
    pub http: Http,
    /// `https=on|off`.
    pub https: bool,
    /// `hsts=SECONDS`: the `max-age` of Strict-Transport-Security; none is sent without it.
    pub hsts: Option<u32>,
}

/// Where the domain's address comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address {
    /// From a DHCP server.
    Dhcp,
    /// From the command line.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// Leading bits that are the network's: 1 to 32.
        prefix: u8,
        /// The way out of the network, where there is one.
        gateway: Option<Ipv4Addr>,
    },
}

/// What port 80 does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Http {
    /// Serves the site.
    On,
    /// Sends everyone to https.
    Redirect,
    /// Is closed.
    Off,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Address::Dhcp,
            log: LevelFilter::Info,
            access_log: false,
            http: Http::On,
            https: true,
            hsts: None,
        }
    }
}

impl Options {
    /// The options in a command line, which ends at its first NUL. Tells `warn` of each word that changes nothing.
    pub fn parse(line: &[u8], mut warn: impl FnMut(Warning<'_>)) -> Self {
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut options = Self::default();
        let mut gateway = None;
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            if let Err(fault) = options.word(word, &mut gateway) {
                warn(Warning { word, fault });
            }
        }
        match (&mut options.address, gateway) {
            (Address::Static { gateway, .. }, found) => *gateway = found.map(|(address, _)| address),
            (Address::Dhcp, Some((_, word))) => warn(Warning { word, fault: Fault::Alone }),
            (Address::Dhcp, None) => {}
        }
        options
    }

    /// Takes one word.
    fn word<'l>(&mut self, word: &'l [u8], gateway: &mut Option<(Ipv4Addr, &'l [u8])>) -> Result<(), Fault> {
        let text = core::str::from_utf8(word).map_err(|_| Fault::Unknown)?;
        let (name, value) = text.split_once('=').ok_or(Fault::Unknown)?;
        match name {
            "ip" => self.address = address(value)?,
            "gw" => *gateway = Some((host(value)?, word)),
            "log" => self.log = level(value)?,
            "access_log" => self.access_log = switch(value)?,
            "http" => self.http = http(value)?,
            "https" => self.https = switch(value)?,
            "hsts" => self.hsts = Some(number(value)?),
            _ => return Err(Fault::Unknown),
        }
        Ok(())
    }
}

/// A word that changes nothing, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Warning<'l> {
    /// The word.
    pub word: &'l [u8],
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No such name.
    Unknown,
    /// The name takes values of this form.
    Value(&'static str),
    /// `gw=` without a static `ip=`.
    Alone,
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command line: {}: ", self.word.escape_ascii())?;
        match self.fault {
            Fault::Unknown => f.write_str("no such option"),
            Fault::Value(form) => write!(f, "expected {form}"),
            Fault::Alone => f.write_str("of no use without ip=ADDRESS/LENGTH"),
        }
    }
}

fn address(value: &str) -> Result<Address, Fault> {
    const FORM: Fault = Fault::Value("ip=dhcp or ip=ADDRESS/LENGTH");
    if value == "dhcp" {
        return Ok(Address::Dhcp);
    }
    let (address, prefix) = value.split_once('/').ok_or(FORM)?;
    let prefix = digits(prefix).and_then(|prefix| u8::try_from(prefix).ok());
    let prefix = prefix.filter(|prefix| (1..=32).contains(prefix)).ok_or(FORM)?;
    Ok(Address::Static { address: host(address).map_err(|_| FORM)?, prefix, gateway: None })
}

/// The address of one host.
fn host(value: &str) -> Result<Ipv4Addr, Fault> {
    let address = value.parse().ok().filter(|address: &Ipv4Addr| {
        let class_e = address.octets()[0] >= 240;
        !(address.octets()[0] == 0 || address.is_loopback() || address.is_multicast() || class_e)
    });
    address.ok_or(Fault::Value("the IPv4 address of a host"))
}

fn level(value: &str) -> Result<LevelFilter, Fault> {
    match value {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        _ => Err(Fault::Value("error, warn, info or debug")),
    }
}

fn http(value: &str) -> Result<Http, Fault> {
    match value {
        "on" => Ok(Http::On),
        "redirect" => Ok(Http::Redirect),
        "off" => Ok(Http::Off),
        _ => Err(Fault::Value("on, redirect or off")),
    }
}

fn switch(value: &str) -> Result<bool, Fault> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Fault::Value("on or off")),
    }
}

fn number(value: &str) -> Result<u32, Fault> {
    digits(value).ok_or(Fault::Value("a number of seconds"))
}

/// A number written in digits alone: `parse` would take a sign.
fn digits(value: &str) -> Option<u32> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}
