//! Numbers that Xen hands out, each as a type of its own.

use core::fmt;

/// A domain (`domid_t`, xen.h).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct DomId(pub u16);

impl DomId {
    /// The calling domain itself (`DOMID_SELF`).
    pub const SELF: Self = Self(0x7FF0);
}

/// An event channel of this domain (`evtchn_port_t`, event_channel.h). Port 0 is never a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct Port(pub u32);

/// An index into the domain's grant table (`grant_ref_t`, grant_table.h).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct GrantRef(pub u32);

/// A machine frame: the number of a page of the host's memory (`xen_pfn_t` where xen.h says "mfn").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct Mfn(pub u64);

/// A pseudo-physical frame: the number of a page in the domain's own count, from 0 (`xen_pfn_t` where xen.h says "pfn").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct Pfn(pub u64);

/// Shows the plain number, as xenstore keys carry it.
macro_rules! shown_as_number {
    ($($id:ident)*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

shown_as_number!(DomId Port GrantRef Mfn Pfn);
