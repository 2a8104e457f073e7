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

mod backend;
mod machine;
mod random;
mod rig;
mod store;

pub use backend::{BackRing, Backend, Fragment, Packet};
pub use machine::{Machine, SimPage, SimReadable, SimWritable, World};
pub use random::Random;
pub use rig::{ALL_FEATURES, FEATURE_KEYS, Rig};
pub use store::{SimStore, StoreRefused};
