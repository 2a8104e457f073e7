//! What `xen-sys` lacks of Xen's guest ABI, as typed and host-tested Rust.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
