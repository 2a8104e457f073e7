//! One line on its way into the history.

use super::history::History;
use core::fmt::{self, Write};

/// Passes on what any terminal can show: everything but printable ASCII, which a peer may have sent us, becomes question
/// marks.
#[derive(Debug)]
pub struct Line<'h> {
    history: &'h History,
    room: usize,
}

impl<'h> Line<'h> {
    /// An empty line of at most `room` bytes; what is longer is cut.
    pub const fn new(history: &'h History, room: usize) -> Self {
        Self { history, room }
    }

    /// Ends it. The console is raw: a new line also has to go back to its start.
    pub fn end(self) {
        self.history.push(b'\r');
        self.history.push(b'\n');
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let Some(room) = self.room.checked_sub(1) else { break };
            self.room = room;
            match byte {
                b'\n' => {
                    self.history.push(b'\r');
                    self.history.push(b'\n');
                }
                0..b' ' | 0x7f.. => self.history.push(b'?'),
                _ => self.history.push(byte),
            }
        }
        Ok(())
    }
}
