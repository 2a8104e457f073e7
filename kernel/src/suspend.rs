//! Being saved: what the toolstack needs of a domain for that, and the moment itself.

use crate::grants::Grants;
use crate::panic;
use crate::pv::frame_lists::FrameLists;
use crate::pv::suspend::{self, Woken};
use crate::registers::Registers;

/// What makes the domain fit to be saved.
pub struct Suspend {
    lists: FrameLists,
}

impl Suspend {
    /// Makes the lists that a save reads; `None` when memory is out, and then there is no save.
    pub fn open() -> Option<Self> {
        FrameLists::open().map(|lists| Self { lists })
    }

    /// Stops the domain, and returns once it goes on. The grant table is mapped again, be it the old one or a new one.
    /// A domain that cannot be put together again crashes.
    pub fn sleep(&mut self, grants: &mut Grants) -> Woken {
        // SAFETY: the window shows shared_info, which `suspend` sees to, and the grant table, which is looked at through
        // `grants` alone: borrowed here, it is not used before it has mapped its table again.
        let woken = unsafe { suspend::suspend() }
            .unwrap_or_else(|error| panic::crash(format_args!("suspend: {error}"), &Registers::here()));
        if let Err(error) = grants.remap() {
            panic::crash(format_args!("suspend: the grant table: {error}"), &Registers::here());
        }
        if woken == Woken::Restored {
            self.lists.fill();
        }
        woken
    }
}
