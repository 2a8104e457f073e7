//! The chunked transfer coding (RFC 9112, section 7.1), as far as it takes to read past a body that nobody wants.

use super::field;

/// Where in a chunked body the next byte stands.
///
/// Nothing of it is kept, so nothing is looked for but its end; what could be read in two ways is an error: a bare LF, a bare
/// CR, a size that is none, white space where the grammar has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunked {
    state: State,
    /// The size of the chunk that is being read, or what is left of it.
    size: u32,
    /// How many bytes may still come: sizes, extensions and trailers count.
    left: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before the first digit of a chunk's size.
    Size,
    /// Behind a digit.
    Digits,
    /// In the extensions: each starts with `;`.
    Extension,
    /// Behind the CR of a chunk's first line.
    LineFeed,
    /// Within a chunk's bytes.
    Data,
    /// Behind a chunk's bytes.
    DataReturn,
    DataLineFeed,
    /// At the start of a line of the trailer section.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName,
    /// In its value.
    Trailer,
    TrailerLineFeed,
    /// Behind the CR of the empty line.
    LastLineFeed,
    /// Behind all of it.
    End,
}

/// What came of reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All bytes belong to the body, and more of it has to come.
    More,
    /// The body ends after so many bytes.
    End(usize),
    /// It is malformed, or too long.
    Broken,
}

impl Chunked {
    /// A body of at most `limit` bytes, as they are sent.
    pub fn new(limit: u32) -> Self {
        Self { state: State::Size, size: 0, left: limit }
    }

    /// Reads on.
    pub fn read(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0_usize;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let taken = match self.state {
                State::Data => rest.len().min(self.size as usize),
                _ => 1,
            };
            let count = u32::try_from(taken).unwrap_or(u32::MAX);
            let Some(left) = self.left.checked_sub(count) else { return Progress::Broken };
            self.left = left;
            at = at.saturating_add(taken);
            if self.state == State::Data {
                self.size = self.size.saturating_sub(count);
                if self.size == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            match rest.first().and_then(|byte| self.step(*byte)) {
                None => return Progress::Broken,
                Some(State::End) => {
                    self.state = State::End;
                    return Progress::End(at);
                }
                Some(state) => self.state = state,
            }
        }
        Progress::More
    }

    /// The state after this byte; `None` where it must not stand.
    fn step(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                // A size beyond what may come is not read to its end.
                self.size =
                    self.size.checked_mul(16)?.checked_add(digit).filter(|size| *size <= self.left)?;
                Some(State::Digits)
            }
            (State::Digits | State::Extension, b'\r') => Some(State::LineFeed),
            (State::Digits, b';') => Some(State::Extension),
            (State::Extension, byte) => is_text(byte).then_some(State::Extension),
            (State::LineFeed, b'\n') if self.size == 0 => Some(State::TrailerStart),
            (State::LineFeed, b'\n') => Some(State::Data),
            (State::DataReturn, b'\r') => Some(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Some(State::Size),
            (State::TrailerStart, b'\r') => Some(State::LastLineFeed),
            (State::TrailerName, b':') => Some(State::Trailer),
            (State::TrailerStart | State::TrailerName, byte) => {
                field::is_tchar(byte).then_some(State::TrailerName)
            }
            (State::Trailer, b'\r') => Some(State::TrailerLineFeed),
            (State::Trailer, byte) => is_text(byte).then_some(State::Trailer),
            (State::TrailerLineFeed, b'\n') => Some(State::TrailerStart),
            (State::LastLineFeed, b'\n') => Some(State::End),
            _ => None,
        }
    }
}

/// What a line may have in it: no control but tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a failure is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    const SOUND: &[&[u8]] = &[
        b"0\r\n\r\n",
        b"000\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3\r\n\r\n0\r\n0\r\n\r\n",
        b"A\r\n0123456789\r\na;x\r\n0123456789\r\n0\r\n\r\n",
        b"1;a=b;c=\"d\\\" e\xff\"\t;\r\nx\r\n0;last\r\n\r\n",
        b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n!#: \t\xfc\r\n\r\n",
    ];

    const BROKEN: &[&[u8]] = &[
        b"\r\n",
        b" 1\r\nx",
        b"+1\r\nx",
        b"-1\r\nx",
        b"0x1\r\nx",
        b"g\r\n",
        b";a\r\n",
        b"1 \r\nx",
        b"1\nx",
        b"1\rx",
        b"1\r\rx",
        b"1;a\nx",
        b"1;\0\r\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n0\r\n",
        b"1\r\nx\r0",
        b"1\r\nx0\r\n",
        b"0\r\n\n",
        b"0\r\n\r0",
        b"0\r\n: b\r\n",
        b"0\r\nA : b\r\n",
        b"0\r\n A: b\r\n",
        b"0\r\nA\r\n",
        b"0\r\nA: b\n\r\n",
        b"0\r\nA: b\rc",
        b"0\r\nA: \x01",
        b"100000000\r\n",
        b"fffffffffffffffff\r\n",
        b"3e9\r\n",
    ];

    #[test]
    fn the_end_is_found_whatever_follows() {
        for body in SOUND {
            for cut in 0..body.len() {
                let mut chunked = Chunked::new(1_000);
                assert_eq!(chunked.read(&body[..cut]), Progress::More, "{}", body.escape_ascii());
                let rest = [&body[cut..], b"GET"].concat();
                assert_eq!(chunked.read(&rest), Progress::End(body.len() - cut), "{}", body.escape_ascii());
            }
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_broken() {
        for body in BROKEN {
            assert_eq!(Chunked::new(1_000).read(body), Progress::Broken, "{}", body.escape_ascii());
            let mut chunked = Chunked::new(1_000);
            let last =
                body.iter().map(|byte| chunked.read(&[*byte])).find(|progress| *progress != Progress::More);
            assert_eq!(last, Some(Progress::Broken), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn every_byte_counts() {
        for body in SOUND {
            let length = u32::try_from(body.len()).unwrap();
            assert_eq!(Chunked::new(length).read(body), Progress::End(body.len()));
            assert_eq!(Chunked::new(length - 1).read(body), Progress::Broken, "{}", body.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn every_split_is_read_alike(body in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"012a;\r\n:A ".to_vec())], 0..40,
        ), sound in prop::sample::select(SOUND.to_vec()), cut in any::<prop::sample::Index>()) {
            for body in [body, sound.to_vec()] {
                let cut = cut.index(body.len() + 1);
                let whole = Chunked::new(30).read(&body);
                let mut parts = Chunked::new(30);
                let first = parts.read(&body[..cut]);
                let cut_up = match first {
                    Progress::More => match parts.read(&body[cut..]) {
                        Progress::End(at) => Progress::End(cut + at),
                        other => other,
                    },
                    _ => first,
                };
                prop_assert_eq!(whole, cut_up);
            }
        }
    }
}
