//! The static site: a catalogue of pages over a tar, and the HTTP/1.1 server over it.
//!
//! [`Site::open`] checks a tar, the embedded one or a ramdisk's, and indexes it; [`Server`] answers for it as a
//! [`netstack::Service`].
//!
//! ```
//! use netstack::Instant;
//! use site::{Config, Server, Site, WallClock};
//!
//! # let mut archive = site_pack::Archive::new(site_pack::Stamp::Epoch(0));
//! # archive.add("index.html", b"<p>home", std::time::UNIX_EPOCH)?;
//! # let tar = archive.finish("site".as_ref())?.leak();
//! let site = Site::open(tar).map_err(|error| error.to_string())?;
//! let clock = WallClock { unix_micros: 784_111_777_000_000, at: Instant::ZERO };
//! let server = Server::new(site, Config::default(), clock);
//! # assert_eq!(server.site().pages(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it promises:
//! - A body is never copied: it is a slice of the tar, which is there for good. Nor is anything allocated for a request,
//!   once its page has been asked for; a page then costs a few hundred bytes, and there are as many as files.
//! - Any bytes may come, in any pieces: the answer is the same, no byte of a head is searched twice for its end, and a
//!   connection costs at most 64 bytes here and [`http::head::LIMIT`] in TCP's buffer.
//! - A path reaches a file of the tar whose name it is, byte for byte once decoded, or nothing.
//! - A rule of the site's `_redirects` or `_headers` costs a page that has a file nothing; a path without one is held
//!   against at most [`rules::PATTERN_LIMIT`] patterns, each in one pass.
//! - Every refusal and every time-out has a counter: [`Counters`].
//!
//! The crate holds no site: its build script packs one, and the kernel embeds it (see `build.rs`).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod access_log;
mod cache_control;
mod catalogue;
#[cfg(feature = "tls")]
mod challenges;
mod connection;
mod counters;
mod error_page;
mod etag;
mod fields;
pub mod http;
mod media_type;
mod page;
mod pax;
mod representation;
mod resolve;
pub mod rules;
mod secrets;
#[cfg(feature = "tls")]
mod secure;
mod server;
mod tar;
#[cfg(feature = "tls")]
pub mod tls;
mod wall_clock;

pub use access_log::{AccessLog, Entry, LONGEST as LONGEST_ACCESS_LINE};
pub use catalogue::{Found, Site, SiteError};
#[cfg(feature = "tls")]
pub use challenges::Challenges;
pub use counters::Counters;
pub use secrets::{SECRETS, SecretFile, secrets};
#[cfg(feature = "tls")]
pub use secure::Plain;
pub use server::{Config, Connection, Server};
pub use tar::{TarError, TarFault};
pub use wall_clock::WallClock;
