//! Who the server is: a chain of certificates (X.509, RFC 5280) and the private key of the first, out of PEM (RFC 7468).

use crate::signing::{self, KeyError};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use rustls::SignatureScheme;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_cert::Certificate;
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::{Zeroize, Zeroizing};

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
    CertificatePem(String),
    /// The PEM of the key is broken.
    KeyPem(String),
    /// There is no certificate.
    NoCertificate,
    /// There is no private key that is not encrypted.
    NoKey,
    /// More than one private key: nothing says which is meant.
    ManyKeys(usize),
    /// A certificate, counted from 1, is not X.509.
    Certificate(usize, String),
    /// The key is of no use.
    Key(KeyError),
    /// The key is that of a later certificate, counted from 1.
    Order(usize),
    /// The key is not the certificate's.
    Mismatch,
    /// The certificate was valid until then.
    Expired(String),
    /// The certificate is valid from then on.
    NotYetValid(String),
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
            Self::Expired(date) => write!(f, "the certificate expired at {date}: renew it"),
            Self::NotYetValid(date) => {
                write!(f, "the certificate is not valid before {date}: check the clock, or wait")
            }
        }
    }
}

impl core::error::Error for IdentityError {}

impl Identity {
    /// Reads a chain, the server's certificate first, and its key. Both may be in one file, given twice. `now`: where
    /// the time is known, the certificate has to be valid then.
    ///
    /// The key's DER is wiped after use; its text is the caller's to wipe.
    pub fn from_pem(chain: &[u8], key: &[u8], now: Option<UnixTime>) -> Result<Self, IdentityError> {
        let chain = certificates(chain)?;
        let key = private_key(key)?;
        let parsed = chain.iter().enumerate().map(|(at, der)| {
            let number = at.saturating_add(1);
            let parsed = Certificate::from_der(der);
            parsed.map_err(|error| IdentityError::Certificate(number, error.to_string()))
        });
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let first = parsed.first().ok_or(IdentityError::NoCertificate)?;
        fits(&parsed, &*key)?;
        let validity = first.tbs_certificate().validity();
        let [not_before, not_after] =
            [validity.not_before, validity.not_after].map(|time| time.to_date_time());
        if let Some(now) = now {
            check_validity(now, not_before, not_after)?;
        }
        let names = names(first).map_err(|error| IdentityError::Certificate(1, error.to_string()))?;
        let certified = Arc::new(CertifiedKey::new(chain, key));
        Ok(Self { certified, names, not_after: not_after.unix_duration() })
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
    let chain = chain.map_err(|error| IdentityError::CertificatePem(error.to_string()))?;
    if chain.is_empty() { Err(IdentityError::NoCertificate) } else { Ok(chain) }
}

/// The only private key among the sections.
fn private_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| IdentityError::KeyPem(error.to_string()))?;
        let der = Zeroizing::new(der);
        if let Some(key) = PrivateKeyDer::from_pem(kind, der.to_vec()) {
            keys.push(WipedKey(key));
        }
    }
    match keys.as_slice() {
        [] => Err(IdentityError::NoKey),
        [key] => signing::key(&key.0).map_err(IdentityError::Key),
        more => Err(IdentityError::ManyKeys(more.len())),
    }
}

struct WipedKey(PrivateKeyDer<'static>);

impl Drop for WipedKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether the key is the first certificate's; if not, whose it is.
fn fits(chain: &[Certificate], key: &dyn SigningKey) -> Result<(), IdentityError> {
    let key = key.public_key();
    let of = chain.iter().position(|certificate| {
        let public = certificate.tbs_certificate().subject_public_key_info().to_der();
        public.is_ok_and(|public| key.as_ref().is_some_and(|key| **key == *public))
    });
    match of {
        Some(0) => Ok(()),
        Some(at) => Err(IdentityError::Order(at.saturating_add(1))),
        None => Err(IdentityError::Mismatch),
    }
}

fn check_validity(now: UnixTime, not_before: DateTime, not_after: DateTime) -> Result<(), IdentityError> {
    let now = Duration::from_secs(now.as_secs());
    if now < not_before.unix_duration() {
        Err(IdentityError::NotYetValid(not_before.to_string()))
    } else if now > not_after.unix_duration() {
        Err(IdentityError::Expired(not_after.to_string()))
    } else {
        Ok(())
    }
}

/// The DNS names of subjectAltName (RFC 5280, section 4.2.1.6): the subject's own name is for nothing since RFC 6125.
fn names(certificate: &Certificate) -> Result<Vec<Name>, x509_cert::der::Error> {
    let extension = certificate.tbs_certificate().get_extension::<SubjectAltName>()?;
    let names = extension.map(|(_, names)| names.0).unwrap_or_default();
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(Name(name.as_str().to_ascii_lowercase())),
        _ => None,
    });
    Ok(dns.collect())
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
