//! The tar reader and the catalogue of pages.

use crate::choices::Choices;
use crate::lent::lent;
use site::Site;
use site::http::target::Path;

/// A tar is a site or none; what it is asked for is in it, byte for byte, and what is not in it is not found.
///
/// The first byte says how the rest is to be read: as a tar, as a tar whose headers get right checksums, or as a list
/// of members to make one of.
pub fn tar(input: &[u8]) {
    let mut choices = Choices::new(input);
    let made;
    let tar = match choices.byte() % 4 {
        0 => choices.rest(),
        1 | 2 => {
            made = sealed(choices.rest().to_vec());
            &made
        }
        _ => {
            made = members(choices);
            &made
        }
    };
    lent(tar, |tar| match Site::open(tar) {
        Ok(site) => look_up(site, tar),
        Err(error) => assert!(error.to_string().len() < 200),
    });
}

/// The same tar with an index in front and the right checksum in each block that looks like a header.
fn sealed(body: Vec<u8>) -> Vec<u8> {
    let mut tar = Vec::new();
    add(&mut tar, b"index.html", b'0', b"home", &[]);
    tar.extend(body);
    tar.resize(tar.len().next_multiple_of(512), 0);
    for header in tar.chunks_exact_mut(512) {
        if header[0] != 0 {
            seal(header);
        }
    }
    tar.extend([0; 1_024]);
    tar
}

/// A tar of members that the choices describe.
fn members(mut choices: Choices<'_>) -> Vec<u8> {
    let mut tar = Vec::new();
    add(&mut tar, b"index.html", b'0', b"home", &[]);
    while !choices.is_empty() && tar.len() < 65_536 {
        let kind = choices.of(b"000x5Lg7\0K1");
        let (name, body) = (choices.below(40), choices.below(60));
        let (name, mut body) = (choices.bytes(name), choices.bytes(body).to_vec());
        if kind == b'x' || kind == b'g' {
            // A record, so that it counts; its length may be off by a little.
            let key = choices.of(&[
                "path",
                "size",
                "mtime",
                "HALFPAGE.etag",
                "HALFPAGE.type",
                "HALFPAGE.encoding",
                "GNU.sparse.x",
                "",
            ]);
            let value = body.len() + key.len() + 3;
            let length = value + 1 + usize::from(value >= 9) + usize::from(choices.byte() == 255);
            body = [length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", &body, b"\n"].concat();
        }
        let prefix = choices.below(8);
        add(&mut tar, name, kind, &body, choices.bytes(prefix));
    }
    tar.extend([0; 1_024]);
    tar
}

fn add(tar: &mut Vec<u8>, name: &[u8], kind: u8, body: &[u8], prefix: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name);
    header[124..136].copy_from_slice(format!("{:011o} ", body.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000 ");
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[345..345 + prefix.len()].copy_from_slice(prefix);
    seal(&mut header);
    tar.extend(header);
    tar.extend(body);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Asks for the index, for each name that a header holds, and for what cannot be a page.
fn look_up(mut site: Site, tar: &'static [u8]) {
    let inside = |bytes: &[u8]| {
        bytes.is_empty() || (tar.as_ptr_range().contains(&bytes.as_ptr()) && bytes.len() <= tar.len())
    };
    assert!(site.pages() >= 1 && site.pages() <= tar.len() / 512);
    assert!(site.page(&Path::of_name(b"index.html")).is_some());
    for header in tar.chunks_exact(512).take(16) {
        let end = header.iter().position(|byte| *byte == 0).unwrap_or(0).min(100);
        let target = [b"/", &header[..end]].concat();
        let Ok(path) = Path::parse(&target) else { continue };
        if let Some(page) = site.page(&path) {
            let name: Vec<u8> = page.name.bytes().collect();
            assert!(path.bytes().eq(name.iter().copied()));
            let parts = || name.split(|byte| *byte == b'/');
            assert!(parts().all(|part| !matches!(part, b"" | b"." | b"..")));
            assert!(!name.contains(&0));
            assert!(parts().enumerate().all(|(n, part)| {
                part[0] != b'.' || (n == 0 && part == b".well-known" && parts().count() > 1)
            }));
            assert!(!page.location.contains(&0));
            for representation in page.representations() {
                assert!(inside(representation.body), "a body is a part of the tar");
                let head = representation.response().strip_suffix(b"\r\nDate: ").expect("the date is next");
                assert!(!head.contains(&0));
                let mut lines = head.split_inclusive(|byte| *byte == b'\n');
                let is_whole = |line: &[u8]| line.ends_with(b"\r\n") || !line.contains(&b'\n');
                assert!(lines.all(is_whole), "no line is smuggled in");
            }
        }
        site.find(&path);
    }
}
