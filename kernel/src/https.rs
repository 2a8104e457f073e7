//! HTTPS: certificates and their keys, the random numbers that it takes, and the server's configuration made of them.

mod embedded;
mod secrets;

pub use secrets::Secrets;

use crate::entropy::{self, Source};
use crate::pv::PAGE_SIZE;
use crate::{guest, memory, time, wipe};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use netstack::record::{PAGE, Pool, RUN};
use site::tls::TlsServer;
use site::{Plain, Server};
use tls::rustls::ServerConfig;
use tls::rustls::crypto::CryptoProvider;
use tls::rustls::pki_types::UnixTime;
use tls::{Clock, Identity, Random, Resolver, Tickets};
use xen::cmdline::{Http, Options};
use xen::renewal::Renewal;
use xen::secret::Secret;

/// Bytes of pages for records, at most.
const RECORDS_MOST: usize = 16 << 20;
/// Certificates at most.
const IDENTITIES: usize = 16;
/// Bytes of what a seed is made of, at most: samples of jitter, words of the processor's generator, a seed of the ramdisk's.
const MATERIAL: usize = 16 << 10;
/// Bytes of the ramdisk's seed that are used.
const SEED_MOST: usize = 4 << 10;

/// Why the port is shut where nothing was brought.
const NO_CERTIFICATE: &str = "there is no certificate: build with TLS_CERT= and TLS_KEY=, put .tls/cert.pem and .tls/key.pem into the ramdisk, or give one by scripts/tls-reload";

/// Puts HTTPS before the site's server, as far as what was brought and the command line's options let it. Of what was
/// brought the texts are wiped then.
pub fn serve(secrets: Secrets, uuid: &str, options: Options, mut server: Server) -> (Https, TlsServer) {
    let (https, config) = Https::open(&secrets, uuid, options);
    drop(secrets);
    server.set_plain(https.plain());
    if options.http != Http::On && !https.is_open() {
        log::warn!("https: port 80 serves the site in spite of http=, since 443 is shut");
    }
    if let Some(seconds) = options.hsts {
        server.set_hsts(seconds);
    }
    let free = memory::free_pages().saturating_mul(PAGE_SIZE);
    let share = if https.is_ready { (free / 8).min(RECORDS_MOST) } else { 0 };
    // Seven eighths in runs, and the rest for what is short.
    let pool = Pool::new((share / 8).saturating_mul(7) / RUN, share / 8 / PAGE);
    let mut server = TlsServer::new(server, guest::https::limits(free), pool);
    server.set_config(config);
    (https, server)
}

/// What HTTPS is served with.
pub struct Https {
    random: &'static Random,
    clock: Arc<Clock>,
    tickets: Arc<Tickets>,
    provider: Arc<CryptoProvider>,
    identities: Vec<Identity>,
    /// What port 80 does once this port is open.
    http: Http,
    /// There are random numbers: a certificate is all that the port may still wait for.
    is_ready: bool,
    /// The port is open, or why it is not.
    state: Result<(), String>,
}

impl Https {
    /// Takes up what was brought. `uuid` tells domains apart. The configuration is there if the port is to be open.
    pub fn open(secrets: &Secrets, uuid: &str, options: Options) -> (Self, Option<Arc<ServerConfig>>) {
        let random = Random::leak();
        let clock = Arc::new(Clock::new());
        let tickets = Arc::new(Tickets::new(random, clock.clone()));
        let provider = tls::provider(random);
        let mut https = Self {
            random,
            clock,
            tickets,
            provider,
            identities: Vec::new(),
            http: options.http,
            is_ready: false,
            state: Err(String::new()),
        };
        https.set_clock();
        https.state = https.fill(secrets, uuid, options.https);
        match &https.state {
            Ok(()) => {}
            Err(_) if !options.https => {}
            Err(reason) => log::warn!("https: {reason}; port 443 stays shut"),
        }
        let config = if https.state.is_ok() { https.config() } else { None };
        (https, config)
    }

