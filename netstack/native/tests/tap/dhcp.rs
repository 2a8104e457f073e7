//! dnsmasq gives the address.

use crate::segment::{Segment, tool};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn dnsmasq_gives_an_address() {
    let segment = Segment::new("dhcp");
    let leases = segment.folder.join("leases");
    let mut dnsmasq = segment
        .command(tool("dnsmasq"))
        .args([
            "--keep-in-foreground",
            "--log-facility=-",
            "--conf-file=/dev/null",
            "--port=0",
            "--user=root",
        ])
        .args(["--interface=hp0", "--no-ping", "--dhcp-authoritative", "--pid-file="])
        .args(["--dhcp-range=192.0.2.50,192.0.2.50,120s", "--dhcp-option=option:mtu,1400"])
        .arg(format!("--dhcp-leasefile={}", leases.display()))
        .stderr(Stdio::piped())
        .spawn()
        .expect("dnsmasq");
    let mut lines = BufReader::new(dnsmasq.stderr.take().unwrap()).lines();
    let ready = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("DHCP")));
    assert!(ready.is_some(), "dnsmasq did not start");
    // It goes on to read what dnsmasq says, or dnsmasq would stop.
    std::thread::spawn(move || lines.for_each(drop));

    let server = segment.serve(["--ip", "dhcp", "--name", "blog"]);
    assert_eq!(server.url, "http://192.0.2.50/");
    segment.run("curl", ["-sSf", "--max-time", "20", "-o", "/dev/null", &server.url]);
    let lease = fs::read_to_string(leases).expect("the leases");
    assert!(lease.contains(" 192.0.2.50 blog "), "{lease}");
    let _ = dnsmasq.kill();
    let _ = dnsmasq.wait();
}
