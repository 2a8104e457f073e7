//! AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439) as the record protection of TLS 1.3 (RFC 8446, section
//! 5.2) and TLS 1.2 (RFC 5288, RFC 7905), for rustls.

use alloc::boxed::Box;
use core::marker::PhantomData;
use ring::aead::{self, Aad, Algorithm, LessSafeKey, UnboundKey};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError, make_tls12_aad, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

/// Bytes of the tag.
const TAG: usize = 16;
/// Bytes of plaintext that a record may carry: RFC 8446, section 5.1.
const MAX_FRAGMENT: usize = 16_384;
/// Bytes of a nonce that TLS 1.2's AES-GCM keeps secret, and of those it sends: RFC 5288, section 3.
const SALT: usize = 4;
const EXPLICIT: usize = 8;

/// A cipher with 12 bytes of nonce and 16 of tag, as all of TLS's are here.
pub trait Cipher: Send + Sync + 'static {
    /// The cipher itself.
    fn algorithm() -> &'static Algorithm;

    /// Bytes of its key.
    const KEY: usize;
    /// Whether TLS 1.2 sends a part of the nonce with each record.
    const EXPLICIT_NONCE: bool;

    /// Key and IV under the cipher's name.
    fn secrets(key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets;
}

/// AES-128 in Galois/Counter Mode.
#[derive(Debug)]
pub enum Aes128Gcm {}

impl Cipher for Aes128Gcm {
    const KEY: usize = 16;
    const EXPLICIT_NONCE: bool = true;

    fn algorithm() -> &'static Algorithm {
        &aead::AES_128_GCM
    }

    fn secrets(key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    }
}

/// AES-256 in Galois/Counter Mode.
#[derive(Debug)]
pub enum Aes256Gcm {}

impl Cipher for Aes256Gcm {
    const KEY: usize = 32;
    const EXPLICIT_NONCE: bool = true;

    fn algorithm() -> &'static Algorithm {
        &aead::AES_256_GCM
    }

    fn secrets(key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    }
}

/// ChaCha20 with Poly1305.
#[derive(Debug)]
pub enum ChaCha20Poly1305 {}

impl Cipher for ChaCha20Poly1305 {
    const KEY: usize = 32;
    const EXPLICIT_NONCE: bool = false;

    fn algorithm() -> &'static Algorithm {
        &aead::CHACHA20_POLY1305
    }

    fn secrets(key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }
    }
}

/// A cipher under either version.
#[derive(Debug)]
pub struct Aead<C>(PhantomData<fn() -> C>);

/// AES-128-GCM.
pub static AES_128_GCM: Aead<Aes128Gcm> = Aead(PhantomData);
/// AES-256-GCM.
pub static AES_256_GCM: Aead<Aes256Gcm> = Aead(PhantomData);
/// ChaCha20-Poly1305.
pub static CHACHA20_POLY1305: Aead<ChaCha20Poly1305> = Aead(PhantomData);

/// A cipher with its key, and what goes into its nonces.
struct Keyed<C> {
    key: LessSafeKey,
    iv: Iv,
    cipher: PhantomData<fn() -> C>,
}

impl<C: Cipher> Keyed<C> {
    fn new(key: &[u8], iv: Iv) -> Self {
        #[expect(clippy::expect_used, reason = "rustls cuts keys to the length that the algorithm names")]
        let key = UnboundKey::new(C::algorithm(), key).expect("a key of the algorithm's length");
        Self { key: LessSafeKey::new(key), iv, cipher: PhantomData }
    }

    /// Encrypts in place; the tag.
    fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> Result<aead::Tag, Error> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), text).map_err(|_| Error::EncryptError)
    }

    /// Decrypts in place what stands before the tag; its length.
    fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &mut [u8]) -> Result<usize, Error> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let text = self.key.open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| Error::DecryptError)?;
        Ok(text.len())
    }
}

impl<C: Cipher> Tls13AeadAlgorithm for Aead<C> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Tls13(Keyed::<C>::new(key.as_ref(), iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Tls13(Keyed::<C>::new(key.as_ref(), iv)))
    }

    fn key_len(&self) -> usize {
        C::KEY
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(C::secrets(key, iv))
    }
}

