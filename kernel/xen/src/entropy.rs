//! Taking words from a hardware generator (RDSEED, RDRAND), which may be dry for a while, or broken.
//!
//! What is taken goes through the health tests of NIST SP 800-90B, section 4.4, for a source that gives at least 5 bits
//! of entropy a byte, 40 a word: far less than these generators claim, so that a sound one never fails (one in 2^40, if
//! it were as bad as that), and yet what repeats itself or leans to one side does at once. A start takes 1024 samples
//! (section 4.3).

use core::fmt;

/// Words that a generator is asked for at once: 1,024 bytes.
pub const WORDS: usize = 128;

/// How often a generator that has nothing yet is asked again. Intel's guide says 10 for RDRAND; RDSEED runs dry sooner.
const ATTEMPTS: usize = 128;

/// Bytes in a window of the adaptive proportion test (section 4.4.2, for samples that are not binary).
const WINDOW: u32 = 512;
/// So often the window's first byte may not come in it: `1 + CRITBINOM(512, 2^-5, 1 - 2^-40)`.
const CUTOFF: u32 = 51;

/// Why a generator's words are not to be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// It has nothing, however often it is asked.
    Dry,
    /// It gave this word twice in a row: some processors give one word for ever after they slept.
    Stuck(u64),
    /// It gave this byte in too many places.
    Biased(u8),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dry => f.write_str("it gives nothing"),
            // Neither is a secret: it is not used.
            Self::Stuck(word) => write!(f, "it repeats {word:#x}"),
            Self::Biased(byte) => write!(f, "it favours {byte:#04x}"),
        }
    }
}

/// The health tests, over all that a generator gives.
#[derive(Clone, Debug, Default)]
pub struct Health {
    last: Option<u64>,
    window: Window,
}

/// A window of the adaptive proportion test.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    first: u8,
    /// How often the first byte came, itself counted.
    count: u32,
    /// Bytes that the window still takes.
    left: u32,
}

impl Health {
    /// Nothing was seen yet.
    pub const fn new() -> Self {
        Self { last: None, window: Window { first: 0, count: 0, left: 0 } }
    }

    /// Looks at the next word.
    pub fn check(&mut self, word: u64) -> Result<(), Broken> {
        // The repetition count test (section 4.4.1) over words of 40 bits: `1 + 40/40`.
        if self.last.replace(word) == Some(word) {
            return Err(Broken::Stuck(word));
        }
        word.to_le_bytes().into_iter().try_for_each(|byte| self.window.take(byte))
    }
}

impl Window {
    fn take(&mut self, byte: u8) -> Result<(), Broken> {
        if self.left == 0 {
            *self = Self { first: byte, count: 0, left: WINDOW };
        }
        self.left = self.left.saturating_sub(1);
        self.count = self.count.saturating_add(u32::from(byte == self.first));
        if self.count < CUTOFF { Ok(()) } else { Err(Broken::Biased(byte)) }
    }
}

/// `N` words of a generator, of which `next` gives one or says that there is none yet.
pub fn words<const N: usize>(
    health: &mut Health,
    mut next: impl FnMut() -> Option<u64>,
) -> Result<[u64; N], Broken> {
    let mut words = [0; N];
    for word in &mut words {
        *word = (0..ATTEMPTS).find_map(|_| next()).ok_or(Broken::Dry)?;
        health.check(*word)?;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::{Broken, Health, words};

    #[test]
    fn words_come_in_their_order() {
        let mut source = [7, 8, 7, 9].into_iter();
        assert_eq!(words(&mut Health::new(), || source.next()), Ok([7, 8, 7, 9]));
    }

    #[test]
    fn a_dry_generator_is_asked_again() {
        let mut asked = 0_u64;
        let next = || {
            asked = asked.wrapping_add(1);
            (asked.is_multiple_of(128)).then_some(asked)
        };
        assert_eq!(words(&mut Health::new(), next), Ok([128, 256]));
        assert_eq!(asked, 256);
        assert_eq!(words::<1>(&mut Health::new(), || None), Err(Broken::Dry));
    }

    #[test]
    fn a_generator_that_repeats_itself_is_broken() {
        assert_eq!(words::<2>(&mut Health::new(), || Some(u64::MAX)), Err(Broken::Stuck(u64::MAX)));
        let mut source = [1, 2, 3, 3].into_iter();
        assert_eq!(words::<4>(&mut Health::new(), || source.next()), Err(Broken::Stuck(3)));
        // From one call to the next, too.
        let mut health = Health::new();
        assert!(words::<1>(&mut health, || Some(5)).is_ok());
        assert_eq!(words::<1>(&mut health, || Some(5)), Err(Broken::Stuck(5)));
    }

    /// 64 words make a window of 512 bytes; so many of them begin with 9, and no other byte is 9.
    fn window(nines: u64) -> Result<[u64; 64], Broken> {
        let mut number = 0;
        words(&mut Health::new(), || {
            number += 1;
            Some(if number <= nines { 9 } else { 10 } | number << 8 | 0x0b0b_0b00_0000_0000)
        })
    }

    #[test]
    fn a_byte_may_come_fifty_times_in_a_window_and_no_more() {
        // The words' second bytes count up, and so have one 9 more.
        assert!(window(49).is_ok());
        assert_eq!(window(50), Err(Broken::Biased(9)));
    }

    #[test]
    fn a_window_begins_anew_after_512_bytes() {
        // 50 of one byte in each of two windows, where one window would have too many.
        let mut number = 0_u64;
        let taken = words::<128>(&mut Health::new(), || {
            number += 1;
            let rare = (number - 1) % 64 >= 49;
            Some(if rare { 10 } else { 9 } | (number + 0x100) << 8)
        });
        assert!(taken.is_ok(), "{taken:?}");
    }

    #[test]
    fn a_sound_generator_passes_whatever_its_seed() {
        for seed in 1..=1000_u64 {
            let mut state = seed;
            // Steele, Lea, Flood: SplitMix64.
            let taken = words::<128>(&mut Health::new(), || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                Some(mixed ^ mixed >> 31)
            });
            assert!(taken.is_ok(), "seed {seed}: {taken:?}");
        }
    }

    #[test]
    fn a_generator_that_leans_to_one_byte_is_broken() {
        // Every other byte is 0, and no word comes twice in a row.
        let mut number = 0_u64;
        let taken = words::<128>(&mut Health::new(), || {
            number += 1;
            Some(number << 8 & 0xff00 | 0x0100_ff00_0200_0000)
        });
        assert_eq!(taken, Err(Broken::Biased(0)));
    }
}
