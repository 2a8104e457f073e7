//! Putting fragments together (RFC 791 section 3.2, RFC 1122 section 3.3.2).
//!
//! Datagrams, bytes and time are bounded, and the oldest makes room: fragments of one datagram come together, so a flood has
//! to be as fast as they are to displace it. A datagram whose fragments overlap is dropped with all that is still to come of
//! it, as RFC 5722 demands for IPv6: two readings of the same bytes are the attacker's tool.

use super::Counters;
use crate::egress::Ecn;
use crate::time::{Duration, Instant};
use crate::wire::ipv4::Packet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Datagrams that wait for fragments.
pub(super) const DATAGRAMS: usize = 64;
/// Bytes that they may hold in all, with what it takes to keep them.
pub(super) const BYTES: usize = 256 * 1024;
/// Runs of bytes that one datagram may be in: a whole one comes over links of 576 bytes in 119 fragments.
const RUNS: usize = 128;
/// From the first fragment on (RFC 1122 section 3.3.2: "between 60 seconds and 120 seconds").
const TIMEOUT: Duration = Duration::from_secs(60);
/// What a datagram and a run cost beside their bytes.
const DATAGRAM_COST: usize = 256;
const RUN_COST: usize = 32;

/// Datagrams that are not whole, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    datagrams: VecDeque<Datagram>,
    bytes: usize,
}

/// What the fragments of a datagram have in common (RFC 791 section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
}

#[derive(Debug)]
struct Datagram {
    key: Key,
    until: Instant,
    /// The header of the fragment at offset 0, and how many bytes that one carried.
    first: Option<(Vec<u8>, usize)>,
    /// In order, none touching the one before where it came in order.
    runs: Vec<Run>,
    /// Where the last fragment ends.
    end: Option<usize>,
    /// One bit for each [`Ecn`] seen.
    ecn: u8,
    /// One of its frames was for everybody.
    link_broadcast: bool,
    /// Two fragments contradicted each other: the others are awaited, and dropped.
    spoiled: bool,
}

#[derive(Debug)]
struct Run {
    start: usize,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> usize {
        self.start.saturating_add(self.bytes.len())
    }
}

/// A datagram put together, as if it had come whole.
#[derive(Debug)]
pub(crate) struct Whole {
    /// From the IP header on, its checksum right.
    pub(super) bytes: Vec<u8>,
    pub(super) link_broadcast: bool,
}

/// What a fragment did to its datagram.
enum Step {
    Kept,
    Duplicate,
    /// They overlap, or do not agree on the end.
    Overlap,
    /// The runs are too many.
    Full,
}

impl Reassembly {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many datagrams are not whole.
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Takes a fragment. Gives the datagram that it completes.
    pub(super) fn add(
        &mut self,
        packet: &Packet<'_>,
        link_broadcast: bool,
        now: Instant,
        counters: &mut Counters,
    ) -> Option<Whole> {
        counters.ipv4_fragment.count();
        let (start, length) = (packet.fragment_offset(), packet.payload().len());
        let whole = packet.header().len().saturating_add(start).saturating_add(length);
        // All but the last are multiples of 8 bytes; and nothing is longer than a total length can say.
        let cut = packet.more_fragments() && !length.is_multiple_of(8);
        if length == 0 || cut || whole > usize::from(u16::MAX) {
            counters.ipv4_fragment_malformed.count();
            return None;
        }
        let key = Key {
            source: packet.source(),
            destination: packet.destination(),
            protocol: packet.protocol(),
            identification: packet.identification(),
        };
        let at = self.datagrams.iter().position(|datagram| datagram.key == key).unwrap_or_else(|| {
            while self.datagrams.len() >= DATAGRAMS {
                self.evict(counters);
            }
            self.bytes = self.bytes.saturating_add(DATAGRAM_COST);
            self.datagrams.push_back(Datagram::new(key, now));
            self.datagrams.len().saturating_sub(1)
        });
        let datagram = self.datagrams.get_mut(at)?;
        if datagram.spoiled {
            counters.ipv4_fragment_overlap.count();
            return None;
        }
        let before = datagram.cost();
        match datagram.add(packet, link_broadcast) {
            Step::Kept => {}
            Step::Duplicate => counters.ipv4_fragment_duplicate.count(),
            Step::Overlap => {
                counters.ipv4_fragment_overlap.count();
                datagram.spoil();
            }
            Step::Full => {
                counters.ipv4_reassembly_full.count();
                datagram.spoil();
            }
        }
        self.bytes = self.bytes.saturating_sub(before).saturating_add(datagram.cost());
        if datagram.is_whole() {
            let datagram = self.datagrams.remove(at)?;
            self.bytes = self.bytes.saturating_sub(datagram.cost());
            return datagram.join(counters);
        }
        while self.bytes > BYTES {
            self.evict(counters);
        }
        None
    }

