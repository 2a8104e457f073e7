//! A client of TLS over a stream without loss or delay.

use crate::peer::{self, Wire};
use core::net::SocketAddr;
use netstack::record::Pool;
use netstack::{Duration, Instant, Service};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::cipher::OutboundPlainMessage;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, DigitallySignedStruct,
    ProtocolVersion, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use site::tls::{Connection, Limits, TlsServer};
use std::io::{Read, Write};
use std::sync::Arc;

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

pub fn server() -> TlsServer {
    server_with(Limits::default())
}

pub fn server_with(limits: Limits) -> TlsServer {
    server_of(limits, Pool::new(32, 8))
}

pub fn server_of(limits: Limits, pool: Pool) -> TlsServer {
    let mut server = TlsServer::new(peer::server(), limits, pool);
    server.set_config(Some(config()));
    server
}

fn config() -> Arc<ServerConfig> {
    let pem = &include_bytes!("cert.pem")[..];
    let chain = CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("key.pem")).unwrap();
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
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
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

pub fn client_config(version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.enable_secret_extraction = true;
    config
}

/// A client, and the connection that the server has with it.
pub struct Client<'a> {
    pub server: &'a mut TlsServer,
    pub connection: Connection,
    pub wire: Wire,
    pub tls: ClientConnection,
    /// What the server has not yet taken.
    pub pending: Vec<u8>,
    /// The plaintext that came.
    pub text: Vec<u8>,
    /// A close_notify came.
    pub notified: bool,
    /// What the client made of what came.
    pub error: Option<rustls::Error>,
    /// How many bytes a segment has.
    pub segment: usize,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a mut TlsServer) -> Self {
        Self::with(server, client_config(&rustls::version::TLS13).into())
    }

    pub fn with(server: &'a mut TlsServer, config: Arc<ClientConfig>) -> Self {
        let mut wire = Wire::at(Instant::ZERO, true);
        let address: SocketAddr = "192.0.2.1:1024".parse().unwrap();
        let connection = server.accept(address, "192.0.2.2:443".parse().unwrap(), &mut wire);
        let tls = ClientConnection::new(config, ServerName::try_from("test").unwrap()).unwrap();
        Self {
            server,
            connection,
            wire,
            tls,
            pending: Vec::new(),
            text: Vec::new(),
            notified: false,
            error: None,
            segment: 1_448,
        }
    }

    /// Bytes arrive at the server.
    pub fn inject(&mut self, bytes: &[u8], end: bool) {
        self.pending.extend_from_slice(bytes);
        if !self.wire.reset {
            let taken = self.server.receive(&mut self.connection, &self.pending, end, &mut self.wire);
            self.pending.drain(..taken);
        }
    }

    /// What the client has to say arrives, a segment at a time.
    pub fn push(&mut self) {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        for segment in bytes.chunks(self.segment) {
            self.inject(segment, false);
        }
    }

    /// The client goes, and its keys are used to write another record of its: of this type, with this plaintext.
    pub fn forge(&mut self, kind: ContentType, plaintext: &[u8]) -> Vec<u8> {
        let other =
            ClientConnection::new(client_config(&TLS13).into(), ServerName::try_from("test").unwrap());
        let tls = std::mem::replace(&mut self.tls, other.unwrap());
        let suite = tls.negotiated_cipher_suite().unwrap().tls13().unwrap();
        let (number, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else { panic!("another cipher") };
        let message =
            OutboundPlainMessage { typ: kind, version: ProtocolVersion::TLSv1_2, payload: plaintext.into() };
        suite.aead_alg.encrypter(key, iv).encrypt(message, number).unwrap().encode()
    }

    /// All that is under way is acknowledged, by whoever reads it.
    pub fn acknowledge(&mut self) {
        self.wire.sent.clear();
        self.wire.acknowledge_all_but(0);
        self.server.acknowledged(&mut self.connection, &mut self.wire);
    }

    /// The client reads and acknowledges what is under way.
    pub fn pull(&mut self) {
        let sent = core::mem::take(&mut self.wire.sent);
        self.read(&sent);
        if self.wire.unacknowledged > 0 && !self.wire.reset {
            self.wire.acknowledge_all_but(0);
            self.server.acknowledged(&mut self.connection, &mut self.wire);
            if !self.pending.is_empty() {
                self.inject(&[], false);
            }
        }
    }

    pub fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.tls.read_tls(&mut bytes).unwrap() == 0 {
                break;
            }
            match self.tls.process_new_packets() {
                Ok(state) => self.notified |= state.peer_has_closed(),
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            }
            let mut text = [0; 65_536];
            while let Ok(length @ 1..) = self.tls.reader().read(&mut text) {
                self.text.extend_from_slice(&text[..length]);
            }
        }
    }

    /// Both sides go on until neither has anything to say.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.push();
            self.pull();
            if self.error.is_some()
                || self.wire.reset
                || (!self.tls.wants_write() && self.wire.sent.is_empty() && self.wire.unacknowledged == 0)
            {
                return;
            }
        }
        panic!("it does not end");
    }

    /// Sends a request, and gives what came.
    pub fn ask(&mut self, request: &[u8]) -> String {
        self.tls.writer().write_all(request).unwrap();
        self.settle();
        self.take_text()
    }

    pub fn take_text(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned()
    }

    /// Time passes; deadlines are met on their microsecond.
    pub fn pass(&mut self, time: Duration) {
        let then = self.wire.now + time;
        while self.wire.pass(then) {
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
    }

    /// The connection is over; gives how much was kept of it.
    pub fn finish(self) -> usize {
        self.server.closed(self.connection);
        self.server.kept()
    }

    pub fn count(&self, name: &str) -> u64 {
        count(self.server, name)
    }
}

pub fn count(server: &TlsServer, name: &str) -> u64 {
    let mut counters = server.counters().iter().chain(server.http().counters().iter());
    counters.find(|(counter, _)| *counter == name).unwrap().1
}

/// The alert that lies in plaintext at the start of these records.
pub fn alert(records: &[u8]) -> Option<(u8, u8)> {
    match records {
        [21, 3, _, 0, 2, level, description, ..] => Some((*level, *description)),
        _ => None,
    }
}
