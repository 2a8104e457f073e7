//! The processor's wide registers. Xen lets a domain use those of x87 and SSE until it asks for more, as Intel's and
//! AMD's manuals say: XSAVE turned on in CR4, and the registers named in XCR0. Xen emulates both.
//!
//! The ciphers look there for what they may use. Without AVX they are several times slower.

use super::cpuid::cpuid;
use core::arch::asm;
use core::fmt;

/// CPUID leaf 1, ECX: there is XSAVE.
const XSAVE: u32 = 1 << 26;
/// CR4: XSAVE is on.
const OSXSAVE: u64 = 1 << 18;

/// Registers by their bits in XCR0: Intel SDM, volume 1, section 13.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registers(u32);

impl Registers {
    const SSE: Self = Self(0b11);
    /// The widest that the ciphers use. No more is turned on than that: a domain that has turned something on is restored
    /// only where there is the like.
    const AVX: Self = Self(0b111);
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::AVX { "AVX" } else { "SSE" })
    }
}

/// Turns on what the domain is allowed to use, and tells what that is.
pub fn enable() -> Registers {
    if cpuid(1, 0).ecx & XSAVE == 0 || Registers::AVX.0 & !cpuid(0xd, 0).eax != 0 {
        return Registers::SSE;
    }
    // SAFETY: Xen says that the domain has XSAVE, and in leaf 0xD that it may use these registers. The guest itself holds
    // nothing in them that has to last, and Xen saves them when it runs another domain.
    unsafe { set(Registers::AVX) };
    Registers::AVX
}

/// # Safety
/// The domain has XSAVE and may use these registers; another set is a protection fault.
unsafe fn set(registers: Registers) {
    // SAFETY: as the caller promises. CR4 is read and written by Xen's emulation, which takes this bit.
    unsafe {
        asm!(
            "mov {cr4}, cr4",
            "or {cr4}, {osxsave}",
            "mov cr4, {cr4}",
            "xor ecx, ecx",
            "xor edx, edx",
            "xsetbv",
            cr4 = out(reg) _,
            osxsave = in(reg) OSXSAVE,
            in("eax") registers.0,
            out("ecx") _,
            out("edx") _,
            options(nostack),
        );
    }
}
