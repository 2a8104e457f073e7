//! The command line.

use xen::cmdline::{Address, Options};

/// Any bytes: a warning for each word that changes nothing, and addresses that a host can have.
pub fn cmdline(input: &[u8]) {
    let mut warned = 0;
    let options = Options::parse(input, |warning| {
        warned += 1;
        assert!(!warning.word.is_empty() && !warning.to_string().contains(['\n', '\r', '\x1b']));
    });
    let words = input.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    assert!(warned <= words);
    if words == 0 {
        assert_eq!(options, Options::default());
    }
    if let Address::Static { address, prefix, gateway } = options.address {
        assert!((1..=32).contains(&prefix));
        for host in [Some(address), gateway].into_iter().flatten() {
            assert!(!host.is_unspecified() && !host.is_multicast() && !host.is_loopback());
            assert!(!host.is_broadcast());
        }
    }
    // What is behind a NUL does not count, and of a word that comes twice the last holds.
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    assert_eq!(Options::parse(&input[..end], |_| ()), options);
    let twice = [&input[..end], b" ", &input[..end]].concat();
    assert_eq!(Options::parse(&twice, |_| ()), options);
}
