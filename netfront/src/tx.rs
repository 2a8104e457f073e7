//! The transmit ring: frames out, blocks and references back.

use crate::blocks::{BLOCK_SIZE, Blocks, FilledBlock};
use crate::counters::NetCounters;
use crate::features::FeatureSet;
use crate::frame::{GsoKind, Offload, Slice, TransmitError};
use crate::lie::Lie;
use crate::pages::{Held, Quarantine};
use crate::platform::{Channel, GrantRef, Platform, RingPage};
use crate::references::{self, Reference, References};
use crate::ring::{FrontRing, RING_SIZE, Reserved};
use xen::netif::{
    Extra, ExtraInfo, GSO_TCPV4, GSO_TCPV6, MAX_TX_SIZE, NR_SLOTS_MIN, TX_WORDS, TxRequest, TxResponse,
    status, txf,
};

/// Bytes of an Ethernet header, which the first slot holds whole.
pub const ETHERNET_HEADER: usize = 14;

/// A frame of up to so many bytes is copied whole into one block: a slot of its own costs the backend a map and an
/// unmap, or a grant copy. But for the end of a body whose other frames went out by reference: see [`Tx::goes_on`].
///
/// Measured on Xen 4.17 (`scripts/xen-bench --guests halfpage --sizes 1K 2K 3K 4K --connections 16`), instructions of
/// guest and dom0 for a request: a body of 1,536 bytes, copied, 63,200; one of 2,048, by reference, 76,600. A slot
/// costs dom0 6,000, a copied KiB costs the guest 200.
const COPY_FRAME: usize = BLOCK_SIZE;

/// In a longer frame, a static slice of up to so many bytes is copied, unless it is the first.
///
/// A copy across two blocks saves no slot: with 4,096 here, bodies of 2 and 3 KiB take 77,000 and 77,400 instructions
/// of guest and dom0, not 76,600 and 76,500.
const COPY_SLICE: usize = 256;

/// The largest MTU used where a frame is one slot: more is not ours to use without `feature-sg`.
const MTU_ONE_SLOT: u16 = 1500;

/// The longest headers that [`Tx::fit`] allows for: Ethernet 14, IPv4 60, TCP 60.
const HEADERS: usize = 134;

/// The transmit half of an epoch.
pub struct Tx<P: Platform> {
    ring: FrontRing<TX_WORDS>,
    grant: GrantRef,
    blocks: Blocks<P>,
    references: References<P>,
    features: FeatureSet,
    mtu: u16,
    /// Extra-info slots in flight: they have no id.
    extras: u32,
    /// A frame was refused and waits for room.
    starved: bool,
}

impl<P: Platform> Tx<P> {
    /// A transmit half over a fresh ring page, with up to `pages` pages of blocks: as many as there are.
    ///
    /// `mtu` is the largest IP packet that the interface takes. Where a frame is one slot, 1500 is the most that is
    /// used of it.
    pub fn new(
        platform: &mut P,
        (ring, grant): (&'static RingPage, GrantRef),
        pages: u16,
        features: FeatureSet,
        mtu: u16,
    ) -> Self {
        let ring = FrontRing::new(ring);
        let mtu = if features.scatter_gather() { mtu } else { mtu.min(MTU_ONE_SLOT) };
        let blocks = Blocks::new(platform, pages);
        let first_id = u16::try_from(blocks.count()).unwrap_or(u16::MAX);
        let references = References::new(first_id, RING_SIZE as u16);
        Self { ring, grant, blocks, references, features, mtu, extras: 0, starved: false }
    }

    /// The ring's grant.
    pub fn grant(&self) -> GrantRef {
        self.grant
    }

    /// What the backend does for us.
    pub fn features(&self) -> FeatureSet {
        self.features
    }

    /// The largest IP packet in bytes, other than with GSO.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Blocks in all.
    pub fn blocks(&self) -> usize {
        self.blocks.count()
    }

    /// Blocks and references in flight.
    pub fn in_flight(&self) -> usize {
        self.blocks.count().saturating_sub(self.blocks.free()).saturating_add(self.references.used())
    }

    /// How many bytes of `payload`, counted from its start, one frame can carry, whatever its headers.
    #[inline(always)]
    pub fn fit<'a>(
        &self,
        platform: &P,
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone,
    ) -> usize {
        let length = length(payload.clone());
        if length <= BLOCK_SIZE - HEADERS {
            // In one block; or in two, with the rest of a body between them.
            return length;
        }
        let mut room = Room::new(self.features);
        // A frame of one slot is copied whole.
        let refers = self.features.scatter_gather();
        let mut rest = self.goes_on(platform, payload.clone());
        for slice in payload {
            let whole = match slice {
                Slice::Static(bytes) if refers && (rest || by_reference(platform, &slice)) => {
                    room.refer(bytes)
                }
                Slice::Lent(bytes, _) if refers && by_reference(platform, &slice) => room.refer(bytes),
                slice => room.copy(slice.bytes().len()),
            };
            if !whole {
                break;
            }
            rest = false;
        }
        room.carried
    }

