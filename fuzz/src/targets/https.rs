//! The record layer through the whole server: anything at all before a handshake, and after one anything that a client with
//! the keys, or somebody without them, can send.

mod client;

use crate::choices::Choices;
use crate::depth;
use client::Client;
use netstack::record::Pool;
use netstack::{Duration, Instant};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use site::tls::{Limits, TlsServer};
use site::{Config, Server, Site, WallClock};
use site_pack::{Archive, Stamp};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tls::{Clock, Identity, Random, Resolver, Tickets};

/// What a client asks for, with how its answer ends.
const REQUESTS: [(&[u8], &[u8]); 3] = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"<p>home"),
    (b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n", &[7; 40]),
    (b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", b"<p>none"),
];

/// Runs and pages for records: few, so that they are used up.
const RUNS: usize = 3;
const PAGES: usize = 2;
/// Bytes that all sessions may keep.
const KEPT: usize = 60_000;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// Made once; each execution begins with the same random numbers.
struct World {
    server: TlsServer,
    pool: Pool,
    random: &'static Random,
    clients: [Arc<ClientConfig>; 2],
}

impl World {
    fn new() -> Self {
        let mut archive = Archive::new(Stamp::Epoch(784_111_777));
        let files: [(&str, &[u8]); 3] =
            [("index.html", b"<p>home"), ("big.bin", &[7; 70_000]), ("404.html", b"<p>none")];
        for (name, body) in files {
            archive.add(name, body, UNIX_EPOCH).expect("a member");
        }
        let tar = archive.finish(Path::new("fuzz")).expect("a tar").leak();
        let clock = WallClock { unix_micros: 784_111_777_000_000, at: Instant::ZERO };
        let http = Server::new(Site::open(tar).expect("a site"), Config::default(), clock);

        let random = Random::leak();
        random.seed(&[1; 32]).expect("a seed");
        let provider = tls::provider(random);
        let time = Arc::new(Clock::new());
        time.set(784_111_777);
        let chain = include_bytes!("../../../site/tests/tls/cert.pem");
        let key = include_bytes!("../../../site/tests/tls/key.pem");
        let identity = Identity::from_pem(chain, key, None, random).expect("an identity");
        let tickets = Arc::new(Tickets::new(random, Arc::clone(&time)));
        let config = tls::config(&provider, Resolver::new(vec![identity]), tickets, time);
        let pool = Pool::new(RUNS, PAGES);
        let limits = Limits { kept_all: KEPT, ..Limits::default() };
        let mut server = TlsServer::new(http, limits, pool.clone());
        server.set_config(Some(config.expect("a configuration")));

        let clients = [&TLS13, &TLS12].map(|version| {
            let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_protocol_versions(&[version]).expect("a version");
            let verifier = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone));
            let mut config = verifier.with_no_client_auth();
            // The same bytes always do the same.
            config.resumption = rustls::client::Resumption::disabled();
            Arc::new(config)
        });
        Self { server, pool, random, clients }
    }
}

/// A connection: the input is what the two sides, and one between them, do in turn.
pub fn connection(input: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        let World { server, pool, random, clients } = world;
        random.forget();
        random.seed(&[1; 32]).expect("a seed");
        let mut choices = Choices::new(input);
        let first = choices.byte();
        let config = Arc::clone(&clients[usize::from(first >> 1 & 1)]);
        let mut client = Client::new(server, config, usize::from(choices.byte()).max(1) * 16);
        if first & 1 == 0 {
            client.shake_hands();
            assert!(client.is_sound(), "an honest handshake: {}", client.state());
            depth::reached();
        }
        // What was asked of an honest client's connection, and has to be answered in order.
        let mut asked = Vec::new();
        while !choices.is_empty() {
            match choices.byte() % 16 {
                0..4 => {
                    let request = choices.of(&REQUESTS);
                    if client.write(request.0) {
                        asked.push(request.1);
                    }
                }
                4 => {
                    // What is no request, in a record that is one.
                    let length = usize::from(choices.byte());
                    client.write(choices.bytes(length));
                    client.spoil();
                }
                5 => {
                    let length = usize::from(choices.word() % 600);
                    client.inject(choices.bytes(length));
                }
                6 => client.forge(choices.byte(), choices.word(), choices.byte()),
                7 => client.flip(choices.word(), choices.byte()),
                8 => client.replay(),
                9 => client.drop_some(choices.word()),
                10 => client.update_keys(),
                11 => client.close(),
                12 => client.pass(Duration::from_millis(u64::from(choices.byte()) * 20)),
                13 => client.push(),
                14 => client.acknowledge(usize::from(choices.word())),
                _ => client.end(),
            }
            assert!(client.kept() <= KEPT + 48_000, "what is kept has no bound");
        }
        client.settle();
        if first & 1 == 0 && client.is_sound() {
            let text = client.text();
            let mut rest = &text[..];
            for (number, end) in asked.iter().enumerate() {
                let at = rest.windows(end.len()).position(|bytes| bytes == *end);
                let at =
                    at.unwrap_or_else(|| panic!("request {number} has no answer in {}", text.escape_ascii()));
                rest = &rest[at + end.len()..];
            }
        }
        // Whatever came, in the end it is over, and nothing is left of it.
        client.pass(Duration::from_secs(600));
        assert!(client.is_over(), "a connection that nobody ends");
        client.finish();
        assert_eq!((server.kept(), pool.free()), (0, (RUNS, PAGES)));
    });
}

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
