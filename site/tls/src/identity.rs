//! Who the server is: a chain of certificates (X.509, RFC 5280) and the private key of the first, out of PEM (RFC 7468).

use crate::certificate::{Certificate, CertificateError, NotValid};
use crate::random::Random;
use crate::signing::{self, KeyError};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use rustls::SignatureScheme;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroize;

/// A certificate chain with its key, checked against each other.
#[derive(Clone, Debug)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    names: Vec<Name>,
    not_after: Duration,
}

/// Why there is no identity. Each says what is wrong and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdentityError {
    /// The PEM of the certificates is broken.
    CertificatePem(&'static str),
    /// The PEM of the key is broken.
    KeyPem(&'static str),
    /// There is no certificate.
    NoCertificate,
    /// There is no private key that is not encrypted.
    NoKey,
    /// More than one private key: nothing says which is meant.
    ManyKeys(usize),
    /// A certificate, counted from 1, cannot be read.
    Certificate(usize, CertificateError),
    /// The key is of no use.
    Key(KeyError),
    /// The key is that of a later certificate, counted from 1.
    Order(usize),
    /// The key is not the certificate's.
    Mismatch,
    /// The certificate is not valid now.
    NotValid(NotValid),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificatePem(error) => {
                write!(f, "the certificate file is not PEM: {error}: copy it again, whole, as it was issued")
            }
            Self::KeyPem(error) => write!(f, "the key file is not PEM: {error}: copy it again, whole"),
            Self::NoCertificate => f.write_str(
                "the certificate file has no BEGIN CERTIFICATE: give the chain, the server's certificate first \
                 (fullchain.pem)",
            ),
            Self::NoKey => f.write_str(
                "the key file has no BEGIN PRIVATE KEY or BEGIN EC PRIVATE KEY: give the key that the certificate \
                 was made for; an encrypted one has to be decrypted first (`openssl pkey -in key.pem -out plain.pem`)",
            ),
            Self::ManyKeys(keys) => write!(f, "the key file has {keys} private keys: leave the certificate's alone"),
            Self::Certificate(number, error) => {
                write!(f, "certificate {number} of the chain cannot be read ({error}): copy it again, as it was issued")
            }
            Self::Key(error) => error.fmt(f),
            Self::Order(number) => {
                write!(f, "the key is that of certificate {number} of the chain: put that certificate first")
            }
            Self::Mismatch => f.write_str(
                "the key does not fit the certificate: give the key that the certificate was asked for with",
            ),
            Self::NotValid(NotValid::Expired(date)) => write!(f, "the certificate expired at {date}: renew it"),
            Self::NotValid(NotValid::NotYet(date)) => {
                write!(f, "the certificate is not valid before {date}: check the clock, or wait")
            }
        }
    }
}

impl core::error::Error for IdentityError {}

impl Identity {
    /// Reads a chain, the server's certificate first, and its key. Both may be in one file, given twice. `now`: where
    /// the time is known, the certificate has to be valid then. `random`: what it signs with, which need not be seeded yet.
    ///
    /// The key's DER is wiped after use; its text is the caller's to wipe.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        now: Option<UnixTime>,
        random: &'static Random,
    ) -> Result<Self, IdentityError> {
        let chain = certificates(chain)?;
        let key = private_key(key, random)?;
        let parsed = chain.iter().enumerate().map(|(at, der)| {
            Certificate::parse(der).map_err(|error| IdentityError::Certificate(at.saturating_add(1), error))
        });
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let first = parsed.first().ok_or(IdentityError::NoCertificate)?;
        fits(&parsed, &*key)?;
        if let Some(now) = now {
            let now = Duration::from_secs(now.as_secs());
            first.check_validity(now).map_err(IdentityError::NotValid)?;
        }
        let names = first.names().map(|name| Name(name.to_ascii_lowercase())).collect();
        let not_after = first.not_after();
        let certified = Arc::new(CertifiedKey::new(chain, key));
        Ok(Self { certified, names, not_after })
    }

    /// The DNS names that the certificate is for, in small letters; `*.` begins one that is for any one label there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| name.0.as_str())
    }

    /// When the certificate expires, since 1970.
    pub const fn not_after(&self) -> Duration {
        self.not_after
    }

    /// Whether the certificate is for a server of this name.
    pub fn is_for(&self, server: &str) -> bool {
        self.names.iter().any(|name| name.is(server))
    }

    /// Whether the key signs by one of these schemes.
    pub fn signs(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }

    /// As rustls wants it.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| IdentityError::CertificatePem(fault(&error)))?;
    if chain.is_empty() { Err(IdentityError::NoCertificate) } else { Ok(chain) }
}

/// What is wrong with some PEM, in words that show nothing of it: it may be a key's.
const fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line does not end in five dashes",
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64",
        _ => "it cannot be read",
    }
}

/// The only private key among the sections.
fn private_key(pem: &[u8], random: &'static Random) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| IdentityError::KeyPem(fault(&error)))?;
        keys.extend(PrivateKeyDer::from_pem(kind, der).map(Wiped));
    }
    match keys.as_slice() {
        [] => Err(IdentityError::NoKey),
        [key] => signing::key(&key.0, random).map_err(IdentityError::Key),
        more => Err(IdentityError::ManyKeys(more.len())),
    }
}

/// Bytes of a key, wiped in the end.
struct Wiped(PrivateKeyDer<'static>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether the key is the first certificate's; if not, whose it is.
fn fits(chain: &[Certificate<'_>], key: &dyn SigningKey) -> Result<(), IdentityError> {
    let key = key.public_key();
    match chain.iter().position(|certificate| key.as_ref() == Some(&certificate.public_key())) {
        Some(0) => Ok(()),
        Some(at) => Err(IdentityError::Order(at.saturating_add(1))),
        None => Err(IdentityError::Mismatch),
    }
}

/// A DNS name, maybe with `*` as its first label.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Name(String);

impl Name {
    /// RFC 9525, section 6.3: a wildcard is a whole label, the first, and stands for exactly one.
    fn is(&self, server: &str) -> bool {
        let server = server.strip_suffix('.').unwrap_or(server);
        match self.0.strip_prefix("*.") {
            Some(parent) => server
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
            None => self.0.eq_ignore_ascii_case(server),
        }
    }
}
