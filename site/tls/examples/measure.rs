//! What TLS costs a server, measured in memory: microseconds of a full and of a resumed handshake, and GB/s of records.
//! `scripts/tls-bench` runs it in turn with the same over OpenSSL. Only the server's share of the time is counted; each
//! figure is a median, so whoever else is on the machine disturbs it little.
//!
//! usage: measure [HANDSHAKES [ring]], with `ring` over that crate, which is no provider of the guest's, to compare

#![allow(clippy::arithmetic_side_effects)]

use rcgen::{CertificateParams, KeyPair};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, HandshakeKind, NamedGroup, RootCertStore, SupportedProtocolVersion};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls::{Clock, Identity, Random, Resolver, Tickets};

/// Bytes of the longest record, bytes of a trial, which is shorter than a turn on a busy processor, and trials.
const RECORD: usize = 16_384;
const TRIAL: usize = 16 * RECORD;
const TRIALS: usize = 2000;

type Anything<T> = Result<T, Box<dyn Error>>;

fn main() -> Anything<()> {
    let count = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let random = Random::leak();
    random.seed(&[1; 32])?;
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes(), None, random)?;
    let clock = Arc::new(Clock::new());
    clock.set(1_750_000_000);
    let tickets = Arc::new(Tickets::new(random, clock.clone()));
    let provider = match std::env::args().nth(2).as_deref() {
        Some("ring") => Arc::new(ring::default_provider()),
        _ => tls::provider(random),
    };
    let server = tls::config(&provider, Resolver::new(vec![identity]), tickets, clock)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone())?;
    let client = |suite, group, version: &'static SupportedProtocolVersion| -> Anything<ClientConfig> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|it| it.suite() == suite);
        // ring has no ML-KEM.
        provider.kx_groups.extend(tls::provider(random).kx_groups.iter().take(1).copied());
        provider.kx_groups.retain(|it| it.name() == group);
        if version.version == TLS12.version {
            provider.kx_groups = ring::default_provider().kx_groups;
        }
        configured(provider, version, roots.clone())
    };

    for (named, group, version, name) in [
        (NamedGroup::X25519, "X25519", &TLS13, "1.3"),
        (NamedGroup::secp256r1, "P-256", &TLS13, "1.3"),
        (NamedGroup::X25519MLKEM768, "X25519MLKEM768", &TLS13, "1.3"),
        (NamedGroup::X25519, "X25519", &TLS12, "1.2"),
    ] {
        if !provider.kx_groups.iter().any(|it| it.name() == named) {
            continue;
        }
        let suite = if version.version == TLS13.version {
            CipherSuite::TLS13_AES_128_GCM_SHA256
        } else {
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        };
        let mut full = client(suite, named, version)?;
        full.resumption = Resumption::disabled();
        println!("full {name} {group} us {:.1}", handshakes(&server, full, HandshakeKind::Full, count)?);
        let resumed = client(suite, named, version)?;
        println!(
            "resumed {name} {group} us {:.1}",
            handshakes(&server, resumed, HandshakeKind::Resumed, count)?
        );
    }
    for (suite, name) in [
        (CipherSuite::TLS13_AES_128_GCM_SHA256, "AES-128-GCM"),
        (CipherSuite::TLS13_AES_256_GCM_SHA384, "AES-256-GCM"),
        (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "ChaCha20-Poly1305"),
    ] {
        let client = client(suite, NamedGroup::X25519, &TLS13)?;
        println!("seal 1.3 {name} GB/s {:.2}", records(&server, client, RECORD)?);
    }
    for record in [1024, 2048, 4096, 8192] {
        let client = client(CipherSuite::TLS13_AES_128_GCM_SHA256, NamedGroup::X25519, &TLS13)?;
        println!("seal 1.3 AES-128-GCM, {record} B a record GB/s {:.2}", records(&server, client, record)?);
    }
    Ok(())
}

fn configured(
    provider: CryptoProvider,
    version: &'static SupportedProtocolVersion,
    roots: RootCertStore,
) -> Anything<ClientConfig> {
    let config =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version])?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A server's end, its buffers, and how long it has worked.
struct Server {
    connection: UnbufferedServerConnection,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    spent: Duration,
}

impl Server {
    fn new(config: &Arc<ServerConfig>) -> Anything<Self> {
        let began = Instant::now();
        let connection = UnbufferedServerConnection::new(config.clone())?;
        Ok(Self { connection, incoming: Vec::new(), outgoing: Vec::new(), spent: began.elapsed() })
    }

    /// Takes what has come in, and answers.
    fn run(&mut self) -> Anything<()> {
        let began = Instant::now();
        loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut self.incoming);
            let done = match state? {
                ConnectionState::EncodeTlsData(mut data) => {
                    let at = self.outgoing.len();
                    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                        self.outgoing.resize(at + size.required_size, 0);
                        let len = data.encode(self.outgoing.get_mut(at..).unwrap_or_default())?;
                        self.outgoing.truncate(at + len);
                    }
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        std::hint::black_box(record?.payload);
                    }
                    false
                }
                _ => true,
            };
            self.incoming.drain(..discard);
            if done && discard == 0 {
                break;
            }
        }
        self.spent += began.elapsed();
        Ok(())
    }
}

/// Both ends, once the handshake is over.
fn connect(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Anything<(Server, ClientConnection)> {
    let mut client = ClientConnection::new(client.clone(), ServerName::try_from("localhost")?)?;
    let mut server = Server::new(server)?;
    client.writer().write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    while client.is_handshaking() || client.wants_write() {
        client.write_tls(&mut server.incoming)?;
        server.run()?;
        let mut answer = server.outgoing.as_slice();
        while !answer.is_empty() {
            client.read_tls(&mut answer)?;
            client.process_new_packets()?;
        }
        server.outgoing.clear();
    }
    Ok((server, client))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Microseconds of the server's for a handshake.
fn handshakes(
    server: &Arc<ServerConfig>,
    client: ClientConfig,
    kind: HandshakeKind,
    count: usize,
) -> Anything<f64> {
    let client = Arc::new(client);
    let mut figures = Vec::new();
    if kind == HandshakeKind::Resumed {
        connect(server, &client)?;
    }
    for _ in 0..count {
        let (server, client) = connect(server, &client)?;
        if client.handshake_kind() != Some(kind) {
            return Err(format!("{:?} instead of {kind:?}", client.handshake_kind()).into());
        }
        figures.push(server.spent.as_secs_f64() * 1e6);
    }
    Ok(median(figures))
}

/// GB/s of plaintext that go into records of so many bytes.
fn records(server: &Arc<ServerConfig>, client: ClientConfig, record: usize) -> Anything<f64> {
    let (mut server, _client) = connect(server, &Arc::new(client))?;
    let text = vec![b'x'; record];
    let mut sealed = vec![0; RECORD + 256];
    let mut figures = Vec::new();
    for _ in 0..TRIALS {
        let began = Instant::now();
        for _ in 0..TRIAL / record {
            let UnbufferedStatus { state, .. } = server.connection.process_tls_records(&mut []);
            let ConnectionState::WriteTraffic(mut traffic) = state? else { return Err("not open".into()) };
            traffic.encrypt(&text, &mut sealed)?;
        }
        figures.push(TRIAL as f64 / began.elapsed().as_secs_f64() / 1e9);
    }
    Ok(median(figures))
}
