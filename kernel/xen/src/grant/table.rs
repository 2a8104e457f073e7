//! The table's entries and the free list of references.

use super::{ENTRIES_PER_FRAME, RESERVED_ENTRIES};
use crate::ids::{DomId, GrantRef, Mfn};
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

/// `GTF_permit_access`: the only type of entry made here.
const GTF_PERMIT_ACCESS: u32 = 1;
/// `GTF_type_mask`.
const GTF_TYPE_MASK: u32 = 3;
/// `GTF_readonly`.
const GTF_READONLY: u32 = 1 << 2;
/// `GTF_reading`: set by Xen while the other domain maps the page or copies from it.
const GTF_READING: u32 = 1 << 3;
/// `GTF_writing`: set by Xen while the other domain maps the page writable or copies into it.
const GTF_WRITING: u32 = 1 << 4;
/// Where `grant_entry_v1.domid` stands in the entry's first word; its flags are the low half.
const DOMID_SHIFT: u32 = 16;
/// `grant_entry_v1.flags` in the entry's first word.
const FLAGS_MASK: u32 = 0xFFFF;
/// 32-bit words in an entry: (flags | domid << 16), frame.
const WORDS_PER_ENTRY: usize = 2;

/// One page of the grant table, as words: entry n is words 2n (flags | domid << 16) and 2n + 1 (frame).
pub type GrantFrame = [AtomicU32; ENTRIES_PER_FRAME * WORDS_PER_ENTRY];

/// What the other domain may do with a granted page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Map it read-only, or copy from it.
    ReadOnly,
    /// Map it writable, or copy into it.
    ReadWrite,
}

crate::counters! {
    /// What befell the grant table.
    pub struct GrantCounters: "grant" {
        /// Grants made.
        made,
        /// Grants ended.
        ended,
        /// Grants refused because no reference was free.
        exhausted,
        /// Grants refused because the frame's number does not fit an entry's 32 bits.
        frame_too_high,
        /// Attempts to end a grant that the other domain still used.
        still_mapped,
        /// Attempts to end what is no grant of ours.
        not_granted,
        /// Entries that were in use before we began: left alone.
        in_use_at_start,
    }
}

/// The domain's grant table and its free references.
///
/// Grants belong to an epoch, one connection to a backend on one host: [`GrantTable::active`] finds what is to be ended
/// when a backend goes, [`GrantTable::renew`] starts afresh on the empty table that a restored domain gets.
#[derive(Debug, Default)]
pub struct GrantTable {
    frames: Vec<&'static GrantFrame>,
    /// A stack, so that taking and giving back is O(1). Its capacity is that of the frames: giving back never allocates.
    free: Vec<GrantRef>,
    /// The grants are gone with the host that had them.
    lost: bool,
    counters: GrantCounters,
}

impl GrantTable {
    /// A table without frames: [`GrantTable::add_frame`] brings the references.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the table's next frame (`GNTTABOP_setup_table`): 512 references, less those that are reserved or in use.
    pub fn add_frame(&mut self, frame: &'static GrantFrame) {
        let first = self.frames.len();
        self.frames.push(frame);
        // Room for every reference there is, whatever is free now: an entry in use at start may be ended later.
        let all = self.frames.len().saturating_mul(ENTRIES_PER_FRAME);
        self.free.reserve_exact(all.saturating_sub(self.free.len()));
        self.collect_free(first);
    }

    /// How many frames the table has.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// How many references are free.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// What befell the table so far.
    pub fn counters(&self) -> &GrantCounters {
        &self.counters
    }

    /// Lets `peer` use the page in machine frame `frame`.
    pub fn grant(&mut self, peer: DomId, frame: Mfn, access: Access) -> Result<GrantRef, GrantError> {
        let Ok(frame) = u32::try_from(frame.0) else {
            self.counters.frame_too_high.increment();
            return Err(GrantError::FrameTooHigh(frame));
        };
        let Some(reference) = self.free.pop() else {
            self.counters.exhausted.increment();
            return Err(GrantError::Exhausted);
        };
        let Some((flags, frame_word)) = self.entry(reference) else {
            // Only references of frames that are there are ever pushed.
            self.counters.exhausted.increment();
            return Err(GrantError::Exhausted);
        };
        let readonly = match access {
            Access::ReadOnly => GTF_READONLY,
            Access::ReadWrite => 0,
        };
        // Relaxed: the entry is invalid, so Xen does not look at its frame yet.
        frame_word.store(frame, Ordering::Relaxed);
        // Release: Xen, once it sees a valid type, also sees the frame (grant_table.h: WMB before the flags), and the
        // other domain sees what was written to the page before it was granted. One store writes flags and domid.
        flags.store(u32::from(peer.0) << DOMID_SHIFT | GTF_PERMIT_ACCESS | readonly, Ordering::Release);
        self.counters.made.increment();
        Ok(reference)
    }

