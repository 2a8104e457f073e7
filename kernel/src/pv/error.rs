//! What a hypercall answers when it refuses.

use core::fmt;

/// An error number of Xen's own list (`XEN_EPERM` and so on, xen/errno.h), positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i64);

impl Errno {
    /// Out of memory, here also: the guest's own bounded table is full (`XEN_ENOMEM`).
    pub const NO_MEMORY: Self = Self(12);
    /// Bad argument (`XEN_EINVAL`).
    pub const INVALID: Self = Self(22);

    /// Splits a hypercall's return value: negative is an error, anything else the answer.
    pub fn check(returned: i64) -> Result<u64, Self> {
        u64::try_from(returned).map_err(|_| Self(returned.saturating_neg()))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "EPERM",
            3 => "ESRCH",
            11 => "EAGAIN",
            12 => "ENOMEM",
            14 => "EFAULT",
            16 => "EBUSY",
            22 => "EINVAL",
            28 => "ENOSPC",
            38 => "ENOSYS",
            number => return write!(f, "Xen error {number}"),
        };
        f.write_str(name)
    }
}
