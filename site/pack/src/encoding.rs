//! Content codings (RFC 9110, section 8.4.1): which files gain, and their bytes in each. The same bytes give the same.

use crate::PackError;
use std::io::{self, Read, Write};

/// A coding: the ending of its files' names, and its name in HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// All of them, in the order of their endings.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Zstd];

    /// What stands behind the name of the file that is encoded.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// The name in `Content-Encoding`, and in the record `HALFPAGE.encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The file in this coding, if that is worth a member of its own.
    pub fn encode(self, body: &[u8], effort: Effort) -> Result<Option<Vec<u8>>, PackError> {
        if self == Self::Zstd && body.len() <= SHORT {
            return Ok(None);
        }
        let encoded = self.write(body, effort).map_err(PackError::Archive)?;
        Ok(is_worth_it(body.len(), encoded.len()).then_some(encoded))
    }

    fn write(self, body: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let quality = if body.len() <= SMALL { effort.brotli } else { effort.brotli.min(9) };
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: quality.into(),
                    lgwin: 22,
                    size_hint: body.len(),
                    ..Default::default()
                };
                let mut encoded = Vec::new();
                brotli::BrotliCompress(&mut &body[..], &mut encoded, &parameters)?;
                Ok(encoded)
            }
            Self::Gzip => {
                // No name and no time in its header.
                let level = flate2::Compression::new(effort.gzip.into());
                let mut encoder = flate2::GzBuilder::new().write(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), effort.zstd.into())?;
                encoder.set_pledged_src_size(Some(body.len() as u64))?;
                // A browser takes no window above 8 MiB (RFC 9659). A small file has a small one, which costs less to set up.
                if body.len() > 8 << 20 {
                    encoder.window_log(23)?;
                }
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }

    /// Whether `encoded` decodes to `body`, to the byte.
    pub fn holds(self, encoded: &[u8], body: &[u8]) -> bool {
        // One byte more than there should be tells that there is more.
        let limit = (body.len() as u64).saturating_add(1);
        let mut decoded = Vec::new();
        let read = match self {
            Self::Brotli => brotli::Decompressor::new(encoded, 4_096).take(limit).read_to_end(&mut decoded),
            Self::Gzip => flate2::read::MultiGzDecoder::new(encoded).take(limit).read_to_end(&mut decoded),
            Self::Zstd => {
                zstd::Decoder::new(encoded).and_then(|decoder| decoder.take(limit).read_to_end(&mut decoded))
            }
        };
        read.is_ok() && decoded == body
    }
}

/// A body of up to so many bytes may take brotli's slowest way, which goes through half a megabyte a second.
const SMALL: usize = 128 << 10;

/// Of a body of up to so many bytes gzip makes as little as Zstandard does, and who takes Zstandard takes gzip: a third member
/// would cost the guest memory for nothing.
const SHORT: usize = 16 << 10;

/// How hard the encoders try: for a site of so many bytes that a build takes some seconds, and of a large one not minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    brotli: u8,
    gzip: u8,
    zstd: u8,
}

impl Effort {
    /// For so many bytes to encode in all.
    pub fn of(bytes: u64) -> Self {
        match bytes >> 20 {
            0..4 => Self { brotli: 11, gzip: 9, zstd: 19 },
            4..64 => Self { brotli: 9, gzip: 9, zstd: 12 },
            _ => Self { brotli: 5, gzip: 6, zstd: 6 },
        }
    }
}

/// Whether files of this media type shrink. Most others are compressed as they are.
pub fn gains(media_type: &str) -> bool {
    const TYPES: [&str; 16] = [
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/postscript",
        "application/rtf",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xml",
        "application/xml-dtd",
        "application/x-javascript",
        "application/x-sh",
        "application/x-tex",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/x-icon",
    ];
    let essence = media_type.split(';').next().unwrap_or_default().trim_end();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || TYPES.contains(&essence)
}

/// A member costs a kilobyte and a half of headers, and a client that much time to decode: a tenth at least, and more than
/// a few lines, have to be saved.
fn is_worth_it(body: usize, encoded: usize) -> bool {
    let saved = body.saturating_sub(encoded);
    saved >= 256 && saved >= body / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "It is all one page, and half of it is repeated: ";

    #[test]
    fn what_is_encoded_decodes_and_is_the_same_each_time() {
        let body = TEXT.repeat(100).into_bytes();
        for coding in Coding::ALL {
            for effort in [Effort::of(0), Effort::of(5 << 20), Effort::of(1 << 30)] {
                let encoded = coding.write(&body, effort).ok().unwrap_or_default();
                assert!(encoded.len() < 200, "{coding:?}: {}", encoded.len());
                assert_eq!(coding.write(&body, effort).ok(), Some(encoded.clone()), "{coding:?}");
                assert!(coding.holds(&encoded, &body), "{coding:?}");
                assert!(!coding.holds(&encoded, &body[1..]), "{coding:?}");
                assert!(!coding.holds(&encoded, &[&body[..], b"x"].concat()), "{coding:?}");
                assert!(!coding.holds(&encoded[..encoded.len() - 1], &body), "{coding:?}");
                assert!(!coding.holds(&body, &body), "{coding:?}");
                assert!(!coding.holds(b"", &body), "{coding:?}");
            }
        }
    }

    #[test]
    fn a_gzip_tells_nothing_of_its_maker() {
        let encoded = Coding::Gzip.write(b"home", Effort::of(0)).ok().unwrap_or_default();
        // RFC 1952, section 2.3: magic, deflate, no flags, no time, best compression, and 255 for an unknown system.
        assert_eq!(encoded[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn what_hardly_shrinks_is_left_as_it_is() {
        for (body, encoded, expected) in [
            (1_000, 744, true),
            (1_000, 745, false),
            (10_000, 9_000, true),
            (10_000, 9_001, false),
            (10, 20, false),
        ] {
            assert_eq!(is_worth_it(body, encoded), expected, "{body} {encoded}");
        }
    }

    #[test]
    fn text_gains_and_pictures_do_not() {
        for media_type in
            ["text/html; charset=utf-8", "image/svg+xml", "application/json", "font/ttf", "text/xml"]
        {
            assert!(gains(media_type), "{media_type}");
        }
        for media_type in
            ["image/png", "font/woff2", "application/zip", "application/octet-stream", "video/mp4"]
        {
            assert!(!gains(media_type), "{media_type}");
        }
    }
}
