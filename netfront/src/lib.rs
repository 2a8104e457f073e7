//! The paravirtual network front end: a shared-memory ring pair whose transmit pages are cut into half-page blocks.
//!
//! [`device::Device`] is one interface. The kernel gives it a [`platform::Platform`] (pages, grants, event channels)
//! and a [`store::Store`] (xenstore), calls `control` when a watch fires or the deadline has come, `poll` when an event
//! has, and sends through the `Transmitter` that `poll` hands out with each frame, or that `transmitter` gives at any
//! other time.
//!
//! ```
//! use netfront::device::{Device, Microseconds, Sizes};
//! use netfront::platform::Platform;
//! use netfront::store::Store;
//!
//! fn serve<P: Platform, S: Store>(device: &mut Device<P>, store: &mut S, now: Microseconds) {
//!     device.control(store, now);
//!     while device.poll(64, |frame, out| {
//!         // Echo: what is sent in here goes to the backend as one batch.
//!         let _ = out.transmit(frame.bytes, core::iter::empty(), Default::default());
//!     }).more {}
//! }
//! ```
//!
//! | to read about | read |
//! |---|---|
//! | who may touch a half page when | [`blocks`] |
//! | pages of the site, sent where they lie | [`references`] |
//! | a frame's way into the ring | [`tx`] |
//! | a frame's way out of it | [`rx`] |
//! | the indices, and who sees what first | [`ring`] |
//! | connecting, closing, connecting again | [`handshake`], [`device`] |
//! | a backend that is not to be trusted | [`lie`], [`pages`] |
//!
//! What holds whatever the backend does: no panic; no byte read or written outside a granted page; nothing read that
//! the backend may still write; no block filled while it is in flight; no page lost, only kept apart until the backend
//! lets it go, and so many at most. The backend does see every page that is granted to it, whole and at any time:
//! nothing else may lie there.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "sim")]
extern crate std;

pub mod blocks;
pub mod counters;
pub mod device;
pub mod features;
pub mod frame;
pub mod handshake;
pub mod keys;
pub mod lie;
pub mod pages;
pub mod platform;
pub mod references;
pub mod ring;
pub mod rx;
pub mod store;
pub mod tx;

#[cfg(feature = "sim")]
pub mod sim;

#[cfg(all(any(msa00, msa01), not(feature = "sim")))]
compile_error!("a fix is undone: such a build is for the tests alone");
