//! What the processor has, as Xen shows it to the domain.

use core::arch::asm;
use core::arch::x86_64::CpuidResult;

/// CPUID as Xen shows it: the instruction itself may show what the processor has, and not what the domain's configuration
/// (`cpuid=`) or Xen took from it (`XEN_CPUID` in arch-x86/xen.h).
pub fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    let (eax, ebx, ecx, edx): (u32, u64, u32, u32);
    // SAFETY: Xen takes the invalid instruction with its name behind it as a prefix, and emulates the CPUID that
    // follows. rbx, which the compiler keeps for itself, is as before in the end.
    unsafe {
        asm!(
            "mov {rbx}, rbx",
            ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e",
            "cpuid",
            "xchg {rbx}, rbx",
            rbx = out(reg) ebx,
            inout("eax") leaf => eax,
            inout("ecx") subleaf => ecx,
            out("edx") edx,
            options(nostack, preserves_flags),
        );
    }
    // CPUID clears the upper half.
    CpuidResult { eax, ebx: ebx as u32, ecx, edx }
}
