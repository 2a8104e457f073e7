//! The front end of a split ring (`xen/io/ring.h`): requests out, responses in, over one shared page.
//!
//! Both ends count with free-running 32-bit indices, masked only to reach a slot. The page is the backend's to spoil,
//! so our own indices live here and are only published there; the backend's index is read once, checked against what
//! can be, and a slot is fetched once into a local copy.

use crate::platform::{AtomicU32, Ordering, PAGE_SIZE, RingPage, fence};
use core::fmt;

/// Slots in a ring: 256, with slots of 8 and of 12 bytes alike.
pub const RING_SIZE: u32 = size(2);
const _: () = assert!(RING_SIZE == size(3));

/// Slots of so many words in a ring: as many as fit behind the header, down to a power of two (`__CONST_RING_SIZE`).
#[expect(clippy::arithmetic_side_effects, reason = "run by the compiler, which refuses what overflows")]
const fn size(words: usize) -> u32 {
    1 << ((PAGE_SIZE / 4 - word::RING) / words).ilog2()
}

/// Words of the page's header; the rest of its 64 bytes is padding.
mod word {
    pub const REQ_PROD: usize = 0;
    pub const REQ_EVENT: usize = 1;
    pub const RSP_PROD: usize = 2;
    pub const RSP_EVENT: usize = 3;
    /// The first slot.
    pub const RING: usize = 16;
}

/// The front end of a ring whose slots are `WORDS` 32-bit words.
#[derive(Debug)]
pub struct FrontRing<const WORDS: usize> {
    page: &'static RingPage,
    /// Index of the next request to write (`req_prod_pvt`).
    written: u32,
    /// Index up to which the backend was shown requests.
    pushed: u32,
    /// Index of the next response to take (`rsp_cons`).
    taken: u32,
    /// Index up to which the backend's responses were checked to be possible.
    checked: u32,
}

impl<const WORDS: usize> FrontRing<WORDS> {
    /// An empty ring in a page of zeros (`XEN_FRONT_RING_INIT`). The backend does not know of it yet.
    pub fn new(page: &'static RingPage) -> Self {
        const { assert!(word::RING + RING_SIZE as usize * WORDS <= PAGE_SIZE / 4) };
        let ring = Self { page, written: 0, pushed: 0, taken: 0, checked: 0 };
        // Relaxed: the grant reference reaches the backend through xenstore, long after.
        ring.header(word::REQ_EVENT).store(1, Ordering::Relaxed);
        ring.header(word::RSP_EVENT).store(1, Ordering::Relaxed);
        ring
    }

    /// The shared page.
    pub fn page(&self) -> &'static RingPage {
        self.page
    }

    /// Slots for further requests (`RING_FREE_REQUESTS`).
    pub fn free(&self) -> u32 {
        RING_SIZE.wrapping_sub(self.written.wrapping_sub(self.taken))
    }

    /// Requests that the backend was shown and has not answered, as far as responses were taken.
    pub fn outstanding(&self) -> u32 {
        self.pushed.wrapping_sub(self.taken)
    }

    /// The ring position of the next request, which its response will take too.
    pub fn position(&self) -> u16 {
        slot(self.written)
    }

    /// Room for `slots` requests, or `None`.
    pub fn reserve(&mut self, slots: u32) -> Option<Reserved<'_, WORDS>> {
        (slots <= self.free()).then_some(Reserved { ring: self, left: slots })
    }

    /// Shows the backend all that was written. True when it asked to be told (`RING_PUSH_REQUESTS_AND_CHECK_NOTIFY`).
    #[must_use = "the backend sleeps until it is notified"]
    pub fn push(&mut self) -> bool {
        if self.written == self.pushed {
            return false;
        }
        let old = self.pushed;
        self.pushed = self.written;
        // Release: the backend sees the slots, and the bytes they point at, before the index that covers them.
        self.header(word::REQ_PROD).store(self.written, Ordering::Release);
        // SeqCst: the index is out before req_event is read. Were the load first, the backend could set req_event, find
        // no request and sleep, while we still see the old req_event and do not notify. Pairs with the fence in the
        // backend's final check.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let event = self.header(word::REQ_EVENT).load(Ordering::Relaxed);
        self.written.wrapping_sub(event) < self.written.wrapping_sub(old)
    }

    /// Looks how many responses there are to take. `Err`: more than requests, so the index is a lie; nothing may be
    /// taken.
    pub fn responses(&mut self) -> Result<u32, IndexError> {
        // Acquire: the slots that this index covers, and the bytes received, are read after it.
        let produced = self.header(word::RSP_PROD).load(Ordering::Acquire);
        let available = produced.wrapping_sub(self.taken);
        if available > self.outstanding() {
            return Err(IndexError { produced, taken: self.taken, outstanding: self.outstanding() });
        }
        self.checked = produced;
        Ok(available)
    }

    /// The next response among those that [`Self::responses`] saw: its ring position and a copy of its slot.
    pub fn take(&mut self) -> Option<(u16, [u32; WORDS])> {
        if self.taken == self.checked {
            return None;
        }
        let index = self.taken;
        self.taken = index.wrapping_add(1);
        // Relaxed: ordered by the Acquire in `responses`. Each word is loaded once: what is judged is what is used.
        Some((slot(index), core::array::from_fn(|n| self.word(index, n).load(Ordering::Relaxed))))
    }

    /// Asks for an event when `responses` more have come (0: never), then looks once more: true when they have come
    /// already, and no event need come for them (`RING_FINAL_CHECK_FOR_RESPONSES`, with a batch).
    pub fn ask_event_after(&mut self, responses: u32) -> Result<bool, IndexError> {
        // Relaxed: ordered by the fence.
        self.header(word::RSP_EVENT).store(self.taken.wrapping_add(responses), Ordering::Relaxed);
        // SeqCst: rsp_event is out before rsp_prod is read, or a response that came between would neither be seen nor
        // raise an event.
        fence(Ordering::SeqCst);
        Ok(responses != 0 && self.responses()? >= responses)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "callers pass a constant of `word`, all below the page's 1,024 words"
    )]
    fn header(&self, word: usize) -> &'static AtomicU32 {
        &self.page[word]
    }

    /// Word `n` of the slot at an index.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "slot < RING_SIZE and n < WORDS, so the place is below the sum that `new` asserts to fit the page"
    )]
    fn word(&self, index: u32, n: usize) -> &'static AtomicU32 {
        &self.page[word::RING + usize::from(slot(index)) * WORDS + n]
    }
}

