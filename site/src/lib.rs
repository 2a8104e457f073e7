//! The static site: a catalogue of pages over a tar, and the HTTP/1.1 server over it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
