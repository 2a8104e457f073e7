//! Folders that are sites, and folders that are none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is the test's failure")]

use site_pack::{Archive, Coding, PackError, Role, Stamp, pack, pack_with_warnings};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    folder
}

/// The names and bodies of a tar, as another program reads it.
fn members(tar: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut body = String::new();
        entry.read_to_string(&mut body).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), body)
    };
    archive.entries().unwrap().map(read).collect()
}

fn complaint(folder: &Path) -> String {
    let text = pack(folder, Stamp::Modified).unwrap_err().to_string();
    assert!(!text.contains('\n'));
    text.replace(folder.to_str().unwrap(), "SITE")
}

#[test]
fn every_file_is_packed_in_the_order_of_names() {
    let long = format!("{}/{}.html", "d".repeat(120), "f".repeat(120));
    let folder = folder(&[
        ("index.html", "home"),
        ("b/c.txt", ""),
        ("b.txt", "b"),
        (&long, "long"),
        ("ü ?#%.html", "u"),
    ]);
    let names: Vec<_> = members(&pack(folder.path(), Stamp::Modified).unwrap());
    let expected =
        [("b.txt", "b"), ("b/c.txt", ""), (&long, "long"), ("index.html", "home"), ("ü ?#%.html", "u")];
    assert_eq!(names, expected.map(|(name, body)| (name.to_owned(), body.to_owned())));
}

#[test]
fn names_that_start_with_a_dot_are_left_out_but_for_well_known() {
    let folder = folder(&[
        ("index.html", ""),
        (".htaccess", ""),
        (".git/config", ""),
        ("a/.DS_Store", ""),
        ("a/.well-known/x", ""),
        (".well-known/security.txt", ""),
        (".well-known/.x", ""),
    ]);
    let names: Vec<_> =
        members(&pack(folder.path(), Stamp::Modified).unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".well-known/security.txt", "index.html"]);
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let files = [("index.html", "home"), ("a/b.css", "b"), ("a.txt", "a")];
    let one = folder(&files);
    let other = folder(&[files[2], files[0], files[1]]);
    let pack = |folder: &TempDir| pack(folder.path(), Stamp::Epoch(784_111_777)).unwrap();
    assert_eq!(pack(&one), pack(&other));
    fs::write(other.path().join("a.txt"), "b").unwrap();
    assert_ne!(pack(&one), pack(&other));
}

#[test]
fn a_member_says_its_time_its_etag_and_its_type() {
    let folder = folder(&[("index.html", "<p>home")]);
    let file = fs::File::options().append(true).open(folder.path().join("index.html")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    for (stamp, seconds) in [(Stamp::Modified, 784_111_777), (Stamp::Epoch(1), 1)] {
        let tar = pack(folder.path(), stamp).unwrap();
        let mut archive = tar::Archive::new(&tar[..]);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.header().mtime().unwrap(), seconds);
        assert_eq!((entry.header().uid().unwrap(), entry.header().mode().unwrap()), (0, 0o644));
        let records = entry.pax_extensions().unwrap().unwrap();
        let records: BTreeMap<_, _> = records
            .map(|record| record.unwrap())
            .map(|record| (record.key().unwrap().to_owned(), record.value().unwrap().to_owned()))
            .collect();
        // `printf '<p>home' | sha256sum`, its first half.
        assert_eq!(records["HALFPAGE.etag"], "68db1a4970c9e0cc29ab46abb64c517a");
        assert_eq!(records["HALFPAGE.type"], "text/html; charset=utf-8");
    }
}