/// Room for requests: as many as were reserved can be written.
#[derive(Debug)]
pub struct Reserved<'r, const WORDS: usize> {
    ring: &'r mut FrontRing<WORDS>,
    left: u32,
}

impl<const WORDS: usize> Reserved<'_, WORDS> {
    /// Writes the next request. One more than was reserved is refused.
    pub fn write(&mut self, request: [u32; WORDS]) {
        let Some(left) = self.left.checked_sub(1) else {
            debug_assert!(false, "more requests than were reserved");
            return;
        };
        self.left = left;
        let index = self.ring.written;
        for (n, value) in request.into_iter().enumerate() {
            // Relaxed: the index published by `push` covers it.
            self.ring.word(index, n).store(value, Ordering::Relaxed);
        }
        self.ring.written = index.wrapping_add(1);
    }
}

/// The ring position of an index.
fn slot(index: u32) -> u16 {
    const MASK: u32 = RING_SIZE - 1;
    (index & MASK) as u16
}

/// The backend claims more responses than there are requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexError {
    /// The backend's producer index.
    pub produced: u32,
    /// Our consumer index.
    pub taken: u32,
    /// Requests it could have answered.
    pub outstanding: u32,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { produced, taken, outstanding } = self;
        write!(f, "rsp_prod {produced} with {outstanding} requests open at {taken}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;

    #[test]
    fn a_page_holds_256_slots() {
        assert_eq!((RING_SIZE, size(2), size(3)), (256, 256, 256));
    }

    fn page() -> &'static RingPage {
        Box::leak(Box::new(core::array::from_fn(|_| AtomicU32::new(0))))
    }

    /// A ring that has run for long: every index stands at `index`, and the backend has answered all.
    fn ring_at(index: u32) -> FrontRing<3> {
        let mut ring = FrontRing::new(page());
        (ring.written, ring.pushed, ring.taken, ring.checked) = (index, index, index, index);
        for word in [0, 2] {
            ring.page[word].store(index, Ordering::Relaxed);
        }
        for word in [1, 3] {
            ring.page[word].store(index.wrapping_add(1), Ordering::Relaxed);
        }
        ring
    }

    fn get(ring: &FrontRing<3>, word: usize) -> u32 {
        ring.page[word].load(Ordering::Relaxed)
    }

    fn set(ring: &FrontRing<3>, word: usize, value: u32) {
        ring.page[word].store(value, Ordering::Relaxed);
    }

    #[test]
    fn the_page_is_laid_out_as_the_header_says() {
        let mut ring = ring_at(0);
        let mut reserved = ring.reserve(2).unwrap();
        reserved.write([0xa0, 0xa1, 0xa2]);
        reserved.write([0xb0, 0xb1, 0xb2]);
        assert_eq!(get(&ring, 0), 0, "not shown yet");
        assert!(ring.push());
        // req_prod, req_event, rsp_prod, rsp_event; slots from byte 64 on.
        let words: alloc::vec::Vec<u32> = (0..24).map(|word| get(&ring, word)).collect();
        let slots = [0xa0, 0xa1, 0xa2, 0xb0, 0xb1, 0xb2, 0, 0];
        assert_eq!(words[..16], [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(words[16..], slots);
    }

    #[test]
    fn the_last_slot_is_followed_by_the_first() {
        for start in [255, 0xffff_ffff] {
            let mut ring = ring_at(start);
            assert_eq!(ring.position(), 255);
            let mut reserved = ring.reserve(2).unwrap();
            reserved.write([1, 2, 3]);
            reserved.write([4, 5, 6]);
            // Slot 255 of 12 bytes starts at byte 64 + 3060, word 781.
            assert_eq!([781, 782, 783, 16, 17, 18].map(|word| get(&ring, word)), [1, 2, 3, 4, 5, 6]);
            assert!(ring.push());
            assert_eq!(get(&ring, 0), start.wrapping_add(2));
            set(&ring, 2, start.wrapping_add(2));
            assert_eq!(ring.responses(), Ok(2));
            assert_eq!(ring.take(), Some((255, [1, 2, 3])));
            assert_eq!(ring.take(), Some((0, [4, 5, 6])));
            assert_eq!(ring.take(), None);
            assert_eq!((ring.free(), ring.outstanding()), (256, 0));
        }
    }

    #[test]
    fn room_is_256_slots_until_responses_are_taken() {
        let mut ring = ring_at(0xffff_ff80);
        assert!(ring.reserve(257).is_none());
        let mut reserved = ring.reserve(256).unwrap();
        for _ in 0..256 {
            reserved.write([0; 3]);
        }
        assert_eq!(ring.free(), 0);
        assert!(ring.reserve(1).is_none());
        let _ = ring.push();
        set(&ring, 2, 0xffff_ff83);
        assert_eq!(ring.responses(), Ok(3));
        assert_eq!(ring.free(), 0, "seen is not taken");
        while ring.take().is_some() {}
        assert_eq!((ring.free(), ring.outstanding()), (3, 253));
    }

    #[test]
    fn an_index_beyond_the_requests_is_a_lie() {
        let mut ring = ring_at(0xffff_fffe);
        let mut reserved = ring.reserve(3).unwrap();
        reserved.write([0; 3]);
        reserved.write([0; 3]);
        reserved.write([0; 3]);
        set(&ring, 2, 0xffff_ffff);
        assert!(ring.responses().is_err(), "nothing was shown yet");
        let _ = ring.push();
        for (produced, available) in [
            (0xffff_fffe, Some(0)),
            (0xffff_ffff, Some(1)),
            (0, Some(2)),
            (1, Some(3)),
            (2, None),
            (0x7fff_ffff, None),
            (0xffff_fffd, None),
        ] {
            set(&ring, 2, produced);
            let expected = available.ok_or(IndexError { produced, taken: 0xffff_fffe, outstanding: 3 });
            assert_eq!(ring.responses(), expected);
        }
    }

    /// RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: notify when req_event lies in (old, new].
    #[test]
    fn a_push_notifies_when_the_backend_asked_for_one_of_its_requests() {
        for base in [0, 100, 0xffff_fffd] {
            for (event, notify) in
                [(-5, false), (0, false), (1, true), (2, true), (3, true), (4, false), (200, false)]
            {
                let mut ring = ring_at(base);
                set(&ring, 1, base.wrapping_add_signed(event));
                let mut reserved = ring.reserve(3).unwrap();
                for _ in 0..3 {
                    reserved.write([0; 3]);
                }
                assert_eq!(ring.push(), notify, "event {event} from {base}");
                assert!(!ring.push(), "nothing to push");
            }
        }
    }

    /// RING_FINAL_CHECK_FOR_RESPONSES: rsp_event is set first, then rsp_prod is looked at once more.
    #[test]
    fn the_final_check_sees_what_came_before_the_event_was_asked_for() {
        for base in [0, 0xffff_fffe] {
            let mut ring = ring_at(base);
            let mut reserved = ring.reserve(4).unwrap();
            for _ in 0..4 {
                reserved.write([0; 3]);
            }
            let _ = ring.push();
            assert_eq!(ring.ask_event_after(1), Ok(false));
            assert_eq!(get(&ring, 3), base.wrapping_add(1));
            set(&ring, 2, base.wrapping_add(2));
            assert_eq!(ring.ask_event_after(1), Ok(true));
            assert_eq!(ring.ask_event_after(2), Ok(true));
            assert_eq!(ring.ask_event_after(3), Ok(false));
            assert_eq!(get(&ring, 3), base.wrapping_add(3));
            set(&ring, 2, base.wrapping_add(9));
            assert!(ring.ask_event_after(1).is_err());
        }
    }
}
