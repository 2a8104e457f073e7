//! The processor's registers, and the calls that a stack tells of, for a report.

use crate::pv::layout;
use core::arch::asm;
use core::fmt;

/// The general registers but rsp, as the handlers of exceptions push them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct General {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rcx: u64,
    rax: u64,
}

/// All that a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// The general registers but rsp.
    pub general: General,
    /// The instruction.
    pub rip: u64,
    /// The stack.
    pub rsp: u64,
    /// The flags.
    pub rflags: u64,
}

impl Registers {
    /// Those of whoever calls this.
    #[inline(always)]
    pub fn here() -> Self {
        let mut general = General::default();
        let (rip, rsp, rflags): (u64, u64, u64);
        // SAFETY: stores fifteen registers, 8 bytes each, into `general`, which is as large and laid out in this order;
        // pops what it pushed, and the red zone is off.
        unsafe {
            asm!(
                "mov [{to}], r15",
                "mov [{to} + 8], r14",
                "mov [{to} + 16], r13",
                "mov [{to} + 24], r12",
                "mov [{to} + 32], r11",
                "mov [{to} + 40], r10",
                "mov [{to} + 48], r9",
                "mov [{to} + 56], r8",
                "mov [{to} + 64], rdi",
                "mov [{to} + 72], rsi",
                "mov [{to} + 80], rbp",
                "mov [{to} + 88], rbx",
                "mov [{to} + 96], rdx",
                "mov [{to} + 104], rcx",
                "mov [{to} + 112], rax",
                "pushfq",
                "pop {rflags}",
                "lea {rip}, [rip]",
                "mov {rsp}, rsp",
                to = in(reg) &raw mut general,
                rip = out(reg) rip,
                rsp = out(reg) rsp,
                rflags = out(reg) rflags,
            );
        }
        Self { general, rip, rsp, rflags }
    }

    /// The calls on the stack.
    pub const fn calls(&self) -> Calls {
        Calls { rsp: self.rsp }
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let General { r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax } =
            self.general;
        writeln!(f, "  rip {:#018x}  rsp {:#018x}  rflags {:#010x}", self.rip, self.rsp, self.rflags)?;
        writeln!(f, "  rax {rax:#018x}  rbx {rbx:#018x}  rcx {rcx:#018x}")?;
        writeln!(f, "  rdx {rdx:#018x}  rsi {rsi:#018x}  rdi {rdi:#018x}")?;
        writeln!(f, "  rbp {rbp:#018x}  r8  {r8:#018x}  r9  {r9:#018x}")?;
        writeln!(f, "  r10 {r10:#018x}  r11 {r11:#018x}  r12 {r12:#018x}")?;
        write!(f, "  r13 {r13:#018x}  r14 {r14:#018x}  r15 {r15:#018x}")
    }
}

/// Return addresses on the stack, innermost first: what looks like one, since no frame pointers are kept.
pub struct Calls {
    rsp: u64,
}

impl Calls {
    /// At most this many are shown.
    const MOST: usize = 16;
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = layout::stack();
        let start = usize::try_from(self.rsp).unwrap_or(0).next_multiple_of(8).max(stack.start);
        f.write_str("  calls")?;
        let words = (start..stack.end).step_by(8).map(|address| {
            let word: *const u64 = core::ptr::with_exposed_provenance(address);
            // SAFETY: an aligned word of the stack, which is mapped as a whole. Volatile, since it belongs to whichever
            // frame left it there.
            usize::try_from(unsafe { word.read_volatile() }).unwrap_or(0)
        });
        for address in words.filter(|address| follows_call(*address)).take(Self::MOST) {
            write!(f, " {address:#x}")?;
        }
        Ok(())
    }
}

/// Whether the instruction before an address may be a call: `e8` with 4 bytes behind it, or `ff` with 1, 2 or 5.
fn follows_call(address: usize) -> bool {
    let text = layout::text();
    let Some(offset) = address.checked_sub(text.start).filter(|_| address < text.end) else { return false };
    // SAFETY: the text section, which is mapped to be read, and never written.
    let code: &[u8] =
        unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(text.start), text.len()) };
    let byte = |before: usize| offset.checked_sub(before).and_then(|at| code.get(at)).copied();
    byte(5) == Some(0xe8) || [2, 3, 6].into_iter().any(|before| byte(before) == Some(0xff))
}
