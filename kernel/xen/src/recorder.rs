//! The flight recorder: the beginnings of the last frames in and out, with what became of each.
//!
//! It is always on, so a frame costs it a few moves of 16 bytes and a store: what can be found out when the frames are shown
//! (times, lengths of what went out) is found out then. [`line`] is how a frame is shown.

pub mod line;
pub mod watch;

use line::{Begin, Line};

/// Frames that are kept.
pub const FRAMES: usize = 128;
/// Bytes of a frame that are kept: its headers, and the beginning of what they carry.
pub const SNAP: usize = 128;

/// Bytes of an entry, a power of two: its place is found without a multiplication.
const ENTRY: usize = 256;
const ROOM: usize = ENTRY - size_of::<u32>();
/// Exchanges whose time is kept: no fewer than frames, and one before them.
const EXCHANGES: usize = 2 * FRAMES;
/// A frame is copied in two pieces, which overlap: one of these bytes, and another of as many or, of headers, of fewer.
const PIECE: usize = 64;
const REST: usize = 16;
/// The shortest headers of TCP: 14 of Ethernet, 20 of IPv4, 20 of its own. In those of other protocols less goes before what
/// tells something.
const TCP: usize = 54;

/// In [`Entry::fields`]: it went out.
const OUT: u32 = 1 << 30;
/// In [`Entry::fields`]: it has a verdict.
const JUDGED: u32 = 1 << 31;

/// Which way a frame went, from the guest's view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To the guest.
    In,
    /// From it.
    Out,
}

/// What became of a frame: `None` is accepted, else the counter that it moved, as those that count what is dropped.
pub type Verdict = Option<&'static str>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    bytes: [u8; ROOM],
    /// The length of one that came in; of one that went out how many bytes are kept, or would be if [`SNAP`] were more. Above
    /// them [`OUT`] and [`JUDGED`].
    fields: u32,
}

impl Entry {
    const EMPTY: Self = Self { bytes: [0; ROOM], fields: 0 };

    fn direction(&self) -> Direction {
        if self.fields & OUT == 0 { Direction::In } else { Direction::Out }
    }

    /// Its whole length. That of an IPv4 packet is 14 bytes of Ethernet and what bytes 2 and 3 of its header say (RFC 791); of
    /// others that go out it is known.
    fn length(&self) -> u32 {
        const IPV4: [u8; 2] = [0x08, 0x00];
        let at = |place: usize| self.bytes.get(place).copied().unwrap_or(0);
        if self.direction() == Direction::Out && [at(12), at(13)] == IPV4 {
            return u32::from(u16::from_be_bytes([at(16), at(17)])).saturating_add(14);
        }
        self.fields & !(OUT | JUDGED)
    }

    /// Keeps the header, and what follows it unless it is TCP's.
    #[inline(never)]
    fn put_all<'a>(&mut self, header: &'a [u8], payload: impl Iterator<Item = &'a [u8]>) {
        let payload = if header.len() < TCP { Some(payload) } else { None };
        let mut at = 0_usize;
        for part in core::iter::once(header).chain(payload.into_iter().flatten()) {
            put_any(&mut self.bytes, at, part);
            at = at.saturating_add(part.len());
        }
        self.fields = OUT | u32::try_from(at).unwrap_or(0) & !(OUT | JUDGED);
    }

    /// The bytes that are kept of it.
    fn bytes(&self) -> &[u8] {
        let captured = usize::try_from(self.fields & !(OUT | JUDGED)).unwrap_or(SNAP).min(SNAP);
        self.bytes.get(..captured).unwrap_or_default()
    }
}

/// A verdict on one of so many frames that came in together.
#[derive(Clone, Copy, Debug)]
struct Judgement {
    verdict: Verdict,
    among: u32,
}

/// Frames that were exchanged at one time.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// The number of the first.
    first: usize,
    micros: u64,
}

/// The last frames. All of it is zero at first.
#[derive(Debug)]
pub struct Recorder {
    entries: [Entry; FRAMES],
    judgements: [Judgement; FRAMES],
    exchanges: [Exchange; EXCHANGES],
    /// The number of the next frame, times [`ENTRY`]: so far into a ring without an end.
    ahead: usize,
    /// Exchanges so far.
    exchanged: usize,
}

impl Recorder {
    /// One that holds none.
    pub const fn new() -> Self {
        Self {
            entries: [Entry::EMPTY; FRAMES],
            judgements: [Judgement { verdict: None, among: 0 }; FRAMES],
            exchanges: [Exchange { first: 0, micros: 0 }; EXCHANGES],
            ahead: 0,
            exchanged: 0,
        }
    }

    /// What is recorded from now on has this time, in microseconds.
    pub fn begin(&mut self, micros: u64) {
        let first = self.next();
        if self.exchange_mut(self.exchanged.wrapping_sub(1)).is_none_or(|last| last.first != first) {
            self.exchanged = self.exchanged.wrapping_add(1);
        }
        if let Some(exchange) = self.exchange_mut(self.exchanged.wrapping_sub(1)) {
            *exchange = Exchange { first, micros };
        }
    }

