//! HTTPS on the tap: the guest's, with what it needs of a machine from Linux.

use netstack::record::Pool;
use site::Server;
use site::tls::{Limits, TlsServer};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tls::rustls::pki_types::UnixTime;
use tls::{Clock, Identity, Random, Resolver, Tickets};

/// For records: 16 MiB in runs, 2 in pages.
const RUNS: usize = 1_024;
const PAGES: usize = 512;

/// `http` over HTTPS too, with the certificate chain and the key of these files.
pub fn server(http: Server, cert: &Path, key: &Path) -> Result<TlsServer, String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(since.as_secs()));
    let mut seed = [0; 32];
    let seeded = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    seeded.map_err(|error| format!("/dev/urandom: {error}"))?;
    let random = Random::leak();
    random.seed(&seed).map_err(|error| error.to_string())?;
    let identity = Identity::from_pem(&read(cert)?, &read(key)?, Some(now), random)
        .map_err(|error| format!("{}, {}: {error}", cert.display(), key.display()))?;
    let clock = Arc::new(Clock::new());
    clock.set(since.as_secs());
    let tickets = Arc::new(Tickets::new(random, Arc::clone(&clock)));
    let config = tls::config(&tls::provider(random), Resolver::new(vec![identity]), tickets, clock);
    let mut server = TlsServer::new(http, Limits::default(), Pool::new(RUNS, PAGES));
    server.set_config(Some(config.map_err(|error| error.to_string())?));
    Ok(server)
}
