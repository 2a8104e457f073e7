//! The TCP/IP and DHCP stack: bytes, a time and random numbers in; bytes, events and a deadline out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod device;
pub mod egress;
pub mod service;
pub mod time;

pub use device::Device;
pub use service::{Chunk, Service, Stream};
pub use time::{Duration, Instant};
