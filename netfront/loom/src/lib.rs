//! Both ends of a ring, the driver's from the very source that is in the image, over the atomics of
//! [loom](https://docs.rs/loom): its tests go through every order in which the two can run and see each other's stores.
#![forbid(unsafe_code)]

extern crate alloc;

/// The part of `netfront::platform` that a ring needs.
pub mod platform {
    pub use loom::sync::atomic::{AtomicU32, Ordering, fence};

    /// The header's 64 bytes, and two slots of 8 or of 12: few enough to go through all that can happen.
    pub const PAGE_SIZE: usize = 64 + 24;

    /// A page of words.
    pub type RingPage = [AtomicU32; PAGE_SIZE / 4];
}

#[path = "../../src/sim/back_ring.rs"]
#[expect(
    missing_docs,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "as in netfront::sim"
)]
pub mod back_ring;
#[path = "../../src/ring.rs"]
pub mod ring;
