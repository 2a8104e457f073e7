//! The static site: a catalogue of pages over a tar, and the HTTP/1.1 server over it.
//!
//! [`Site::open`] checks a tar, the embedded one or a ramdisk's, and indexes it; [`Server`] answers for it as a
//! [`netstack::Service`]. Bodies are never copied: they are slices of the tar, which is there for good.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod catalogue;
mod connection;
mod counters;
mod error_page;
pub mod http;
mod media_type;
mod page;
mod pax;
mod server;
mod tar;
mod wall_clock;

pub use catalogue::{Site, SiteError};
pub use counters::Counters;
pub use server::{Config, Connection, Server};
pub use tar::{TarError, TarFault};
pub use wall_clock::WallClock;
