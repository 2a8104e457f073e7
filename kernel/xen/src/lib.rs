//! What `xen-sys` lacks of Xen's guest ABI, as typed and host-tested Rust.
//!
//! Memory shared with Xen, with a backend or with the store is only ever seen as atomics here: no reference to plain
//! bytes of it exists, so the whole crate is safe code, and each `Ordering` has its sentence. What maps that memory and
//! makes the hypercalls is the kernel.
//!
//! - [`ids`]: domains, ports, grant references, frames.
//! - [`grant`]: the version 1 grant table and its references; [`Quarantine`](grant::Quarantine) for what will not end.
//! - [`ring`], [`console`]: byte rings with indices that wrap at 2^32.
//! - [`netif`]: the slots of the network rings.
//! - [`shared_info`]: the page shared with the hypervisor; [`evtchn`]: its event bits; [`pvclock`]: its clocks.
//! - [`xenstore`]: the message format and the client of the store.
//! - [`cmdline`]: the words of the command line; [`control`]: what the toolstack asks of a running domain.
//! - [`memory`], [`balloon`]: memory that goes back to Xen and comes again.
//! - [`ramdisk`]: where the domain's ramdisk lies.
//! - [`recorder`]: the last frames, for a look at them afterwards.
//! - [`renewal`]: a certificate and its key that come through the store; [`secret`]: bytes that are wiped.
//! - [`entropy`]: words from a hardware generator that may be dry or broken.
//! - [`counters!`]: named counters that can be listed; [`shown`]: which of them the store has yet to be told.
//! - [`quota`], [`sleep`]: how often the same is said, and how often a sleep may fail.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod balloon;
pub mod cmdline;
pub mod console;
pub mod control;
pub mod counters;
pub mod entropy;
pub mod evtchn;
pub mod grant;
pub mod ids;
pub mod memory;
pub mod netif;
pub mod pvclock;
pub mod quota;
pub mod ramdisk;
pub mod recorder;
pub mod renewal;
pub mod ring;
pub mod secret;
pub mod shared_info;
pub mod shown;
pub mod sleep;
pub mod xenstore;

pub use counters::Counter;
pub use ids::{DomId, GrantRef, Mfn, Pfn, Port};
