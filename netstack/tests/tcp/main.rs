//! TCP in conversation: with scripted segments, and with an honest client over bad links, in virtual time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod budgets;
mod client;
mod closing;
mod floods;
mod greed;
mod handshake;
mod hostile;
mod network;
mod nic;
mod recovery;
mod rig;
mod segments;
mod server;
mod simulation;
mod window;
