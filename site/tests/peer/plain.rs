//! Tars by hand, with nothing in them that is for us alone.

/// A ustar header as POSIX draws it, with its checksum.
pub fn header(name: &[u8], kind: u8, size: &[u8]) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..124 + size.len()].copy_from_slice(size);
    block[136..148].copy_from_slice(b"05657056441\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut block);
    block
}

/// Sets the checksum: six octal digits, NUL, space; made with the field as spaces.
pub fn sum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A header and its body, padded to whole blocks.
pub fn member(name: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, kind, format!("{:011o}\0", body.len()).as_bytes()).to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The page without which there is no site.
pub fn index() -> Vec<u8> {
    member(b"index.html", b'0', b"<p>home")
}

/// What a tar ends with.
pub fn end() -> Vec<u8> {
    vec![0; 1024]
}
