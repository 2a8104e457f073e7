//! A Linux tap as a device: what the server on the tap shares with the programs it is measured against.

mod ioctl;
pub mod signals;
mod tap;

pub use tap::{Buffer, Tap};
