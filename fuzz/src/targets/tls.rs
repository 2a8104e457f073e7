//! Certificates, keys and session tickets.

use crate::choices::Choices;
use std::sync::Arc;
use std::time::Duration;
use tls::rustls::SignatureScheme;
use tls::rustls::pki_types::UnixTime;
use tls::rustls::pki_types::pem::{PemObject, SectionKind};
use tls::rustls::server::ProducesTickets;
use tls::{Clock, Identity, Random, Tickets};

/// Chains and keys that fit, of each kind.
const FITTING: [(&str, &str); 4] = [
    (
        include_str!("../../../site/tls/tests/pem/sec1.pem"),
        include_str!("../../../site/tls/tests/pem/sec1.key"),
    ),
    (
        include_str!("../../../site/tls/tests/pem/sec1.pem"),
        include_str!("../../../site/tls/tests/pem/p256.key"),
    ),
    (
        include_str!("../../../site/tls/tests/pem/p384.pem"),
        include_str!("../../../site/tls/tests/pem/p384.key"),
    ),
    (
        include_str!("../../../site/tls/tests/pem/ed25519.pem"),
        include_str!("../../../site/tls/tests/pem/ed25519.key"),
    ),
];

/// Nothing is signed here: it stays without a seed.
static RANDOM: Random = Random::new();

/// PEM as it is given, or some that fits with bytes of it, or of the DER in it, changed: an identity that holds what it
/// promises, or one line that says why not.
pub fn identity(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (chain, key) = choices.of(&FITTING);
    let now = choices.yes().then(|| UnixTime::since_unix_epoch(Duration::from_secs(choices.half().into())));
    let (chain, key) = match choices.below(3) {
        0 => {
            let rest = choices.rest();
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            (rest[..end].to_vec(), rest[end..].to_vec())
        }
        1 => {
            (changed(chain.as_bytes().to_vec(), &mut choices), changed(key.as_bytes().to_vec(), &mut choices))
        }
        _ => (rewritten(chain, &mut choices), rewritten(key, &mut choices)),
    };
    match Identity::from_pem(&chain, &key, now, &RANDOM) {
        Ok(identity) => {
            let schemes = [
                SignatureScheme::ECDSA_NISTP256_SHA256,
                SignatureScheme::ECDSA_NISTP384_SHA384,
                SignatureScheme::ED25519,
                SignatureScheme::RSA_PSS_SHA256,
            ];
            assert_eq!(schemes.iter().filter(|scheme| identity.signs(&[**scheme])).count(), 1);
            assert!(now.is_none_or(|now| Duration::from_secs(now.as_secs()) <= identity.not_after()));
            for name in identity.names().filter(|name| !name.starts_with("*.")) {
                assert!(identity.is_for(name) && !name.contains(|c: char| c.is_ascii_uppercase()));
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(
                said.len() < 400 && said.contains(": ") && !said.contains(['\n', '\r', '\x1b']),
                "{said}"
            );
        }
    }
}

/// Some bytes changed, taken away or put in between.
fn changed(mut bytes: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    for _ in 0..choices.below(4) {
        let at = choices.below(bytes.len() + 1);
        match choices.below(4) {
            0 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [choices.byte()])),
            1 => drop(bytes.splice(at..at, choices.bytes(4).to_vec())),
            2 => bytes.truncate(at),
            _ => drop(bytes.drain(at..(at + choices.below(40)).min(bytes.len()))),
        }
    }
    bytes
}

/// Changed within, as PEM that is well again.
fn rewritten(pem: &str, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = String::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (kind, der) = section.unwrap();
        let label = match kind {
            SectionKind::Certificate => "CERTIFICATE",
            SectionKind::EcPrivateKey => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        let body = base64(&changed(der, choices));
        text.push_str(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"));
    }
    text.into_bytes()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let word = part.iter().fold(0, |word, byte| word << 8 | usize::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let shown = digit <= part.len();
            text.push(if shown { char::from(digits[word >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

/// Seconds for which a key seals.
const PERIOD: u64 = 6 * 60 * 60;

/// Tickets sealed, changed and opened while time goes by and keys are forgotten.
pub fn ticket(input: &[u8]) {
    static RANDOM: Random = Random::new();
    RANDOM.forget();
    RANDOM.seed(&[1; 32]).unwrap();
    let mut choices = Choices::new(input);
    let clock = Arc::new(Clock::new());
    let tickets = Tickets::new(&RANDOM, clock.clone());
    let mut now = 1_000_000;
    clock.set(now);
    // Each with what was sealed and when; the forgotten are no longer here.
    let mut sealed: Vec<(Vec<u8>, Vec<u8>, u64)> = Vec::new();
    while !choices.is_empty() {
        match choices.below(7) {
            0 | 1 => {
                let session = choices.bytes(40).to_vec();
                let ticket = tickets.encrypt(&session).unwrap();
                assert_eq!(ticket.len(), 16 + 24 + session.len() + 16);
                sealed.push((ticket, session, now));
            }
            2 => now += u64::from(choices.word()),
            3 => tickets.expire(),
            4 if choices.byte() > 240 => {
                tickets.forget();
                for (ticket, ..) in sealed.drain(..) {
                    assert_eq!(tickets.decrypt(&ticket), None);
                }
            }
            5 => {
                let foreign = choices.bytes(80);
                assert_eq!(tickets.decrypt(foreign), None);
            }
            _ if !sealed.is_empty() => {
                let (ticket, ..) = &sealed[choices.below(sealed.len())];
                let bad = changed(ticket.clone(), &mut choices);
                if bad != *ticket {
                    assert_eq!(tickets.decrypt(&bad), None);
                }
            }
            _ => {}
        }
        clock.set(now);
        for (ticket, session, when) in &sealed {
            match tickets.decrypt(ticket) {
                Some(opened) => assert!(opened == *session && now - when < 2 * PERIOD),
                None => assert!(now - when >= PERIOD),
            }
        }
        // One that no longer opens never does again.
        sealed.retain(|(ticket, ..)| tickets.decrypt(ticket).is_some());
        sealed.truncate(16);
    }
}
