//! What rustls asks of cryptography, put together.

use crate::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use crate::key_exchange::{P256, X25519, X25519MlKem768};
use crate::random::Random;
use crate::{hash, hmac, signing};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    CipherSuiteCommon, CryptoProvider, KeyExchangeAlgorithm, SupportedKxGroup, WebPkiSupportedAlgorithms,
};
use rustls::{CipherSuite, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

/// Records under one key of AES-GCM: RFC 8446, section 5.5, with a record of 2^14 bytes.
const GCM_RECORDS: u64 = 1 << 24;

static TLS13_AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA256),
    aead_alg: &AES_128_GCM,
    quic: None,
};

static TLS13_AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &hash::SHA384,
        confidentiality_limit: GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA384),
    aead_alg: &AES_256_GCM,
    quic: None,
};

static TLS13_CHACHA20: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA256),
    aead_alg: &CHACHA20_POLY1305,
    quic: None,
};

/// The signatures that suites of ECDHE_ECDSA may carry: RFC 8422, section 5.10.
static ECDSA: &[SignatureScheme] = &[
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
];

static TLS12_AES_128: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: GCM_RECORDS,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: ECDSA,
    aead_alg: &AES_128_GCM,
    prf_provider: &PrfUsingHmac(&hmac::SHA256),
};

static TLS12_AES_256: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        hash_provider: &hash::SHA384,
        confidentiality_limit: GCM_RECORDS,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: ECDSA,
    aead_alg: &AES_256_GCM,
    prf_provider: &PrfUsingHmac(&hmac::SHA384),
};

static TLS12_CHACHA20: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: u64::MAX,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: ECDSA,
    aead_alg: &CHACHA20_POLY1305,
    prf_provider: &PrfUsingHmac(&hmac::SHA256),
};

/// Those of ECDHE_RSA: RFC 5246, section 7.4.3, and RFC 8446, section 4.2.3.
static RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

static TLS12_RSA_AES_128: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: GCM_RECORDS,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: RSA,
    aead_alg: &AES_128_GCM,
    prf_provider: &PrfUsingHmac(&hmac::SHA256),
};

static TLS12_RSA_AES_256: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        hash_provider: &hash::SHA384,
        confidentiality_limit: GCM_RECORDS,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: RSA,
    aead_alg: &AES_256_GCM,
    prf_provider: &PrfUsingHmac(&hmac::SHA384),
};

static TLS12_RSA_CHACHA20: Tls12CipherSuite = Tls12CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: u64::MAX,
    },
    kx: KeyExchangeAlgorithm::ECDHE,
    sign: RSA,
    aead_alg: &CHACHA20_POLY1305,
    prf_provider: &PrfUsingHmac(&hmac::SHA256),
};

/// Suites, the best first: what the processor has instructions for, or else what needs none.
fn suites(aes: bool) -> Vec<SupportedCipherSuite> {
    let [aes_128, aes_256, chacha20] =
        [&TLS13_AES_128, &TLS13_AES_256, &TLS13_CHACHA20].map(SupportedCipherSuite::Tls13);
    let [old_128, old_256, old_chacha20] =
        [&TLS12_AES_128, &TLS12_AES_256, &TLS12_CHACHA20].map(SupportedCipherSuite::Tls12);
    let [rsa_128, rsa_256, rsa_chacha20] =
        [&TLS12_RSA_AES_128, &TLS12_RSA_AES_256, &TLS12_RSA_CHACHA20].map(SupportedCipherSuite::Tls12);
    if aes {
        vec![aes_128, aes_256, chacha20, old_128, old_256, old_chacha20, rsa_128, rsa_256, rsa_chacha20]
    } else {
        vec![chacha20, aes_128, aes_256, old_chacha20, old_128, old_256, rsa_chacha20, rsa_128, rsa_256]
    }
}

/// Whether AES-GCM is computed by instructions: CPUID leaf 1, ECX bits 25 (AES) and 1 (PCLMULQDQ).
#[cfg(target_arch = "x86_64")]
fn hardware_aes() -> bool {
    const NEEDED: u32 = 1 << 25 | 1 << 1;
    core::arch::x86_64::__cpuid(1).ecx & NEEDED == NEEDED
}

#[cfg(not(target_arch = "x86_64"))]
fn hardware_aes() -> bool {
    false
}

/// A server verifies nobody's signature.
static NOTHING_VERIFIED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms { all: &[], mapping: &[] };

/// The provider, with a generator that its groups draw their secrets from. It takes memory for good: to be called once.
pub fn provider(random: &'static Random) -> Arc<CryptoProvider> {
    let groups: [Box<dyn SupportedKxGroup>; 3] =
        [Box::new(X25519MlKem768(random)), Box::new(X25519(random)), Box::new(P256(random))];
    let key_provider = Box::leak(Box::new(signing::Keys(random)));
    Arc::new(CryptoProvider {
        cipher_suites: suites(hardware_aes()),
        kx_groups: groups.map(|group| &*Box::leak(group)).to_vec(),
        signature_verification_algorithms: NOTHING_VERIFIED,
        secure_random: random,
        key_provider,
    })
}
