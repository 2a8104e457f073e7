//! Identities out of PEM: OpenSSL's own files (`pem/`, made by `openssl` as their names say), and all that can be wrong.

#![allow(clippy::unwrap_used)]

mod client;

use client::{NOW, issue, random};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::SignatureScheme;
use rustls::pki_types::UnixTime;
use std::time::Duration;
use tls::identity::IdentityError;
use tls::{Identity, Resolver};

const SEC1_CERTIFICATE: &str = include_str!("pem/sec1.pem");
const SEC1: &str = include_str!("pem/sec1.key");
const PKCS8: &str = include_str!("pem/p256.key");

fn read(chain: &str, key: &str) -> Result<Identity, IdentityError> {
    Identity::from_pem(chain.as_bytes(), key.as_bytes(), None, random())
}

/// What it says, which has to name what is wrong and what to do.
fn refusal(chain: &str, key: &str) -> String {
    read(chain, key).unwrap_err().to_string()
}

#[test]
fn openssl_s_keys() {
    let identity = read(SEC1_CERTIFICATE, SEC1).unwrap();
    assert_eq!(identity.names().collect::<Vec<_>>(), ["example.org", "*.example.org", "example.net"]);
    assert!(identity.signs(&[SignatureScheme::ECDSA_NISTP256_SHA256]));
    assert!(!identity.signs(&[SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ED25519]));
    read(SEC1_CERTIFICATE, PKCS8).unwrap();
    let p384 = include_str!("pem/p384.pem");
    for key in [include_str!("pem/p384.key"), include_str!("pem/p384-sec1.key")] {
        assert!(read(p384, key).unwrap().signs(&[SignatureScheme::ECDSA_NISTP384_SHA384]));
    }
    let ed25519 = read(include_str!("pem/ed25519.pem"), include_str!("pem/ed25519.key")).unwrap();
    assert!(ed25519.signs(&[SignatureScheme::ED25519]));
    for key in [include_str!("pem/rsa-2048.key"), include_str!("pem/rsa-2048-pkcs1.key")] {
        let rsa = read(include_str!("pem/rsa-2048.pem"), key).unwrap();
        assert!(
            rsa.signs(&[SignatureScheme::RSA_PSS_SHA256]) && rsa.signs(&[SignatureScheme::RSA_PKCS1_SHA512])
        );
        assert!(!rsa.signs(&[SignatureScheme::ECDSA_NISTP256_SHA256]));
    }
}

#[test]
fn one_file_with_both() {
    let both = format!("{SEC1}{SEC1_CERTIFICATE}");
    read(&both, &both).unwrap();
    let both = format!("{SEC1_CERTIFICATE}\n{PKCS8}").replace('\n', "\r\n");
    read(&both, &both).unwrap();
}

#[test]
fn keys_that_are_not_supported() {
    for key in [include_str!("pem/rsa.key"), include_str!("pem/rsa-pkcs1.key")] {
        let said = refusal(SEC1_CERTIFICATE, key);
        assert!(said.contains("RSA, but not of 2,048 to 4,096 bits: make an ECDSA key over P-256"), "{said}");
    }
    let said = refusal(SEC1_CERTIFICATE, include_str!("pem/p521.key"));
    assert!(said.contains("OID 1.3.132.0.35") && said.contains("P-256 or P-384"), "{said}");
    let said = refusal(SEC1_CERTIFICATE, include_str!("pem/x25519.key"));
    assert!(said.contains("OID 1.3.101.110"), "{said}");
    let said = refusal(SEC1_CERTIFICATE, include_str!("pem/encrypted.key"));
    assert!(said.contains("decrypted first (`openssl pkey"), "{said}");
}

#[test]
fn a_key_of_another_certificate() {
    let said = refusal(SEC1_CERTIFICATE, include_str!("pem/p384.key"));
    assert!(said.contains("the key does not fit the certificate"), "{said}");
    let chain = format!("{}{SEC1_CERTIFICATE}", include_str!("pem/p384.pem"));
    assert_eq!(read(&chain, SEC1).unwrap_err(), IdentityError::Order(2));
    assert!(refusal(&chain, SEC1).contains("certificate 2 of the chain: put that certificate first"));
}

