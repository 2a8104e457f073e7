//! The server, and the clients that it may have: made once.

use super::cheap::{self, SUITES, Unsigned};
use crate::choices::Choices;
use netstack::Instant;
use netstack::record::Pool;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use site::tls::{Limits, TlsServer};
use site::{Config, Server, Site, WallClock};
use site_pack::{Archive, Stamp};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tls::{Clock, Identity, Random, Resolver, Tickets};

/// Runs and pages for records: few, so that they are used up.
pub const RUNS: usize = 3;
pub const PAGES: usize = 2;
/// Bytes that all sessions may keep.
pub const KEPT: usize = 60_000;
/// More than fits the pages.
const BIG: usize = 60_000;

/// What a client asks for, with how its answer ends.
pub const REQUESTS: [(&[u8], &[u8]); 3] = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"<p>home"),
    (b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n", &[7; 40]),
    (b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", b"<p>none"),
];

/// How the two shake hands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// By what costs nothing, without tickets.
    Cheap,
    /// The same with a ticket, of a handshake just before.
    Resumed,
    /// By all that the server has.
    Whole,
}

/// The server and its clients. Each execution begins with the same random numbers.
pub struct World {
    pub server: TlsServer,
    pub pool: Pool,
    random: &'static Random,
    /// By [`Manner`].
    configs: [Arc<ServerConfig>; 3],
    /// By version and suite.
    cheap: [[Arc<ClientConfig>; 3]; 2],
    whole: [Arc<ClientConfig>; 2],
}

impl World {
    pub fn new() -> Self {
        let mut archive = Archive::new(Stamp::Epoch(784_111_777));
        let files: [(&str, &[u8]); 3] =
            [("index.html", b"<p>home"), ("big.bin", &[7; BIG]), ("404.html", b"<p>none")];
        for (name, body) in files {
            archive.add(name, body, UNIX_EPOCH).expect("a member");
        }
        let tar = archive.finish(Path::new("fuzz")).expect("a tar").leak();
        let wall = WallClock { unix_micros: 784_111_777_000_000, at: Instant::ZERO };
        let http = Server::new(Site::open(tar).expect("a site"), Config::default(), wall);
        let pool = Pool::new(RUNS, PAGES);
        let limits = Limits { kept_all: KEPT, ..Limits::default() };
        let server = TlsServer::new(http, limits, pool.clone());

        let random = Random::leak();
        random.seed(&[1; 32]).expect("a seed");
        let clock = Arc::new(Clock::new());
        clock.set(784_111_777);
        let provider = tls::provider(random);
        let tickets = Arc::new(Tickets::new(random, Arc::clone(&clock)));
        // The key that seals is drawn now, not when somebody first gets a ticket.
        tickets.encrypt(b"").expect("a ticket");
        let config = |provider: &Arc<CryptoProvider>| {
            let chain = include_bytes!("../../../../site/tests/tls/cert.pem");
            let key = include_bytes!("../../../../site/tests/tls/key.pem");
            let resolver =
                Resolver::new(vec![Identity::from_pem(chain, key, None, random).expect("an identity")]);
            tls::config(provider, resolver, Arc::clone(&tickets), Arc::clone(&clock))
                .expect("a configuration")
        };
        let all: Vec<_> = SUITES.iter().flatten().copied().collect();
        let mut with_tickets = ServerConfig::clone(&config(&cheap::provider(&provider, &all)));
        let certificate = CertificateDer::from(vec![0x30, 0]);
        let unsigned = CertifiedKey::new(vec![certificate], Arc::new(Unsigned));
        with_tickets.cert_resolver = Arc::new(Always(Arc::new(unsigned)));
        let mut without = with_tickets.clone();
        without.send_tls13_tickets = 0;
        let client = |provider, old: bool| {
            let builder = ClientConfig::builder_with_details(provider, Arc::clone(&clock) as Arc<_>);
            let version = if old { &TLS12 } else { &TLS13 };
            let builder = builder.with_protocol_versions(&[version]).expect("a version").dangerous();
            let mut config = builder.with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth();
            config.resumption = Resumption::disabled();
            config.enable_secret_extraction = true;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        };
        Self {
            server,
            pool,
            random,
            configs: [Arc::new(without), Arc::new(with_tickets), config(&provider)],
            cheap: [false, true].map(|old| {
                SUITES[usize::from(old)].map(|suite| client(cheap::provider(&provider, &[suite]), old))
            }),
            whole: [false, true].map(|old| client(Arc::clone(&provider), old)),
        }
    }

    /// The server as it is at the beginning, and a client for it.
    pub fn begin(&mut self, input: &[u8], choices: &mut Choices<'_>) -> (Manner, Arc<ClientConfig>) {
        cheap::begin();
        let (manner, old) = (choices.byte(), usize::from(choices.yes()));
        // What is dear is rare, and no engine can come to prefer it: one input in 256, whatever is in it.
        let manner = match cheap::digest(input) {
            0 => Manner::Whole,
            _ if manner >= 240 => Manner::Resumed,
            _ => Manner::Cheap,
        };
        let mut config = match manner {
            Manner::Whole => Arc::clone(&self.whole[old]),
            _ => Arc::clone(&self.cheap[old][choices.below(3)]),
        };
        if manner != Manner::Cheap {
            self.random.forget();
            self.random.seed(&[1; 32]).expect("a seed");
        }
        if manner == Manner::Resumed {
            Arc::make_mut(&mut config).resumption = Resumption::in_memory_sessions(4);
        }
        self.server.set_config(Some(Arc::clone(&self.configs[manner as usize])));
        (manner, config)
    }
}

/// One identity for everybody.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Believes everybody.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
