//! The store's page (io/xs_wire.h, `xenstore_domain_interface`).

use crate::ring::{Consumer, Producer};
use core::sync::atomic::{AtomicU8, AtomicU32};

/// Bytes that each ring holds (`XENSTORE_RING_SIZE`).
pub const RING_SIZE: usize = 1024;

/// `struct xenstore_domain_interface`.
#[repr(C)]
#[derive(Debug)]
pub struct XenstoreInterface {
    /// `req`: requests to the store.
    pub requests: [AtomicU8; RING_SIZE],
    /// `rsp`: replies and watch events.
    pub replies: [AtomicU8; RING_SIZE],
    /// `req_cons`.
    pub requests_consumed: AtomicU32,
    /// `req_prod`.
    pub requests_produced: AtomicU32,
    /// `rsp_cons`.
    pub replies_consumed: AtomicU32,
    /// `rsp_prod`.
    pub replies_produced: AtomicU32,
    /// `server_features`: 0 on an old store.
    pub server_features: AtomicU32,
    /// `connection`: 0 when connected.
    pub connection: AtomicU32,
    /// `error`: why the store gave up, 0 while it has not.
    pub error: AtomicU32,
}

impl XenstoreInterface {
    /// This domain's ends of the rings, taken up where the indices stand: a boot loader may have used them before.
    pub fn rings(&self) -> Rings<'_> {
        Rings {
            requests: Producer::attach(&self.requests, &self.requests_produced, &self.requests_consumed),
            replies: Consumer::attach(&self.replies, &self.replies_produced, &self.replies_consumed),
        }
    }
}

/// This domain's ends of the store's rings.
#[derive(Debug)]
pub struct Rings<'r> {
    /// Where requests go.
    pub requests: Producer<'r>,
    /// Where replies and events come from.
    pub replies: Consumer<'r>,
}
