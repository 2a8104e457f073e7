//! The freestanding Xen PV guest: the only crate with hypercalls.
//!
//! One vCPU, one thread, no interrupts: event upcalls stay masked for good, and exceptions are fatal. So nothing is
//! ever re-entered, and the locks here are never contended; only the report of a crash comes in between, and it takes
//! none.
//!
//! - [`pv`]: what is so only under paravirtualization. The rest asks it for a frame, a mapping, a hypercall.
//! - [`memory`]: pages and the heap.
//! - [`console`]: the log, and the console ring it goes to; [`access_log`]: the requests, there.
//! - [`events`], [`time`], [`watchdog`]: sleep, clocks, and the timer that ends a guest that hangs.
//! - [`grants`]: the grant table, and the machine under the network's driver.
//! - [`suspend`]: being saved, and going on elsewhere.
//! - [`nic`]: the stack's device over that driver; [`recorder`]: the last frames that went through it.
//! - [`xenstore`], [`control`], [`allotment`], [`cmdline`]: what the toolstack says.
//! - [`guest`], [`status`]: the loop, and what it shows of itself.
//! - [`entropy`]: seeds of random numbers.
//! - [`wipe`]: what must not stay in memory.
//! - `https`, with the feature `tls`: certificates, their keys, and random numbers for them.
//! - [`panic`]: the report of a crash, and the end of the domain.
//! - [`service`]: the server above TCP.
//! - [`site`]: the site that is served, the ramdisk's or the embedded one.
#![no_std]

extern crate alloc;

pub mod access_log;
pub mod allotment;
pub mod boot;
pub mod cmdline;
pub mod console;
pub mod control;
pub mod entropy;
pub mod events;
pub mod grants;
pub mod guest;
#[cfg(feature = "tls")]
pub mod https;
mod mem;
pub mod memory;
pub mod nic;
pub mod panic;
pub mod pv;
pub mod recorder;
pub mod registers;
pub mod service;
pub mod site;
pub mod status;
pub mod suspend;
pub mod time;
pub mod uptime;
pub mod watchdog;
pub mod wipe;
pub mod xenstore;