    /// Ends a grant; on success the page is this domain's alone and the reference is free again.
    ///
    /// On `StillMapped` nothing has changed: neither the page nor the reference may be used for anything else until a
    /// later try succeeds (see [`Quarantine`](super::Quarantine)).
    pub fn end(&mut self, reference: GrantRef) -> Result<(), EndError> {
        if self.lost {
            self.counters.ended.increment();
            return Ok(());
        }
        let Some((word, _)) = self.entry(reference).filter(|_| reference.0 >= RESERVED_ENTRIES) else {
            self.counters.not_granted.increment();
            return Err(EndError::NotGranted(reference));
        };
        // Relaxed: only the exchange below decides.
        let current = word.load(Ordering::Relaxed);
        if current & GTF_TYPE_MASK != GTF_PERMIT_ACCESS {
            self.counters.not_granted.increment();
            return Err(EndError::NotGranted(reference));
        }
        // Where the exchange fails, Xen set a bit this instant: the page has just been mapped.
        // Acquire: what the other domain wrote before Xen cleared its bit is seen by our reads after this, and none of
        // our later writes to the page moves before it. Release: our earlier accesses stay before the page changes hands.
        let ended = current & (GTF_READING | GTF_WRITING) == 0
            && word.compare_exchange(current, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !ended {
            self.counters.still_mapped.increment();
            return Err(EndError::StillMapped(reference));
        }
        self.counters.ended.increment();
        self.free.push(reference);
        Ok(())
    }

    /// The grants to `peer` that stand: what is to be ended when the connection to it ends, and what is left afterwards.
    /// Reads the whole table.
    pub fn active(&self, peer: DomId) -> impl Iterator<Item = Active> + '_ {
        self.entries(0).filter_map(move |(reference, [word, frame])| {
            // Relaxed: a snapshot. The bits are Xen's to change, only `end` acts on them.
            let word = word.load(Ordering::Relaxed);
            let ours = reference.0 >= RESERVED_ENTRIES
                && word & GTF_TYPE_MASK == GTF_PERMIT_ACCESS
                && word >> DOMID_SHIFT == u32::from(peer.0);
            ours.then(|| Active {
                reference,
                // Relaxed: this domain wrote it.
                frame: Mfn(u64::from(frame.load(Ordering::Relaxed))),
                access: if word & GTF_READONLY == 0 { Access::ReadWrite } else { Access::ReadOnly },
                mapped: word & (GTF_READING | GTF_WRITING) != 0,
            })
        })
    }

    /// The domain was restored, and the frames are mapped anew where the old ones stood: `true` where the table is another
    /// one, with only the toolstack's entries in it. Whoever holds a grant can then end it, which succeeds at once, since
    /// nobody can use it any more; none is made until [`GrantTable::renew`].
    ///
    /// A toolstack may also let the old domain go on as if it had been restored (`xc_domain_resume` without `fast`): then the
    /// grants stand, the old backend may use their pages still, and nothing changes.
    pub fn lose(&mut self) -> bool {
        // Relaxed: a snapshot; the domain has no other vCPU that could make one.
        let stands = |word: &AtomicU32| word.load(Ordering::Relaxed) & GTF_TYPE_MASK == GTF_PERMIT_ACCESS;
        let any =
            self.entries(0).any(|(reference, [word, _])| reference.0 >= RESERVED_ENTRIES && stands(word));
        self.lost = !any;
        if self.lost {
            self.free.clear();
        }
        self.lost
    }

    /// Takes up the new table, where there is one: every old reference is forgotten.
    pub fn renew(&mut self) {
        if core::mem::take(&mut self.lost) {
            self.collect_free(0);
        }
    }

    /// Puts what is free from frame `first` on into the free list, the lowest reference to be taken first.
    fn collect_free(&mut self, first: usize) {
        let mut in_use: u64 = 0;
        let free = self.entries(first).filter(|(reference, [word, _])| {
            // Relaxed: Xen does not change an entry whose flags are 0, and no one else's entry is touched.
            let unused = word.load(Ordering::Relaxed) & FLAGS_MASK == 0;
            let reserved = reference.0 < RESERVED_ENTRIES;
            if !unused && !reserved {
                in_use = in_use.saturating_add(1);
            }
            unused && !reserved
        });
        let free: Vec<GrantRef> = free.map(|(reference, _)| reference).collect();
        self.free.extend(free.into_iter().rev());
        self.counters.in_use_at_start.add(in_use);
    }

    /// The words (flags | domid << 16, frame) of an entry.
    fn entry(&self, reference: GrantRef) -> Option<(&'static AtomicU32, &'static AtomicU32)> {
        let index = usize::try_from(reference.0).ok()?;
        let frame = *self.frames.get(index / ENTRIES_PER_FRAME)?;
        let (entries, _) = frame.as_chunks::<WORDS_PER_ENTRY>();
        let [word, frame] = entries.get(index % ENTRIES_PER_FRAME)?;
        Some((word, frame))
    }

    /// Every entry of the frames from `first` on.
    fn entries(
        &self,
        first: usize,
    ) -> impl Iterator<Item = (GrantRef, &'static [AtomicU32; WORDS_PER_ENTRY])> + '_ {
        let frames = self.frames.iter().flat_map(|frame| frame.as_chunks::<WORDS_PER_ENTRY>().0);
        (0..).map(GrantRef).zip(frames).skip(first.saturating_mul(ENTRIES_PER_FRAME))
    }
}

/// A grant that stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Active {
    /// Its reference.
    pub reference: GrantRef,
    /// The page it shows.
    pub frame: Mfn,
    /// What the other domain may do.
    pub access: Access,
    /// Whether the other domain maps it or copies right now.
    pub mapped: bool,
}

/// Why no grant was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantError {
    /// No reference is free.
    Exhausted,
    /// The frame's number does not fit the 32 bits of a version 1 entry: the page lies above 16 TiB.
    FrameTooHigh(Mfn),
}

/// Why a grant did not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndError {
    /// The other domain maps the page, or Xen copies for it (`GTF_reading`, `GTF_writing`): try again later.
    StillMapped(GrantRef),
    /// No such grant: our own mistake, never a peer's.
    NotGranted(GrantRef),
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted => f.write_str("no grant reference is free"),
            Self::FrameTooHigh(frame) => write!(f, "machine frame {:#x} does not fit a grant entry", frame.0),
        }
    }
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillMapped(reference) => write!(f, "grant {reference} is still mapped"),
            Self::NotGranted(reference) => write!(f, "{reference} is no grant"),
        }
    }
}
