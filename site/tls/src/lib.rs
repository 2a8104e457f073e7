//! TLS for the server: a provider for [rustls] over crates that need no operating system, and what a server's
//! configuration is made of. Nothing cryptographic is written here; these are adapters.
//!
//! ```
//! use std::sync::Arc;
//! use tls::{Clock, Random, Resolver, Tickets};
//!
//! let random = Random::leak();
//! random.seed(&[7; 32])?; // From a source that nobody can guess.
//! let clock = Arc::new(Clock::new());
//! clock.set(1_700_000_000);
//! let provider = tls::provider(random);
//! let tickets = Arc::new(Tickets::new(random, clock.clone()));
//! let config = tls::config(&provider, Resolver::new(Vec::new()), tickets, clock)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`provider`](provider()): ciphers ([`aead`]), [`hash`]es, [`hmac`], groups ([`key_exchange`]).
//! - [`identity`]: a chain of [`certificate`]s with its key ([`signing`]), out of PEM; [`resolver`]: which of them a client gets.
//! - [`tickets`]: resumption without memory, under keys that rotate.
//! - [`random`], [`clock`]: what the caller has to bring.
//! - [`config`](config()): all of it, as rustls wants it.
//!
//! What this is not: a client. It verifies no certificate and no signature.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod aead;
pub mod certificate;
pub mod clock;
mod config;
pub mod hash;
pub mod hmac;
pub mod identity;
pub mod key_exchange;
mod provider;
pub mod random;
pub mod resolver;
pub mod signing;
pub mod tickets;

pub use clock::Clock;
pub use config::config;
pub use identity::Identity;
pub use provider::provider;
pub use random::Random;
pub use resolver::Resolver;
pub use rustls;
pub use tickets::Tickets;
