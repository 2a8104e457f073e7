//! SipHash (Aumasson and Bernstein, 2012): a keyed hash that a peer who does not know the key cannot steer. SipHash-2-4 for
//! what a peer is shown or could compute with, SipHash-1-3 for the places in a table, which nobody is shown.

/// The 128-bit key.
#[derive(Clone, Copy)]
pub struct Key {
    k0: u64,
    k1: u64,
}

impl Key {
    /// A key from its 16 bytes.
    pub fn new(bytes: &[u8; 16]) -> Self {
        let (halves, _) = bytes.as_chunks::<8>();
        let mut halves = halves.iter().copied().map(u64::from_le_bytes);
        Self { k0: halves.next().unwrap_or_default(), k1: halves.next().unwrap_or_default() }
    }

    /// SipHash-2-4 of `bytes`.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut state = State::<2, 4>::new(self);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state.absorb(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        // The top byte is the length modulo 256.
        let length = (bytes.len() as u64) << 56;
        state.absorb(u64::from_le_bytes(last) | length);
        state.finish()
    }

    /// SipHash-1-3 of words, as of their bytes, the lowest first.
    pub fn place<const N: usize>(&self, words: [u64; N]) -> u64 {
        let mut state = State::<1, 3>::new(self);
        for word in words {
            state.absorb(word);
        }
        state.absorb((N as u64) << 59);
        state.finish()
    }
}

/// Says nothing of the key.
impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key")
    }
}

/// `C` rounds for each word, `D` at the end.
struct State<const C: usize, const D: usize> {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl<const C: usize, const D: usize> State<C, D> {
    fn new(key: &Key) -> Self {
        Self {
            v0: key.k0 ^ 0x736f_6d65_7073_6575,
            v1: key.k1 ^ 0x646f_7261_6e64_6f6d,
            v2: key.k0 ^ 0x6c79_6765_6e65_7261,
            v3: key.k1 ^ 0x7465_6462_7974_6573,
        }
    }

    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        for _ in 0..C {
            self.round();
        }
        self.v0 ^= word;
    }

    fn finish(mut self) -> u64 {
        self.v2 ^= 0xff;
        for _ in 0..D {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first vectors of the reference implementation: key 00 01 .. 0f, message 00 01 .. of each length.
    #[test]
    fn reference_vectors() {
        let key = Key::new(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let message = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
        for (length, hash) in [
            (0, [0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72]),
            (1, [0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74]),
            (2, [0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d]),
            (7, [0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab]),
            (8, [0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93]),
            // Appendix A of the paper: a129ca6149be45e5.
            (15, [0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1]),
        ] {
            let bytes = message.get(..length).unwrap_or_default();
            assert_eq!(key.hash(bytes), u64::from_le_bytes(hash), "length {length}");
        }
    }

    /// SipHash-1-3 under the same key, of 00 01 .. of 0, 8 and 16 bytes: by a reference of our own that has the vectors above,
    /// and the first as the tests of Rust's library have it.
    #[test]
    fn places() {
        let key = Key::new(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(key.place([]), 0xabac_0158_050f_c4dc);
        assert_eq!(key.place([0x0706_0504_0302_0100]), 0x3690_9511_8d29_9a8e);
        assert_eq!(key.place([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]), 0xcc4f_dd1a_7d90_8b66);
    }
}
