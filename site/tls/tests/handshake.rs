//! Handshakes with rustls's own client over ring: each suite, group, kind of key, and version.

mod client;

use client::{Issued, Pair, client, issue, server};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion};
use std::sync::Arc;

#[test]
fn each_suite_of_each_version() {
    let ecdsa = issue(&rcgen::PKCS_ECDSA_P256_SHA256, &["example.org"]);
    let server = server(vec![ecdsa.identity()]);
    let suites = [
        (CipherSuite::TLS13_AES_128_GCM_SHA256, ProtocolVersion::TLSv1_3),
        (CipherSuite::TLS13_AES_256_GCM_SHA384, ProtocolVersion::TLSv1_3),
        (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, ProtocolVersion::TLSv1_3),
        (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ProtocolVersion::TLSv1_2),
        (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, ProtocolVersion::TLSv1_2),
        (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, ProtocolVersion::TLSv1_2),
    ];
    for (suite, version) in suites {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|it| it.suite() == suite);
        let versions = [if version == ProtocolVersion::TLSv1_3 { &TLS13 } else { &TLS12 }];
        let config = Arc::new(client(provider, &versions, &[&ecdsa]));
        let mut pair = Pair::new(&config, &server, "example.org");
        pair.talk().unwrap();
        assert_eq!(pair.client.negotiated_cipher_suite().unwrap().suite(), suite);
        assert_eq!(pair.client.protocol_version(), Some(version));
        assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn each_group_of_each_version() {
    let ecdsa = issue(&rcgen::PKCS_ECDSA_P256_SHA256, &["example.org"]);
    let server = server(vec![ecdsa.identity()]);
    for version in [&TLS13, &TLS12] {
        for group in [NamedGroup::X25519, NamedGroup::secp256r1] {
            let mut provider = ring::default_provider();
            provider.kx_groups.retain(|it| it.name() == group);
            let config = Arc::new(client(provider, &[version], &[&ecdsa]));
            let mut pair = Pair::new(&config, &server, "example.org");
            pair.talk().unwrap();
            assert_eq!(pair.client.negotiated_key_exchange_group().unwrap().name(), group);
        }
    }
}

#[test]
fn each_kind_of_key_under_each_version() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let issued = issue(algorithm, &["example.org"]);
        let server = server(vec![issued.identity()]);
        for version in [&TLS13, &TLS12] {
            let config = Arc::new(client(ring::default_provider(), &[version], &[&issued]));
            Pair::new(&config, &server, "example.org").talk().unwrap();
        }
    }
}

#[test]
fn rsa_with_each_scheme_of_each_version() {
    let rsa = Issued::rsa();
    let server = server(vec![rsa.identity()]);
    for scheme in ["PSS_SHA256", "PSS_SHA384", "PSS_SHA512", "PKCS1_SHA256", "PKCS1_SHA384", "PKCS1_SHA512"] {
        for version in [&TLS13, &TLS12] {
            let mut provider = ring::default_provider();
            let mapping = provider.signature_verification_algorithms.mapping;
            let wanted: Vec<_> = mapping
                .iter()
                .copied()
                .filter(|(it, _)| format!("{it:?}") == format!("RSA_{scheme}"))
                .collect();
            provider.signature_verification_algorithms.mapping = wanted.leak();
            let config = Arc::new(client(provider, &[version], &[&rsa]));
            let outcome = Pair::new(&config, &server, "rsa.example").talk();
            // RFC 8446, section 4.2.3: PKCS #1 v1.5 signs no handshake of TLS 1.3.
            assert_eq!(
                outcome.is_ok(),
                version == &TLS12 || scheme.starts_with("PSS"),
                "{scheme} {version:?} {outcome:?}"
            );
        }
    }
}

#[test]
fn each_suite_of_tls_1_2_with_rsa() {
    let rsa = Issued::rsa();
    let server = server(vec![rsa.identity()]);
    for suite in [
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|it| it.suite() == suite);
        let config = Arc::new(client(provider, &[&TLS12], &[&rsa]));
        let mut pair = Pair::new(&config, &server, "rsa.example");
        pair.talk().unwrap();
        assert_eq!(pair.client.negotiated_cipher_suite().unwrap().suite(), suite);
    }
}

#[test]
fn a_second_connection_resumes() {
    let ecdsa = issue(&rcgen::PKCS_ECDSA_P256_SHA256, &["example.org"]);
    let server = server(vec![ecdsa.identity()]);
    for version in [&TLS13, &TLS12] {
        let config = Arc::new(client(ring::default_provider(), &[version], &[&ecdsa]));
        Pair::new(&config, &server, "example.org").talk().unwrap();
        let mut second = Pair::new(&config, &server, "example.org");
        second.talk().unwrap();
        assert_eq!(second.client.handshake_kind(), Some(HandshakeKind::Resumed));
    }
}
