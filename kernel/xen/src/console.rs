//! The paravirtual console's page (io/console.h, `xencons_interface`), and what waits for room in it: [`history`] keeps the
//! last bytes, which a [`line`] has made fit for any terminal.

pub mod history;
pub mod line;

use crate::ring::{Consumer, Producer};
use core::sync::atomic::{AtomicU8, AtomicU32};

/// Bytes of input the ring holds.
pub const INPUT_SIZE: usize = 1024;
/// Bytes of output the ring holds.
pub const OUTPUT_SIZE: usize = 2048;

/// `struct xencons_interface`: two rings, of which this domain writes `out` and reads `in`.
#[repr(C)]
#[derive(Debug)]
pub struct ConsoleInterface {
    /// `in`: what is typed.
    pub input: [AtomicU8; INPUT_SIZE],
    /// `out`: what is printed.
    pub output: [AtomicU8; OUTPUT_SIZE],
    /// `in_cons`.
    pub input_consumed: AtomicU32,
    /// `in_prod`.
    pub input_produced: AtomicU32,
    /// `out_cons`.
    pub output_consumed: AtomicU32,
    /// `out_prod`.
    pub output_produced: AtomicU32,
}

impl ConsoleInterface {
    /// Where this domain prints, taken up where its index stands.
    pub fn printer(&self) -> Producer<'_> {
        Producer::attach(&self.output, &self.output_produced, &self.output_consumed)
    }

    /// Where this domain reads what was typed, taken up where its index stands.
    pub fn keyboard(&self) -> Consumer<'_> {
        Consumer::attach(&self.input, &self.input_produced, &self.input_consumed)
    }
}
