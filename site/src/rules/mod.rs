//! The files `_redirects` and `_headers` at the root of a site, in the form that Netlify and Cloudflare Pages read.
//!
//! The packer compiles this folder too: what it refuses with the line's number, the server, to which a tar of others may
//! come, leaves out. Nothing here goes back over a path that it has read: a rule costs at most the path's length.

pub mod fault;
pub mod headers;
pub mod pattern;
pub mod redirects;
pub mod template;

pub use fault::{Complaint, Fault};
pub use headers::Headers;
pub use redirects::{Redirect, Redirects};

/// The most rules with a `*` or a `:name` in one file: each is tried for a path that no file has.
pub const PATTERN_LIMIT: usize = 100;

/// The most rules for exact paths in `_redirects`.
pub const EXACT_LIMIT: usize = 5_000;

/// The most bytes that all fields of `_headers` may have, names and values together.
pub const FIELDS_LIMIT: usize = 16_384;

/// The lines of a file that say something, with their numbers: neither empty nor comments.
fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let lines = text.split(|byte| *byte == b'\n').zip(1..).map(|(line, number)| (number, line));
    lines.filter(|(_, line)| !matches!(line.trim_ascii(), [] | [b'#', ..]))
}

/// Collects what is wrong with a file.
struct Complaints<'a> {
    file: &'static str,
    report: &'a mut dyn FnMut(Complaint),
}

impl Complaints<'_> {
    fn add(&mut self, line: u32, fault: Fault) {
        (self.report)(Complaint { file: self.file, line, fault });
    }
}
