//! The paravirtual network front end: a shared-memory ring pair whose transmit pages are cut into half-page blocks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

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
