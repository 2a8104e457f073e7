//! The command line.

use log::LevelFilter;
use netstack::addressing::{Addressing, Prefix};
use netstack::siphash::Key;
use netstack::stack::Config;
use netstack::tcp::Limits;
use netstack::wire::ethernet::Address;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// What `--help` says.
pub const USAGE: &str = "\
usage: halfpage-tap --tap NAME --ip ADDRESS/LENGTH [--gw ADDRESS] [options]
       halfpage-tap --tap NAME --ip dhcp [--name NAME] [options]
  --tap NAME        the tap to serve on; it is made if it is not there (the host's side is yours to bring up)
  --site DIR|TAR    the site to serve (default: the one that was built in)
  --mac ADDRESS     the link address (default: one made from the tap's name)
  --tls-cert FILE   serve HTTPS on port 443 too, with this certificate chain in PEM
  --tls-key FILE    and its key
  --no-offload      sum and cut segments here, not in the device
  --memory MIB      what TCP may take of the heap (default: enough for 100,000 connections)
  --log LEVEL       error, warn, info (default), debug or trace";

/// Where a site is.
#[derive(Debug)]
pub enum SitePath {
    /// A folder, to be packed.
    Folder(PathBuf),
    /// A tar.
    Tar(PathBuf),
}

/// What was asked for.
#[derive(Debug)]
pub struct Arguments {
    /// The tap's name.
    pub tap: String,
    /// Where the address comes from.
    pub config: Config,
    /// Another site than the embedded one.
    pub site: Option<SitePath>,
    /// A certificate chain and its key, in PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The server's link address.
    pub mac: Address,
    /// Checksums and segmentation are left to the device.
    pub offload: bool,
    /// TCP's budgets.
    pub limits: Limits,
    /// What is shown.
    pub log: LevelFilter,
}

impl Arguments {
    /// Reads the words after the program's name; `None` where only help is wanted.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut tap, mut ip, mut gateway, mut site, mut mac, mut name) =
            (None, None, None, None, None, None);
        let (mut cert, mut key) = (None, None);
        let (mut offload, mut limits, mut log) = (true, Limits::default(), LevelFilter::Info);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--tap" => tap = Some(value()?),
                "--ip" => ip = Some(value()?),
                "--gw" => {
                    let value = value()?;
                    gateway = Some(value.parse::<Ipv4Addr>().map_err(|error| format!("{value}: {error}"))?);
                }
                "--site" => site = Some(value()?),
                "--mac" => mac = Some(link_address(&value()?)?),
                "--name" => name = Some(value()?.into_boxed_str()),
                "--tls-cert" => cert = Some(PathBuf::from(value()?)),
                "--tls-key" => key = Some(PathBuf::from(value()?)),
                "--no-offload" => offload = false,
                "--memory" => {
                    let value = value()?;
                    let mebibytes: usize = value.parse().map_err(|error| format!("{value}: {error}"))?;
                    limits = Limits::for_memory(mebibytes.saturating_mul(1 << 20));
                }
                "--log" => {
                    let value = value()?;
                    log = value.parse().map_err(|_| format!("{value}: no such level"))?;
                }
                _ => return Err(format!("{word}: not understood")),
            }
        }
        let tap = tap.ok_or("--tap is missing")?;
        let ip = ip.ok_or("--ip is missing")?;
        let config = if ip == "dhcp" {
            Config::Dhcp { name }
        } else {
            let prefix = ip.parse::<Prefix>().map_err(|error| format!("{ip}: {error}"))?;
            Config::Static(Addressing::new(prefix, gateway))
        };
        let site = site.map(|site| {
            if Path::new(&site).is_dir() { SitePath::Folder(site.into()) } else { SitePath::Tar(site.into()) }
        });
        let mac = mac.unwrap_or_else(|| address_of(&tap));
        let tls = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("--tls-cert and --tls-key go together".into()),
        };
        Ok(Some(Self { tap, config, site, tls, mac, offload, limits, log }))
    }
}

/// A locally administered address that stays the same for a name.
fn address_of(name: &str) -> Address {
    let [a, b, c, d, ..] = Key::new(&[0; 16]).hash(name.as_bytes()).to_le_bytes();
    Address([0x02, 0x68, a, b, c, d])
}

/// Six hexadecimal bytes with colons between.
fn link_address(text: &str) -> Result<Address, String> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let address = bytes.map(Address).filter(|address| address.is_station());
    address.ok_or(format!("{text}: not a link address"))
}
