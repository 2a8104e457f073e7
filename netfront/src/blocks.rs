//! Half-page blocks: transmit pages granted once, read-only, for the life of an epoch, each cut into two blocks with an
//! id each.
//!
//! ```text
//!   FreeBlock --fill--> FilledBlock --send--> in flight --complete(its id)--> FreeBlock
//!                            '-----cancel-----------------------------------------^
//! ```
//!
//! A block is a value that can be neither copied nor made elsewhere: filling takes a free block, sending takes a filled
//! one, and while it is in flight nobody holds it. Only the response with its own id brings it back (or the end of the
//! epoch, once the grant has ended). So a half page whose bytes the backend may still read cannot be filled for
//! somebody else, which is how mirage-net-xen sent one connection's bytes on another's (MSA00): its ring id was the
//! page's, and the first response gave back both halves.
//!
//! Sending needs a filled block:
//! ```compile_fail,E0308
//! fn send<P: netfront::platform::Platform>(blocks: &mut netfront::blocks::Blocks<P>) {
//!     let free = blocks.take().unwrap();
//!     blocks.send(free);
//! }
//! ```
//! What was sent can be neither sent again nor written to:
//! ```compile_fail,E0382
//! fn send<P: netfront::platform::Platform>(blocks: &mut netfront::blocks::Blocks<P>) {
//!     let free = blocks.take().unwrap();
//!     let mut filled = blocks.fill(free, b"once");
//!     blocks.send(filled);
//!     blocks.append(&mut filled, b"twice");
//! }
//! ```
//! The right order:
//! ```
//! fn send<P: netfront::platform::Platform>(blocks: &mut netfront::blocks::Blocks<P>) {
//!     let free = blocks.take().unwrap();
//!     let mut filled = blocks.fill(free, b"once");
//!     blocks.append(&mut filled, b", and more");
//!     blocks.send(filled);
//! }
//! ```

use crate::pages::{self, Held, Quarantine};
use crate::platform::{GrantRef, PAGE_SIZE, Platform, ReadablePage};
use alloc::vec::Vec;

/// Bytes in a block: half a page.
pub const BLOCK_SIZE: usize = 2048;

/// A block that is nobody's.
#[derive(Debug)]
pub struct FreeBlock {
    id: u16,
}

/// A block that holds a part of a frame.
#[derive(Debug)]
pub struct FilledBlock {
    id: u16,
    length: u16,
}

impl FilledBlock {
    /// Bytes in it.
    pub fn length(&self) -> u16 {
        self.length
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        BLOCK_SIZE.saturating_sub(self.length.into())
    }
}

/// A block in flight. It is nobody's to touch.
struct SentBlock {
    id: u16,
}

/// Where a block that was sent lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The id for the ring.
    pub id: u16,
    /// The page's grant.
    pub grant: GrantRef,
    /// Where the block starts in its page.
    pub offset: u16,
}

/// All transmit pages of an epoch and the blocks in them. Block 2n is the first half of page n, block 2n+1 the second.
pub struct Blocks<P: Platform> {
    pages: Vec<(GrantRef, P::ReadablePage)>,
    free: Vec<FreeBlock>,
    in_flight: Vec<Option<SentBlock>>,
}

/// A response bears an id that is not in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotInFlight;

impl<P: Platform> Blocks<P> {
    /// Grants up to `pages` pages and cuts them. Fewer where memory or grants are out.
    pub fn new(platform: &mut P, pages: u16) -> Self {
        let mut granted = Vec::with_capacity(usize::from(pages));
        while granted.len() < usize::from(pages) {
            let Some(page) = pages::fresh(platform) else { break };
            match platform.grant_read(page) {
                Ok(shown) => granted.push(shown),
                Err(page) => {
                    pages::retire(platform, page);
                    break;
                }
            }
        }
        let ids = 0..u16::try_from(granted.len().saturating_mul(2)).unwrap_or(u16::MAX);
        Self {
            pages: granted,
            in_flight: ids.clone().map(|_| None).collect(),
            free: ids.rev().map(|id| FreeBlock { id }).collect(),
        }
    }

    /// How many blocks there are, whatever their state: ids are below it.
    pub fn count(&self) -> usize {
        self.in_flight.len()
    }

    /// How many blocks are free.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// A free block, if there is one.
    pub fn take(&mut self) -> Option<FreeBlock> {
        self.free.pop()
    }

    /// Starts a block with as many of the bytes as fit.
    pub fn fill(&mut self, block: FreeBlock, bytes: &[u8]) -> FilledBlock {
        let mut block = FilledBlock { id: block.id, length: 0 };
        self.append(&mut block, bytes);
        block
    }

    /// Adds as many of the bytes as fit: how many is returned.
    pub fn append(&mut self, block: &mut FilledBlock, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(block.room());
        let offset = offset(block.id).saturating_add(block.length);
        if let (Some((_, page)), Some(bytes)) = (self.pages.get_mut(page_of(block.id)), bytes.get(..taken)) {
            page.write(offset.into(), bytes);
        }
        block.length = block.length.saturating_add(taken as u16);
        taken
    }

    /// Takes back a block that is not sent after all.
    pub fn cancel(&mut self, block: FilledBlock) {
        self.free.push(FreeBlock { id: block.id });
    }

    /// Puts a block in flight; the request that names it must follow at once. `None` only for a block of another epoch.
    pub fn send(&mut self, block: FilledBlock) -> Option<Sent> {
        let (grant, _) = self.pages.get(page_of(block.id))?;
        let sent = Sent { id: ring_id(block.id), grant: *grant, offset: offset(block.id) };
        *self.in_flight.get_mut(usize::from(block.id))? = Some(SentBlock { id: block.id });
        Some(sent)
    }

    /// The response with this id has come.
    #[cfg(not(msa00))]
    pub fn complete(&mut self, id: u16) -> Result<(), NotInFlight> {
        let SentBlock { id } =
            self.in_flight.get_mut(usize::from(id)).and_then(Option::take).ok_or(NotInFlight)?;
        self.free.push(FreeBlock { id });
        Ok(())
    }

    /// Ends every grant. Pages that the backend still maps go into quarantine.
    pub fn end(self, platform: &mut P, quarantine: &mut Quarantine<P>) {
        for (grant, page) in self.pages {
            quarantine.end(platform, Held::Readable(grant, page));
        }
    }
}

/// The id in the ring is the block's own.
#[cfg(not(msa00))]
fn ring_id(block: u16) -> u16 {
    block
}

/// The bug, for the test that has to find it: the id in the ring is the page's.
#[cfg(msa00)]
fn ring_id(block: u16) -> u16 {
    block & !1
}

#[cfg(msa00)]
impl<P: Platform> Blocks<P> {
    /// The bug, for the test that has to find it: the first response with a page's id gives back both halves, the
    /// second nothing.
    pub fn complete(&mut self, page: u16) -> Result<(), NotInFlight> {
        for half in [page, page | 1] {
            let sent = self.in_flight.get_mut(usize::from(half)).and_then(Option::take);
            self.free.extend(sent.map(|SentBlock { id }| FreeBlock { id }));
        }
        Ok(())
    }
}

/// Which page a block lies in.
fn page_of(block: u16) -> usize {
    usize::from(block >> 1)
}

/// Where a block starts in its page.
fn offset(block: u16) -> u16 {
    const { assert!(BLOCK_SIZE * 2 == PAGE_SIZE) };
    if block & 1 == 0 { 0 } else { BLOCK_SIZE as u16 }
}
