//! A Linux tap as a device: what the server on the tap shares with the programs it is measured against.

mod ioctl;
mod port;
mod ring;
pub mod signals;
mod tap;

pub use port::{Port, Received};
pub use tap::{Buffer, Tap};
