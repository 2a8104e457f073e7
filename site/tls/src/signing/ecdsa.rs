//! ECDSA over P-256 and P-384 (FIPS 186-5), with keys as RFC 5915 writes them.

use super::{KeyError, Kind, failed};
use crate::random::{Random, given};
use alloc::vec::Vec;
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair,
};
use rustls::crypto::SecureRandom;
use rustls::pki_types::{AlgorithmIdentifier, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::public_key_to_spki;
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sec1::der::asn1::ObjectIdentifier;
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

/// A curve, the hash that goes with it in TLS 1.3, and what ring calls the two.
#[derive(Debug)]
pub(super) struct Curve {
    /// RFC 5480, section 2.1.1.1.
    name: ObjectIdentifier,
    /// Bytes of a private key.
    scalar: usize,
    /// Bytes of random numbers that ring asks for to make a nonce of: they fill up a block of the hash.
    noise: usize,
    agreement: &'static agreement::Algorithm,
    signing: &'static EcdsaSigningAlgorithm,
    schemes: &'static [SignatureScheme],
    algorithm: AlgorithmIdentifier,
}

static P256: Curve = Curve {
    name: ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    scalar: 32,
    noise: 32,
    agreement: &ECDH_P256,
    signing: &ECDSA_P256_SHA256_ASN1_SIGNING,
    schemes: &[SignatureScheme::ECDSA_NISTP256_SHA256],
    algorithm: alg_id::ECDSA_P256,
};

static P384: Curve = Curve {
    name: ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    scalar: 48,
    noise: 80,
    agreement: &ECDH_P384,
    signing: &ECDSA_P384_SHA384_ASN1_SIGNING,
    schemes: &[SignatureScheme::ECDSA_NISTP384_SHA384],
    algorithm: alg_id::ECDSA_P384,
};

/// The most that any curve needs.
const SCALAR: usize = 48;
const NOISE: usize = 80;

/// Signatures tried: a nonce is refused once in 2^32.
const TRIALS: usize = 4;

impl Curve {
    fn named(name: ObjectIdentifier) -> Result<&'static Self, KeyError> {
        [&P256, &P384].into_iter().find(|curve| curve.name == name).ok_or(KeyError::Unsupported(name))
    }

    /// Where no curve is named, the key's length tells.
    fn of_length(scalar: usize) -> Result<&'static Self, KeyError> {
        [&P256, &P384].into_iter().find(|curve| curve.scalar == scalar).ok_or(KeyError::Malformed)
    }
}

/// A private key with its curve.
pub(super) struct EcdsaKey {
    pair: EcdsaKeyPair,
    curve: &'static Curve,
    random: &'static Random,
}

impl EcdsaKey {
    /// RFC 5915. `name`: the curve, where the key's wrapping names it.
    pub(super) fn read(
        der: &[u8],
        name: Option<ObjectIdentifier>,
        random: &'static Random,
    ) -> Result<Self, KeyError> {
        let key = EcPrivateKey::try_from(der).map_err(|_| KeyError::Malformed)?;
        let own = key.parameters.and_then(EcParameters::named_curve);
        let curve = match name.or(own) {
            Some(name) => Curve::named(name)?,
            None => Curve::of_length(key.private_key.len())?,
        };
        if own.is_some_and(|own| own != curve.name) {
            return Err(KeyError::Malformed);
        }
        // Some leave out what leads with zeros.
        let mut secret = Zeroizing::new([0; SCALAR]);
        let secret = secret.get_mut(..curve.scalar).ok_or(KeyError::Malformed)?;
        let lead = curve.scalar.checked_sub(key.private_key.len()).ok_or(KeyError::Malformed)?;
        secret.iter_mut().skip(lead).zip(key.private_key).for_each(|(to, from)| *to = *from);

        let public = EphemeralPrivateKey::generate(curve.agreement, &given(secret));
        let public = public.and_then(|key| key.compute_public_key()).map_err(|_| KeyError::Malformed)?;
        let public = public.as_ref();
        if key.public_key.is_some_and(|theirs| theirs != public && !is_compressed(theirs, public)) {
            return Err(KeyError::Malformed);
        }
        // What is random here goes into nonces only together with what is drawn for each signature, so a key can be read
        // before there are random numbers.
        let salt = [0; SCALAR];
        let salt = given(salt.get(..curve.scalar).ok_or(KeyError::Malformed)?);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, secret, public, &salt);
        Ok(Self { pair: pair.map_err(|_| KeyError::Malformed)?, curve, random })
    }
}

/// Whether the one is the other in its short form: SEC 1, section 2.3.3.
fn is_compressed(short: &[u8], long: &[u8]) -> bool {
    let Some((_, point)) = long.split_first() else { return false };
    let (x, y) = point.split_at(point.len() / 2);
    short.split_first() == y.last().map(|last| 2 | last & 1).as_ref().map(|form| (form, x))
}

impl Kind for EcdsaKey {
    fn schemes(&self) -> &'static [SignatureScheme] {
        self.curve.schemes
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn signature(&self, _: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut noise = Zeroizing::new([0; NOISE]);
        let noise = noise.get_mut(..self.curve.noise).unwrap_or_default();
        for _ in 0..TRIALS {
            self.random.fill(noise)?;
            if let Ok(signature) = self.pair.sign(&given(noise), message) {
                return Ok(signature.as_ref().to_vec());
            }
        }
        Err(failed("no nonce will do"))
    }

    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        public_key_to_spki(&self.curve.algorithm, self.pair.public_key())
    }
}

#[cfg(test)]
mod tests;