struct Tls13<C>(Keyed<C>);

impl<C: Cipher> MessageEncrypter for Tls13<C> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let len = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(len);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&message.typ.to_array());
        let tag = self.0.seal(Nonce::new(&self.0.iv, seq).0, &make_tls13_aad(len), payload.as_mut())?;
        payload.extend_from_slice(tag.as_ref());
        // The outer type and version say nothing: RFC 8446, section 5.2.
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, len: usize) -> usize {
        // The content's type, and the tag.
        len.saturating_add(1).saturating_add(TAG)
    }
}

impl<C: Cipher> MessageDecrypter for Tls13<C> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let aad = make_tls13_aad(message.payload.len());
        let len = self.0.open(Nonce::new(&self.0.iv, seq).0, &aad, &mut message.payload)?;
        message.payload.truncate(len);
        message.into_tls13_unpadded_message()
    }
}

impl<C: Cipher> Tls12AeadAlgorithm for Aead<C> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Tls12(Keyed::<C>::new(key.as_ref(), joined(iv, extra))))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Tls12(Keyed::<C>::new(key.as_ref(), joined(iv, &[]))))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        let (fixed_iv_len, explicit_nonce_len) = if C::EXPLICIT_NONCE { (SALT, EXPLICIT) } else { (12, 0) };
        KeyBlockShape { enc_key_len: C::KEY, fixed_iv_len, explicit_nonce_len }
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(C::secrets(key, joined(iv, explicit)))
    }
}

/// The nonce's fixed part and where its explicit part begins, in 12 bytes.
fn joined(iv: &[u8], explicit: &[u8]) -> Iv {
    let mut all = [0; 12];
    all.iter_mut().zip(iv.iter().chain(explicit)).for_each(|(to, from)| *to = *from);
    Iv::new(all)
}

struct Tls12<C>(Keyed<C>);

impl<C> Tls12<C> {
    /// The salt, and what came with the record behind it.
    fn nonce(&self, explicit: &[u8; EXPLICIT]) -> [u8; 12] {
        let mut nonce = [0; 12];
        let salt = self.0.iv.as_ref().iter().take(SALT);
        nonce.iter_mut().zip(salt.chain(explicit)).for_each(|(to, from)| *to = *from);
        nonce
    }
}

impl<C: Cipher> MessageEncrypter for Tls12<C> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let len = self.encrypted_payload_len(message.payload.len());
        let nonce = Nonce::new(&self.0.iv, seq).0;
        let aad = make_tls12_aad(seq, message.typ, message.version, message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(len);
        let mut begin = 0;
        if C::EXPLICIT_NONCE {
            payload.extend_from_slice(nonce.last_chunk::<EXPLICIT>().ok_or(Error::EncryptError)?);
            begin = EXPLICIT;
        }
        payload.extend_from_chunks(&message.payload);
        let text = payload.as_mut().get_mut(begin..).ok_or(Error::EncryptError)?;
        let tag = self.0.seal(nonce, &aad, text)?;
        payload.extend_from_slice(tag.as_ref());
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, len: usize) -> usize {
        let explicit = if C::EXPLICIT_NONCE { EXPLICIT } else { 0 };
        len.saturating_add(explicit).saturating_add(TAG)
    }
}

impl<C: Cipher> MessageDecrypter for Tls12<C> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let (typ, version) = (message.typ, message.version);
        let (begin, nonce) = if C::EXPLICIT_NONCE {
            let explicit = message.payload.first_chunk().ok_or(Error::DecryptError)?;
            (EXPLICIT, self.nonce(explicit))
        } else {
            (0, Nonce::new(&self.0.iv, seq).0)
        };
        let sealed = message.payload.get_mut(begin..).ok_or(Error::DecryptError)?;
        let len = sealed.len().checked_sub(TAG).ok_or(Error::DecryptError)?;
        let len = self.0.open(nonce, &make_tls12_aad(seq, typ, version, len), sealed)?;
        if len > MAX_FRAGMENT {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(message.into_plain_message_range(begin..begin.saturating_add(len)))
    }
}

#[cfg(test)]
mod tests;
