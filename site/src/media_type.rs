//! Media types by file name extension: those that the web is made of. The packer compiles this file too, so that a file
//! has the same type in a tar that states it and in one that does not.

/// Extension in lower case, media type. Sorted by extension.
const TYPES: &[(&str, &str)] = &[
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("epub", "application/epub+zip"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "text/xml"),
    ("zip", "application/zip"),
];

/// The longest extension in the table.
const LONGEST: usize = 11;

/// The media type of a file of this name, if it has a known extension, in any case.
pub fn of(name: &[u8]) -> Option<&'static str> {
    let file = name.rsplit(|byte| *byte == b'/').next()?;
    let dot = file.iter().rposition(|byte| *byte == b'.')?;
    let extension = file.get(dot.checked_add(1)?..)?;
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..extension.len())?;
    lower.copy_from_slice(extension);
    lower.make_ascii_lowercase();
    let at = TYPES.binary_search_by(|(key, _)| key.as_bytes().cmp(lower)).ok()?;
    TYPES.get(at).map(|(_, media_type)| *media_type)
}

/// The parameter that follows the media type: text that is valid UTF-8 says so. XML apart, which names its own encoding.
pub fn charset(media_type: &str, body: &[u8]) -> &'static str {
    let is_text = media_type.starts_with("text/") && media_type != "text/xml";
    if is_text && core::str::from_utf8(body).is_ok() { "; charset=utf-8" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TYPES.is_sorted_by_key(|(extension, _)| *extension));
        assert_eq!(TYPES.iter().map(|(extension, _)| extension.len()).max(), Some(11));
    }

    #[test]
    fn names_have_types() {
        for (name, media_type) in [
            ("index.html", Some("text/html")),
            ("A/B.JPG", Some("image/jpeg")),
            ("a.html/b", None),
            ("a.tar.gz", Some("application/gzip")),
            (".html", Some("text/html")),
            ("a.", None),
            ("a.webmanifests", None),
            ("", None),
        ] {
            assert_eq!(of(name.as_bytes()), media_type, "{name}");
        }
    }

    #[test]
    fn only_text_in_utf_8_says_so() {
        assert_eq!(charset("text/html", "grüß".as_bytes()), "; charset=utf-8");
        assert_eq!(charset("text/html", b"gr\xfc\xdf"), "");
        assert_eq!(charset("text/xml", b"<a/>"), "");
        assert_eq!(charset("image/png", b""), "");
    }
}
