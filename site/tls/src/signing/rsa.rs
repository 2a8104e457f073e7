//! RSA (RFC 8017): PSS, and PKCS #1 v1.5 for TLS 1.2.

use super::{KeyError, Kind, failed};
use crate::random::{Random, given};
use alloc::vec;
use alloc::vec::Vec;
use ring::rsa::KeyPair;
use ring::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding,
};
use rustls::crypto::SecureRandom;
use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::public_key_to_spki;
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use zeroize::Zeroizing;

/// The most bytes of salt: as many as the hash has.
const SALT: usize = 64;

/// A private key of 2,048 to 4,096 bits.
pub(super) struct RsaKey {
    pair: KeyPair,
    random: &'static Random,
}

impl RsaKey {
    /// RFC 5958, whole.
    pub(super) fn pkcs8(der: &[u8], random: &'static Random) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(der).map_err(|_| KeyError::Rsa)?;
        Ok(Self { pair, random })
    }

    /// RFC 8017, appendix A.1.2.
    pub(super) fn pkcs1(der: &[u8], random: &'static Random) -> Result<Self, KeyError> {
        let pair = KeyPair::from_der(der).map_err(|_| KeyError::Rsa)?;
        Ok(Self { pair, random })
    }
}

impl Kind for RsaKey {
    fn schemes(&self) -> &'static [SignatureScheme] {
        &[
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
        ]
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }

    fn signature(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (encoding, salt): (&'static dyn RsaEncoding, usize) = match scheme {
            SignatureScheme::RSA_PSS_SHA256 => (&RSA_PSS_SHA256, 32),
            SignatureScheme::RSA_PSS_SHA384 => (&RSA_PSS_SHA384, 48),
            SignatureScheme::RSA_PSS_SHA512 => (&RSA_PSS_SHA512, 64),
            SignatureScheme::RSA_PKCS1_SHA256 => (&RSA_PKCS1_SHA256, 0),
            SignatureScheme::RSA_PKCS1_SHA384 => (&RSA_PKCS1_SHA384, 0),
            SignatureScheme::RSA_PKCS1_SHA512 => (&RSA_PKCS1_SHA512, 0),
            _ => return Err(failed("not a scheme of RSA's")),
        };
        let mut drawn = Zeroizing::new([0; SALT]);
        let drawn = drawn.get_mut(..salt).unwrap_or_default();
        self.random.fill(drawn)?;
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(encoding, &given(drawn), message, &mut signature).map_err(failed)?;
        Ok(signature)
    }

    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        public_key_to_spki(&alg_id::RSA_ENCRYPTION, self.pair.public())
    }
}