    /// Queues one frame, whole or not at all. The backend sees it at the next [`Self::flush`].
    pub fn transmit<'a>(
        &mut self,
        platform: &mut P,
        counters: &mut NetCounters,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone,
        offload: Offload,
    ) -> Result<(), TransmitError> {
        let sent = self.send(platform, header, payload, offload);
        match &sent {
            Ok(sent) => {
                counters.tx_frames.increment();
                counters.tx_bytes.add(u64::from(sent.total));
                counters.tx_payload_copied.add(u64::from(sent.copied));
                counters.tx_payload_referenced.add(u64::from(sent.referenced));
                counters.tx_slots.add(u64::from(sent.slots));
            }
            Err(TransmitError::Full) => {
                self.starved = true;
                counters.tx_full.increment();
            }
            Err(TransmitError::Length) => counters.tx_length.increment(),
            Err(TransmitError::Down) => {}
        }
        sent.map(drop)
    }

    fn send<'a>(
        &mut self,
        platform: &mut P,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone,
        offload: Offload,
    ) -> Result<Sent, TransmitError> {
        let shape = self.admit(platform, header, payload.clone(), offload)?;
        if !shape.long && !shape.goes_on {
            return self.send_whole(header, payload, shape.total, offload);
        }
        let mut packet = Packet::new();
        let built = self.build(platform, &mut packet, header, payload, &shape);
        let sent = built.and_then(|()| self.commit(&mut packet, shape.total, offload));
        if sent.is_err() {
            self.cancel(platform, packet);
        }
        sent
    }

    /// Copies a frame into one block and writes its request.
    fn send_whole<'a>(
        &mut self,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>>,
        total: u16,
        offload: Offload,
    ) -> Result<Sent, TransmitError> {
        let mut requests = Requests::new(&mut self.ring, 1, total, offload).ok_or(TransmitError::Full)?;
        let block = self.blocks.take().ok_or(TransmitError::Full)?;
        let mut block = self.blocks.fill(block, header);
        for slice in payload {
            self.blocks.append(&mut block, slice.bytes());
        }
        self.extras = self.extras.saturating_add(u32::from(offload.gso.is_some()));
        if let Some(sent) = self.blocks.send(block) {
            requests.write(sent.id, sent.grant, sent.offset, total, true);
        }
        let copied = u32::from(total).saturating_sub(header.len() as u32);
        Ok(Sent { total, copied, referenced: 0, slots: 1 })
    }

    /// Shows the backend what was queued, and notifies it when it asked for that.
    pub fn flush(&mut self, platform: &mut P, counters: &mut NetCounters) {
        if self.ring.push() {
            counters.tx_events.increment();
            platform.notify(Channel::Transmit);
        }
    }

    /// Takes the backend's responses: true when any came.
    pub fn reap(
        &mut self,
        platform: &mut P,
        quarantine: &mut Quarantine<P>,
        counters: &mut NetCounters,
    ) -> Result<bool, Lie> {
        self.references.set_apart(quarantine);
        let any = self.ring.responses().map_err(Lie::TransmitIndex)? != 0;
        while let Some((_, [first, ..])) = self.ring.take() {
            let response = TxResponse::decode(first);
            match response.status {
                status::NULL => {
                    self.extras = self.extras.checked_sub(1).ok_or(Lie::TransmitNull)?;
                    continue;
                }
                status::OKAY => {}
                status::DROPPED => counters.tx_backend_dropped.increment(),
                _ => counters.tx_backend_error.increment(),
            }
            let TxResponse { id, .. } = response;
            let completed = if usize::from(id) < self.blocks.count() {
                self.blocks.complete(id)
            } else {
                self.references.complete(platform, quarantine, id)
            };
            completed.map_err(|_not_in_flight| Lie::TransmitId(id))?;
        }
        self.starved &= !any;
        Ok(any)
    }

    /// Where a frame waits for room, asks for an event when three quarters of what is open are done: each is two
    /// switches between guest and backend, and the last quarter of a ring, 64 pages, lasts until the guest is there.
    /// Otherwise no response is worth an event, and none is asked for: what is done is found at the next occasion.
    /// True when what the event would tell has happened already: reap again.
    ///
    /// Measured on Xen 4.17 (`scripts/xen-bench --rounds 5 --connections 16 --parts serving`), a request of 1 MiB: 1.60
    /// notifications and 2,201,000 instructions of guest and dom0; with a half, 1.83 and 2,224,000.
    pub fn ask_event(&mut self) -> Result<bool, Lie> {
        if !self.starved {
            return Ok(false);
        }
        let open = self.ring.outstanding();
        self.ring.ask_event_after(open.saturating_sub(open / 4)).map_err(Lie::TransmitIndex)
    }

    /// Ends every grant of the epoch.
    pub fn end(self, platform: &mut P, quarantine: &mut Quarantine<P>) {
        self.blocks.end(platform, quarantine);
        self.references.end(platform, quarantine);
        quarantine.end(platform, Held::Ring(self.grant, self.ring.page()));
    }

    /// Whether a payload begins with the rest of a body: a response begins with a head, which is not the site's. Where the
    /// backend cuts large packets the frames before went out by reference, and however short the rest is, it does too.
    fn goes_on<'a>(&self, platform: &P, mut payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>>) -> bool {
        let first = payload.next();
        self.features.gso_v4() && matches!(first, Some(Slice::Static(bytes)) if platform.is_grantable(bytes))
    }

    /// The frame's shape, if the backend takes such a frame, and if the ring has room for as many slots as
    /// it has at the least: a frame that would be refused for room is not put together first.
    fn admit<'a>(
        &self,
        platform: &P,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone,
        offload: Offload,
    ) -> Result<Shape, TransmitError> {
        let total = header.len().saturating_add(length(payload.clone()));
        let longest = match offload.gso {
            None => usize::from(self.mtu).saturating_add(ETHERNET_HEADER),
            Some(gso)
                if gso.kind == GsoKind::TcpV4 && self.features.gso_v4() && offload.checksum.is_some() =>
            {
                MAX_TX_SIZE
            }
            Some(_) => return Err(TransmitError::Length),
        };
        let checksum = offload.checksum.is_none() || self.features.checksum();
        if header.len() < ETHERNET_HEADER || total > longest || !checksum {
            return Err(TransmitError::Length);
        }
        let long = total > COPY_FRAME;
        let goes_on = self.goes_on(platform, payload.clone());
        let mut slots = 1_usize.saturating_add(usize::from(offload.gso.is_some()));
        if long {
            if !self.features.scatter_gather() {
                return Err(TransmitError::Length);
            }
            for slice in payload {
                if by_reference(platform, &slice) {
                    slots = slots.saturating_add(references::pages(slice.bytes()));
                }
            }
        }
        if slots > self.ring.free() as usize {
            return Err(TransmitError::Full);
        }
        let total = u16::try_from(total).map_err(|_too_long| TransmitError::Length)?;
        Ok(Shape { total, long, goes_on })
    }

    /// Fills blocks and takes references, in the frame's order. On `Err` the packet holds what was taken so far.
    fn build<'a>(
        &mut self,
        platform: &mut P,
        packet: &mut Packet<P>,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>>,
        shape: &Shape,
    ) -> Result<(), TransmitError> {
        self.copy(packet, header)?;
        let mut rest = shape.goes_on;
        for slice in payload {
            match slice {
                Slice::Static(bytes) if rest || (shape.long && by_reference(platform, &slice)) => {
                    self.refer(platform, packet, bytes)?;
                }
                Slice::Lent(bytes, lender) if shape.long && by_reference(platform, &slice) => {
                    self.lend(platform, packet, bytes, lender)?;
                }
                slice => {
                    self.copy(packet, slice.bytes())?;
                    packet.copied = packet.copied.saturating_add(slice.bytes().len() as u32);
                }
            }
            rest = false;
        }
        Ok(())
    }

    /// Copies bytes behind what the packet holds.
    #[inline(always)]
    fn copy(&mut self, packet: &mut Packet<P>, mut bytes: &[u8]) -> Result<(), TransmitError> {
        if let Some(Piece::Block(block)) = packet.last() {
            let taken = self.blocks.append(block, bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        while !bytes.is_empty() {
            let block = self.blocks.take().ok_or(TransmitError::Full)?;
            let block = self.blocks.fill(block, bytes);
            bytes = bytes.get(block.length().into()..).unwrap_or_default();
            if let Err(Piece::Block(block)) = packet.push(Piece::Block(block)) {
                self.blocks.cancel(block);
                return Err(TransmitError::Length);
            }
        }
        Ok(())
    }

    /// Points at static bytes, page by page.
    #[inline(always)]
    fn refer(
        &mut self,
        platform: &mut P,
        packet: &mut Packet<P>,
        mut bytes: &'static [u8],
    ) -> Result<(), TransmitError> {
        while !bytes.is_empty() {
            let (run, rest) = references::split_page(bytes);
            let reference = self.references.take(platform, run).ok_or(TransmitError::Full)?;
            self.point(platform, packet, reference, run.len())?;
            bytes = rest;
        }
        Ok(())
    }

    /// Points at bytes that are lent, page by page, with a hold for each slot.
    fn lend(
        &mut self,
        platform: &mut P,
        packet: &mut Packet<P>,
        mut bytes: &[u8],
        lender: P::Lender<'_>,
    ) -> Result<(), TransmitError> {
        while !bytes.is_empty() {
            let (run, rest) = references::split_page(bytes);
            let reference = self.references.lend(platform, run, lender).ok_or(TransmitError::Full)?;
            self.point(platform, packet, reference, run.len())?;
            bytes = rest;
        }
        Ok(())
    }

    /// Adds a slot that points somewhere.
    #[inline(always)]
    fn point(
        &mut self,
        platform: &mut P,
        packet: &mut Packet<P>,
        reference: Reference<P::Lent>,
        length: usize,
    ) -> Result<(), TransmitError> {
        if let Err(Piece::Reference(reference)) = packet.push(Piece::Reference(reference)) {
            self.references.cancel(platform, reference);
            return Err(TransmitError::Length);
        }
        packet.referenced = packet.referenced.saturating_add(length as u32);
        Ok(())
    }

    /// Writes the packet's requests; on `Err` nothing is written and the packet is still whole.
    fn commit(
        &mut self,
        packet: &mut Packet<P>,
        total: u16,
        offload: Offload,
    ) -> Result<Sent, TransmitError> {
        let slots = packet.count as u32;
        let mut requests = Requests::new(&mut self.ring, slots, total, offload).ok_or(TransmitError::Full)?;
        self.extras = self.extras.saturating_add(u32::from(offload.gso.is_some()));
        let mut left = packet.count;
        for piece in packet.pieces.iter_mut().map_while(Option::take) {
            left = left.saturating_sub(1);
            match piece {
                Piece::Block(block) => {
                    let length = block.length();
                    let Some(sent) = self.blocks.send(block) else { continue };
                    requests.write(sent.id, sent.grant, sent.offset, length, left == 0);
                }
                Piece::Reference(reference) => {
                    let (id, grant) = (reference.id(), reference.grant());
                    requests.write(id, grant, reference.offset(), reference.length(), left == 0);
                    self.references.send(reference);
                }
            }
        }
        Ok(Sent { total, copied: packet.copied, referenced: packet.referenced, slots })
    }

    /// Gives back what a packet that is not sent has taken.
    fn cancel(&mut self, platform: &mut P, packet: Packet<P>) {
        for piece in packet.pieces.into_iter().flatten() {
            match piece {
                Piece::Block(block) => self.blocks.cancel(block),
                Piece::Reference(reference) => self.references.cancel(platform, reference),
            }
        }
    }
}

/// What decides how a frame goes out: copied into one block, unless it is long or goes on with a body.
struct Shape {
    /// Bytes in all.
    total: u16,
    /// It is longer than a block.
    long: bool,
    /// Its first slice is the rest of a body.
    goes_on: bool,
}

/// A frame that is in the ring.
struct Sent {
    /// Its length, and how much of its payload lies in blocks and how much in the site, in bytes.
    total: u16,
    copied: u32,
    referenced: u32,
    /// Ring positions, that of extra info apart.
    slots: u32,
}

/// The requests of one frame, as they are written.
struct Requests<'r> {
    reserved: Reserved<'r, TX_WORDS>,
    /// What the first one says of the whole frame.
    first: Option<First>,
}

