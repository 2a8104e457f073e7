//! The receive ring: pages out, frames in.
//!
//! A response is matched by its ring position, since an extra-info slot overlays the id; where there is an id, it must
//! be the position's. A page's grant has ended before its bytes are looked at, and the page goes back into the ring in
//! the same poll.

use crate::counters::NetCounters;
use crate::frame::{ReceiveChecksum, Received};
use crate::lie::Lie;
use crate::pages::{self, Held, Quarantine};
use crate::platform::{Channel, GrantRef, PAGE_SIZE, Page, Platform, RingPage};
use crate::ring::{FrontRing, RING_SIZE};
use crate::tx::ETHERNET_HEADER;
use alloc::vec::Vec;
use core::ops::Range;
use xen::Counter;
use xen::netif::{Extra, ExtraInfo, NR_SLOTS_MIN, RX_WORDS, RxRequest, RxResponse, rxf, status};

/// Types of extra-info slots that exist (`XEN_NETIF_EXTRA_TYPE_MAX` less one): no frame has more.
const EXTRAS_MAX: u8 = 4;

/// The receive half of an epoch.
pub struct Rx<P: Platform> {
    ring: FrontRing<RX_WORDS>,
    grant: GrantRef,
    /// Pages with the backend, by ring position, which is their id too.
    posted: Vec<Option<(GrantRef, P::WritablePage)>>,
    /// How many pages are to be with the backend.
    target: u32,
    joining: Joining,
}

/// A frame that comes in several slots, so far.
struct Joining {
    expect: Expect,
    /// Its bytes, one behind the other. Room for the longest frame is there from the start.
    bytes: Vec<u8>,
    slots: usize,
    checksum: ReceiveChecksum,
    /// It is not to be delivered; the reason was counted.
    broken: bool,
}

/// What the next response is.
enum Expect {
    /// The first slot of a frame.
    Head,
    /// An extra-info slot, one of `left` at most; then the frame goes on, or ends.
    Extra { more_data: bool, left: u8 },
    /// Another slot of the frame.
    Data,
}

