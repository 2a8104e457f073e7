//! What changes in the folder of a site is in the next build: Cargo runs the build script again.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Builds the crate with this site, and the stamp that `make image` would give it; gives the path of the tar, or what Cargo complained of.
fn build(site: &Path, stamp: &str) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--message-format=json", "--package=site", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("rebuild"))
        .env("HALFPAGE_SITE", site)
        .env("HALFPAGE_SITE_STAMP", stamp)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let messages = String::from_utf8(output.stdout).unwrap();
    let package = format!("\"package_id\":\"path+file://{}#", env!("CARGO_MANIFEST_DIR"));
    let ran = messages
        .lines()
        .find(|line| line.contains("\"reason\":\"build-script-executed\"") && line.contains(&package));
    let (_, rest) = ran.unwrap().split_once("\"out_dir\":\"").unwrap();
    Ok(format!("{}/site.tar", rest.split('"').next().unwrap()))
}

/// The names and bodies in the tar of the next build.
fn built(site: &Path, stamp: &str) -> Vec<(String, String)> {
    let tar = fs::read(build(site, stamp).unwrap()).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let body = std::io::read_to_string(&mut entry).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), body)
    });
    entries.collect()
}

fn check(site: &Path, files: &[(&str, &str)]) {
    let files: Vec<_> = files.iter().map(|(name, body)| ((*name).to_owned(), (*body).to_owned())).collect();
    assert_eq!(built(site, "one"), files);
}

#[test]
fn what_changes_in_a_site_is_in_the_next_build() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("one");
    let put = |name: &str, body: &str| fs::write(site.join(name), body).unwrap();
    fs::create_dir_all(site.join("a")).unwrap();
    put("index.html", "home");
    put("a/page.html", "page");
    check(&site, &[("a/page.html", "page"), ("index.html", "home")]);

    put("a/page.html", "side");
    check(&site, &[("a/page.html", "side"), ("index.html", "home")]);

    put("a/new.html", "new");
    check(&site, &[("a/new.html", "new"), ("a/page.html", "side"), ("index.html", "home")]);

    fs::rename(site.join("a/new.html"), site.join("a/old.html")).unwrap();
    check(&site, &[("a/old.html", "new"), ("a/page.html", "side"), ("index.html", "home")]);

    fs::remove_file(site.join("a/page.html")).unwrap();
    check(&site, &[("a/old.html", "new"), ("index.html", "home")]);

    let other = folder.path().join("two");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("index.html"), "another home").unwrap();
    check(&other, &[("index.html", "another home")]);

    symlink(&other, site.join("b")).unwrap();
    check(&site, &[("a/old.html", "new"), ("b/index.html", "another home"), ("index.html", "home")]);
    fs::write(other.join("index.html"), "behind a link").unwrap();
    check(&site, &[("a/old.html", "new"), ("b/index.html", "behind a link"), ("index.html", "home")]);

    fs::remove_file(site.join("index.html")).unwrap();
    let complaint = build(&site, "one").unwrap_err();
    assert!(complaint.contains(&format!("{}: there is no index.html", site.display())), "{complaint}");
    put("index.html", "home again");
    assert_eq!(built(&site, "one")[2].1, "home again");

    // A file that takes another's place with its time, as `cp -p` and `rsync -t` do it: only the stamp tells.
    let times = |path: &Path| fs::File::open(path).unwrap().metadata().unwrap().modified().unwrap();
    let (folder_time, time) = (times(&site), times(&site.join("index.html")));
    put("index.html", "home moved");
    fs::File::options().append(true).open(site.join("index.html")).unwrap().set_modified(time).unwrap();
    fs::File::open(&site).unwrap().set_modified(folder_time).unwrap();
    assert_eq!(built(&site, "two")[2].1, "home moved");
}