struct First {
    total: u16,
    flags: u16,
    extra: Option<ExtraInfo>,
}

impl<'r> Requests<'r> {
    /// Room for so many requests, and for the extra info of what is to be cut.
    fn new(ring: &'r mut FrontRing<TX_WORDS>, slots: u32, total: u16, offload: Offload) -> Option<Self> {
        let extra = offload.gso.map(|gso| {
            let kind = if gso.kind == GsoKind::TcpV4 { GSO_TCPV4 } else { GSO_TCPV6 };
            ExtraInfo { extra: Extra::Gso { size: gso.size, kind }, more: false }
        });
        let reserved = ring.reserve(slots.saturating_add(u32::from(extra.is_some())))?;
        let checksum = if offload.checksum.is_some() { txf::CSUM_BLANK | txf::DATA_VALIDATED } else { 0 };
        let flags = if extra.is_some() { checksum | txf::EXTRA_INFO } else { checksum };
        Some(Self { reserved, first: Some(First { total, flags, extra }) })
    }

    /// The next one. The first says the whole frame's size, the others their own.
    fn write(&mut self, id: u16, grant: GrantRef, offset: u16, length: u16, is_last: bool) {
        let more = if is_last { 0 } else { txf::MORE_DATA };
        let request = TxRequest { gref: grant.0, offset, flags: more, id, size: length };
        let Some(First { total, flags, extra }) = self.first.take() else {
            return self.reserved.write(request.encode());
        };
        self.reserved.write(TxRequest { flags: flags | more, size: total, ..request }.encode());
        if let Some(extra) = extra {
            let [first, second] = extra.encode();
            self.reserved.write([first, second, 0]);
        }
    }
}

