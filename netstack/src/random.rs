//! Random numbers for the protocols: sequence numbers, hash keys, transaction ids, jitter. Not for keys of TLS.

use crate::siphash;
use crate::time::Duration;

/// A generator from 32 bytes of seed: SipHash-2-4 over a counter, under two keys.
///
/// Who sees some of its numbers cannot tell the others without the keys.
#[derive(Debug)]
pub struct Random {
    keys: [siphash::Key; 2],
    counter: u64,
}

impl Random {
    /// A generator; the seed comes from the platform's entropy.
    pub fn new(seed: &[u8; 32]) -> Self {
        let (halves, _) = seed.as_chunks::<16>();
        let mut halves = halves.iter().map(siphash::Key::new);
        let mut key = || halves.next().unwrap_or_else(|| siphash::Key::new(&[0; 16]));
        Self { keys: [key(), key()], counter: 0 }
    }

    /// Mixes new seed in: what was known of the state before says nothing of it after, and the other way round.
    pub fn reseed(&mut self, seed: &[u8; 32]) {
        let mut mixed = self.seed();
        for (to, from) in mixed.iter_mut().zip(seed) {
            *to ^= from;
        }
        *self = Self::new(&mixed);
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        // In a chain, not in a sum: two equal keys would cancel out.
        let mut message = [0; 16];
        let (parts, _) = message.as_chunks_mut::<8>();
        self.keys.iter().fold(0, |word, key| {
            for (part, value) in parts.iter_mut().zip([self.counter, word]) {
                *part = value.to_le_bytes();
            }
            key.hash(parts.as_flattened())
        })
    }

    /// The next 32 bits.
    pub fn half(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.word().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// A number below `bound` (0 where `bound` is 0), with a bias of at most `bound` in 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.word()).wrapping_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A span below `bound`.
    pub fn span(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(bound.micros()))
    }

    /// A seed for another generator.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for part in seed.as_chunks_mut::<8>().0 {
            *part = self.word().to_le_bytes();
        }
        seed
    }

    /// A key for a hash of its own.
    pub fn key(&mut self) -> siphash::Key {
        let mut key = [0; 16];
        for part in key.as_chunks_mut::<8>().0 {
            *part = self.word().to_le_bytes();
        }
        siphash::Key::new(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let numbers = |seed: u8| {
            let mut random = Random::new(&[seed; 32]);
            [random.word(), random.word(), random.word()]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        let [a, b, c] = numbers(3);
        assert!(a != b && b != c && a != c);
    }

    #[test]
    fn both_halves_of_the_seed_count() {
        let mut seeds = [[7; 32]; 3];
        seeds[1][0] ^= 1;
        seeds[2][31] ^= 1;
        let words = seeds.map(|seed| Random::new(&seed).word());
        assert!(words[0] != words[1] && words[0] != words[2] && words[1] != words[2]);
    }

    #[test]
    fn reseeding_depends_on_the_old_state_and_on_the_new_seed() {
        let after = |old: u8, new: u8| {
            let mut random = Random::new(&[old; 32]);
            random.reseed(&[new; 32]);
            random.word()
        };
        assert_eq!(after(1, 2), after(1, 2));
        assert_ne!(after(1, 2), after(1, 3));
        assert_ne!(after(1, 2), after(4, 2));
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut random = Random::new(&[9; 32]);
        let mut seen = [false; 6];
        for _ in 0..200 {
            seen[usize::try_from(random.below(6)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(random.below(0), 0);
    }
}
