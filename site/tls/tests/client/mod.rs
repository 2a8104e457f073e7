//! A server of ours and rustls's own client with another provider, joined in memory.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::sync::Arc;
use tls::{Clock, Identity, Random, Resolver, Tickets};

/// What every server here draws from.
static RANDOM: Random = Random::new();

pub fn random() -> &'static Random {
    RANDOM.seed(&[0x5a; 32]).unwrap();
    &RANDOM
}

/// Seconds since 1970 at which all tests take place: certificates of rcgen's are valid for most of time.
pub const NOW: u64 = 1_750_000_000;

/// A self-signed certificate and its key.
pub struct Issued {
    pub certificate: String,
    pub key: String,
    pub der: rustls::pki_types::CertificateDer<'static>,
}

pub fn issue(algorithm: &'static SignatureAlgorithm, names: &[&str]) -> Issued {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    Issued { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

impl Issued {
    /// ring makes no keys of RSA.
    pub fn rsa() -> Self {
        let pem = include_str!("../pem/rsa-2048.key");
        let key = KeyPair::from_pem_and_sign_algo(pem, &rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate =
            CertificateParams::new(["rsa.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: pem.to_owned(), der: certificate.der().clone() }
    }

    pub fn identity(&self) -> Identity {
        Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes(), None, random()).unwrap()
    }
}

/// What a server of ours is made of.
pub struct Server {
    pub clock: Arc<Clock>,
    pub tickets: Arc<Tickets>,
    pub config: Arc<ServerConfig>,
}

pub fn server(identities: Vec<Identity>) -> Server {
    let random = random();
    let clock = Arc::new(Clock::new());
    clock.set(NOW);
    let provider = tls::provider(random);
    let tickets = Arc::new(Tickets::new(random, clock.clone()));
    let config = tls::config(&provider, Resolver::new(identities), tickets.clone(), clock.clone()).unwrap();
    Server { clock, tickets, config }
}

/// A client that trusts these certificates and knows nothing of earlier sessions.
pub fn client(
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    trusted: &[&Issued],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for issued in trusted {
        roots.add(issued.der.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    config
}

/// Both ends of a connection.
pub struct Pair {
    pub client: ClientConnection,
    pub server: ServerConnection,
}

impl Pair {
    pub fn new(client: &Arc<ClientConfig>, server: &Server, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self {
            client: ClientConnection::new(client.clone(), name).unwrap(),
            server: ServerConnection::new(server.config.clone()).unwrap(),
        }
    }

    /// Carries bytes to and fro until neither end has more to say.
    pub fn run(&mut self) -> Result<(), rustls::Error> {
        loop {
            let mut bytes = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            let mut idle = bytes.is_empty();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                self.server.read_tls(&mut rest).unwrap();
                self.server.process_new_packets()?;
            }
            let mut bytes = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut bytes).unwrap();
            }
            idle &= bytes.is_empty();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                self.client.read_tls(&mut rest).unwrap();
                self.client.process_new_packets()?;
            }
            if idle {
                return Ok(());
            }
        }
    }

    /// Handshakes, and sends bytes both ways.
    pub fn talk(&mut self) -> Result<(), rustls::Error> {
        self.run()?;
        for len in [1, 100, 16_384, 40_000] {
            let question = vec![b'q'; len];
            let answer = vec![b'a'; len];
            let mut got = vec![0; len];
            for part in 0..len.div_ceil(16_384) {
                let range = part * 16_384..len.min((part + 1) * 16_384);
                self.client.writer().write_all(&question[range.clone()]).unwrap();
                self.run()?;
                self.server.reader().read_exact(&mut got[range.clone()]).unwrap();
                self.server.writer().write_all(&answer[range.clone()]).unwrap();
                self.run()?;
                let mut back = vec![0; range.len()];
                self.client.reader().read_exact(&mut back).unwrap();
                assert!(back == answer[range]);
            }
            assert!(got == question);
        }
        Ok(())
    }
}