    /// When [`Self::expired`] has something to give.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.datagrams.front().map(|datagram| datagram.until)
    }

    /// The next datagram whose time has run out; of it, the first fragment as it came, if it came and may be quoted.
    pub(super) fn expired(&mut self, now: Instant, counters: &mut Counters) -> Option<Option<Vec<u8>>> {
        let datagram = self.datagrams.pop_front_if(|datagram| datagram.until <= now)?;
        self.bytes = self.bytes.saturating_sub(datagram.cost());
        counters.ipv4_reassembly_timeout.count();
        Some(datagram.first_fragment())
    }

    fn evict(&mut self, counters: &mut Counters) {
        if let Some(datagram) = self.datagrams.pop_front() {
            self.bytes = self.bytes.saturating_sub(datagram.cost());
            counters.ipv4_reassembly_evicted.count();
        } else {
            self.bytes = 0;
        }
    }
}

impl Datagram {
    fn new(key: Key, now: Instant) -> Self {
        Self {
            key,
            until: now + TIMEOUT,
            first: None,
            runs: Vec::new(),
            end: None,
            ecn: 0,
            link_broadcast: false,
            spoiled: false,
        }
    }

    fn add(&mut self, packet: &Packet<'_>, link_broadcast: bool) -> Step {
        let (start, bytes) = (packet.fragment_offset(), packet.payload());
        let end = start.saturating_add(bytes.len());
        let full = self.runs.len() >= RUNS;
        let behind = self.runs.partition_point(|run| run.start <= start);
        let (before, after) = self.runs.split_at_mut_checked(behind).unwrap_or_default();
        let last_end = after.last().or(before.last()).map_or(0, Run::end);
        let previous = before.last_mut().filter(|run| run.end() >= start);
        if let Some(run) = &previous
            && run.end() > start
        {
            let offset = start.saturating_sub(run.start);
            let same = run.bytes.get(offset..).is_some_and(|rest| rest.starts_with(bytes));
            return if same { Step::Duplicate } else { Step::Overlap };
        }
        if after.first().is_some_and(|run| run.start < end) {
            return Step::Overlap;
        }
        match (packet.more_fragments(), self.end) {
            (true, Some(known)) if end > known => return Step::Overlap,
            (false, Some(known)) if end != known => return Step::Overlap,
            (false, None) if last_end > end => return Step::Overlap,
            (false, _) => self.end = Some(end),
            (true, _) => {}
        }
        match previous {
            Some(run) => run.bytes.extend_from_slice(bytes),
            None if full => return Step::Full,
            None => self.runs.insert(behind, Run { start, bytes: bytes.to_vec() }),
        }
        if start == 0 {
            self.first = Some((packet.header().to_vec(), bytes.len()));
        }
        self.ecn |= 1 << packet.ecn().bits();
        self.link_broadcast |= link_broadcast;
        Step::Kept
    }

    fn spoil(&mut self) {
        (self.spoiled, self.first, self.runs) = (true, None, Vec::new());
    }

    fn cost(&self) -> usize {
        let header = self.first.as_ref().map_or(0, |(header, _)| header.capacity());
        let runs = self.runs.iter().map(|run| run.bytes.capacity().saturating_add(RUN_COST));
        runs.fold(DATAGRAM_COST.saturating_add(header), usize::saturating_add)
    }

    fn is_whole(&self) -> bool {
        let received = self.runs.iter().fold(0_usize, |sum, run| sum.saturating_add(run.bytes.len()));
        self.first.is_some() && self.end == Some(received)
    }

    /// One packet of all fragments; `None` where routers changed what they must not.
    fn join(self, counters: &mut Counters) -> Option<Whole> {
        let Some(ecn) = self.congestion() else {
            counters.ipv4_fragment_ecn.count();
            return None;
        };
        let (header, _) = self.first?;
        // Its header may have options that the others had not.
        let total = header.len().saturating_add(self.end.unwrap_or_default());
        let Ok(total) = u16::try_from(total) else {
            counters.ipv4_fragment_malformed.count();
            return None;
        };
        let mut bytes = Vec::with_capacity(usize::from(total));
        bytes.extend(header);
        crate::wire::ipv4::make_whole(&mut bytes, total, ecn);
        self.runs.iter().for_each(|run| bytes.extend_from_slice(&run.bytes));
        counters.ipv4_reassembled.count();
        Some(Whole { bytes, link_broadcast: self.link_broadcast })
    }

    /// RFC 3168 section 5.3: a mark on one fragment is a mark on all of them. `None` where one is marked and another one
    /// said that it must not be.
    fn congestion(&self) -> Option<Ecn> {
        let seen = |ecn: Ecn| self.ecn & (1 << ecn.bits()) != 0;
        match (seen(Ecn::Congestion), seen(Ecn::NotCapable)) {
            (true, true) => None,
            (true, false) => Some(Ecn::Congestion),
            (false, true) => Some(Ecn::NotCapable),
            (false, false) if seen(Ecn::Capable) => Some(Ecn::Capable),
            (false, false) => Some(Ecn::Capable1),
        }
    }

    fn first_fragment(self) -> Option<Vec<u8>> {
        let (mut quoted, length) = self.first.filter(|_| !self.link_broadcast)?;
        quoted.extend_from_slice(self.runs.first()?.bytes.get(..length)?);
        Some(quoted)
    }
}
