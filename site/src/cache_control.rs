//! How long a client may keep what it got (RFC 9111, section 5.2.2; RFC 8246).

/// What names its own version never changes.
const IMMUTABLE: &[u8] = b"public, max-age=31536000, immutable";

/// The rest may be kept, but is asked about before it is used.
const REVALIDATED: &[u8] = b"public, max-age=0, must-revalidate";

/// The `Cache-Control` of a file of this name and media type, where its site says nothing.
pub fn of(name: impl Iterator<Item = u8>, media_type: &[u8]) -> &'static [u8] {
    if is_asset(media_type) && names_its_version(name) { IMMUTABLE } else { REVALIDATED }
}

/// Whether pages refer to files of this type by names that a build tool chose. A page or a download, never.
fn is_asset(media_type: &[u8]) -> bool {
    const KINDS: [&[u8]; 8] = [
        b"image/",
        b"font/",
        b"audio/",
        b"video/",
        b"text/css",
        b"text/javascript",
        b"application/wasm",
        b"application/json",
    ];
    KINDS.iter().any(|kind| media_type.starts_with(kind))
}

/// Whether a word of the file's name, its extension apart, is a hash of its content.
fn names_its_version(name: impl Iterator<Item = u8>) -> bool {
    let mut word = Word::default();
    let mut found = false;
    for byte in name {
        match byte {
            b'/' => (word, found) = (Word::default(), false),
            b'.' | b'-' | b'_' => {
                found |= word.is_hash();
                word = Word::default();
            }
            _ => word.add(byte),
        }
    }
    found
}

/// What is known of a word between two separators.
#[derive(Default)]
struct Word {
    length: u32,
    /// How often a byte is of another class than the one before it.
    changes: u32,
    last: Option<Class>,
    digits: u32,
    /// Something other than `0` to `9` and `a` to `f`.
    beyond_hex: bool,
    beyond_base64: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Lower,
    Upper,
}

impl Word {
    fn add(&mut self, byte: u8) {
        let class = match byte {
            b'0'..=b'9' => Class::Digit,
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            _ => {
                self.beyond_base64 = true;
                return;
            }
        };
        self.length = self.length.saturating_add(1);
        self.digits = self.digits.saturating_add(u32::from(class == Class::Digit));
        self.changes = self.changes.saturating_add(u32::from(self.last.is_some_and(|last| last != class)));
        self.beyond_hex |= !matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.last = Some(class);
    }

    /// Eight digits or more: hexadecimal ones with both figures and letters, which a date and a word have not; or base64
    /// without its `-` and `_`, told from words and numbers put together by how often it changes between them. A hash that
    /// is missed costs a question; a word that is taken for one would stay in caches for a year.
    fn is_hash(&self) -> bool {
        let is_hex = !self.beyond_hex && self.digits < self.length;
        let is_base64 = self.changes.saturating_mul(2) >= self.length;
        self.length >= 8 && self.digits > 0 && !self.beyond_base64 && (is_hex || is_base64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_build_tools_write_are_kept_for_good() {
        for (name, media_type) in [
            ("assets/index-BxXzBk2q.js", "text/javascript"),
            ("static/js/main.3f2a1b9c.js", "text/javascript"),
            ("assets/stylesheets/main.7e37652d.min.css", "text/css"),
            (
                "css/style.min.0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b.css",
                "text/css; charset=utf-8",
            ),
            ("fonts/open-sans-v17-all-charsets-300-7736aa35.woff2", "font/woff2"),
            ("3f2a1b9c.js", "text/javascript"),
            ("_astro/hoisted.a1B2c3D4.js", "text/javascript"),
            ("img/a_0123456789abcdef.png", "image/png"),
        ] {
            assert_eq!(of(name.bytes(), media_type.as_bytes()), IMMUTABLE, "{name}");
        }
    }

    #[test]
    fn other_names_are_asked_about() {
        for (name, media_type) in [
            ("index.html", "text/html"),
            ("index-BxXzBk2q.html", "text/html"),
            ("app-settings.js", "text/javascript"),
            ("photo-20240131.jpg", "image/jpeg"),
            ("a.20240131123456.css", "text/css"),
            ("report-Summary2024.json", "application/json"),
            ("IMG-Version2Final.png", "image/png"),
            ("deadbeef.css", "text/css"),
            ("a.3f2a1b9.css", "text/css"),
            ("3f2a1b9c/style.css", "text/css"),
            ("3f2a1b9c.d/style.css", "text/css"),
            ("style.3f2a1b9c", "text/css"),
            ("a.3f2a~1b9c.css", "text/css"),
            ("a.3f2a1b9c.pdf", "application/pdf"),
        ] {
            assert_eq!(of(name.bytes(), media_type.as_bytes()), REVALIDATED, "{name}");
        }
    }
}
