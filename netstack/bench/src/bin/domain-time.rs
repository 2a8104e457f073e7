//! Says, in a Xen dom0, how long the first vCPU of each named domain has run: nanoseconds of RUNSTATE_running, hypercalls
//! made for it included, one number a line. `xl list` rounds to tenths of a second. And it marks the moment for the
//! plugin of the emulator that counts (scripts/benches/strings.c).

use std::ffi::{c_int, c_ulong};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::{env, io};

/// `__HYPERVISOR_domctl` (xen.h).
const DOMCTL: u64 = 36;
/// `XEN_DOMCTL_getvcpuinfo` (domctl.h).
const GETVCPUINFO: u32 = 14;
/// `XEN_DOMCTL_INTERFACE_VERSION` of Xen 4.17, and of its neighbours, for which this operation has the same form.
const INTERFACES: [u32; 6] = [0x15, 0x13, 0x14, 0x16, 0x17, 0x18];
/// `IOCTL_PRIVCMD_HYPERCALL`: `_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))`.
const PRIVCMD_HYPERCALL: c_ulong = (48 << 16) | ((b'P' as c_ulong) << 8);

/// `struct privcmd_hypercall`.
#[repr(C)]
struct Hypercall {
    op: u64,
    arg: [u64; 5],
}

/// `struct xen_domctl` around a `struct xen_domctl_getvcpuinfo`, the union's whole length.
#[repr(C, align(256))]
struct Domctl {
    cmd: u32,
    interface_version: u32,
    domain: u16,
    pad: [u16; 3],
    vcpu: u32,
    online: u8,
    blocked: u8,
    running: u8,
    cpu_time: u64,
    cpu: u32,
    rest: [u8; 100],
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Hypercall>() == 48);
    assert!(offset_of!(Domctl, vcpu) == 16 && offset_of!(Domctl, cpu_time) == 24);
};

unsafe extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

/// A no-op that the plugin knows by its displacement.
fn mark() {
    // SAFETY: a NOP with an operand (0F 1F /0) reads and writes nothing.
    unsafe {
        std::arch::asm!(
            ".byte 0x0f, 0x1f, 0x84, 0, 0x68, 0x70, 0x67, 0x21",
            options(nomem, nostack, preserves_flags)
        )
    };
}

fn main() -> ExitCode {
    mark();
    for domain in env::args().skip(1) {
        let ran = match domain.parse() {
            Ok(domain) => ran(domain),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "no number of a domain")),
        };
        match ran {
            Ok(nanoseconds) => println!("{nanoseconds}"),
            Err(error) => {
                eprintln!("domain-time: {domain}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Nanoseconds that a domain's vCPU 0 has run.
fn ran(domain: u16) -> io::Result<u64> {
    let privcmd = File::open("/dev/xen/privcmd")?;
    let mut refused = io::Error::from_raw_os_error(0);
    for interface_version in INTERFACES {
        // Written here, so the page is there when Xen, which takes no page fault, reads it.
        let mut domctl = Box::new(Domctl {
            cmd: GETVCPUINFO,
            interface_version,
            domain,
            pad: [0; 3],
            vcpu: 0,
            online: 0,
            blocked: 0,
            running: 0,
            cpu_time: 0,
            cpu: 0,
            rest: [0; 100],
        });
        let address = std::ptr::from_mut(&mut *domctl).expose_provenance() as u64;
        let call = Hypercall { op: DOMCTL, arg: [address, 0, 0, 0, 0] };
        // SAFETY: the driver reads one privcmd_hypercall. Xen reads and writes one xen_domctl, which `domctl` is; it
        // lives until after the call and is read through its box afterwards.
        let status = unsafe { ioctl(privcmd.as_raw_fd(), PRIVCMD_HYPERCALL, &raw const call) };
        if status == 0 {
            return Ok(domctl.cpu_time);
        }
        refused = io::Error::last_os_error();
    }
    Err(refused)
}
