//! Whether each file can have a URL, and one of its own.

use crate::PackError;
use crate::walk::File;
use std::collections::BTreeSet;

/// The longest target that the server takes, in bytes.
const TARGET_LIMIT: usize = 8_000;

/// Checks all names, which have to be sorted.
///
/// Names that differ are different URLs, in case too: the web tells `/About` from `/about`. But `/about` is the URL of
/// `about.html` as well. That `about.html` comes before `about/index.html` is the rule of GitHub Pages, and not refused.
pub fn check(files: &[File]) -> Result<(), PackError> {
    let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    for name in &names {
        if name.chars().any(char::is_control) {
            return Err(PackError::Name(name.escape_debug().to_string()));
        }
        let encoded: usize = name.bytes().map(|byte| if is_unreserved(byte) { 1 } else { 3 }).sum();
        if encoded >= TARGET_LIMIT {
            return Err(PackError::LongName((*name).to_owned()));
        }
        if let Some(clean) = name.strip_suffix(".html").filter(|clean| names.contains(clean)) {
            return Err(PackError::SameUrl(clean.to_owned(), (*name).to_owned()));
        }
    }
    Ok(())
}

/// `unreserved` and `/` (RFC 3986, section 2.3): no client encodes them.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/')
}
