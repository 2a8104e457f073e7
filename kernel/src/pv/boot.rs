//! From the first instruction to Rust: the ELF notes that Xen's domain builder reads, and the entry.
//!
//! Xen starts the domain's only vCPU at `_start` (xen.h, "Start-of-day memory layout") with rsi = the address of
//! start_info, in ring 3 with 64-bit flat segments, event upcalls masked, and everything mapped writable.

use super::start_info::{self, RawStartInfo};
use core::arch::global_asm;

// The notes are those of xen/elfnote.h. VIRT_BASE maps frame 0; the ELF's physical addresses equal its virtual ones, so
// PADDR_OFFSET is the same. Page tables are written through hypercalls alone.
global_asm!(
    ".macro note type, desc:vararg",
    "    .p2align 2",
    "    .long 2f - 1f",
    "    .long 4f - 3f",
    "    .long \\type",
    "1:  .asciz \"Xen\"",
    "2:  .p2align 2",
    "3:  \\desc",
    "4:  .p2align 2",
    ".endm",
    ".pushsection .note.Xen, \"a\", @note",
    "note 6, .asciz \"halfpage\"",
    concat!("note 7, .asciz \"", env!("CARGO_PKG_VERSION"), "\""),
    "note 8, .asciz \"generic\"",
    "note 5, .asciz \"xen-3.0\"",
    "note 3, .quad VIRT_BASE",
    "note 4, .quad VIRT_BASE",
    "note 1, .quad _start",
    "note 2, .quad HYPERCALL_PAGE",
    "note 9, .asciz \"yes\"",
    "note 10, .asciz \"!writable_page_tables|pae_pgdir_above_4gb\"",
    // SUSPEND_CANCEL: a suspend that returns 1 was cancelled (suspend.rs).
    "note 14, .long 1",
    ".popsection",
    ".pushsection .text.hypercall_page, \"ax\", @progbits",
    ".p2align 12",
    ".globl HYPERCALL_PAGE",
    "HYPERCALL_PAGE:",
    ".skip 4096, 0xcc",
    ".popsection",
    ".pushsection .text.start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    "    lea rsp, [rip + _stack_top]",
    "    xor ebp, ebp",
    "    cld",
    "    rdtsc",
    "    shl rdx, 32",
    "    or rax, rdx",
    "    mov rdi, rsi",
    "    mov rsi, rax",
    "    call {start}",
    "    ud2",
    ".popsection",
    start = sym start,
);

/// What the entry found. There is one, so what takes it happens once.
#[derive(Debug)]
pub struct Entry {
    tsc: u64,
}

impl Entry {
    /// The time stamp counter at the first instruction.
    pub const fn tsc(&self) -> u64 {
        self.tsc
    }
}

unsafe extern "Rust" {
    /// The image's own boot sequence, named by [`entry!`](crate::entry).
    safe fn halfpage_main(entry: Entry) -> !;
}

/// The first Rust code, on the guest's own stack.
extern "C" fn start(raw: *const RawStartInfo, tsc: u64) -> ! {
    // SAFETY: `raw` is what Xen left in rsi at entry: a page of its own with a whole start_info, mapped, which nothing
    // writes before the domain suspends.
    start_info::keep(unsafe { &*raw });
    halfpage_main(Entry { tsc })
}

/// Names the function, `fn(Entry) -> !`, that an image boots into.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        // SAFETY: the one definition of this symbol in the image, with the signature that pv/boot.rs declares.
        #[unsafe(no_mangle)]
        fn halfpage_main(entry: $crate::pv::boot::Entry) -> ! {
            let main: fn($crate::pv::boot::Entry) -> ! = $main;
            main(entry)
        }
    };
}
