//! The kernel's command line: every word, and words that are none.

#![allow(missing_docs)]

use log::LevelFilter;
use std::net::Ipv4Addr;
use xen::cmdline::{Address, Http, Options};

/// The options, and the warnings as the console shows them.
fn parse(line: &[u8]) -> (Options, Vec<String>) {
    let mut warnings = Vec::new();
    let options = Options::parse(line, |warning| warnings.push(warning.to_string()));
    (options, warnings)
}

/// The options of a line without a warning.
fn clean(line: &[u8]) -> Options {
    let (options, warnings) = parse(line);
    assert_eq!(warnings, [""; 0]);
    options
}

#[test]
fn nothing_said_is_dhcp_and_http() {
    let default = Options {
        address: Address::Dhcp,
        log: LevelFilter::Info,
        access_log: false,
        http: Http::On,
        https: true,
        hsts: None,
    };
    for line in
        [&b""[..], b"\0", b" \t ", b"\0ip=junk", b"ip=dhcp", b"http=on https=on access_log=off log=info"]
    {
        assert_eq!(clean(line), default);
    }
}

#[test]
fn every_word_is_heard() {
    let options = clean(
        b"gw=192.0.2.1 ip=192.0.2.10/24 log=debug access_log=on http=redirect https=off hsts=31536000\0",
    );
    assert_eq!(
        options,
        Options {
            address: Address::Static {
                address: Ipv4Addr::new(192, 0, 2, 10),
                prefix: 24,
                gateway: Some(Ipv4Addr::new(192, 0, 2, 1)),
            },
            log: LevelFilter::Debug,
            access_log: true,
            http: Http::Redirect,
            https: false,
            hsts: Some(31_536_000),
        }
    );
    assert_eq!(clean(b"http=off").http, Http::Off);
    for (word, level) in [
        (&b"log=error"[..], LevelFilter::Error),
        (b"log=warn", LevelFilter::Warn),
        (b"log=info", LevelFilter::Info),
    ] {
        assert_eq!(clean(word).log, level);
    }
}

#[test]
fn an_address_may_stand_alone() {
    for (line, prefix) in [(&b"ip=10.0.0.1/32"[..], 32), (b"ip=10.0.0.1/1", 1)] {
        let address = Address::Static { address: Ipv4Addr::new(10, 0, 0, 1), prefix, gateway: None };
        assert_eq!(clean(line).address, address);
    }
}

#[test]
fn the_last_of_a_name_holds() {
    assert_eq!(clean(b"http=off  http=on").http, Http::On);
    assert_eq!(clean(b"ip=10.0.0.1/8 ip=dhcp").address, Address::Dhcp);
}

#[test]
fn unknown_words_are_warnings() {
    let (options, warnings) = parse(b"root=/dev/xvda1 quiet http=off =x \x1b[2J\xff");
    assert_eq!(options, Options { http: Http::Off, ..Options::default() });
    assert_eq!(
        warnings,
        [
            "command line: root=/dev/xvda1: no such option",
            "command line: quiet: no such option",
            "command line: =x: no such option",
            r"command line: \x1b[2J\xff: no such option",
        ]
    );
}

#[test]
fn senseless_values_change_nothing() {
    for word in [
        "ip=",
        "ip=10.0.0.1",
        "ip=10.0.0.1/0",
        "ip=10.0.0.1/33",
        "ip=10.0.0.1/+8",
        "ip=10.0.0.1/",
        "ip=0.0.0.0/8",
        "ip=0.1.2.3/8",
        "ip=127.0.0.1/8",
        "ip=224.0.0.1/4",
        "ip=255.255.255.255/8",
        "ip=10.0.0.256/8",
        "ip=::1/64",
        "ip=DHCP",
        "log=trace",
        "log=",
        "access_log=yes",
        "http=1",
        "https=redirect",
        "hsts=",
        "hsts=-1",
        "hsts=+1",
        "hsts=4294967296",
        "gw=nowhere",
    ] {
        let (options, warnings) = parse(word.as_bytes());
        assert_eq!(options, Options::default(), "{word}");
        assert_eq!(warnings.len(), 1, "{word}");
        assert!(warnings[0].starts_with(&format!("command line: {word}: expected ")), "{}", warnings[0]);
    }
}

#[test]
fn a_gateway_needs_an_address() {
    for line in [&b"gw=10.0.0.1"[..], b"ip=dhcp gw=10.0.0.1"] {
        let (options, warnings) = parse(line);
        assert_eq!(options, Options::default());
        assert_eq!(warnings, ["command line: gw=10.0.0.1: of no use without ip=ADDRESS/LENGTH"]);
    }
}
