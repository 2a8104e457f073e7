//! HTTPS, with a client of another make at the other end.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod client;
#[path = "../peer/mod.rs"]
mod peer;

mod ends;
mod handshake;
mod limits;
mod policy;
mod responses;
