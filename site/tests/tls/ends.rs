use crate::client::{Client, GET, alert, client_config, server};
use netstack::Duration;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ContentType, Error};

#[test]
fn a_close_notify_comes_before_the_end() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        let text = client.ask(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        assert!(text.ends_with("<p>home"));
        assert!(client.notified && client.wire.closed && !client.wire.reset);
    }
}

#[test]
fn a_close_notify_is_answered() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        client.ask(GET);
        client.tls.send_close_notify();
        client.settle();
        assert!(client.notified && client.wire.closed && !client.wire.reset);
        assert_eq!(client.count("tls_truncated"), 0);
    }
}

#[test]
fn requests_before_a_close_notify_are_answered() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.settle();
    std::io::Write::write_all(&mut client.tls.writer(), &GET.repeat(100)).unwrap();
    client.tls.send_close_notify();
    client.settle();
    assert_eq!(client.take_text().matches("<p>home").count(), 100);
    assert!(client.notified && client.wire.closed);
}

#[test]
fn an_end_without_one_is_counted() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.ask(GET);
    client.inject(&[23, 3, 3, 0, 80, 1, 2], true);
    client.settle();
    assert!(client.pending.is_empty() && client.notified && client.wire.closed);
    assert_eq!(client.count("tls_truncated"), 1);
}

#[test]
fn plain_http_gets_an_alert() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.inject(GET, false);
    assert_eq!(alert(&client.wire.sent).map(|(level, _)| level), Some(2));
    assert!(client.wire.closed && client.pending.is_empty());
    assert_eq!((client.count("tls_alerts_sent"), client.count("tls_handshakes")), (1, 0));
    assert_eq!(client.finish(), 0);
}

#[test]
fn a_record_that_is_forged_gets_bad_record_mac() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        client.ask(GET);
        client.inject(&[&[23, 3, 3, 0, 40][..], &[9; 40]].concat(), false);
        client.pull();
        assert_eq!(client.error, Some(Error::AlertReceived(AlertDescription::BadRecordMac)));
        assert!(client.wire.closed);
        assert_eq!(client.count("tls_alerts_sent"), 1);
    }
}

/// RFC 8446 section 5.2 has record_overflow for it; rustls keeps that for records that it has decrypted.
#[test]
fn a_record_that_is_too_long_is_refused_by_its_header() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.ask(GET);
    client.inject(&[23, 3, 3, 0x48, 0x01], false);
    client.pull();
    assert_eq!(client.error, Some(Error::AlertReceived(AlertDescription::DecodeError)));
}

#[test]
fn an_alert_of_the_peers_ends_it() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.inject(&[21, 3, 3, 0, 2, 2, 40], false);
    assert!(client.wire.closed && client.wire.sent.is_empty());
    assert_eq!(client.count("tls_alerts_received"), 1);
}

#[test]
fn the_client_ends_within_the_handshake() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.inject(&[22, 3, 1], true);
    assert!(client.wire.closed && !client.wire.reset);
    assert_eq!(client.count("tls_handshake_incomplete"), 1);
    assert_eq!(client.finish(), 0);
}

#[test]
fn after_a_close_notify_comes_no_alert() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.ask(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(client.notified);
    client.inject(&[&[23, 3, 3, 0, 40][..], &[9; 40]].concat(), false);
    assert!(client.wire.sent.is_empty() && client.pending.is_empty());
    assert_eq!(client.count("tls_alerts_sent"), 0);
}

/// rustls has begun to work on it where we let go of it, and would look for the rest.
#[test]
fn a_message_that_is_not_whole_behind_the_last_request() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.settle();
    let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut client.tls.writer(), request).unwrap();
    let mut bytes = Vec::new();
    client.tls.write_tls(&mut bytes).unwrap();
    // The first byte of a KeyUpdate (RFC 8446, section 4.6.3).
    bytes.extend(client.forge(ContentType::Handshake, &[24]));
    client.inject(&bytes, false);
    assert!(client.wire.closed);
    client.acknowledge();
    client.inject(&[], true);
    client.pass(Duration::from_secs(120));
    assert_eq!(client.finish(), 0);
}

/// RFC 8446, section 6.1. The client's last flight and its close_notify come together.
#[test]
fn a_close_notify_with_the_end_of_the_handshake() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        while client.tls.is_handshaking() {
            client.push();
            let sent = std::mem::take(&mut client.wire.sent);
            client.read(&sent);
        }
        client.tls.send_close_notify();
        client.settle();
        assert!(client.notified && client.wire.closed && !client.wire.reset);
        assert_eq!(client.finish(), 0);
    }
}
