//! The store's client against a store in software, honest and lying.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

mod calls;
mod daemon;
mod lies;
mod renewal;
mod watches;
mod wire;
