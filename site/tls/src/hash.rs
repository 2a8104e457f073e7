//! SHA-256 and SHA-384 (FIPS 180-4), for rustls.

use alloc::boxed::Box;
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use sha2::{Digest, Sha256, Sha384};

/// SHA-256.
pub static SHA256: Sha<Sha256> = Sha(HashAlgorithm::SHA256, core::marker::PhantomData);
/// SHA-384.
pub static SHA384: Sha<Sha384> = Sha(HashAlgorithm::SHA384, core::marker::PhantomData);

/// A hash of the second family.
#[derive(Debug)]
pub struct Sha<D>(HashAlgorithm, core::marker::PhantomData<fn() -> D>);

impl<D: Digest + Clone + Send + Sync + 'static> Hash for Sha<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }
}

struct Running<D>(D);

impl<D: Digest + Clone + Send + Sync + 'static> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's examples, "abc".
    #[test]
    fn abc() {
        let sha256 = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
            0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(SHA256.hash(b"abc").as_ref(), sha256);
        let mut running = SHA256.start();
        running.update(b"ab");
        let mut other = running.fork();
        running.update(b"c");
        assert_eq!(running.fork_finish().as_ref(), sha256);
        assert_eq!(running.finish().as_ref(), sha256);
        other.update(b"c");
        assert_eq!(other.finish().as_ref(), sha256);
        let sha384 = [
            0xcb, 0x00, 0x75, 0x3f, 0x45, 0xa3, 0x5e, 0x8b, 0xb5, 0xa0, 0x3d, 0x69, 0x9a, 0xc6, 0x50, 0x07,
            0x27, 0x2c, 0x32, 0xab, 0x0e, 0xde, 0xd1, 0x63, 0x1a, 0x8b, 0x60, 0x5a, 0x43, 0xff, 0x5b, 0xed,
            0x80, 0x86, 0x07, 0x2b, 0xa1, 0xe7, 0xcc, 0x23, 0x58, 0xba, 0xec, 0xa1, 0x34, 0xc8, 0x25, 0xa7,
        ];
        assert_eq!(SHA384.hash(b"abc").as_ref(), sha384);
        assert_eq!((SHA256.output_len(), SHA384.output_len()), (32, 48));
    }
}
