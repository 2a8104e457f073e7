//! TCP segments: the header (RFC 9293 section 3.1) and its options (RFC 9293 section 3.2, RFC 7323, RFC 2018).

use core::fmt;

/// Bytes of a header without options.
pub const HEADER: usize = 20;
/// The most bytes of options a header holds.
pub const OPTIONS: usize = 40;
/// The largest shift of a window (RFC 7323 section 2.3).
pub const MAX_WINDOW_SHIFT: u8 = 14;

/// The control bits (RFC 9293 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// The flags of the header's 14th byte.
    pub const fn new(bits: u8) -> Self {
        Self(bits)
    }

    /// The header's 14th byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `flags` are set.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// `flags` where `condition` holds, and these in any case.
    #[must_use]
    pub const fn with_if(self, condition: bool, flags: Self) -> Self {
        if condition { self.with(flags) } else { self }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Self::SYN, "S"), (Self::FIN, "F"), (Self::RST, "R"), (Self::PSH, "P"), (Self::ACK, ".")];
        names.into_iter().filter(|(flag, _)| self.has(*flag)).try_for_each(|(_, name)| f.write_str(name))
    }
}

/// A segment's fixed header; ports and numbers in host order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// Sequence number of the first byte, or of the SYN.
    pub sequence: u32,
    /// The next sequence number that the sender expects, where ACK is set.
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: Flags,
    /// The receive window, not yet scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
}

/// A received segment, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The fixed header.
    pub header: Header,
    /// The options that this stack knows.
    pub options: Options,
    /// The data.
    pub payload: &'a [u8],
}

/// Why a segment was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// It ends before its header does; its length in bytes.
    Short(usize),
    /// The data offset is less than five words; its value.
    Offset(u8),
    /// An option's length does not fit; the option's kind.
    Option(u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "a segment of {length} bytes ends within its header"),
            Self::Offset(words) => write!(f, "a data offset of {words} words"),
            Self::Option(kind) => write!(f, "an illegal length in option {kind}"),
        }
    }
}

impl<'a> Segment<'a> {
    /// Takes a whole TCP segment apart. The checksum is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let short = Malformed::Short(bytes.len());
        let (fixed, rest) = bytes.split_first_chunk::<HEADER>().ok_or(short)?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, u0, u1] = *fixed;
        let words = offset >> 4;
        let options = usize::from(words).checked_sub(5).ok_or(Malformed::Offset(words))?;
        let (options, payload) = rest.split_at_checked(options.saturating_mul(4)).ok_or(short)?;
        Ok(Self {
            header: Header {
                source: u16::from_be_bytes([s0, s1]),
                destination: u16::from_be_bytes([d0, d1]),
                sequence: u32::from_be_bytes([q0, q1, q2, q3]),
                acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
                flags: Flags(flags),
                window: u16::from_be_bytes([w0, w1]),
                urgent: u16::from_be_bytes([u0, u1]),
            },
            options: Options::parse(options)?,
            payload,
        })
    }
}

/// Offsets in the fixed header (RFC 9293 section 3.1).
mod field {
    use core::ops::Range;
    pub(super) const SOURCE: Range<usize> = 0..2;
    pub(super) const DESTINATION: Range<usize> = 2..4;
    pub(super) const SEQUENCE: Range<usize> = 4..8;
    pub(super) const ACKNOWLEDGMENT: Range<usize> = 8..12;
    pub(super) const OFFSET: usize = 12;
    pub(super) const FLAGS: usize = 13;
    pub(super) const WINDOW: Range<usize> = 14..16;
    pub(super) const URGENT: Range<usize> = 18..20;
}

impl Header {
    /// The header with its options, padded to whole words; the checksum is zero.
    #[inline(always)]
    pub fn emit(&self, options: &Options) -> Emitted {
        let mut emitted = Emitted { bytes: [0; HEADER + OPTIONS], length: HEADER };
        options.emit(&mut emitted);
        let words = u8::try_from(emitted.length / 4).unwrap_or_default();
        let fixed = &mut emitted.bytes;
        fixed[field::SOURCE].copy_from_slice(&self.source.to_be_bytes());
        fixed[field::DESTINATION].copy_from_slice(&self.destination.to_be_bytes());
        fixed[field::SEQUENCE].copy_from_slice(&self.sequence.to_be_bytes());
        fixed[field::ACKNOWLEDGMENT].copy_from_slice(&self.acknowledgment.to_be_bytes());
        fixed[field::OFFSET] = words << 4;
        fixed[field::FLAGS] = self.flags.bits();
        fixed[field::WINDOW].copy_from_slice(&self.window.to_be_bytes());
        fixed[field::URGENT].copy_from_slice(&self.urgent.to_be_bytes());
        emitted
    }
}

