//! The ioctls of a tap (linux/if_tun.h). With `ring` and `heap`, the only unsafe code here.

use rustix::fd::AsFd;
use rustix::io::Result;
use rustix::ioctl::{IntegerSetter, Setter, ioctl, opcode};
use std::ffi::c_int;

const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<c_int>(b'T', 202);
const TUNSETOFFLOAD: rustix::ioctl::Opcode = opcode::write::<c_int>(b'T', 208);
const TUNSETVNETHDRSZ: rustix::ioctl::Opcode = opcode::write::<c_int>(b'T', 216);

const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;

const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;

/// The longest name of an interface, without the zero behind it.
pub const NAME: usize = 15;

/// `struct ifreq` as TUNSETIFF reads it: a name and flags, in 40 bytes.
#[repr(C)]
struct Request {
    name: [u8; NAME + 1],
    flags: u16,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<Request>() == 40);

/// Makes an open /dev/net/tun the tap of this name, frames with a `virtio_net_hdr` of `header` bytes before them.
pub fn attach(tun: impl AsFd, name: [u8; NAME + 1], header: c_int) -> Result<()> {
    let request = Request { name, flags: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, rest: [0; 22] };
    // SAFETY: TUNSETIFF reads a `struct ifreq` of 40 bytes, which `Request` is (checked above), and writes only to its
    // own copy's name; the driver keeps no pointer to it.
    unsafe { ioctl(&tun, Setter::<TUNSETIFF, Request>::new(request)) }?;
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    unsafe { ioctl(&tun, Setter::<TUNSETVNETHDRSZ, c_int>::new(header)) }
}

/// Says whether frames may come to us with a blank checksum, and as large TCP packets.
pub fn set_offload(tun: impl AsFd, on: bool) -> Result<()> {
    let flags = if on { TUN_F_CSUM | TUN_F_TSO4 } else { 0 };
    // SAFETY: TUNSETOFFLOAD takes its argument by value and touches no memory of ours.
    unsafe { ioctl(&tun, IntegerSetter::<TUNSETOFFLOAD>::new_usize(flags)) }
}
