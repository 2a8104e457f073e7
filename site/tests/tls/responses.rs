use crate::client::{Client, GET, client_config, server, server_with};
use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use site::tls::Limits;

const BIG: &[u8] = b"GET /big.bin HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn a_large_body_is_encrypted_as_it_is_taken() {
    for version in [&TLS13, &TLS12] {
        let mut server = server_with(Limits { unacknowledged: 20_000, ..Limits::default() });
        let mut client = Client::with(&mut server, client_config(version).into());
        let text = client.ask(BIG);
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.as_bytes(), [7; 100_000]);
        assert!(client.wire.peak < 20_000 + 16_384 + 64, "{}", client.wire.peak);
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    let text = client.ask(&[GET, BIG].concat().repeat(40));
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 80);
    assert_eq!(text.matches("<p>home").count(), 40);
    assert_eq!(text.matches('\u{7}').count(), 4_000_000);
    assert_eq!(client.finish(), 0);
}

#[test]
fn a_queue_without_room_waits() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.wire.capacity = 8;
    let text = client.ask(&[GET, BIG].concat().repeat(40));
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 80);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_split_gives_the_same_answers(segment in 1_usize..3_000, fragment in 32_usize..16_000, capacity in 4_usize..128) {
        let mut server = server();
        let mut config = client_config(&TLS13);
        config.max_fragment_size = Some(fragment);
        let mut client = Client::with(&mut server, config.into());
        (client.segment, client.wire.capacity) = (segment, capacity);
        let text = client.ask(&[GET, BIG, GET].concat());
        prop_assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3);
        prop_assert_eq!(client.finish(), 0);
    }
}
