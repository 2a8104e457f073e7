//! Frames on the console.
//!
//! A dump is a line `flight: begin …`, a line `flight: ` for each frame with its record in base64 (RFC 4648 section 4), and
//! `flight: end`. Each line stands for itself, so that a console that loses some loses only those. A record is, little-endian:
//!
//! | Bytes | |
//! |---|---|
//! | 8 | the frame's number since the boot |
//! | 8 | its time: microseconds of the guest's clock |
//! | 4 | its whole length |
//! | 1 | 0 in, 1 out |
//! | 1 | n, how many of its bytes follow |
//! | n | those |
//! | … | the name of the counter that it moved, mostly one of what is dropped; nothing where it moved none |
//! | 2 | the sum of all bytes before, modulo 2^16 |

use super::{Direction, SNAP, Verdict};
use core::fmt;

/// Bytes of a line's text.
pub const LONGEST_LINE: usize = 288;
/// The line that ends a dump.
pub const END: &str = "flight: end";

/// Bytes of a verdict in a record.
const LONGEST_VERDICT: usize = 32;
const LONGEST_AMONG: usize = " (one of 9999)".len();
const LONGEST_RECORD: usize = 8 + 8 + 4 + 1 + 1 + SNAP + LONGEST_VERDICT + LONGEST_AMONG + 2;

/// The line that begins a dump.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    pub(super) frames: usize,
    pub(super) first: usize,
    pub(super) clock: u64,
    pub(super) unix: u64,
}

impl fmt::Display for Begin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, first, clock, unix } = self;
        write!(out, "flight: begin frames={frames} first={first} clock={clock} unix={unix}")
    }
}

/// A frame's line.
#[derive(Debug)]
pub struct Line<'r> {
    pub(super) number: u64,
    pub(super) micros: u64,
    pub(super) length: u32,
    pub(super) direction: Direction,
    /// At most [`SNAP`].
    pub(super) bytes: &'r [u8],
    pub(super) verdict: Verdict,
    pub(super) among: u32,
}

impl Line<'_> {
    /// The record in a buffer, and its length.
    fn record(&self) -> ([u8; LONGEST_RECORD], usize) {
        let name = self.verdict.unwrap_or_default().as_bytes();
        let mut record = [0; LONGEST_RECORD];
        let mut at = 0_usize;
        let mut sum = 0_u16;
        let mut put = |field: &[u8]| {
            for byte in field {
                if let Some(place) = record.get_mut(at) {
                    *place = *byte;
                    at = at.wrapping_add(1);
                    sum = sum.wrapping_add(u16::from(*byte));
                }
            }
            sum
        };
        put(&self.number.to_le_bytes());
        put(&self.micros.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&[u8::from(self.direction == Direction::Out), u8::try_from(self.bytes.len()).unwrap_or(0)]);
        put(self.bytes);
        put(name.get(..LONGEST_VERDICT).unwrap_or(name));
        if self.among > 1 {
            put(b" (one of ");
            let among = self.among.min(9_999);
            for unit in [1_000, 100, 10, 1] {
                if among >= unit {
                    // The digits of base64 have those of numbers from 52 on.
                    let units = among.checked_div(unit).unwrap_or(0);
                    put(&[digit((units % 10).wrapping_add(52))]);
                }
            }
            put(b")");
        }
        let sum = put(b"");
        put(&sum.to_le_bytes());
        (record, at)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (record, length) = self.record();
        out.write_str("flight: ")?;
        for group in record.get(..length).unwrap_or_default().chunks(3) {
            let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            let mut text = [b'='; 4];
            // A group of n bytes is n + 1 digits of six bits.
            for (place, shift) in text.iter_mut().zip([18, 12, 6, 0]).take(group.len().wrapping_add(1)) {
                *place = digit(bits >> shift & 63);
            }
            out.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// The digit of a value below 64 (RFC 4648 section 4).
fn digit(value: u32) -> u8 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    usize::try_from(value).ok().and_then(|at| DIGITS.get(at)).copied().unwrap_or(b'A')
}