/// Header bytes ready to send.
#[derive(Clone, Copy, Debug)]
pub struct Emitted {
    bytes: [u8; HEADER + OPTIONS],
    length: usize,
}

impl Emitted {
    /// Appends; what does not fit is left out whole.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The bytes, for a checksum to be filled in.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

/// The timestamps option (RFC 7323 section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the receiver's clock, echoed.
    pub echo: u32,
}

impl Timestamps {
    /// Bytes of the option with its padding, without SACK permitted before it.
    pub const LENGTH: u16 = 12;
}

/// At most four SACK blocks (RFC 2018 section 3), each from its left edge to just before its right edge.
#[derive(Clone, Copy, Debug, Default)]
pub struct SackBlocks {
    blocks: [(u32, u32); Self::CAPACITY],
    count: u8,
}

impl SackBlocks {
    /// As many as 40 bytes of options hold.
    pub const CAPACITY: usize = 4;

    /// One more block; a fifth is left out.
    pub fn push(&mut self, left: u32, right: u32) {
        if let Some(block) = self.blocks.get_mut(usize::from(self.count)) {
            *block = (left, right);
            self.count = self.count.wrapping_add(1);
        }
    }

    /// The blocks, in the order of the option.
    pub fn as_slice(&self) -> &[(u32, u32)] {
        self.blocks.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Keeps the first `count`.
    pub fn truncate(&mut self, count: u8) {
        self.count = self.count.min(count);
    }
}

/// What was truncated does not count.
impl PartialEq for SackBlocks {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for SackBlocks {}

/// The options that this stack speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Maximum segment size (RFC 9293 section 3.7.1).
    pub maximum_segment_size: Option<u16>,
    /// Window scale: the shift (RFC 7323 section 2.2).
    pub window_scale: Option<u8>,
    /// SACK permitted (RFC 2018 section 2).
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// SACK blocks.
    pub sack: SackBlocks,
}

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NO_OPERATION: u8 = 1;
    pub(super) const MAXIMUM_SEGMENT_SIZE: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
}

impl Options {
    /// Parses the bytes between the fixed header and the data. Unknown options are passed over (RFC 9293 MUST-6); an
    /// illegal length is the end of it (MUST-7).
    pub fn parse(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let mut options = Self::default();
        // RFC 7323 appendix A: what most segments have, and nothing else.
        if let &[
            kind::NO_OPERATION,
            kind::NO_OPERATION,
            kind::TIMESTAMPS,
            10,
            v0,
            v1,
            v2,
            v3,
            e0,
            e1,
            e2,
            e3,
        ] = bytes
        {
            options.timestamps = Some(Timestamps {
                value: u32::from_be_bytes([v0, v1, v2, v3]),
                echo: u32::from_be_bytes([e0, e1, e2, e3]),
            });
            return Ok(options);
        }
        while let [kind, rest @ ..] = bytes {
            bytes = match *kind {
                kind::END => break,
                kind::NO_OPERATION => rest,
                kind => {
                    let malformed = Malformed::Option(kind);
                    let [length, body @ ..] = rest else { return Err(malformed) };
                    let length = usize::from(*length).checked_sub(2).ok_or(malformed)?;
                    let (body, rest) = body.split_at_checked(length).ok_or(malformed)?;
                    options.take(kind, body)?;
                    rest
                }
            };
        }
        Ok(options)
    }