/// The record `HALFPAGE.encoding` of each member.
fn encodings(tar: &[u8]) -> Vec<(String, Option<String>, usize)> {
    let mut archive = tar::Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let size = usize::try_from(entry.size()).unwrap();
        let mut records = entry.pax_extensions().unwrap().unwrap().map(|record| record.unwrap());
        let record = records.find(|record| record.key() == Ok("HALFPAGE.encoding"));
        (name, record.map(|record| record.value().unwrap().to_owned()), size)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn what_gains_comes_encoded_too() {
    let long = "It is all one page. ".repeat(1_000);
    let folder = folder(&[
        ("index.html", &long),
        ("index.html-is-another", &long),
        ("picture.png", &long),
        ("short.css", "a { color: red }"),
        ("shorter.css", &long[..16 << 10]),
    ]);
    let tar = pack(folder.path(), Stamp::Modified).unwrap();
    let found = encodings(&tar);
    let names: Vec<_> =
        found.iter().map(|(name, encoding, _)| (name.as_str(), encoding.as_deref())).collect();
    assert_eq!(
        names,
        [
            ("index.html", None),
            ("index.html.br", Some("br")),
            ("index.html.gz", Some("gzip")),
            ("index.html.zst", Some("zstd")),
            ("index.html-is-another", None),
            ("picture.png", None),
            ("short.css", None),
            ("shorter.css", None),
            ("shorter.css.br", Some("br")),
            ("shorter.css.gz", Some("gzip")),
        ]
    );
    assert!(found[1..4].iter().all(|(.., size)| *size < 200), "{found:?}");
    assert_eq!(tar, pack(folder.path(), Stamp::Modified).unwrap());
}

#[test]
fn what_the_folder_brings_encoded_is_used_if_it_decodes_to_its_file() {
    let long = "It is all one page. ".repeat(1_000);
    let folder = folder(&[
        ("index.html", &long),
        ("a.txt", &long),
        ("a.txt.br", "no brotli"),
        ("b.tar", &long),
        ("c.txt.gz", "alone"),
    ]);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, long.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    write("index.html.gz", &gzip);
    write("b.tar.gz", &gzip);
    write("a.txt.zst", &zstd::encode_all("another".as_bytes(), 3).unwrap());
    let mut warnings = Vec::new();
    let tar =
        pack_with_warnings(folder.path(), Stamp::Modified, &mut |warning| warnings.push(warning.to_string()))
            .unwrap();
    let found = encodings(&tar);
    let names: Vec<_> =
        found.iter().map(|(name, encoding, _)| (name.as_str(), encoding.as_deref())).collect();
    assert_eq!(
        names,
        [
            ("a.txt", None),
            ("a.txt.gz", Some("gzip")),
            ("a.txt.br", Some("identity")),
            ("a.txt.zst", Some("identity")),
            ("b.tar", None),
            ("b.tar.gz", None),
            ("c.txt.gz", None),
            ("index.html", None),
            ("index.html.br", Some("br")),
            ("index.html.zst", Some("zstd")),
            ("index.html.gz", None),
        ]
    );
    assert_eq!(
        warnings,
        [
            "a.txt.br: not used in place of a.txt: it does not decode to that",
            "a.txt.zst: not used in place of a.txt: it does not decode to that"
        ]
    );
}

#[test]
fn a_body_lies_in_no_more_pages_than_it_must() {
    let lengths = [0, 1, 2_048, 2_049, 4_095, 4_096, 4_097, 5_000, 8_192, 1, 70_000, 12_288, 3_000, 100];
    let bodies: Vec<_> =
        lengths.iter().enumerate().map(|(n, length)| (format!("{n:02}.bin"), "x".repeat(*length))).collect();
    let files: Vec<_> = bodies.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let folder = folder(&[&files[..], &[("index.html", "home")]].concat());
    let tar = pack(folder.path(), Stamp::Modified).unwrap();
    assert!(members(&tar).iter().zip(&bodies).all(|((_, packed), (_, body))| packed == body));
    let mut archive = tar::Archive::new(&tar[..]);
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let (start, length) = (entry.raw_file_position(), entry.size());
        let pages = (start % 4_096 + length).div_ceil(4_096);
        assert!(length <= 2_048 || pages == length.div_ceil(4_096), "{length} bytes at {start}");
    }
}

#[test]
fn types_beyond_the_web_come_from_the_larger_table() {
    let folder =
        folder(&[("index.html", ""), ("a.odt", ""), ("a.py", "x = 1"), ("a.unknown", ""), ("LICENSE", "")]);
    let tar = pack(folder.path(), Stamp::Modified).unwrap();
    let text = String::from_utf8_lossy(&tar).into_owned();
    for media_type in
        ["application/vnd.oasis.opendocument.text", "text/plain; charset=utf-8", "application/octet-stream"]
    {
        assert!(text.contains(&format!("HALFPAGE.type={media_type}\n")), "{media_type}");
    }
}

#[test]
fn links_are_followed() {
    let folder = folder(&[("index.html", "home"), ("a/b.txt", "b")]);
    symlink("index.html", folder.path().join("linked.html")).unwrap();
    symlink("a", folder.path().join("c")).unwrap();
    let names: Vec<_> = members(&pack(folder.path(), Stamp::Modified).unwrap());
    assert_eq!(
        names[1..],
        [("c/b.txt", "b"), ("index.html", "home"), ("linked.html", "home")]
            .map(|(name, body)| (name.to_owned(), body.to_owned()))
    );
}

