//! The ramdisk (`ramdisk=` in the domain's configuration, `mod_start` and `mod_len` in `start_info`): where it lies, and
//! what it looks like when it is no plain tar.

use core::ops::Range;

/// `SIF_MOD_START_PFN` (xen.h): `mod_start` counts pages of the domain, instead of being an address.
pub const SIF_MOD_START_PFN: u32 = 1 << 3;

/// Bytes in a page.
const PAGE: u64 = 4096;

/// The addresses of a ramdisk, where the domain's page 0 is mapped at `base` and the others behind it in order; empty
/// where there is none. What makes no sense as an address ends at the highest one, which is never mapped.
pub fn addresses(start: u64, length: u64, flags: u32, base: usize) -> Range<usize> {
    if length == 0 {
        return 0..0;
    }
    let start = match flags & SIF_MOD_START_PFN {
        0 => start,
        _ => start.saturating_mul(PAGE).saturating_add(base as u64),
    };
    let address = |address: u64| usize::try_from(address).unwrap_or(usize::MAX);
    address(start)..address(start.saturating_add(length))
}

/// What packed the bytes, where they begin as a packed file does. Xen's own domain builder unpacks gzip; boot loaders
/// leave a ramdisk as it is.
pub fn packed_by(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 6] = [
        (&[0x1f, 0x8b], "gzip"),
        (b"BZh", "bzip2"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
        (&[0x89, b'L', b'Z', b'O'], "lzop"),
    ];
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: usize = 0x4000_0000;

    #[test]
    fn a_start_is_an_address_or_a_page() {
        assert_eq!(addresses(0x400a_e000, 5000, 0, BASE), 0x400a_e000..0x400a_f388);
        // Bit 3 of the flags, as xen.h has it; the other bits say other things.
        assert_eq!(addresses(0xae, 5000, 8, BASE), 0x400a_e000..0x400a_f388);
        assert_eq!(addresses(0x400a_e000, 5000, 0xff & !8, BASE), 0x400a_e000..0x400a_f388);
    }

    #[test]
    fn no_length_is_no_ramdisk() {
        assert_eq!(addresses(0x400a_e000, 0, 0, BASE), 0..0);
        assert_eq!(addresses(0xae, 0, 8, BASE), 0..0);
    }

    #[test]
    fn nonsense_does_not_wrap() {
        for flags in [0, 8] {
            let range = addresses(u64::MAX - 1, u64::MAX, flags, BASE);
            assert!(range.start <= range.end && range.end == usize::MAX, "{range:?}");
        }
    }

    #[test]
    fn packed_files_are_known_by_their_first_bytes() {
        let packed: [(&[u8], &str); 4] = [
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"BZh91AY", "bzip2"),
            (b"\xfd7zXZ\0", "xz"),
            (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        ];
        for (bytes, name) in packed {
            assert_eq!(packed_by(bytes), Some(name));
            assert_eq!(packed_by(&bytes[..1]), None);
        }
        assert_eq!(packed_by(b"index.html\0\0"), None);
        assert_eq!(packed_by(b""), None);
    }
}
