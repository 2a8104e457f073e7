//! How it refuses to start.

use crate::segment::{Segment, tool};
use std::process::{Command, Output};

fn server(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfpage-tap")).args(arguments).output().expect("the server")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_capability_is_named() {
    // A user namespace without rights over the network namespace that it is in.
    let output = Command::new(tool("unshare"))
        .args(["--user", env!("CARGO_BIN_EXE_halfpage-tap"), "--tap", "hp-none", "--ip", "192.0.2.10/24"])
        .output()
        .expect("unshare");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("CAP_NET_ADMIN"), "{}", error(&output));
}

#[test]
fn a_tap_in_use_is_said_to_be() {
    let (segment, _server) = Segment::with_server("in-use", []);
    let mut second = segment.command(env!("CARGO_BIN_EXE_halfpage-tap"));
    let output = second.args(["--tap", "hp0", "--ip", "192.0.2.11/24"]).output().expect("the server");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("another program serves on it"), "{}", error(&output));
}

#[test]
fn bad_arguments() {
    for (arguments, says) in [
        (&[][..], "--tap is missing"),
        (&["--tap", "t"], "--ip is missing"),
        (&["--tap", "t", "--ip", "192.0.2.10"], "192.0.2.10: not an address and a prefix length"),
        (&["--tap", "t", "--ip", "192.0.2.10/33"], "192.0.2.10/33: not an address"),
        (&["--tap", "t", "--ip", "192.0.2.10/24", "--gw", "x"], "x: "),
        (&["--tap", "t", "--ip", "192.0.2.10/24", "--mac", "01:00:00:00:00:00"], "not a link address"),
        (&["--tap"], "--tap needs a value"),
        (&["--tip", "t"], "--tip: not understood"),
    ] {
        let output = server(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error(&output).contains(says), "{arguments:?}: {}", error(&output));
    }
}

#[test]
fn a_site_that_is_none() {
    let output = server(&["--tap", "t", "--ip", "192.0.2.10/24", "--site", "/nowhere.tar"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("/nowhere.tar"), "{}", error(&output));
}