#[test]
fn files_that_are_broken() {
    assert_eq!(read("", SEC1).unwrap_err(), IdentityError::NoCertificate);
    assert_eq!(read(SEC1, SEC1).unwrap_err(), IdentityError::NoCertificate);
    assert_eq!(read(SEC1_CERTIFICATE, SEC1_CERTIFICATE).unwrap_err(), IdentityError::NoKey);
    assert_eq!(read(SEC1_CERTIFICATE, &format!("{SEC1}{PKCS8}")).unwrap_err(), IdentityError::ManyKeys(2));

    let cut = |text: &str| text.lines().take(3).collect::<Vec<_>>().join("\n");
    let said = refusal(&cut(SEC1_CERTIFICATE), SEC1);
    assert!(said.contains("has no END line: copy it again, whole"), "{said}");
    let said = refusal(SEC1_CERTIFICATE, &cut(PKCS8));
    assert!(said.contains("the key file is not PEM: a section has no END line"), "{said}");
    let odd = SEC1_CERTIFICATE.replacen("MII", "M*I", 1);
    assert!(refusal(&odd, SEC1).contains("the certificate file is not PEM"), "{}", refusal(&odd, SEC1));

    // Whole PEM around broken DER.
    let lines: Vec<&str> = SEC1_CERTIFICATE.lines().collect();
    let short = [&lines[..2], &lines[lines.len() - 1..]].concat().join("\n");
    assert!(
        refusal(&short, SEC1).contains("certificate 1 of the chain cannot be read"),
        "{}",
        refusal(&short, SEC1)
    );
    let second = format!("{SEC1_CERTIFICATE}{short}");
    assert!(refusal(&second, SEC1).contains("certificate 2 of the chain cannot be read"));
    let short = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n";
    assert!(refusal(SEC1_CERTIFICATE, short).contains("the private key cannot be read"));
}

#[test]
fn certificates_at_the_wrong_time() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(["example.org".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 3, 1);
    // GeneralizedTime, from 2050 on.
    params.not_after = rcgen::date_time_ymd(2051, 5, 30);
    let chain = params.self_signed(&key).unwrap().pem();
    let at = |seconds| {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes(), Some(now), random())
    };
    // 2025-03-01 and 2051-05-30, at midnight.
    let (begin, end) = (1_740_787_200, 2_569_017_600);
    assert_eq!(at(begin).unwrap().not_after(), Duration::from_secs(end));
    at(end).unwrap();
    let early = at(begin - 1).unwrap_err().to_string();
    assert_eq!(early, "the certificate is not valid before 2025-03-01T00:00:00Z: check the clock, or wait");
    let late = at(end + 1).unwrap_err().to_string();
    assert_eq!(late, "the certificate expired at 2051-05-30T00:00:00Z: renew it");
    // Nobody knows what time it is.
    Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes(), None, random()).unwrap();
    assert!(NOW > begin);
}

#[test]
fn names_with_wildcards() {
    let identity = issue(&PKCS_ECDSA_P256_SHA256, &["example.org", "*.example.org"]).identity();
    for name in ["example.org", "EXAMPLE.org", "www.example.org", "example.org."] {
        assert!(identity.is_for(name), "{name}");
    }
    for name in ["", ".example.org", "a.b.example.org", "example.net", "xexample.org", "org", "*"] {
        assert!(!identity.is_for(name), "{name}");
    }
}

#[test]
fn the_resolver_chooses_by_name_then_by_signature() {
    let ecdsa = SignatureScheme::ECDSA_NISTP256_SHA256;
    let ed25519 = SignatureScheme::ED25519;
    let first = issue(&PKCS_ECDSA_P256_SHA256, &["one.example"]).identity();
    let second = issue(&PKCS_ECDSA_P256_SHA256, &["two.example"]).identity();
    let modern = issue(&rcgen::PKCS_ED25519, &["two.example"]).identity();
    let resolver = Resolver::new(vec![first, modern, second]);
    let chosen = |name, schemes: &[SignatureScheme]| {
        let identity = resolver.choose(name, schemes)?;
        Some((identity.names().next().unwrap().to_owned(), identity.signs(&[ed25519])))
    };
    let one = Some(("one.example".to_owned(), false));
    assert_eq!(chosen(None, &[ecdsa, ed25519]), one);
    assert_eq!(chosen(Some("unknown.example"), &[ecdsa]), one);
    assert_eq!(chosen(Some("one.example"), &[ecdsa]), one);
    assert_eq!(chosen(Some("two.example"), &[ecdsa, ed25519]), Some(("two.example".to_owned(), true)));
    assert_eq!(chosen(Some("two.example"), &[ecdsa]), Some(("two.example".to_owned(), false)));
    assert_eq!(chosen(None, &[ed25519]), Some(("two.example".to_owned(), true)));
    assert_eq!(chosen(None, &[SignatureScheme::RSA_PSS_SHA256]), None);
}
