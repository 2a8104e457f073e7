//! The entity tag of a body whose tar states none: MurmurHash3_x64_128 (Austin Appleby, public domain), seed 0.
//!
//! Nobody but the site's owner chooses the bytes, so diffusion is what counts, not resistance to an attacker: two versions
//! of a page share a tag with a chance of 2^-128. A body is read when its page is first asked for, at some 1.3 instructions
//! a byte: one of up to 128 KiB at once, a longer one by as much at a time, and until all of it was, its page has no tag.

use alloc::vec::Vec;

/// Bytes of a body that are read in one go.
pub const SLICE: usize = 131_072;

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// A hash in the making.
#[derive(Default)]
pub struct Hash {
    h1: u64,
    h2: u64,
    /// Bytes that were read.
    at: usize,
}

impl Hash {
    /// Reads the next [`SLICE`] of `body`, which is the same each time. Once that was the last, gives the hash in 32
    /// hexadecimal digits.
    pub fn read(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let rest = body.get(self.at..).unwrap_or_default();
        let (slice, after) = rest.split_at(rest.len().min(SLICE));
        let (blocks, tail) = slice.as_chunks::<16>();
        let mixed = blocks.iter().fold((self.h1, self.h2), |(h1, h2), block| {
            let (k1, k2) = halves(block);
            let h1 =
                (h1 ^ first(k1)).rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
            let h2 =
                (h2 ^ second(k2)).rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
            (h1, h2)
        });
        (self.h1, self.h2) = mixed;
        self.at = self.at.saturating_add(slice.len());
        after.is_empty().then(|| {
            let (h1, h2) = self.end(tail);
            alloc::format!("{h1:016x}{h2:016x}").into_bytes()
        })
    }

    fn end(&self, tail: &[u8]) -> (u64, u64) {
        let mut last = [0; 16];
        last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        let (k1, k2) = halves(&last);
        let length = self.at as u64;
        let (h1, h2) = sum(self.h1 ^ first(k1) ^ length, self.h2 ^ second(k2) ^ length);
        sum(finish(h1), finish(h2))
    }
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let block = u128::from_le_bytes(*block);
    (block as u64, (block >> 64) as u64)
}

fn first(k1: u64) -> u64 {
    k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn second(k2: u64) -> u64 {
    k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn sum(h1: u64, h2: u64) -> (u64, u64) {
    let h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

fn finish(mut h: u64) -> u64 {
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with mmh3 5.2, `hash64(bytes, 0, x64arch=True, signed=False)`.
    #[test]
    fn the_hash_is_that_of_others() {
        let every: Vec<u8> = (0..=255).collect();
        for (bytes, tag) in [
            (&b""[..], "00000000000000000000000000000000"),
            (b"a", "85555565f6597889e6b53a48510e895a"),
            (b"<p>home", "b38f213208bdba2d74e6e7fd7fb79cd2"),
            (b"0123456789abcdef", "4be06d94cf4ad1a787c35b5c63a708da"),
            (b"The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"),
            (&every, "1c99c313dc6f12b970d6077fab34cc1e"),
        ] {
            assert_eq!(Hash::default().read(bytes).unwrap(), tag.as_bytes(), "{}", bytes.escape_ascii());
        }
    }

    /// Made in the same way, of so many bytes that count up to 250 and begin anew.
    #[test]
    fn a_long_body_is_read_in_slices() {
        for (length, slices, tag) in [
            (131_072, 1, "d9a62464233057a486dd320e6a0074c5"),
            (131_073, 2, "ce8b64421483a3207a2918cc6089d72f"),
            (300_007, 3, "fb32ff426ec4f4b84db87d101551aa42"),
        ] {
            let body: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut hash = Hash::default();
            for _ in 1..slices {
                assert_eq!(hash.read(&body), None);
            }
            assert_eq!(hash.read(&body).unwrap(), tag.as_bytes(), "{length}");
        }
    }
}
