//! What a stranger finds out.

use crate::segment::{SERVER, Segment, counter};

#[test]
fn ping() {
    let (segment, server) = Segment::with_server("ping", []);
    let said = segment.says("ping", ["-c", "20", "-i", "0.01", "-W", "10", SERVER]);
    assert!(said.contains("20 received"), "{said}");
    let said = segment.says("ping", ["-c", "2", "-i", "0.01", "-W", "10", "-s", "1472", "-M", "do", SERVER]);
    assert!(said.contains("2 received"), "{said}");
    assert_eq!(counter(&server.stop(), "icmp_echo"), 22);
}

#[test]
fn protocols() {
    let (segment, _server) = Segment::with_server("protocols", []);
    let said = segment.says("nmap", ["-n", "-Pn", "-sO", "-p", "1,2,6,17,132", SERVER]);
    let state = |protocol: &str| {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(protocol));
        line.and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned)
    };
    for (protocol, expected) in
        [("1", "open"), ("6", "open"), ("17", "open"), ("2", "closed"), ("132", "closed")]
    {
        assert_eq!(state(protocol).as_deref(), Some(expected), "{said}");
    }
}

#[test]
fn ports() {
    let (segment, server) = Segment::with_server("ports", []);
    for scan in ["-sS", "-sT"] {
        let said = segment.says("nmap", ["-n", "-Pn", scan, "-p", "1-1000", "-oG", "-", SERVER]);
        assert!(said.contains("Ports: 80/open/tcp"), "{said}");
        assert_eq!(said.matches("/open/").count(), 1, "{said}");
    }
    segment.run("curl", ["-sSf", "--max-time", "20", "-o", "/dev/null", &server.url]);
}