/// Bytes of a payload.
fn length<'a, L>(payload: impl Iterator<Item = Slice<'a, L>>) -> usize {
    payload.fold(0, |sum, slice| sum.saturating_add(slice.bytes().len()))
}

/// Whether a slice of a long frame is pointed at rather than copied.
fn by_reference<'a, P: Platform>(platform: &P, slice: &Slice<'a, P::Lender<'a>>) -> bool {
    match slice {
        Slice::Borrowed(_) => false,
        Slice::Static(bytes) => bytes.len() > COPY_SLICE && platform.is_grantable(bytes),
        Slice::Lent(bytes, _) => bytes.len() > COPY_SLICE,
    }
}

/// A packet being put together: at most 18 slots.
struct Packet<P: Platform> {
    pieces: [Option<Piece<P::Lent>>; NR_SLOTS_MIN],
    count: usize,
    /// Payload bytes in blocks.
    copied: u32,
    /// Payload bytes in references.
    referenced: u32,
}

/// One slot of a packet.
enum Piece<L> {
    Block(FilledBlock),
    Reference(Reference<L>),
}

impl<P: Platform> Packet<P> {
    fn new() -> Self {
        Self { pieces: core::array::from_fn(|_| None), count: 0, copied: 0, referenced: 0 }
    }

