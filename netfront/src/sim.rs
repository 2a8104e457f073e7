//! A backend in software, honest or hostile, and the machine under both ends: for tests.
//!
//! Nothing here is bound by the rules of the image: a simulation that meets what it cannot go on with panics.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod back_ring;
mod backend;
mod machine;
mod memory;
mod random;
mod rig;
mod store;

pub use back_ring::BackRing;
pub use backend::{Backend, Fragment, Packet};
pub use machine::{Machine, World};
pub use memory::{Hold, SimLent, SimPage, SimReadable, SimWritable};
pub use random::Random;
pub use rig::{ALL_FEATURES, FEATURE_KEYS, Rig};
pub use store::{SimStore, StoreRefused};
