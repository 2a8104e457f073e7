//! Everything that is so only because the guest is paravirtualized: entry and ELF notes, hypercalls, machine frames,
//! page tables that Xen checks, and the trap table. The rest of the kernel asks this module for a machine frame, a
//! mapping or a hypercall, and knows no more.

pub mod audit;
pub mod boot;
pub mod calls;
pub mod cpuid;
pub mod direct_map;
pub mod error;
pub mod frame_lists;
pub mod hypercall;
pub mod layout;
pub mod module;
pub mod p2m;
pub mod page_ranges;
pub mod page_table;
pub mod reservation;
pub mod shared_info;
pub mod start_info;
pub mod suspend;
pub mod traps;
pub mod window;
#[cfg(feature = "tls")]
pub mod xstate;

pub use direct_map::VIRT_BASE;
pub use error::Errno;
pub use p2m::machine_frame;
pub use shared_info::{SharedInfo, shared_info};
pub use start_info::{StartInfo, start_info};
pub use window::{map_machine_frames, remap_machine_frames};

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;
