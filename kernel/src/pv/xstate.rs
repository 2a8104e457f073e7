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
    const AVX: Self = Self(0b111);
    const AVX_512: Self = Self(0b1110_0111);

    /// The widest set of which all may be used.
    fn widest(supported: u32) -> Self {
        [Self::AVX_512, Self::AVX].into_iter().find(|set| set.0 & !supported == 0).unwrap_or(Self::SSE)
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::AVX_512 => "AVX-512",
            Self::AVX => "AVX",
            _ => "SSE",
        })
    }
}

/// Turns on what the domain is allowed to use, and tells what that is.
pub fn enable() -> Registers {
    if cpuid(1, 0).ecx & XSAVE == 0 {
        return Registers::SSE;
    }
    let registers = Registers::widest(cpuid(0xd, 0).eax);
    if registers != Registers::SSE {
        // SAFETY: Xen says that the domain has XSAVE, and in leaf 0xD that it may use these registers. The guest itself
        // holds nothing in them that has to last, and Xen saves them when it runs another domain.
        unsafe { set(registers) };
    }
    registers
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