#[test]
fn what_is_no_site_is_refused_in_one_line() {
    assert_eq!(complaint(Path::new("/no/such")), "SITE: no such folder");
    assert_eq!(complaint(Path::new("/dev/null")), "SITE: no such folder");
    assert_eq!(complaint(folder(&[]).path()), "SITE: the folder holds no files to serve");
    assert_eq!(complaint(folder(&[(".hidden", "")]).path()), "SITE: the folder holds no files to serve");
    assert_eq!(complaint(folder(&[("a/index.html", "")]).path()), "SITE: there is no index.html");
    assert_eq!(
        complaint(folder(&[("index.html", ""), ("a\nb", "")]).path()),
        "\"a\\nb\": such a name cannot be a URL"
    );

    let bytes = folder(&[("index.html", "")]);
    fs::write(bytes.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "").unwrap();
    assert_eq!(complaint(bytes.path()), "\"a\\xff\": such a name cannot be a URL");

    let dangling = folder(&[("index.html", "")]);
    symlink("nowhere", dangling.path().join("link")).unwrap();
    assert_eq!(complaint(dangling.path()), "SITE/link: No such file or directory (os error 2)");

    for key in [".tls/key.pem", "a/.tls", ".tls"] {
        let message = complaint(folder(&[("index.html", ""), (key, "")]).path());
        let place = key.strip_suffix("/key.pem").unwrap_or(key);
        let reason = "a site holds no keys; they are given with TLS_CERT= and TLS_KEY=";
        assert_eq!(message, format!("SITE/{place}: {reason}"));
    }
    assert_eq!(
        complaint(folder(&[("index.html", ""), ("a/b", ""), ("a/b.html", "")]).path()),
        "/a/b: two files would have this URL, a/b and a/b.html"
    );
    pack(
        folder(&[("index.html", ""), ("a.html", ""), ("a/index.html", ""), ("A.html", "")]).path(),
        Stamp::Modified,
    )
    .unwrap();
    let part = "ü".repeat(120);
    let deep = [part.as_str(); 12].join("/");
    assert_eq!(
        complaint(folder(&[("index.html", ""), (&deep, "")]).path()),
        format!("{deep}: the name is too long for a URL")
    );
    let pipe = folder(&[("index.html", "")]);
    assert!(std::process::Command::new("mkfifo").arg(pipe.path().join("pipe")).status().unwrap().success());
    assert_eq!(complaint(pipe.path()), "SITE/pipe: neither a file nor a folder");
    let large = folder(&[("index.html", "")]);
    fs::File::create(large.path().join("large.bin")).unwrap().set_len(0o100_000_000_000).unwrap();
    assert_eq!(
        complaint(large.path()),
        "large.bin: 8589934592 bytes are more than a member of the tar holds"
    );

    assert_eq!(
        complaint(folder(&[("index.html", ""), ("_redirects", "/a /b\n/c /d 418\n")]).path()),
        "SITE/_redirects:2: \"418\" is none of the statuses 200, 301, 302, 303, 307, 308, 404, 410"
    );
    let rules = folder(&[
        ("index.html", ""),
        ("_headers", "/*\nX-A: b\nDate: now\n"),
        ("_redirects", &"/a\n".repeat(20)),
    ]);
    let message = pack(rules.path(), Stamp::Modified).unwrap_err().to_string();
    let lines: Vec<_> = message.lines().collect();
    assert!(lines[0].ends_with("/_headers:3: Date is not for a site to set"), "{message}");
    assert!(lines[19].ends_with("/_redirects:19: there is no target"), "{message}");
    assert_eq!((lines.len(), lines[20]), (21, "and 1 more"));

    let circular = folder(&[("index.html", "")]);
    symlink(".", circular.path().join("loop")).unwrap();
    assert_eq!(complaint(circular.path()), "SITE/loop: a loop of links");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let mut archive = Archive::new(Stamp::Modified);
    archive.add("a.html", b"", UNIX_EPOCH).unwrap();
    let error = archive.add("a.html", b"", UNIX_EPOCH).unwrap_err();
    assert!(matches!(&error, PackError::Same(name) if name == "a.html"));
    assert_eq!(error.to_string(), "/a.html: two files would have this URL");
}

#[test]
fn an_encoded_member_is_named_as_what_it_is() {
    let mut archive = Archive::new(Stamp::Modified);
    archive.add("index.html", b"home", UNIX_EPOCH).unwrap();
    archive.add_as("index.html.br", b"x", UNIX_EPOCH, Role::Encoded(Coding::Brotli)).unwrap();
    let found = encodings(&archive.finish(Path::new("SITE")).unwrap());
    assert_eq!(found[1], ("index.html.br".to_owned(), Some("br".to_owned()), 1));
}

#[test]
fn the_program_writes_a_tar_once_and_complains_with_status_2() {
    let folder = folder(&[("site/index.html", "home"), ("none/a.html", "")]);
    let tar = folder.path().join("site.tar");
    let run = |site: &str, epoch: &str| {
        let program = std::process::Command::new(env!("CARGO_BIN_EXE_site-pack"))
            .args([folder.path().join(site), tar.clone()])
            .env("SOURCE_DATE_EPOCH", epoch)
            .output()
            .unwrap();
        (program.status.code(), String::from_utf8(program.stderr).unwrap())
    };
    assert_eq!(run("site", "7"), (Some(0), String::new()));
    assert_eq!(fs::read(&tar).unwrap(), pack(&folder.path().join("site"), Stamp::Epoch(7)).unwrap());

    let long_ago = UNIX_EPOCH + Duration::from_secs(1);
    fs::File::options().append(true).open(&tar).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(run("site", "7"), (Some(0), String::new()));
    assert_eq!(fs::metadata(&tar).unwrap().modified().unwrap(), long_ago);

    let complaint = format!("site: {}/none: there is no index.html\n", folder.path().display());
    assert_eq!(run("none", ""), (Some(2), complaint));
    let complaint = "site: SOURCE_DATE_EPOCH=soon: not a number of seconds\n";
    assert_eq!(run("site", "soon"), (Some(2), complaint.to_owned()));
}
