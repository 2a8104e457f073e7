//! One line on its way into the history.

use super::history::History;
use core::fmt::{self, Write};

/// Bytes of a log line; a report may be longer.
const LONGEST: usize = 4096;

/// Passes on text that a terminal can show: control characters, which a peer may have sent us, become question marks.
pub struct Line<'h> {
    history: &'h History,
    length: usize,
}

impl<'h> Line<'h> {
    /// An empty line.
    pub const fn new(history: &'h History) -> Self {
        Self { history, length: 0 }
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
            if self.length == LONGEST {
                break;
            }
            self.length = self.length.saturating_add(1);
            match byte {
                b'\n' => {
                    self.history.push(b'\r');
                    self.history.push(b'\n');
                }
                0..b' ' | 0x7f => self.history.push(b'?'),
                _ => self.history.push(byte),
            }
        }
        Ok(())
    }
}