    fn take(&mut self, kind: u8, body: &[u8]) -> Result<(), Malformed> {
        match (kind, body) {
            (kind::MAXIMUM_SEGMENT_SIZE, &[a, b]) => {
                self.maximum_segment_size = Some(u16::from_be_bytes([a, b]));
            }
            (kind::WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift),
            (kind::SACK_PERMITTED, []) => self.sack_permitted = true,
            (kind::TIMESTAMPS, &[v0, v1, v2, v3, e0, e1, e2, e3]) => {
                self.timestamps = Some(Timestamps {
                    value: u32::from_be_bytes([v0, v1, v2, v3]),
                    echo: u32::from_be_bytes([e0, e1, e2, e3]),
                });
            }
            (kind::SACK, blocks) => {
                let (blocks, rest) = blocks.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(Malformed::Option(kind));
                }
                for &[l0, l1, l2, l3, r0, r1, r2, r3] in blocks {
                    self.sack
                        .push(u32::from_be_bytes([l0, l1, l2, l3]), u32::from_be_bytes([r0, r1, r2, r3]));
                }
            }
            (
                kind::MAXIMUM_SEGMENT_SIZE | kind::WINDOW_SCALE | kind::SACK_PERMITTED | kind::TIMESTAMPS,
                _,
            ) => return Err(Malformed::Option(kind)),
            _ => (),
        }
        Ok(())
    }

    /// Bytes that [`Header::emit`] spends on these options.
    pub fn length(&self) -> usize {
        let fixed = self.fixed_length();
        match self.fitting_blocks(fixed) {
            0 => fixed,
            blocks => blocks.saturating_mul(8).saturating_add(4).saturating_add(fixed),
        }
    }

    /// Bytes of all but the SACK blocks.
    fn fixed_length(&self) -> usize {
        let stamps = match (self.timestamps, self.sack_permitted) {
            (Some(_), _) => 12,
            (None, true) => 4,
            (None, false) => 0,
        };
        let size = if self.maximum_segment_size.is_some() { 4 } else { 0_usize };
        let scale = if self.window_scale.is_some() { 4 } else { 0_usize };
        size.saturating_add(scale).saturating_add(stamps)
    }

    /// How many SACK blocks there is room for besides `fixed` bytes.
    fn fitting_blocks(&self, fixed: usize) -> usize {
        let room = OPTIONS.saturating_sub(fixed).saturating_sub(4) / 8;
        self.sack.as_slice().len().min(room)
    }

    /// Each option starts a word, as is usual: the fast paths of peers look for that.
    #[inline(always)]
    fn emit(&self, out: &mut Emitted) {
        if let (Some(Timestamps { value, echo }), None, None, false, []) = (
            self.timestamps,
            self.maximum_segment_size,
            self.window_scale,
            self.sack_permitted,
            self.sack.as_slice(),
        ) {
            // What most segments have, as in `parse`.
            let ([v0, v1, v2, v3], [e0, e1, e2, e3]) = (value.to_be_bytes(), echo.to_be_bytes());
            let padding = kind::NO_OPERATION;
            return out.put(&[padding, padding, kind::TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3]);
        }
        if let Some(size) = self.maximum_segment_size {
            out.put(&[kind::MAXIMUM_SEGMENT_SIZE, 4]);
            out.put(&size.to_be_bytes());
        }
        if self.sack_permitted {
            // The two bytes stand where the timestamps' padding would.
            if self.timestamps.is_none() {
                out.put(&[kind::NO_OPERATION; 2]);
            }
            out.put(&[kind::SACK_PERMITTED, 2]);
        }
        if let Some(Timestamps { value, echo }) = self.timestamps {
            if !self.sack_permitted {
                out.put(&[kind::NO_OPERATION; 2]);
            }
            let ([v0, v1, v2, v3], [e0, e1, e2, e3]) = (value.to_be_bytes(), echo.to_be_bytes());
            out.put(&[kind::TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3]);
        }
        if let Some(shift) = self.window_scale {
            out.put(&[kind::NO_OPERATION, kind::WINDOW_SCALE, 3, shift]);
        }
        let blocks = self
            .sack
            .as_slice()
            .get(..self.fitting_blocks(out.length.saturating_sub(HEADER)))
            .unwrap_or_default();
        if !blocks.is_empty() {
            let length = u8::try_from(blocks.len()).unwrap_or_default().saturating_mul(8).saturating_add(2);
            out.put(&[kind::NO_OPERATION, kind::NO_OPERATION, kind::SACK, length]);
            for (left, right) in blocks {
                out.put(&left.to_be_bytes());
                out.put(&right.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN as Linux sends it, byte for byte.
    const SYN: [u8; 40] = [
        0xc3, 0x50, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0, 0,
        0, 0, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0x01, 0x03,
        0x03, 0x07,
    ];

    #[test]
    fn truncated_blocks_do_not_count() {
        let (mut one, mut other) = (SackBlocks::default(), SackBlocks::default());
        one.push(1, 2);
        other.push(1, 2);
        other.push(3, 4);
        assert_ne!(one, other);
        other.truncate(1);
        assert_eq!(one, other);
    }

    fn syn() -> (Header, Options) {
        let header = Header {
            source: 50_000,
            destination: 80,
            sequence: 0x1234_5678,
            acknowledgment: 0,
            flags: Flags::new(0x02),
            window: 64_240,
            urgent: 0,
        };
        let options = Options {
            maximum_segment_size: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 0xdead_beef, echo: 0 }),
            sack: SackBlocks::default(),
        };
        (header, options)
    }

    #[test]
    fn syn_golden_bytes() {
        let (header, options) = syn();
        assert_eq!(header.emit(&options).bytes(), SYN);
        let segment = Segment::parse(&SYN).unwrap();
        assert_eq!((segment.header, segment.options), (header, options));
        assert!(segment.payload.is_empty());
    }

    #[test]
    fn sack_golden_bytes() {
        let bytes = [
            0x00, 0x50, 0xc3, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0xd0, 0x18, 0x02, 0x00,
            0, 0, 0, 0, 0x01, 0x01, 0x08, 0x0a, 0, 0, 0, 5, 0, 0, 0, 6, 0x01, 0x01, 0x05, 0x12, 0, 0, 0,
            0x10, 0, 0, 0, 0x20, 0, 0, 0, 0x30, 0, 0, 0, 0x40, b'h', b'i',
        ];
        let segment = Segment::parse(&bytes).unwrap();
        assert_eq!(segment.payload, b"hi");
        assert_eq!(segment.options.timestamps, Some(Timestamps { value: 5, echo: 6 }));
        assert_eq!(segment.options.sack.as_slice(), [(0x10, 0x20), (0x30, 0x40)]);
        assert_eq!(segment.header.flags, Flags::PSH.with(Flags::ACK));
        assert_eq!(segment.header.emit(&segment.options).bytes(), &bytes[..52]);
    }

    #[test]
    fn four_blocks_without_timestamps_three_with() {
        let mut options = Options::default();
        for n in 0..6 {
            options.sack.push(n, n + 1);
        }
        assert_eq!(options.length(), 36);
        options.timestamps = Some(Timestamps { value: 1, echo: 2 });
        assert_eq!(options.length(), 40);
    }

    #[test]
    fn the_length_is_that_of_the_bytes() {
        for bits in 0_u32..1 << 7 {
            let mut options = Options {
                maximum_segment_size: (bits & 1 != 0).then_some(1_460),
                window_scale: (bits & 2 != 0).then_some(3),
                sack_permitted: bits & 4 != 0,
                timestamps: (bits & 8 != 0).then_some(Timestamps { value: 1, echo: 2 }),
                sack: SackBlocks::default(),
            };
            for n in 0..bits >> 4 {
                options.sack.push(n, n + 1);
            }
            let header = Header::default().emit(&options);
            assert_eq!(options.length(), header.bytes().len() - 20, "{options:?}");
            let sent = Segment::parse(header.bytes()).unwrap().options;
            assert_eq!((sent.timestamps, sent.window_scale), (options.timestamps, options.window_scale));
        }
    }

    #[test]
    fn illegal_lengths_are_refused() {
        for (options, kind) in [
            (&[2, 0, 5, 180][..], 2),
            (&[2, 1, 5, 180], 2),
            (&[2, 3, 5, 180], 2),
            (&[8, 10, 0, 0], 8),
            (&[1, 1, 1, 3], 3),
            (&[5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 5),
            (&[4, 3, 0, 0], 4),
            (&[77, 40, 0, 0], 77),
        ] {
            assert_eq!(Options::parse(options), Err(Malformed::Option(kind)));
        }
        assert_eq!(Options::parse(&[77, 4, 0, 0, 0, 2, 4]), Ok(Options::default()));
        assert_eq!(Segment::parse(&SYN[..19]).unwrap_err(), Malformed::Short(19));
        assert_eq!(Segment::parse(&SYN[..39]).unwrap_err(), Malformed::Short(39));
        let mut low = SYN;
        low[12] = 0x40;
        assert_eq!(Segment::parse(&low).unwrap_err(), Malformed::Offset(4));
    }
}
