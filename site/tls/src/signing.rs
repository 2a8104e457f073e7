//! Private keys and their signatures: ECDSA over P-256 and P-384, Ed25519 (RFC 8032) and RSA, for rustls.

mod ecdsa;
mod rsa;

use crate::random::Random;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use ecdsa::EcdsaKey;
use ed25519_dalek::Signer as _;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rsa::RsaKey;
use rustls::crypto::KeyProvider;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why a private key is of no use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// It is an RSA key, but not one of 2,048 to 4,096 bits with two primes.
    Rsa,
    /// It is of a kind, or over a curve, that is not supported.
    Unsupported(ObjectIdentifier),
    /// It is not what RFC 5958 or RFC 5915 describe.
    Malformed,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa => f.write_str(
                "the private key is RSA, but not of 2,048 to 4,096 bits: make an ECDSA key over P-256 (`openssl genpkey \
                 -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, `certbot --key-type ecdsa`) and get a certificate \
                 for it",
            ),
            Self::Unsupported(oid) => write!(
                f,
                "the private key is of a kind that is not supported (OID {oid}): make an ECDSA key over P-256 or \
                 P-384, or an Ed25519 key",
            ),
            Self::Malformed => f.write_str(
                "the private key cannot be read: it has to be PKCS#8 (BEGIN PRIVATE KEY) or SEC1 (BEGIN EC PRIVATE \
                 KEY), over P-256, P-384 or Ed25519",
            ),
        }
    }
}

impl core::error::Error for KeyError {}

/// The key that some DER holds. It signs with numbers out of `random`, which reading it does not need.
pub fn key(der: &PrivateKeyDer<'_>, random: &'static Random) -> Result<Arc<dyn SigningKey>, KeyError> {
    match der {
        PrivateKeyDer::Pkcs8(der) => pkcs8(der.secret_pkcs8_der(), random),
        PrivateKeyDer::Sec1(der) => Ok(Key::shared(EcdsaKey::read(der.secret_sec1_der(), None, random)?)),
        PrivateKeyDer::Pkcs1(der) => Ok(Key::shared(RsaKey::pkcs1(der.secret_pkcs1_der(), random)?)),
        _ => Err(KeyError::Malformed),
    }
}

/// RFC 5958. The algorithm is named, and with EC its curve.
fn pkcs8(der: &[u8], random: &'static Random) -> Result<Arc<dyn SigningKey>, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::Malformed)?;
    let inner = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => Ok(Key::shared(RsaKey::pkcs8(der, random)?)),
        // RFC 8410, section 7: an octet string within the octet string.
        ED25519 => match inner {
            [0x04, 32, secret @ ..] => {
                let secret = secret.try_into().map_err(|_| KeyError::Malformed)?;
                Ok(Key::shared(ed25519_dalek::SigningKey::from_bytes(secret)))
            }
            _ => Err(KeyError::Malformed),
        },
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Malformed)?;
            Ok(Key::shared(EcdsaKey::read(inner, Some(curve), random)?))
        }
        oid => Err(KeyError::Unsupported(oid)),
    }
}

/// A kind of key.
trait Kind: Send + Sync + 'static {
    /// What it signs by, the best first.
    fn schemes(&self) -> &'static [SignatureScheme];

    fn algorithm(&self) -> SignatureAlgorithm;

    /// By one of its schemes.
    fn signature(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// The public half, as a certificate holds it (RFC 5280, section 4.1.2.7).
    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static>;
}

fn failed(error: impl fmt::Display) -> Error {
    Error::General(error.to_string())
}

impl Kind for ed25519_dalek::SigningKey {
    fn schemes(&self) -> &'static [SignatureScheme] {
        &[SignatureScheme::ED25519]
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }

    fn signature(&self, _: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.try_sign(message).map_err(failed)?.to_bytes().to_vec())
    }

    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        public_key_to_spki(&alg_id::ED25519, self.verifying_key().as_bytes())
    }
}

/// A private key. ring wipes none of its own: the memory that one is freed to has to be wiped by whoever runs it.
struct Key<K>(Arc<K>);

impl<K: Kind> Key<K> {
    fn shared(key: K) -> Arc<dyn SigningKey> {
        Arc::new(Self(Arc::new(key)))
    }
}

impl<K: Kind> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0.algorithm())
    }
}

impl<K: Kind> SigningKey for Key<K> {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.0.schemes().iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Chosen { key: self.0.clone(), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.0.public_key())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// A private key, and what it is to sign by.
struct Chosen<K> {
    key: Arc<K>,
    scheme: SignatureScheme,
}

impl<K> fmt::Debug for Chosen<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chosen({:?})", self.scheme)
    }
}

impl<K: Kind> Signer for Chosen<K> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.signature(self.scheme, message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// [`key`], where rustls looks for it.
#[derive(Debug)]
pub struct Keys(pub &'static Random);

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        key(&der, self.0).map_err(failed)
    }
}
