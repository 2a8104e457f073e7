use crate::client::{Client, GET, client_config, count, server};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

#[test]
fn a_page_by_either_version() {
    for (version, named) in [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        let text = client.ask(GET);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("<p>home"), "{text}");
        assert_eq!(client.tls.protocol_version(), Some(named));
        assert_eq!(client.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(client.count("tls_handshakes"), 1);
        assert_eq!(client.count("tls_1_2"), u64::from(named == ProtocolVersion::TLSv1_2));
        assert_eq!(client.count("http_connections"), 1);
        assert_eq!(client.finish(), 0);
    }
}

#[test]
fn a_session_is_resumed() {
    let mut server = server();
    for version in [&TLS13, &TLS12] {
        let config = Arc::new(client_config(version));
        for _ in 0..2 {
            let mut client = Client::with(&mut server, Arc::clone(&config));
            assert!(client.ask(GET).ends_with("<p>home"));
            client.finish();
        }
    }
    assert_eq!((count(&server, "tls_handshakes"), count(&server, "tls_resumed")), (4, 2));
}

#[test]
fn a_byte_at_a_time() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut client = Client::with(&mut server, client_config(version).into());
        client.segment = 1;
        assert!(client.ask(GET).ends_with("<p>home"));
    }
}

#[test]
fn messages_in_many_records() {
    for version in [&TLS13, &TLS12] {
        let mut server = server();
        let mut config = client_config(version);
        config.max_fragment_size = Some(64);
        let mut client = Client::with(&mut server, config.into());
        client.segment = 7;
        assert!(client.ask(GET).ends_with("<p>home"));
        let long = [&b"GET /?"[..], &[b'x'; 4_000], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert!(client.ask(&long).ends_with("<p>home"));
        assert_eq!(client.finish(), 0);
    }
}
