//! HMAC (RFC 2104) over SHA-256 and SHA-384, for rustls, which builds HKDF (RFC 5869) and the PRF of TLS 1.2 (RFC 5246,
//! section 5) on it.

use alloc::boxed::Box;
use core::marker::PhantomData;
use hmac::digest::{FixedOutput, KeyInit, Update};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2::{Sha256, Sha384};

/// HMAC-SHA-256.
pub static SHA256: OverSha<hmac::Hmac<Sha256>> = OverSha(32, PhantomData);
/// HMAC-SHA-384.
pub static SHA384: OverSha<hmac::Hmac<Sha384>> = OverSha(48, PhantomData);

/// HMAC over a hash whose output has so many bytes.
#[derive(Debug)]
pub struct OverSha<M>(usize, PhantomData<fn() -> M>);

impl<M: KeyInit + Update + FixedOutput + Clone + Send + Sync + 'static> Hmac for OverSha<M> {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        #[expect(clippy::expect_used, reason = "RFC 2104: a key may have any length")]
        let keyed = M::new_from_slice(key).expect("a key of any length");
        Box::new(Keyed { keyed, tag_len: self.0 })
    }

    fn hash_output_len(&self) -> usize {
        self.0
    }
}

/// The key, already mixed into both of the hash's states.
struct Keyed<M> {
    keyed: M,
    tag_len: usize,
}

impl<M: Update + FixedOutput + Clone + Send + Sync> Key for Keyed<M> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.keyed.clone();
        mac.update(first);
        middle.iter().for_each(|part| mac.update(part));
        mac.update(last);
        Tag::new(&mac.finalize_fixed())
    }

    fn tag_len(&self) -> usize {
        self.tag_len
    }
}

#[cfg(test)]
mod tests;
