//! The signals that a program heeds.

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level::pipe};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stream that can be read once SIGINT or SIGTERM has come.
pub fn end() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    pipe::register(SIGINT, write.try_clone()?)?;
    pipe::register(SIGTERM, write)?;
    Ok(read)
}

/// Which signals have come.
pub struct Signals {
    ended: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

impl Signals {
    /// Heeds SIGINT, SIGTERM and SIGUSR1. The stream can be read once one of them has come.
    pub fn heed() -> io::Result<(Self, UnixStream)> {
        let this = Self { ended: Arc::default(), asked: Arc::default() };
        let (read, write) = UnixStream::pair()?;
        for (signal, which) in [(SIGINT, &this.ended), (SIGTERM, &this.ended), (SIGUSR1, &this.asked)] {
            // In this order: who reads the stream finds the flag set.
            flag::register(signal, Arc::clone(which))?;
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok((this, read))
    }

    /// The program is to end. Once for each time that it was told.
    pub fn ended(&self) -> bool {
        self.ended.swap(false, Ordering::Relaxed)
    }

    /// Somebody asks how things stand. Once for each time.
    pub fn asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}
