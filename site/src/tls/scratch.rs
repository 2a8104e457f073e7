//! Memory that every session uses and none keeps: for the time of one call.

use super::records;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use netstack::record::RUN;
use rustls::unbuffered::{EncodeError, EncodeTlsData, InsufficientSizeError};

/// The room of the sessions' calls.
pub(super) struct Scratch {
    /// Records that have come, for rustls to decrypt where they lie.
    pub(super) input: Box<[u8]>,
    /// The handshake's messages, on their way out.
    pub(super) flight: Vec<u8>,
    /// The pieces of a record's plaintext, joined.
    pub(super) plaintext: Box<[u8]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            input: vec![0; records::LONGEST].into_boxed_slice(),
            flight: Vec::new(),
            plaintext: vec![0; RUN].into_boxed_slice(),
        }
    }

    /// Adds a message to the flight.
    pub(super) fn encode<Data>(&mut self, message: &mut EncodeTlsData<'_, Data>) {
        let start = self.flight.len();
        let mut room = 0;
        loop {
            self.flight.resize(start.saturating_add(room), 0);
            match message.encode(self.flight.get_mut(start..).unwrap_or_default()) {
                Ok(length) => return self.flight.truncate(start.saturating_add(length)),
                Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                    if required_size > room =>
                {
                    room = required_size;
                }
                Err(_) => return self.flight.truncate(start),
            }
        }
    }
}
