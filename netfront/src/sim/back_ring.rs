//! The back end of a ring.

use crate::platform::{Ordering, PAGE_SIZE, RingPage, fence};

/// The back end of a ring. Its arithmetic is its own, typed from xen/io/ring.h.
pub struct BackRing<const WORDS: usize> {
    page: &'static RingPage,
    pub req_cons: u32,
    pub rsp_prod: u32,
}

impl<const WORDS: usize> BackRing<WORDS> {
    /// 256, where the page has 4,096 bytes.
    const SIZE: usize = 1 << ((PAGE_SIZE / 4 - 16) / WORDS).ilog2();

    pub fn new(page: &'static RingPage) -> Self {
        Self { page, req_cons: 0, rsp_prod: 0 }
    }

    pub fn unconsumed(&self) -> u32 {
        self.page[0].load(Ordering::Acquire).wrapping_sub(self.req_cons)
    }

    /// The next request's words.
    pub fn take(&mut self) -> Option<[u32; WORDS]> {
        if self.unconsumed() == 0 {
            return None;
        }
        let place = 16 + (self.req_cons as usize % Self::SIZE) * WORDS;
        self.req_cons = self.req_cons.wrapping_add(1);
        Some(core::array::from_fn(|n| self.page[place + n].load(Ordering::Relaxed)))
    }

    /// Writes a response's words into the next position.
    pub fn respond(&mut self, words: &[u32]) {
        let place = 16 + (self.rsp_prod as usize % Self::SIZE) * WORDS;
        for (n, word) in words.iter().enumerate() {
            self.page[place + n].store(*word, Ordering::Relaxed);
        }
        self.rsp_prod = self.rsp_prod.wrapping_add(1);
    }

    /// RING_PUSH_RESPONSES_AND_CHECK_NOTIFY: true when the driver wants an event.
    pub fn push(&mut self) -> bool {
        let old = self.page[2].swap(self.rsp_prod, Ordering::Release);
        fence(Ordering::SeqCst);
        let event = self.page[3].load(Ordering::Relaxed);
        self.rsp_prod.wrapping_sub(event) < self.rsp_prod.wrapping_sub(old)
    }

    /// RING_FINAL_CHECK_FOR_REQUESTS: true when there is work and no sleep.
    pub fn final_check(&mut self) -> bool {
        if self.unconsumed() != 0 {
            return true;
        }
        self.page[1].store(self.req_cons.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.unconsumed() != 0
    }

    /// Claims any producer index.
    pub fn claim(&mut self, rsp_prod: u32) {
        self.page[2].store(rsp_prod, Ordering::Release);
    }
}
