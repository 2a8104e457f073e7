//! Media types: the table of the server, and for what it does not know that of mime_guess.

#[path = "../../src/media_type.rs"]
mod table;

/// The `Content-Type` of a file.
pub fn media_type(name: &str, body: &[u8]) -> String {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    let media_type = table::of(name.as_bytes()).unwrap_or(guess.essence_str());
    format!("{media_type}{}", table::charset(media_type, body))
}
