//! The paravirtual network front end: a shared-memory ring pair whose transmit pages are cut into half-page blocks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod platform;
