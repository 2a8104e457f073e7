//! The same server on a Linux tap.

fn main() {}