    fn last(&mut self) -> Option<&mut Piece<P::Lent>> {
        self.pieces.get_mut(self.count.checked_sub(1)?)?.as_mut()
    }

    /// Adds a slot, or gives it back when there are 18.
    fn push(&mut self, piece: Piece<P::Lent>) -> Result<(), Piece<P::Lent>> {
        match self.pieces.get_mut(self.count) {
            Some(place) => {
                *place = Some(piece);
                self.count = self.count.saturating_add(1);
                Ok(())
            }
            None => Err(piece),
        }
    }
}

/// What is left of a packet's room while [`Tx::fit`] counts.
struct Room {
    /// Slots not begun.
    slots: usize,
    /// Bytes left in the block begun last.
    block: usize,
    /// Bytes left of the longest packet.
    bytes: usize,
    /// Payload bytes that found room.
    carried: usize,
}

impl Room {
    /// The room beside a packet's headers, which are taken to fill a block of their own, where there are several.
    fn new(features: FeatureSet) -> Self {
        if features.scatter_gather() {
            Self { slots: NR_SLOTS_MIN - 1, block: 0, bytes: MAX_TX_SIZE - HEADERS, carried: 0 }
        } else {
            Self { slots: 0, block: BLOCK_SIZE - HEADERS, bytes: BLOCK_SIZE - HEADERS, carried: 0 }
        }
    }

    /// Takes up to `length` bytes by copy: true when all found room.
    fn copy(&mut self, mut length: usize) -> bool {
        while length != 0 {
            if self.block == 0 {
                let Some(slots) = self.slots.checked_sub(1) else { return false };
                self.slots = slots;
                self.block = BLOCK_SIZE;
            }
            let run = length.min(self.block).min(self.bytes);
            if run == 0 {
                return false;
            }
            self.block = self.block.saturating_sub(run);
            self.take(run);
            length = length.saturating_sub(run);
        }
        true
    }

    /// Takes bytes by reference, a slot for each page they lie in: true when all found room.
    fn refer(&mut self, bytes: &[u8]) -> bool {
        self.block = 0;
        let taken = references::within(bytes, self.slots);
        let taken = taken.get(..self.bytes).unwrap_or(taken);
        self.slots = self.slots.saturating_sub(references::pages(taken));
        self.take(taken.len());
        taken.len() == bytes.len()
    }

    fn take(&mut self, run: usize) {
        self.bytes = self.bytes.saturating_sub(run);
        self.carried = self.carried.saturating_add(run);
    }
}