    fn fill(&mut self, secrets: &Secrets, uuid: &str, wanted: bool) -> Result<(), String> {
        if !wanted {
            return Err(String::from("off"));
        }
        let mut complaints = Vec::new();
        let identities = secrets.identities(now(), self.random, |complaint| complaints.push(complaint));
        let missing =
            identities.is_empty().then(|| complaints.pop().unwrap_or_else(|| NO_CERTIFICATE.into()));
        complaints.iter().for_each(|complaint| log::warn!("https: {complaint}"));
        for identity in identities.into_iter().take(IDENTITIES) {
            tell(&identity);
            self.identities.push(identity);
        }
        let seed = secrets.seed();
        let mut extra = Secret::with_capacity(MATERIAL, wipe::bytes);
        extra.push(uuid.as_bytes());
        extra.push(seed.and_then(|seed| seed.get(..SEED_MOST)).or(seed).unwrap_or_default());
        self.is_ready = self.seed(&extra) != Source::Weak || seed.is_some();
        match missing {
            Some(reason) if self.is_ready => Err(reason),
            None if self.is_ready => Ok(()),
            reason => {
                reason.iter().for_each(|reason| log::warn!("https: {reason}"));
                Err(String::from("the processor gives no random numbers, and the ramdisk has no .tls/seed"))
            }
        }
    }

    /// Mixes into the generator what the machine has. It refuses to work until this was done once.
    fn seed(&self, extra: &[u8]) -> Source {
        let mut material = Secret::with_capacity(MATERIAL, wipe::bytes);
        let (mut seed, source) = entropy::gather(extra, |bytes| {
            material.push(bytes);
        });
        wipe::bytes(&mut seed);
        // It is longer than the 32 bytes that are asked for.
        let _ = self.random.seed(&material);
        source
    }

    /// Time has gone on: to be called now and then.
    pub fn tick(&self) {
        self.set_clock();
        self.tickets.expire();
        if self.is_ready {
            self.seed(&[]);
        }
    }

    /// The memory may have been copied: random numbers and the keys of tickets are other ones from here on.
    pub fn renew(&self, seed: &[u8]) {
        self.set_clock();
        self.tickets.forget();
        if self.is_ready {
            self.seed(seed);
        }
    }

    /// Takes another certificate in the place of those for whose names it is, or of the only one; where there is none, the
    /// port opens with it. Gives the configuration for what connects from now on, or the reason why nothing changes.
    pub fn replace(&mut self, renewal: &Renewal) -> Result<Arc<ServerConfig>, String> {
        if !self.is_ready {
            self.state.clone()?;
        }
        let new = Identity::from_pem(&renewal.certificate, &renewal.key, Some(now()), self.random);
        let new = new.map_err(|error| format!("{error}"))?;
        let is_covered = |old: &Identity| match old.names().count() {
            0 => new.names().count() == 0,
            _ => old.names().all(|name| new.is_for(name) || new.names().any(|other| other == name)),
        };
        let mut identities: Vec<_> = self.identities.clone();
        let place = match identities.as_slice() {
            [_] => Some(0),
            several => several.iter().position(is_covered),
        };
        match place {
            Some(place) => {
                let mut at = 0_usize;
                identities.retain(|old| {
                    let keep = at != place && !is_covered(old);
                    at = at.saturating_add(1);
                    keep
                });
                identities.insert(place.min(identities.len()), new.clone());
            }
            None if identities.len() < IDENTITIES => identities.push(new.clone()),
            None => return Err(format!("there are {IDENTITIES} certificates for other names already")),
        }
        let before = core::mem::replace(&mut self.identities, identities);
        match self.config() {
            Some(config) => {
                tell(&new);
                self.state = Ok(());
                Ok(config)
            }
            None => {
                self.identities = before;
                Err(String::from("no configuration can be made of it"))
            }
        }
    }

    /// What port 80 does: while this one is shut, it serves.
    pub fn plain(&self) -> Plain {
        match self.http {
            Http::Redirect if self.is_open() => Plain::Redirect,
            Http::Off if self.is_open() => Plain::Shut,
            _ => Plain::Serve,
        }
    }

    /// `ok`, `off`, or why the port is shut.
    pub fn status(&self) -> &str {
        match &self.state {
            Ok(()) => "ok",
            Err(reason) => reason,
        }
    }

    /// Whether the port is open.
    pub fn is_open(&self) -> bool {
        self.state.is_ok()
    }

    fn config(&self) -> Option<Arc<ServerConfig>> {
        let resolver = Resolver::new(self.identities.clone());
        let config = tls::config(&self.provider, resolver, self.tickets.clone(), self.clock.clone());
        config.inspect_err(|error| log::error!("https: {error}")).ok()
    }

    fn set_clock(&self) {
        self.clock.set(time::unix().0);
    }
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time::unix().0))
}

/// Says whose certificate it is and how long it is good.
fn tell(identity: &Identity) {
    let left = identity.not_after().as_secs().saturating_sub(time::unix().0) / 86_400;
    let mut names = identity.names();
    let name = names.next().unwrap_or("no name");
    match names.count() {
        0 => log::info!("https: certificate for {name}, good for {left} days"),
        more => log::info!("https: certificate for {name} and {more} more names, good for {left} days"),
    }
}
