//! The embedded site: a tar in a section of its own, whose pages hold nothing else, since they are granted to the
//! backend.

use crate::pv::layout;
use core::arch::global_asm;

global_asm!(
    ".pushsection .site, \"a\", @progbits",
    ".p2align 12",
    concat!(".incbin \"", env!("HALFPAGE_SITE_TAR"), "\""),
    ".popsection",
);

/// The tar, as site/build.rs packed it. It begins a page.
pub fn embedded() -> &'static [u8] {
    let bytes = layout::site();
    // SAFETY: the linker's section of read-only, initialized bytes, mapped for ever, which nothing writes.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(bytes.start), bytes.len()) }
}