    /// Keeps the beginning of a frame that came in, accepted until [`Self::judge_received`] says otherwise.
    #[inline(always)]
    pub fn received(&mut self, frame: &[u8]) {
        let Some(entry) = self.next_entry() else { return };
        let length = frame.len();
        entry.fields = length as u32;
        // What is asked first is what requests and acknowledgments are.
        if length.wrapping_sub(PIECE) < PIECE
            && let (Some(first), Some(last)) = (frame.first_chunk::<PIECE>(), frame.last_chunk::<PIECE>())
        {
            put(&mut entry.bytes, 0, first);
            put(&mut entry.bytes, length.wrapping_sub(PIECE), last);
        } else if let Some(bytes) = frame.first_chunk::<SNAP>() {
            put(&mut entry.bytes, 0, bytes);
        } else {
            put_any(&mut entry.bytes, 0, frame);
        }
    }

    /// Keeps the beginning of a frame that goes out. Of a segment of TCP that is its headers: what follows them is the site's, and
    /// would cost more than it tells.
    #[inline(always)]
    pub fn sent<'a>(&mut self, header: &'a [u8], payload: impl Iterator<Item = &'a [u8]>) {
        let Some(entry) = self.next_entry() else { return };
        let length = header.len();
        entry.fields = OUT | length as u32;
        // TCP's with a time stamp.
        if length.wrapping_sub(PIECE) <= REST
            && let (Some(first), Some(last)) = (header.first_chunk::<PIECE>(), header.last_chunk::<REST>())
        {
            put(&mut entry.bytes, 0, first);
            put(&mut entry.bytes, length.wrapping_sub(REST), last);
        } else {
            entry.put_all(header, payload);
        }
    }

    /// Says what became of the last frame that came in, of those from number `since` on; where several did, of one of them.
    #[cold]
    pub fn judge_received(&mut self, verdict: &'static str, since: usize) {
        let numbers = since.max(self.first())..self.next();
        let came = numbers.filter(|&number| self.direction(number) == Some(Direction::In));
        let (among, last) =
            came.fold((0_u32, None), |(among, _), number| (among.saturating_add(1), Some(number)));
        if let Some(last) = last {
            self.judge(last, Judgement { verdict: Some(verdict), among });
        }
    }

    /// Says why the frame that was to go out just now did not.
    #[cold]
    pub fn judge_sent(&mut self, verdict: &'static str) {
        self.judge(self.next().wrapping_sub(1), Judgement { verdict: Some(verdict), among: 1 });
    }

    /// The number of the next frame.
    #[inline]
    pub fn next(&self) -> usize {
        self.ahead / ENTRY
    }

    /// The number of the oldest frame that it holds; numbers go up by one.
    pub fn first(&self) -> usize {
        self.next().saturating_sub(FRAMES)
    }

    /// The line for a frame by its number, while it is held.
    pub fn line(&self, number: usize) -> Option<Line<'_>> {
        if !(self.first()..self.next()).contains(&number) {
            return None;
        }
        let entry = self.entries.get(number % FRAMES)?;
        let judged = self.judgements.get(number % FRAMES).filter(|_| entry.fields & JUDGED != 0);
        let (verdict, among) = judged.map_or((None, 1), |judgement| (judgement.verdict, judgement.among));
        Some(Line {
            number: number as u64,
            micros: self.micros(number),
            length: entry.length(),
            direction: entry.direction(),
            bytes: entry.bytes(),
            verdict,
            among,
        })
    }

    /// The line that begins a dump of all frames from number `first` on; `unix` is the time of day that belongs to the clock's
    /// reading, both in microseconds.
    pub fn begin_line(&self, first: usize, clock: u64, unix: u64) -> Begin {
        Begin { frames: self.next().saturating_sub(first), first, clock, unix }
    }

    /// The time that was last said, in microseconds.
    pub fn now(&self) -> u64 {
        self.micros(self.next())
    }

    /// The time of a frame: that of the last exchange that did not begin after it.
    fn micros(&self, number: usize) -> u64 {
        let oldest = self.exchanged.saturating_sub(EXCHANGES);
        let exchanges = (oldest..self.exchanged).rev().filter_map(|at| self.exchanges.get(at % EXCHANGES));
        exchanges
            .filter(|exchange| exchange.first <= number)
            .map(|exchange| exchange.micros)
            .next()
            .unwrap_or(0)
    }

    /// Where the next frame goes.
    #[inline(always)]
    fn next_entry(&mut self) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(self.ahead / ENTRY % FRAMES);
        self.ahead = self.ahead.wrapping_add(ENTRY);
        entry
    }

    fn direction(&self, number: usize) -> Option<Direction> {
        self.entries.get(number % FRAMES).map(Entry::direction)
    }

    fn judge(&mut self, number: usize, said: Judgement) {
        if let Some(judgement) = self.judgements.get_mut(number % FRAMES) {
            *judgement = said;
        }
        if let Some(entry) = self.entries.get_mut(number % FRAMES) {
            entry.fields |= JUDGED;
        }
    }

    fn exchange_mut(&mut self, number: usize) -> Option<&mut Exchange> {
        if number >= self.exchanged {
            return None;
        }
        self.exchanges.get_mut(number % EXCHANGES)
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a piece at its place, where there is one.
#[inline(always)]
fn put<const N: usize>(place: &mut [u8; ROOM], at: usize, piece: &[u8; N]) {
    if let Some(place) = place.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = *piece;
    }
}

/// Writes as many bytes as there is room for.
#[inline(never)]
fn put_any(place: &mut [u8; ROOM], at: usize, bytes: &[u8]) {
    let place = place.get_mut(at..).unwrap_or_default();
    let length = place.len().min(bytes.len());
    if let (Some(place), Some(bytes)) = (place.get_mut(..length), bytes.get(..length)) {
        place.copy_from_slice(bytes);
    }
}
