//! Key exchange, signatures and hashes that cost next to nothing and protect nothing, so that an execution is not a handshake's
//! arithmetic and little else. What protects records is the server's own.

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    ActiveKeyExchange, CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyExchangeAlgorithm,
    SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::sign::{Signer, SigningKey};
use rustls::{
    CipherSuite, Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm, SignatureScheme,
    SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tls::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};

/// The odd constant of SplitMix64, for all that is mixed here.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A provider with these suites alone.
pub fn provider(base: &CryptoProvider, suites: &[SupportedCipherSuite]) -> Arc<CryptoProvider> {
    let mut provider = base.clone();
    provider.cipher_suites = suites.to_vec();
    provider.kx_groups = vec![&Group];
    provider.secure_random = &Random;
    Arc::new(provider)
}

/// The suites of TLS 1.3, and of TLS 1.2, in the same order.
pub static SUITES: [[SupportedCipherSuite; 3]; 2] = [
    [
        SupportedCipherSuite::Tls13(&TLS13_AES_128),
        SupportedCipherSuite::Tls13(&TLS13_AES_256),
        SupportedCipherSuite::Tls13(&TLS13_CHACHA20),
    ],
    [
        SupportedCipherSuite::Tls12(&TLS12_AES_128),
        SupportedCipherSuite::Tls12(&TLS12_AES_256),
        SupportedCipherSuite::Tls12(&TLS12_CHACHA20),
    ],
];

const fn common(suite: CipherSuite, hash: &'static Mixed) -> CipherSuiteCommon {
    CipherSuiteCommon { suite, hash_provider: hash, confidentiality_limit: 1 << 24 }
}

static TLS13_AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_128_GCM_SHA256, &SHORT),
    hkdf_provider: &HkdfUsingHmac(&SHORT),
    aead_alg: &AES_128_GCM,
    quic: None,
};
static TLS13_AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_256_GCM_SHA384, &LONG),
    hkdf_provider: &HkdfUsingHmac(&LONG),
    aead_alg: &AES_256_GCM,
    quic: None,
};
static TLS13_CHACHA20: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, &SHORT),
    hkdf_provider: &HkdfUsingHmac(&SHORT),
    aead_alg: &CHACHA20_POLY1305,
    quic: None,
};

static SCHEMES: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];

static TLS12_AES_128: Tls12CipherSuite = Tls12CipherSuite {
    common: common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &SHORT),
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: SCHEMES,
    aead_alg: &AES_128_GCM,
    prf_provider: &PrfUsingHmac(&SHORT),
};
static TLS12_AES_256: Tls12CipherSuite = Tls12CipherSuite {
    common: common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &LONG),
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: SCHEMES,
    aead_alg: &AES_256_GCM,
    prf_provider: &PrfUsingHmac(&LONG),
};
static TLS12_CHACHA20: Tls12CipherSuite = Tls12CipherSuite {
    common: common(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, &SHORT),
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: SCHEMES,
    aead_alg: &CHACHA20_POLY1305,
    prf_provider: &PrfUsingHmac(&SHORT),
};

/// SplitMix64, from the same number on in each execution.
#[derive(Debug)]
struct Random;

static DRAWN: AtomicU64 = AtomicU64::new(0);

/// Begins the random numbers anew.
pub fn begin() {
    DRAWN.store(0, Relaxed);
}

fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl SecureRandom for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        for part in bytes.chunks_mut(8) {
            let word = mixed(DRAWN.fetch_add(ODD, Relaxed).wrapping_add(ODD)).to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
        Ok(())
    }
}

/// Shares of 32 bytes. The secret is both of them, and everybody sees it.
#[derive(Debug)]
struct Group;

struct Share([u8; 32]);

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut share = [0; 32];
        Random.fill(&mut share)?;
        Ok(Box::new(Share(share)))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let theirs: [u8; 32] =
            theirs.try_into().map_err(|_| Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))?;
        let both: Vec<u8> = self.0.iter().zip(theirs).map(|(ours, theirs)| ours ^ theirs).collect();
        Ok(SharedSecret::from(both))
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Signs with nothing.
#[derive(Debug)]
pub struct Unsigned;

impl SigningKey for Unsigned {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SCHEMES[0]).then(|| Box::new(Self) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Unsigned {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![0x30; 70])
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEMES[0]
    }
}

/// A hash of so many bytes, which depends on every bit of its input and withstands nobody.
#[derive(Debug)]
struct Mixed {
    length: usize,
    algorithm: HashAlgorithm,
}

static SHORT: Mixed = Mixed { length: 32, algorithm: HashAlgorithm::SHA256 };
static LONG: Mixed = Mixed { length: 48, algorithm: HashAlgorithm::SHA384 };

/// A hash under way, or a key.
#[derive(Clone, Copy)]
struct State {
    word: u64,
    length: usize,
}

impl State {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.word = (self.word ^ u64::from(*byte)).wrapping_mul(ODD).rotate_left(29);
        }
    }

    fn output(&self) -> [u8; 48] {
        let mut output = [0; 48];
        let mut word = self.word;
        for part in output.chunks_mut(8) {
            word = word.wrapping_add(ODD);
            part.copy_from_slice(&mixed(word).to_le_bytes());
        }
        output
    }
}

/// A byte that every bit of these has a part in.
pub fn digest(bytes: &[u8]) -> u8 {
    let mut state = SHORT.state();
    state.add(bytes);
    state.output()[0]
}

impl Mixed {
    fn state(&self) -> State {
        State { word: 0, length: self.length }
    }
}

impl Hash for Mixed {
    fn start(&self) -> Box<dyn Context> {
        Box::new(self.state())
    }

    fn hash(&self, data: &[u8]) -> Output {
        let mut state = self.state();
        state.add(data);
        state.fork_finish()
    }

    fn output_len(&self) -> usize {
        self.length
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }
}

impl Context for State {
    fn fork_finish(&self) -> Output {
        Output::new(&self.output()[..self.length])
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(*self)
    }

    fn finish(self: Box<Self>) -> Output {
        self.fork_finish()
    }

    fn update(&mut self, data: &[u8]) {
        self.add(data);
    }
}

impl Hmac for Mixed {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        let mut state = self.state();
        state.add(key);
        Box::new(state)
    }

    fn hash_output_len(&self) -> usize {
        self.length
    }
}

impl Key for State {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut state = *self;
        state.add(first);
        middle.iter().for_each(|part| state.add(part));
        state.add(last);
        Tag::new(&state.output()[..self.length])
    }

    fn tag_len(&self) -> usize {
        self.length
    }
}
