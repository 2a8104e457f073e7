//! Tars that are sites, and tars that are none.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use peer::plain::{end, header, index, member, sum};
use proptest::prelude::*;
use site::http::target::Path;
use site::{Config, Server, Site, SiteError, TarError, TarFault, secrets};

fn open(parts: &[Vec<u8>]) -> Result<Site, SiteError> {
    Site::open(parts.concat().leak())
}

/// The body that a path gets, and its type; `None` if it is no 200.
fn fetch(site: Site, path: &str) -> Option<(String, String)> {
    let mut server = Server::new(site, Config::default(), peer::CLOCK);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let (answer, _) = peer::exchange(&mut server, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let media_type = head.lines().find_map(|line| line.strip_prefix("Content-Type: "))?;
    head.starts_with("HTTP/1.1 200 ").then(|| (body.to_owned(), media_type.to_owned()))
}

fn body(parts: &[Vec<u8>], path: &str) -> Option<String> {
    fetch(open(parts).unwrap(), path).map(|(body, _)| body)
}

fn fault(parts: &[Vec<u8>]) -> (usize, TarFault) {
    match open(parts).err() {
        Some(SiteError::Tar(TarError { at, fault })) => (at, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ustar_is_a_site() {
    let mut prefixed = header(b"long/page.html", b'0', b"00000000004\0");
    prefixed[345..349].copy_from_slice(b"very");
    sum(&mut prefixed);
    let mut data = b"deep".to_vec();
    data.resize(512, 0);
    let parts = [
        member(b"./", b'5', b""),
        index(),
        member(b"./about/", b'5', b""),
        member(b"./about/index.html", b'0', b"about"),
        member(b"/root.txt", 0, b"absolute"),
        member(b"contiguous", b'7', b"seven"),
        prefixed.to_vec(),
        data,
        end(),
    ];
    assert_eq!(open(&parts).unwrap().pages(), 5);
    for (path, text) in [
        ("/", "<p>home"),
        ("/about/", "about"),
        ("/root.txt", "absolute"),
        ("/contiguous", "seven"),
        ("/very/long/page.html", "deep"),
    ] {
        assert_eq!(body(&parts, path).as_deref(), Some(text), "{path}");
    }
    assert_eq!(body(&parts, "/long/page.html"), None);
}

#[test]
fn extended_headers_of_pax_and_gnu_are_heeded() {
    let long = "n".repeat(300);
    let gnu = format!("{long}/gnu.txt\0");
    let path = format!("{long}/pax.txt");
    let record = |key: &str, value: &str| {
        let rest = key.len() + value.len() + 3;
        let length = (rest + 1..).find(|length| length.to_string().len() + rest == *length).unwrap();
        format!("{length} {key}={value}\n")
    };
    let mut big = header(b"x", b'0', b"00000000000\0").to_vec();
    big.extend_from_slice(b"six by");
    big.resize(1024, 0);
    let parts = [
        member(b"pax_global_header", b'g', b"52 comment=0123456789abcdef0123456789abcdef01234567\n"),
        member(b"././@LongLink", b'L', gnu.as_bytes()),
        member(b"n", b'0', b"of GNU"),
        member(b"x", b'x', (record("path", &path) + &record("HALFPAGE.type", "a/b")).as_bytes()),
        member(b"n", b'0', b"of pax"),
        // The record's size counts, not the header's; its other records are nobody's business.
        member(
            b"x",
            b'x',
            (record("size", "6") + &record("path", "sized") + &record("mtime", "1.5")).as_bytes(),
        ),
        big,
        index(),
        end(),
    ];
    assert_eq!(body(&parts, &format!("/{long}/gnu.txt")).as_deref(), Some("of GNU"));
    assert_eq!(body(&parts, "/sized").as_deref(), Some("six by"));
    let found = fetch(open(&parts).unwrap(), &format!("/{path}"));
    assert_eq!(found, Some(("of pax".to_owned(), "a/b".to_owned())));
}

#[test]
fn a_record_cannot_end_a_field_line() {
    let data = b"34 HALFPAGE.type=a/b\r\nX-Header: 1\n33 HALFPAGE.etag=\"\r\nX-Header: 1\"\n";
    let parts = [member(b"x", b'x', data), index(), end()];
    let found = fetch(open(&parts).unwrap(), "/");
    assert_eq!(found, Some(("<p>home".to_owned(), "text/html; charset=utf-8".to_owned())));
    let mut server = Server::new(open(&parts).unwrap(), Config::default(), peer::CLOCK);
    let (answer, _) = peer::exchange(&mut server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!answer.contains("X-Header"), "{answer}");
}

#[test]
fn a_tar_without_tags_gets_them() {
    let mut server = Server::new(open(&[index(), end()]).unwrap(), Config::default(), peer::CLOCK);
    let (answer, _) = peer::exchange(&mut server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // mmh3 5.2: hash64(b"<p>home", 0, signed=False); and the header's mtime, 784096545 in octal.
    assert!(answer.contains("\r\nETag: \"b38f213208bdba2d74e6e7fd7fb79cd2\"\r\n"), "{answer}");
    assert!(answer.contains("\r\nLast-Modified: Sun, 06 Nov 1994 04:35:45 GMT\r\n"), "{answer}");
}

/// The bodies of a page's representations.
fn bodies(parts: &[Vec<u8>], name: &'static [u8]) -> Option<Vec<&'static [u8]>> {
    let page = open(parts).unwrap().page(&Path::of_name(name))?;
    Some(page.representations().map(|representation| representation.body).collect())
}

#[test]
fn members_of_the_same_name_with_an_ending_are_representations() {
    let of = |coding: &str| {
        let record = format!(" HALFPAGE.encoding={coding}\n");
        member(b"x", b'x', format!("{}{record}", record.len() + 2).as_bytes())
    };
    let plain = || member(b"a.css", b'0', b"0123456789");
    let gzip = |length: u8| [&[0x1f, 0x8b, 8][..], &[length, 0, 0, 0]].concat();
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0];
    let end = || [index(), end()].concat();
    for (parts, expected) in [
        (vec![], &[&b"0123456789"[..]][..]),
        (vec![of("gzip"), member(b"a.css.gz", b'0', b"z")], &[b"0123456789", b"z"]),
        (
            vec![of("zstd"), member(b"a.css.zst", b'0', b"s"), of("br"), member(b"a.css.br", b'0', b"b")],
            &[b"0123456789", b"b", b"s"],
        ),
        // A record that names another coding, or none.
        (vec![of("br"), member(b"a.css.gz", b'0', b"z")], &[b"0123456789"]),
        (vec![of("identity"), member(b"a.css.gz", b'0', &gzip(10))], &[b"0123456789"]),
        // No record: it has to look like it.
        (vec![member(b"a.css.gz", b'0', &gzip(10))], &[b"0123456789", &gzip(10)]),
        (vec![member(b"a.css.gz", b'0', &gzip(11))], &[b"0123456789"]),
        (vec![member(b"a.css.gz", b'0', b"plain\x0a\0\0\0")], &[b"0123456789"]),
        (vec![member(b"./a.css.zst", b'0', &zstd)], &[b"0123456789", &zstd]),
        (vec![member(b"a.css.zst", b'0', b"plain")], &[b"0123456789"]),
        (vec![member(b"a.css.br", b'0', b"123456789")], &[b"0123456789", b"123456789"]),
        (vec![member(b"a.css.br", b'0', b"as long...")], &[b"0123456789"]),
        (vec![member(b"b.css.gz", b'0', &gzip(10))], &[b"0123456789"]),
    ] {
        let parts = [&[plain()][..], &parts, &[end()]].concat();
        assert_eq!(bodies(&parts, b"a.css").unwrap(), expected);
    }
    // What the packer made has no URL; what the site brought has.
    let made = [plain(), of("gzip"), member(b"a.css.gz", b'0', b"z"), end()];
    assert_eq!((bodies(&made, b"a.css.gz"), open(&made).unwrap().pages()), (None, 2));
    let brought = [plain(), member(b"a.css.gz", b'0', &gzip(10)), end()];
    assert_eq!(
        (bodies(&brought, b"a.css.gz"), open(&brought).unwrap().pages()),
        (Some(vec![&gzip(10)[..]]), 3)
    );
    let other = [plain(), of("identity"), member(b"a.css.gz", b'0', b"x"), end()];
    assert_eq!((bodies(&other, b"a.css.gz"), open(&other).unwrap().pages()), (Some(vec![&b"x"[..]]), 3));
}

#[test]
fn of_two_members_of_one_name_the_later_counts() {
    let parts = [index(), member(b"a.txt", b'0', b"first"), member(b"./a.txt", b'0', b"second"), end()];
    assert_eq!(body(&parts, "/a.txt").as_deref(), Some("second"));
    assert_eq!(open(&parts).unwrap().pages(), 2);
}

#[test]
fn names_with_a_dot_first_are_not_served() {
    let hidden = [
        ".tls/key.pem",
        ".htaccess",
        "a/.git/config",
        ".well-known/.hidden",
        "a/.well-known/x",
        ".well-known",
    ];
    let mut parts: Vec<_> = hidden.iter().map(|name| member(name.as_bytes(), b'0', b"hidden")).collect();
    parts.extend([index(), member(b".well-known/acme", b'0', b"shown"), end()]);
    for name in hidden {
        assert_eq!(body(&parts, &format!("/{name}")), None, "{name}");
    }
    assert_eq!(body(&parts, "/.well-known/acme").as_deref(), Some("shown"));
}

#[test]
fn files_of_the_folder_tls_are_found_to_the_byte_and_not_served() {
    let parts = [
        index(),
        member(b".tls/cert.pem", b'0', b"a certificate"),
        member(b"./.tls/b/key.pem", b'0', b"a key"),
        member(b".tls/folder/", b'5', b""),
        member(b".tlsx/key.pem", b'0', b"no key"),
        member(b"a/.tls/key.pem", b'0', b"no key"),
        member(b".tls/empty", b'0', b""),
        end(),
    ];
    let tar = parts.concat();
    let found = secrets(&tar).unwrap();
    let shown: Vec<_> = found.iter().map(|file| (file.name.as_str(), &tar[file.bytes.clone()])).collect();
    assert_eq!(
        shown,
        [("cert.pem", &b"a certificate"[..]), ("b/key.pem", &b"a key"[..]), ("empty", &b""[..])]
    );
    for path in ["/.tls/cert.pem", "/.tls/b/key.pem", "/%2etls/cert.pem", "/.tls/"] {
        assert_eq!(body(&parts, path), None, "{path}");
    }
    // What is wiped is still a site, with the same files.
    let mut wiped = tar.clone();
    found.iter().for_each(|file| wiped[file.bytes.clone()].fill(0));
    assert_eq!(secrets(&wiped).unwrap(), found);
    assert!(open(&[wiped]).is_ok());
}

#[test]
fn too_many_secret_files_are_none_and_all_of_them_known() {
    let many = |count: usize| {
        let files = (0..count).map(|number| member(format!(".tls/{number}").as_bytes(), b'0', b"x"));
        files.chain([index(), end()]).collect::<Vec<_>>().concat()
    };
    assert_eq!(secrets(&many(64)).unwrap().len(), 64);
    assert_eq!(secrets(&many(65)).unwrap_err().len(), 65);
}

#[test]
fn secret_files_before_a_broken_member_are_known() {
    let mut tar = [member(b".tls/key.pem", b'0', b"a key"), index(), end()].concat();
    tar[1024 + 148] ^= 1;
    assert_eq!(secrets(&tar).unwrap().len(), 1);
    assert_eq!(secrets(b"no tar").unwrap(), []);
}

#[test]
fn a_broken_tar_is_refused_with_the_place() {
    let mut checksum = index();
    checksum[0] ^= 1;
    let mut digits = index();
    digits[148] = b'9';
    let size = |text: &[u8]| header(b"a", b'0', text).to_vec();
    for (parts, expected) in [
        (vec![index(), checksum, end()], (1024, TarFault::Checksum)),
        (vec![index(), digits, end()], (1024, TarFault::Checksum)),
        (vec![index(), size(b"0000000000x\0"), end()], (1024, TarFault::Size)),
        (vec![index(), size(b"\x80\0\0\0\0\0\0\0\0\0\0\x01"), end()], (1024, TarFault::Size)),
        (vec![index(), size(b"77777777777\0"), end()], (1024, TarFault::Truncated)),
        (vec![index(), size(b"00000002001\0"), end()], (1024, TarFault::Truncated)),
        // A body that takes the closing blocks with it.
        (vec![index(), size(b"00000002000\0"), end()], (2560, TarFault::Truncated)),
        (vec![index()], (1024, TarFault::Truncated)),
        (vec![], (0, TarFault::Truncated)),
        (vec![index(), vec![0; 511]], (1024, TarFault::Truncated)),
        (vec![index(), member(b"a", b'x', b"9 a=b\n"), end()], (1024, TarFault::Record)),
        (vec![index(), member(b"a", b'x', b"9 size=x\n"), end()], (1024, TarFault::Record)),
        (vec![index(), member(b"a", b'g', b"x"), end()], (1024, TarFault::Record)),
        (vec![index(), member(b"a", b'x', b"6 a=b\n"), end()], (2048, TarFault::Truncated)),
        (vec![index(), member(b"a", b'L', b"a"), end()], (2048, TarFault::Truncated)),
        (vec![index(), member(b"a", b'x', b"22 GNU.sparse.major=1\n"), end()], (1024, TarFault::Type(b'S'))),
        (vec![index(), member(b"a", b'1', b""), end()], (1024, TarFault::Type(b'1'))),
        (vec![index(), member(b"a", b'2', b""), end()], (1024, TarFault::Type(b'2'))),
        (vec![index(), member(b"a", b'S', b""), end()], (1024, TarFault::Type(b'S'))),
        (vec![index(), member(b"", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"./", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"a/", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"a//b", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"//a", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"../a", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"a/../b", b'0', b""), end()], (1024, TarFault::Name)),
        (vec![index(), member(b"a/.", b'0', b""), end()], (1024, TarFault::Name)),
        (
            vec![index(), member(b"a", b'x', b"10 path=\0\n"), member(b"a", b'0', b""), end()],
            (1024, TarFault::Name),
        ),
    ] {
        assert_eq!(fault(&parts), expected);
    }
    assert!(matches!(open(&[end()]), Err(SiteError::NoIndex)));
    assert!(matches!(open(&[member(b"a/index.html", b'0', b""), end()]), Err(SiteError::NoIndex)));
    assert!(matches!(open(&[member(b"index.html", b'5', b""), end()]), Err(SiteError::NoIndex)));
}

#[test]
fn errors_say_where_and_what() {
    let link = open(&[index(), member(b"a", b'2', b""), end()]).err().unwrap();
    assert_eq!(
        link.to_string(),
        "byte 1024: a link (type 2): make the tar with --dereference --hard-dereference"
    );
    assert_eq!(open(&[index()]).err().unwrap().to_string(), "byte 1024: the tar is cut off");
    assert_eq!(open(&[end()]).err().unwrap().to_string(), "there is no index.html");
}

#[test]
fn each_of_many_pages_is_found_and_nothing_else() {
    let names: Vec<String> = (0..5_000).map(|number| format!("posts/{number}/page.html")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let site = peer::site(&files);
    assert_eq!(site.pages(), 5_001);
    let mut server = Server::new(site, Config::default(), peer::CLOCK);
    for name in &names {
        let request = format!("GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (answer, _) = peer::exchange(&mut server, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("\r\n\r\n{name}")), "{name}");
        let request = format!("GET /{name}x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(peer::exchange(&mut server, request.as_bytes()).0.starts_with("HTTP/1.1 404"), "{name}");
    }
}

#[test]
fn a_name_of_the_same_hash_is_another_name() {
    // Searched for: their hashes agree in the upper half and in the lowest two bits, which is all that the table sees.
    let parts = [index(), member(b"page30191", b'0', b"one"), end()];
    assert_eq!(body(&parts, "/page30191").as_deref(), Some("one"));
    assert_eq!(body(&parts, "/page1177000"), None);
    let parts = [index(), member(b"page30191", b'0', b"one"), member(b"page1177000", b'0', b"two"), end()];
    assert_eq!(body(&parts, "/page30191").as_deref(), Some("one"));
    assert_eq!(body(&parts, "/page1177000").as_deref(), Some("two"));
}

proptest! {
    /// A changed byte is found out, or lies where nothing depends on it; never does it make a panic.
    #[test]
    fn a_damaged_tar_never_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        fix in any::<bool>(),
    ) {
        let mut bytes = peer::tar(&[("index.html", b"<p>home"), (&"n".repeat(200), b"x"), ("\u{fc}/a.css", b"y")]).to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if fix {
                let header: &mut [u8; 512] = bytes.chunks_exact_mut(512).nth(place / 512).unwrap().try_into().unwrap();
                sum(header);
            }
        }
        let whole = Site::open(bytes.clone().leak());
        if let Ok(site) = whole {
            fetch(site, "/");
        }
        bytes.truncate(cut.index(bytes.len()));
        if let Ok(site) = Site::open(bytes.leak()) {
            fetch(site, "/");
        }
    }
}
