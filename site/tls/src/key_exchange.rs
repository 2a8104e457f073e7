//! Ephemeral key exchange: X25519 (RFC 7748), ECDH over P-256 (SEC 1), and X25519 together with ML-KEM-768 (FIPS 203,
//! draft-ietf-tls-ecdhe-mlkem), for rustls.

use crate::random::{Random, given};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ml_kem::array::Array;
use ml_kem::{Decapsulate, KeyExport, Seed};
use ring::agreement::{
    ECDH_P256, EphemeralPrivateKey, PublicKey as Point, UnparsedPublicKey, agree_ephemeral,
};
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// Secrets drawn for P-256: one is refused in 2^32, which is not below the group's order.
const DRAWS: usize = 4;

const INVALID: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);

/// X25519, with secrets out of a generator.
#[derive(Clone, Copy, Debug)]
pub struct X25519(pub &'static Random);

/// ECDH over P-256, which TLS calls secp256r1, with secrets out of a generator.
#[derive(Clone, Copy, Debug)]
pub struct P256(pub &'static Random);

/// X25519MLKEM768: ML-KEM-768's part comes first, in shares and in the secret.
#[derive(Clone, Copy, Debug)]
pub struct X25519MlKem768(pub &'static Random);

fn drawn<const N: usize>(random: &Random) -> Result<Zeroizing<[u8; N]>, GetRandomFailed> {
    let mut bytes = Zeroizing::new([0; N]);
    random.fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

impl X25519 {
    fn secret(self) -> Result<(StaticSecret, PublicKey), Error> {
        let secret = StaticSecret::from(*drawn::<32>(self.0)?);
        let public = PublicKey::from(&secret);
        Ok((secret, public))
    }
}

/// The shared secret, unless it is zero: RFC 8446, section 7.4.2.
fn x25519(secret: &StaticSecret, theirs: &[u8]) -> Result<x25519_dalek::SharedSecret, Error> {
    let theirs: [u8; 32] = theirs.try_into().map_err(|_| INVALID)?;
    let shared = secret.diffie_hellman(&PublicKey::from(theirs));
    if shared.was_contributory() { Ok(shared) } else { Err(INVALID) }
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let (secret, public) = self.secret()?;
        Ok(Box::new(ActiveX25519 { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct ActiveX25519 {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for ActiveX25519 {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        Ok(SharedSecret::from(x25519(&self.secret, theirs)?.as_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        for _ in 0..DRAWS {
            if let Some(active) = active_p256(&*drawn(self.0)?) {
                return Ok(Box::new(active));
            }
        }
        Err(GetRandomFailed.into())
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

struct ActiveP256 {
    secret: EphemeralPrivateKey,
    public: Point,
}

fn active_p256(secret: &[u8; 32]) -> Option<ActiveP256> {
    let secret = EphemeralPrivateKey::generate(&ECDH_P256, &given(secret)).ok()?;
    let public = secret.compute_public_key().ok()?;
    Some(ActiveP256 { secret, public })
}

impl ActiveKeyExchange for ActiveP256 {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        // ring takes the uncompressed form alone, as RFC 8446, section 4.2.8.2, wants it.
        let theirs = UnparsedPublicKey::new(&ECDH_P256, theirs);
        agree_ephemeral(self.secret, &theirs, |secret| SharedSecret::from(secret)).map_err(|_| INVALID)
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

/// Bytes of ML-KEM-768's encapsulation key (FIPS 203, table 3).
const ENCAPSULATION_KEY: usize = 1184;
/// Bytes of its ciphertext.
const CIPHERTEXT: usize = 1088;

/// Two parts, one behind the other.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(first.len().saturating_add(second.len()));
    all.extend_from_slice(first);
    all.extend_from_slice(second);
    all
}

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let (secret, public) = X25519(self.0).secret()?;
        let seed = Seed::from(*drawn::<64>(self.0)?);
        let kem = ml_kem::ml_kem_768::DecapsulationKey::from_seed(seed);
        let public = joined(&kem.encapsulation_key().to_bytes(), public.as_bytes());
        Ok(Box::new(ActiveX25519MlKem768 { secret, kem, public }))
    }

    fn start_and_complete(&self, theirs: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (kem, theirs) = theirs.split_at_checked(ENCAPSULATION_KEY).ok_or(INVALID)?;
        let (secret, public) = X25519(self.0).secret()?;
        let shared = x25519(&secret, theirs)?;
        let kem = Array::try_from(kem).map_err(|_| INVALID)?;
        // FIPS 203, section 7.2: a key that is not reduced modulo q is refused.
        let kem = ml_kem::ml_kem_768::EncapsulationKey::new(&kem).map_err(|_| INVALID)?;
        let (ciphertext, kem_shared) = kem.encapsulate_deterministic(&Array::from(*drawn::<32>(self.0)?));
        Ok(CompletedKeyExchange {
            group: NamedGroup::X25519MLKEM768,
            pub_key: joined(&ciphertext, public.as_bytes()),
            secret: SharedSecret::from(joined(&kem_shared, shared.as_bytes())),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct ActiveX25519MlKem768 {
    secret: StaticSecret,
    kem: ml_kem::ml_kem_768::DecapsulationKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for ActiveX25519MlKem768 {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, theirs) = theirs.split_at_checked(CIPHERTEXT).ok_or(INVALID)?;
        let shared = x25519(&self.secret, theirs)?;
        let kem_shared = self.kem.decapsulate(&Array::try_from(ciphertext).map_err(|_| INVALID)?);
        Ok(SharedSecret::from(joined(&kem_shared, shared.as_bytes())))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

#[cfg(test)]
mod tests;
