//! curl over Linux's TCP.

use crate::segment::{SERVER, Segment, counter, tool};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn content() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../site/content").canonicalize().expect("the default site")
}

/// Every file under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn every_file(test: &str, offload: &[&str]) {
    let segment = Segment::new(test);
    let content = content();
    let site = content.to_str().unwrap();
    let server =
        segment.serve(["--ip", "192.0.2.10/24", "--site", site].into_iter().chain(offload.iter().copied()));
    let files = files(&content);
    assert!(files.len() > 10);
    for file in &files {
        let path = file.strip_prefix(&content).unwrap().to_str().unwrap();
        let path = path.strip_suffix("index.html").unwrap_or(path);
        let body = segment.run("curl", ["-sSf", "--max-time", "20", &format!("http://{SERVER}/{path}")]);
        assert_eq!(body, fs::read(file).unwrap(), "{path}");
    }
    let counters = server.stop();
    assert_eq!(counter(&counters, "http_responses_2xx"), files.len() as u64);
}

#[test]
fn every_file_comes_back_byte_for_byte() {
    every_file("files", &[]);
}

#[test]
fn every_file_comes_back_without_offloads() {
    every_file("files-plain", &["--no-offload"]);
}

#[test]
fn head_not_modified_not_found_and_reuse() {
    let (segment, server) = Segment::with_server("http", []);
    let url = server.url.clone();
    let code = ["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code} %{num_connects} "];
    let [a, b, c, d, e, f, g] = code;
    let head = segment.says("curl", ["-sSI", &url]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("an ETag");
    let known = format!("If-None-Match: {tag}");
    assert_eq!(segment.says("curl", [a, b, c, d, e, f, g, "-H", &known, &url]), "304 1 ");
    assert_eq!(segment.says("curl", [a, b, c, d, e, f, g, &format!("{url}nothing")]), "404 1 ");
    // Two requests, one connection.
    assert_eq!(segment.says("curl", [a, b, c, "-o", "/dev/null", d, e, f, g, &url, &url]), "200 1 200 0 ");
}

/// A site of one file of 1 MiB, and its bytes.
fn one_mebibyte(segment: &Segment) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let site = segment.folder.join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.html"), b"<!DOCTYPE html>").unwrap();
    fs::write(site.join("big.bin"), &bytes).unwrap();
    bytes
}

#[test]
fn sixty_four_at_once() {
    for offload in [&[][..], &["--no-offload"]] {
        let segment = Segment::new("at-once");
        let bytes = one_mebibyte(&segment);
        let site = segment.folder.join("site");
        let arguments = ["--ip", "192.0.2.10/24", "--site", site.to_str().unwrap()];
        let server = segment.serve(arguments.into_iter().chain(offload.iter().copied()));
        let out = segment.folder.join("out.#1");
        let url = format!("{}big.bin?[1-64]", server.url);
        let parallel = ["-sSf", "-Z", "--parallel-immediate", "--parallel-max", "64", "--max-time", "120"];
        let [a, b, c, d, e, f, g] = parallel;
        segment.run("curl", [a, b, c, d, e, f, g, "-o", out.to_str().unwrap(), &url]);
        for n in 1..=64 {
            let got = fs::read(segment.folder.join(format!("out.{n}"))).unwrap();
            assert!(got == bytes, "download {n} differs");
        }
        let counters = server.stop();
        assert_eq!(counter(&counters, "tcp_established"), 64);
    }
}

#[test]
fn three_hundred_one_after_the_other() {
    let (segment, server) = Segment::with_server("one-by-one", []);
    let url = format!("{}?[1-300]", server.url);
    let close =
        ["-sSf", "--max-time", "60", "-H", "Connection: close", "-o", "/dev/null", "-w", "%{num_connects}"];
    let [a, b, c, d, e, f, g, h, i] = close;
    assert_eq!(segment.says("curl", [a, b, c, d, e, f, g, h, i, &url]), "1".repeat(300));
    let counters = server.stop();
    assert_eq!(counter(&counters, "tcp_established"), 300);
}

/// What `make test` judges by a capture: our FIN when the server ends.
#[test]
fn an_open_connection_sees_the_server_end() {
    let (segment, server) = Segment::with_server("stop", []);
    let talk = format!(
        "exec 3<>/dev/tcp/{SERVER}/80; printf 'HEAD / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; cat <&3"
    );
    let mut client =
        segment.command(tool("bash")).args(["-c", &talk]).stdout(Stdio::piped()).spawn().expect("bash");
    let mut output = client.stdout.take().unwrap();
    let mut start = [0; 15];
    output.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    server.stop();
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert!(client.wait().unwrap().success());
}

/// No device helps here, and the capture stands on the wire.
#[test]
fn every_checksum_is_right_without_offloads() {
    let segment = Segment::new("checksums");
    one_mebibyte(&segment);
    let site = segment.folder.join("site");
    let server = segment.serve(["--ip", "192.0.2.10/24", "--no-offload", "--site", site.to_str().unwrap()]);
    let mut capture = segment
        .command(tool("tcpdump"))
        .args(["-i", "hp0", "-n", "-vv", "-l", "-c", "300", "tcp and src host", SERVER])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcpdump");
    // It says "listening on hp0" once it captures.
    let mut ready = [0; 1];
    capture.stderr.as_mut().unwrap().read_exact(&mut ready).expect("tcpdump");
    let url = format!("{}big.bin?[1-3]", server.url);
    segment.run("curl", ["-sSf", "--max-time", "60", "-o", "/dev/null", &url]);
    let captured = capture.wait_with_output().expect("tcpdump");
    let text = String::from_utf8_lossy(&captured.stdout);
    assert_eq!(text.matches("(correct)").count(), 300, "{text}");
    assert_eq!(text.matches("incorrect").count() + text.matches("bad cksum").count(), 0);
}