impl<P: Platform> Rx<P> {
    /// A receive half over a fresh ring page, with up to `pages` pages posted.
    pub fn new(
        platform: &mut P,
        counters: &mut NetCounters,
        (ring, grant): (&'static RingPage, GrantRef),
        pages: u16,
    ) -> Self {
        let ring = FrontRing::new(ring);
        let posted = (0..RING_SIZE).map(|_| None).collect();
        let mut rx =
            Self { ring, grant, posted, target: u32::from(pages).min(RING_SIZE), joining: Joining::new() };
        rx.refill(platform, counters);
        rx
    }

    /// The ring's grant.
    pub fn grant(&self) -> GrantRef {
        self.grant
    }

    /// Pages with the backend.
    pub fn posted(&self) -> u32 {
        RING_SIZE.wrapping_sub(self.ring.free())
    }

    /// Takes up to `budget` responses and hands each whole frame to `deliver`. True when there are more.
    pub fn poll(
        &mut self,
        platform: &mut P,
        quarantine: &mut Quarantine<P>,
        counters: &mut NetCounters,
        budget: u32,
        mut deliver: impl FnMut(&mut P, &mut NetCounters, Received<'_>),
    ) -> Result<bool, Lie> {
        let available = self.ring.responses().map_err(Lie::ReceiveIndex)?;
        for _ in 0..available.min(budget) {
            let Some((position, words)) = self.ring.take() else { break };
            let page;
            let frame = if let Expect::Extra { more_data, left } = self.joining.expect {
                let info = ExtraInfo::decode(words);
                let left = left.checked_sub(1).ok_or(Lie::ExtraChain)?;
                page = self.take_back(platform, quarantine, position)?;
                self.joining.extra(counters, info, more_data, left)
            } else {
                let response = RxResponse::decode(words);
                let place = place(response, position)?;
                page = self.take_back(platform, quarantine, position)?;
                let bytes = page.as_ref().and_then(|page| page.bytes().get(place));
                self.joining.slot(counters, response, bytes)
            };
            if let Some(frame) = frame {
                counters.rx_frames.increment();
                counters.rx_bytes.add(frame.bytes.len() as u64);
                deliver(platform, counters, frame);
            }
            if let Some(page) = page {
                self.post(platform, counters, page);
            }
        }
        self.refill(platform, counters);
        Ok(available > budget)
    }

    /// Shows the backend the pages posted since, without an event.
    pub fn show(&mut self) {
        let _ = self.ring.push();
    }

    /// Shows the backend the pages posted since, and notifies it when it asked for that.
    pub fn flush(&mut self, platform: &mut P, counters: &mut NetCounters) {
        if self.ring.push() {
            counters.rx_events.increment();
            platform.notify(Channel::Receive);
        }
    }

    /// Asks for an event with the next frame. True when one has come already: poll again.
    pub fn ask_event(&mut self) -> Result<bool, Lie> {
        self.ring.ask_event_after(1).map_err(Lie::ReceiveIndex)
    }

    /// Ends every grant of the epoch. Pages that the backend still maps go into quarantine.
    pub fn end(self, platform: &mut P, quarantine: &mut Quarantine<P>) {
        for (grant, page) in self.posted.into_iter().flatten() {
            quarantine.end(platform, Held::Writable(grant, page));
        }
        quarantine.end(platform, Held::Ring(self.grant, self.ring.page()));
    }

    /// Ends the grant of the page posted at a ring position. `None`: the backend still maps it, and it is in
    /// quarantine.
    fn take_back(
        &mut self,
        platform: &mut P,
        quarantine: &mut Quarantine<P>,
        position: u16,
    ) -> Result<Option<P::Page>, Lie> {
        // Every request that is open has its page here: `None` cannot be.
        let Some((grant, page)) = self.posted.get_mut(usize::from(position)).and_then(Option::take) else {
            return Ok(None);
        };
        match platform.revoke_write(grant, page) {
            Ok(page) => Ok(Some(page)),
            Err(page) => {
                quarantine.hold(Held::Writable(grant, page));
                if quarantine.is_full() { Err(Lie::Hoard) } else { Ok(None) }
            }
        }
    }

    /// Puts a page into the ring. Where no grant is to be had, the page goes and a later poll tries again.
    #[inline(always)]
    fn post(&mut self, platform: &mut P, counters: &mut NetCounters, page: P::Page) {
        let position = self.ring.position();
        let granted = match platform.grant_write(page) {
            Ok(granted) => granted,
            Err(page) => {
                counters.rx_unposted.increment();
                return pages::retire(platform, page);
            }
        };
        let request = RxRequest { id: position, gref: granted.0.0 };
        // There is room: at most as many pages are posted as the ring has positions.
        if let (Some(mut reserved), Some(place)) =
            (self.ring.reserve(1), self.posted.get_mut(usize::from(position)))
        {
            *place = Some(granted);
            reserved.write(request.encode());
        }
    }

    /// Posts fresh pages where some are missing.
    fn refill(&mut self, platform: &mut P, counters: &mut NetCounters) {
        for _ in self.posted()..self.target {
            let Some(page) = pages::fresh(platform) else {
                counters.rx_unposted.increment();
                break;
            };
            let before = self.posted();
            self.post(platform, counters, page);
            if self.posted() == before {
                break;
            }
        }
    }
}

/// Where a response's bytes lie in its page, if the response is one to believe.
fn place(response: RxResponse, position: u16) -> Result<Range<usize>, Lie> {
    let RxResponse { id, offset, status, .. } = response;
    if id != position {
        return Err(Lie::ReceiveId { id, position });
    }
    // A negative status is an error and no length.
    let start = usize::from(offset);
    let end = start.saturating_add(usize::try_from(status).unwrap_or(0));
    if end > PAGE_SIZE {
        return Err(Lie::ReceiveBounds { offset, size: status });
    }
    Ok(start..end)
}

impl Joining {
    fn new() -> Self {
        Self {
            expect: Expect::Head,
            bytes: Vec::with_capacity(NR_SLOTS_MIN * PAGE_SIZE),
            slots: 0,
            checksum: ReceiveChecksum::Unverified,
            broken: false,
        }
    }

    /// A slot of data; `None` where its page is in quarantine. Gives the frame when it is whole.
    fn slot<'a>(
        &'a mut self,
        counters: &mut NetCounters,
        response: RxResponse,
        bytes: Option<&'a [u8]>,
    ) -> Option<Received<'a>> {
        let RxResponse { flags, status, .. } = response;
        if matches!(self.expect, Expect::Head) {
            self.bytes.clear();
            self.slots = 0;
            self.broken = false;
            let trusted = flags & (rxf::CSUM_BLANK | rxf::DATA_VALIDATED) != 0;
            self.checksum = if trusted { ReceiveChecksum::Trusted } else { ReceiveChecksum::Unverified };
        }
        self.slots = self.slots.saturating_add(1);
        let more_data = flags & rxf::MORE_DATA != 0;
        let extra_info = matches!(self.expect, Expect::Head) && flags & rxf::EXTRA_INFO != 0;
        self.expect = match (extra_info, more_data) {
            (true, more_data) => Expect::Extra { more_data, left: EXTRAS_MAX },
            (false, true) => Expect::Data,
            (false, false) => Expect::Head,
        };
        if bytes.is_none() {
            self.spoil(&mut counters.rx_quarantined);
        } else if status < status::OKAY {
            self.spoil(&mut counters.rx_backend_error);
        } else if self.slots > NR_SLOTS_MIN {
            self.spoil(&mut counters.rx_slots);
        }
        let bytes = bytes.unwrap_or_default();
        if self.slots == 1 && matches!(self.expect, Expect::Head) {
            // The usual frame: it is looked at where it lies.
            return deliverable(self.broken, counters, bytes, self.checksum);
        }
        if !self.broken {
            self.bytes.extend_from_slice(bytes);
        }
        self.joined(counters)
    }

