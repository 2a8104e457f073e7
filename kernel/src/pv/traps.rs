//! Exceptions: each is the end of the domain, with a report.
//!
//! Xen calls a handler on the current stack, with rcx and r11 on top of the processor's own frame. There is no other
//! stack: one that overflows ends the domain without a report, and Xen says so itself.

use super::error::Errno;
use super::hypercall::{self, TrapInfo};
use crate::panic;
use crate::registers::{General, Registers};
use core::arch::{asm, global_asm};
use core::fmt;

// A stub for each vector brings the frame to the same form: the vector on top of an error code, real or 0.
global_asm!(
    ".macro trap vector, pushes_error",
    "trap_\\vector:",
    "    pop rcx",
    "    pop r11",
    "    .if \\pushes_error == 0",
    "    push 0",
    "    .endif",
    "    push \\vector",
    "    jmp trap_common",
    ".pushsection .rodata.trap_stubs, \"a\", @progbits",
    "    .quad \\vector, trap_\\vector",
    ".popsection",
    ".endm",
    ".pushsection .rodata.trap_stubs, \"a\", @progbits",
    ".p2align 3",
    "trap_stubs:",
    ".popsection",
    ".pushsection .text.traps, \"ax\", @progbits",
    ".irp vector, 0, 1, 3, 4, 5, 6, 7, 9, 16, 18, 19",
    "    trap \\vector, 0",
    ".endr",
    ".irp vector, 8, 10, 11, 12, 13, 14, 17, 21",
    "    trap \\vector, 1",
    ".endr",
    "trap_common:",
    "    push rax",
    "    push rcx",
    "    push rdx",
    "    push rbx",
    "    push rbp",
    "    push rsi",
    "    push rdi",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    cld",
    "    mov rdi, rsp",
    "    and rsp, -16",
    "    call {handler}",
    "    ud2",
    ".popsection",
    handler = sym handler,
);

/// Vectors that have a stub.
const VECTORS: usize = 19;

unsafe extern "C" {
    /// A vector and its stub's address, for each.
    static trap_stubs: [[u64; 2]; VECTORS];
}

/// The stack at an exception, as the stubs leave it.
#[repr(C)]
struct Frame {
    general: General,
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// The vector of a page fault.
const PAGE_FAULT: u64 = 14;

/// What a vector means.
const fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection fault",
        PAGE_FAULT => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point error",
        21 => "control protection fault",
        _ => "exception",
    }
}

/// What a page fault was about, from the error code that the processor pushed.
struct PageFault {
    address: u64,
    error: u64,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.error & 1 << 4 != 0, self.error & 1 << 1 != 0) {
            (true, _) => "execution",
            (false, true) => "write",
            (false, false) => "read",
        };
        let state = if self.error & 1 == 0 { "not mapped" } else { "protected" };
        let place = usize::try_from(self.address).map_or("", super::layout::name);
        write!(f, "{what} at fault address {:#018x} ({place}), {state}", self.address)
    }
}

/// Where every stub ends up.
extern "C" fn handler(frame: &Frame) -> ! {
    let Frame { general, vector, error, rip, rflags, rsp, .. } = *frame;
    let registers = Registers { general, rip, rsp, rflags };
    let name = name(vector);
    if vector == PAGE_FAULT {
        let fault = PageFault { address: fault_address(), error };
        panic::crash(format_args!("{name}: {fault}"), &registers)
    } else {
        panic::crash(format_args!("{name}: vector {vector}, error code {error:#x}"), &registers)
    }
}

/// CR2, which Xen gives a guest that reads it.
fn fault_address() -> u64 {
    let address: u64;
    // SAFETY: reads a register; Xen's emulation of it changes nothing.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

/// Sets the handlers.
pub fn install() -> Result<(), Errno> {
    /// `FLAT_KERNEL_CS` (arch-x86/xen-x86_64.h).
    const KERNEL_CODE: u16 = 0xe033;
    /// `TI_SET_IF`: event upcalls stay masked while the handler runs.
    const MASK_EVENTS: u8 = 4;
    const END: TrapInfo = TrapInfo { vector: 0, flags: 0, cs: 0, address: 0 };
    let mut table = [END; VECTORS + 1];
    // SAFETY: the stubs' macro put `VECTORS` pairs there, aligned, in rodata.
    let stubs = unsafe { &trap_stubs };
    for (row, [vector, address]) in table.iter_mut().zip(stubs) {
        let vector = u8::try_from(*vector).map_err(|_| Errno::INVALID)?;
        *row = TrapInfo { vector, flags: MASK_EVENTS, cs: KERNEL_CODE, address: *address };
    }
    // SAFETY: the last row is of zeros, and each address is a stub that takes Xen's frame for its vector.
    unsafe { hypercall::set_trap_table(&table) }
}
