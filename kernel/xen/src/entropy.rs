//! Taking words from a hardware generator (RDSEED, RDRAND), which may be dry for a while, or broken.

use core::fmt;

/// How often a generator that has nothing yet is asked again. Intel's guide says 10 for RDRAND; RDSEED runs dry sooner.
const ATTEMPTS: usize = 128;

/// Why a generator's words are not to be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// It has nothing, however often it is asked.
    Dry,
    /// It gave this word twice in a row: some processors give one word for ever after they slept.
    Stuck(u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dry => f.write_str("it gives nothing"),
            // The word is no secret: it is not used.
            Self::Stuck(word) => write!(f, "it repeats {word:#x}"),
        }
    }
}

/// `N` words of a generator, of which `next` gives one or says that there is none yet.
pub fn words<const N: usize>(mut next: impl FnMut() -> Option<u64>) -> Result<[u64; N], Broken> {
    let mut words = [0; N];
    let mut last = None;
    for word in &mut words {
        let value = (0..ATTEMPTS).find_map(|_| next()).ok_or(Broken::Dry)?;
        if last == Some(value) {
            return Err(Broken::Stuck(value));
        }
        (*word, last) = (value, Some(value));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::{Broken, words};

    #[test]
    fn words_come_in_their_order() {
        let mut source = [7, 8, 7, 9].into_iter();
        assert_eq!(words(|| source.next()), Ok([7, 8, 7, 9]));
    }

    #[test]
    fn a_dry_generator_is_asked_again() {
        let mut asked = 0_u64;
        let next = || {
            asked = asked.wrapping_add(1);
            (asked.is_multiple_of(128)).then_some(asked)
        };
        assert_eq!(words(next), Ok([128, 256]));
        assert_eq!(asked, 256);
        assert_eq!(words::<1>(|| None), Err(Broken::Dry));
    }

    #[test]
    fn a_generator_that_repeats_itself_is_broken() {
        assert_eq!(words::<2>(|| Some(u64::MAX)), Err(Broken::Stuck(u64::MAX)));
        let mut source = [1, 2, 3, 3].into_iter();
        assert_eq!(words::<4>(|| source.next()), Err(Broken::Stuck(3)));
    }
}