    /// An extra-info slot, after which `left` more may follow. Gives the frame when it ends here.
    fn extra(
        &mut self,
        counters: &mut NetCounters,
        info: ExtraInfo,
        more_data: bool,
        left: u8,
    ) -> Option<Received<'_>> {
        // How the backend would cut a large packet again is nothing to us.
        if !matches!(info.extra, Extra::Gso { .. }) {
            self.spoil(&mut counters.rx_extra);
        }
        self.expect = match (info.more, more_data) {
            (true, more_data) => Expect::Extra { more_data, left },
            (false, true) => Expect::Data,
            (false, false) => Expect::Head,
        };
        self.joined(counters)
    }

    /// The joined frame, when it is whole.
    fn joined(&self, counters: &mut NetCounters) -> Option<Received<'_>> {
        if !matches!(self.expect, Expect::Head) {
            return None;
        }
        let frame = deliverable(self.broken, counters, &self.bytes, self.checksum)?;
        counters.rx_joined.increment();
        Some(frame)
    }

    /// The frame is not to be delivered. Only the first reason counts.
    fn spoil(&mut self, reason: &mut Counter) {
        if !self.broken {
            self.broken = true;
            reason.increment();
        }
    }
}

/// The frame, unless it is broken or no frame at all.
fn deliverable<'a>(
    broken: bool,
    counters: &mut NetCounters,
    bytes: &'a [u8],
    checksum: ReceiveChecksum,
) -> Option<Received<'a>> {
    if broken {
        return None;
    }
    if bytes.len() < ETHERNET_HEADER {
        counters.rx_short.increment();
        return None;
    }
    Some(Received { bytes, checksum })
}
