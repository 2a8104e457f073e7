//! The TCP/IP and DHCP stack: bytes, a time and random numbers in; bytes, events and a deadline out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod addressing;
mod claim;
pub mod counters;
pub mod device;
mod dhcp;
pub mod egress;
mod interface;
mod neighbours;
mod path_mtu;
pub mod random;
mod rate;
#[cfg(feature = "records")]
pub mod record;
pub mod service;
pub mod siphash;
pub mod stack;
pub mod tcp;
pub mod time;
pub mod wire;

pub use device::Device;
pub use service::{Chunk, Service, Stream};
pub use stack::Stack;
pub use time::{Duration, Instant};
