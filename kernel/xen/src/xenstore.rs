//! The store (xenstore): a tree of small values through which the toolstack, the backends and this domain speak.
//!
//! [`wire`] is the message format, [`interface`] the shared page, [`client`] a state machine that turns bytes from the
//! ring into replies and fired watches without ever waiting, [`session`] the calls that wait for their answer, and
//! [`watches`] several watches that are made as far as the store lets them.
//!
//! The store's daemon is trusted to be live, not to be correct: what it sends is bounded and checked, and every message
//! that is dropped has a counter.

pub mod client;
pub mod error;
pub mod interface;
pub mod session;
pub mod watches;
pub mod wire;

pub use client::{Client, StoreCounters, WatchId};
pub use error::Error;
pub use interface::{Rings, XenstoreInterface};
pub use session::{Session, TimedOut, Transaction, Wait};
pub use watches::Watches;
pub use wire::Errno;
