//! The signals that a program heeds.

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::io;
use std::os::unix::net::UnixStream;

/// A stream that can be read once SIGINT or SIGTERM has come.
pub fn end() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGINT, write.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGTERM, write)?;
    Ok(read)
}

/// A stream that can be read, without waiting, once SIGUSR1 has come: somebody asks how things stand.
pub fn ask() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGUSR1, write)?;
    Ok(read)
}
