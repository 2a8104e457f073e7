//! Connections: segments, pipelines, bodies, slow and silent clients, ends.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use netstack::Duration;
use peer::{Client, exchange, server};
use proptest::prelude::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// How many responses are in a text.
fn responses(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

/// The counters that are not zero, but for those of ordinary business.
fn faults(server: &site::Server) -> Vec<(&'static str, u64)> {
    let usual = |name: &str| {
        name.starts_with("http_responses") || ["http_connections", "http_requests"].contains(&name)
    };
    server.counters().iter().filter(|(name, count)| *count > 0 && !usual(name)).collect()
}

/// A conversation that exercises most of the parser; its end is a request that is refused.
const CONVERSATION: &[&[u8]] = &[
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /about/ HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
    b"GET /about HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nGET /not/a/request HTTP/1.1",
    b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\nIf-None-Match: *\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;a\r\nGET \r\n0\r\nB: c\r\n\r\n",
    b"GET /about/me.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=-2,0-1\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \r \r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

fn converse(cuts: &[usize]) -> String {
    let whole = CONVERSATION.concat();
    let mut server = server();
    let mut client = Client::new(&mut server);
    let mut from = 0;
    for cut in cuts.iter().chain([&whole.len()]) {
        client.send(&whole[from..*cut]);
        from = *cut;
    }
    assert!(client.pending.is_empty() && client.wire.closed && !client.wire.reset);
    let text = client.text();
    assert_eq!(faults(&server), [("http_bad_field", 1)]);
    text
}

#[test]
fn every_split_in_two_gives_the_same_answers() {
    let whole = converse(&[]);
    let lines: Vec<_> = whole.split("HTTP/1.1 ").skip(1).map(|text| &text[..3]).collect();
    // The body is one byte longer than it says: that byte begins the next request's method.
    assert_eq!(lines, ["200", "200", "301", "501", "304", "405", "206", "400"]);
    for cut in 0..CONVERSATION.concat().len() {
        assert_eq!(converse(&[cut]), whole, "cut at {cut}");
    }
    let every: Vec<usize> = (0..CONVERSATION.concat().len()).collect();
    assert_eq!(converse(&every), whole, "byte by byte");
}

proptest! {
    #[test]
    fn every_split_gives_the_same_answers(mut cuts in prop::collection::vec(0..CONVERSATION.concat().len(), 0..12)) {
        cuts.sort_unstable();
        prop_assert_eq!(converse(&cuts), converse(&[]));
    }

    #[test]
    fn no_bytes_make_a_panic_or_break_a_bound(
        segments in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            prop::sample::select(vec![
                &b"GET "[..], b"/", b"/about", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"Host: a\r\n", b"\r\n", b"\n", b"\r",
                b"Content-Length: 7\r\n", b"Content-Length: 70000\r\n", b"Transfer-Encoding: chunked\r\n", b"%2e", b"%",
                b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Range: bytes=", b"0-1,", b"-", b"4\r\n", b"0\r\n",
                b"Accept-Encoding: ", b"gzip;q=0", b"OPTIONS ", b"If-Range: ", b"If-Match: ", b"If-None-Match: \"", b"*", b"HEAD ", b"POST ",
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"http://a", b": ", b"?", b"#", b"\0",
            ]).prop_map(<[u8]>::to_vec),
        ], 0..40),
        pauses in prop::collection::vec(0_u64..30_000, 40),
        end in any::<bool>(),
    ) {
        let mut server = server();
        let mut client = Client::new(&mut server);
        for (segment, pause) in segments.iter().zip(pauses) {
            client.send(segment);
            prop_assert!(responses(&String::from_utf8_lossy(&client.wire.sent)) <= 40);
            match pause % 4 {
                0 => client.acknowledge_all_but(client.wire.unacknowledged / 2),
                1 => client.acknowledge(),
                2 => client.pass(Duration::from_millis(pause)),
                _ => {}
            }
        }
        if end {
            client.end();
        }
        client.acknowledge();
        // Whatever it was, the connection ends when the client goes silent.
        client.pass(Duration::from_secs(1_000));
        prop_assert!(client.wire.reset && (client.wire.closed || client.wire.unacknowledged > 0));
    }
}

#[test]
fn a_connection_serves_many_requests_without_touching_its_timer() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    assert_eq!(client.wire.armed, 1);
    for _ in 0..1_000 {
        client.send(GET);
        client.acknowledge();
    }
    assert_eq!(responses(&client.text()), 1_000);
    assert_eq!(client.wire.armed, 1);
    assert_eq!(server.counters().http_requests, 1_000);
    assert_eq!(server.counters().http_responses_2xx, 1_000);
}

#[test]
fn at_most_16_responses_are_queued() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(&GET.repeat(60));
    assert_eq!(responses(&client.text()), 16);
    assert_eq!(client.pending.len(), 44 * GET.len());
    let half = client.wire.unacknowledged / 2;

    client.acknowledge_all_but(half + 1);
    assert_eq!(responses(&client.text()), 0, "a byte of the eighth is left");
    client.acknowledge_all_but(half);
    assert_eq!(responses(&client.text()), 8);
    client.acknowledge_all_but(half);
    assert_eq!(responses(&client.text()), 8);
    client.acknowledge_all_but(1);
    assert_eq!(responses(&client.text()), 8);
    client.acknowledge_all_but(0);
    assert_eq!(responses(&client.text()), 16);
    client.acknowledge_all_but(0);
    assert_eq!(responses(&client.text()), 4);
    assert!(client.pending.is_empty() && !client.wire.closed);
}

#[test]
fn a_full_stream_makes_the_server_wait() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.wire.capacity = 10;
    client.send(&GET.repeat(3));
    assert_eq!(responses(&client.text()), 1);
    assert_eq!(client.pending.len(), 2 * GET.len());
    client.acknowledge();
    assert_eq!(responses(&client.text()), 2);
    assert!(!client.wire.reset && client.pending.is_empty());
}

#[test]
fn a_stream_that_refuses_part_of_a_response_is_reset() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.wire.refuse_after = 2;
    client.send(GET);
    assert!(client.wire.reset);
    assert_eq!(faults(&server), [("http_send_refused", 1)]);
}

#[test]
fn an_unwanted_body_is_read_past() {
    for length in [1, 26, 65_536] {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes());
        assert!(client.text().starts_with("HTTP/1.1 405"));
        client.send(&vec![b'x'; length - 1]);
        client.send(b"x");
        client.send(GET);
        assert!(client.text().starts_with("HTTP/1.1 200"), "{length}");
        assert!(!client.wire.closed && client.pending.is_empty());
    }
}

#[test]
fn a_body_that_is_too_long_or_waited_for_ends_the_connection() {
    for field in [
        "Content-Length: 65537",
        "Content-Length: 18446744073709551615",
        "Transfer-Encoding: chunked\r\nExpect: 100-continue",
        "Content-Length: 1\r\nExpect: 100-continue",
    ] {
        for (method, status) in [("POST", "405"), ("GET", "200")] {
            let mut server = server();
            let mut client = Client::new(&mut server);
            client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n").as_bytes());
            let text = client.text();
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains("Connection: close\r\n"),
                "{text}"
            );
            assert!(client.wire.closed && !client.wire.reset);
            client.send(&GET.repeat(100));
            assert!(client.wire.sent.is_empty() && client.pending.is_empty());
        }
    }
}

#[test]
fn an_unwanted_chunked_body_is_read_past() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "19;name=value\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let bytes = [request.as_bytes(), GET].concat();
        let mut server = server();
        for cut in 0..bytes.len() {
            let mut client = Client::new(&mut server);
            client.send(&bytes[..cut]);
            client.send(&bytes[cut..]);
            client.acknowledge();
            let text = client.text();
            assert_eq!((responses(&text), &text[9..12]), (2, "405"), "cut at {cut}");
            assert!(text.ends_with("\r\n\r\n<p>home") && !client.wire.closed && client.pending.is_empty());
            assert_eq!(faults(&server), []);
        }
    }
}

#[test]
fn behind_a_chunked_body_that_is_malformed_or_too_long_nothing_is_answered() {
    let long = format!("10000\r\n{}\r\n0\r\n\r\n", "x".repeat(65_536));
    for body in
        ["5 \r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n", "5\r\nhello0\r\n\r\n", "x", "10001\r\n", &long]
    {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(body.as_bytes());
        client.send(GET);
        client.acknowledge();
        assert_eq!(responses(&client.text()), 1, "{body:.20}");
        assert!(client.wire.closed && !client.wire.reset && client.pending.is_empty());
        assert_eq!(faults(&server), [("http_bad_body", 1)]);
    }
}

#[test]
fn a_response_is_finished_after_the_clients_end() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.pending = GET.repeat(20);
    client.end();
    assert!(!client.wire.closed, "four requests are left");
    client.acknowledge();
    assert_eq!(responses(&client.text()), 20);
    assert!(client.wire.closed && !client.wire.reset);
    assert_eq!(faults(&server), []);
}

#[test]
fn an_end_between_requests_is_answered_with_ours() {
    for before in [&b""[..], GET, b"\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.send(before);
        client.acknowledge();
        client.end();
        assert!(client.wire.closed && !client.wire.reset);
        assert_eq!(faults(&server), []);
    }
}

#[test]
fn an_end_within_a_head_is_a_400() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(&GET[..20]);
    client.end();
    assert!(client.text().starts_with("HTTP/1.1 400"));
    assert!(client.wire.closed && client.pending.is_empty());
    assert_eq!(faults(&server), [("http_bad_incomplete", 1)]);
}

#[test]
fn a_silent_client_gets_our_end_and_then_a_reset() {
    for (request, limit) in [(&b""[..], 20), (GET, 60)] {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.send(request);
        client.acknowledge();
        client.text();
        client.pass(Duration::from_micros(limit * 1_000_000 - 1));
        assert!(!client.wire.closed);
        client.pass(Duration::from_micros(1));
        assert!(client.wire.closed && !client.wire.reset);
        assert_eq!(client.text(), "");
        client.pass(Duration::from_micros(4_999_999));
        assert!(!client.wire.reset);
        client.pass(Duration::from_micros(1));
        assert!(client.wire.reset);
        assert_eq!(faults(&server), [("http_idle_timeout", 1), ("http_linger_timeout", 1)]);
    }
}

#[test]
fn a_request_starts_the_idle_time_anew() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    for _ in 0..10 {
        client.pass(Duration::from_secs(19));
        client.send(GET);
        client.acknowledge();
    }
    client.pass(Duration::from_micros(59_999_999));
    assert!(!client.wire.closed);
    client.pass(Duration::from_micros(1));
    assert!(client.wire.closed);
}

#[test]
fn a_slow_head_is_a_408_however_often_bytes_come() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(GET);
    client.acknowledge();
    client.text();
    client.pass(Duration::from_secs(30));
    for _ in 0..19 {
        client.send(b"G");
        client.pass(Duration::from_secs(1));
    }
    client.pass(Duration::from_micros(999_999));
    assert_eq!(client.text(), "");
    client.pass(Duration::from_micros(1));
    let text = client.text();
    assert!(
        text.starts_with("HTTP/1.1 408 Request Timeout\r\n") && text.contains("Connection: close"),
        "{text}"
    );
    assert!(client.wire.closed && !client.wire.reset);
    assert_eq!(faults(&server), [("http_head_timeout", 1)]);
}

#[test]
fn empty_lines_do_not_keep_a_connection_open() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    for _ in 0..20 {
        client.send(b"\r\n\r");
        client.send(b"\n");
        client.pass(Duration::from_secs(1));
    }
    assert!(client.wire.closed);
}

#[test]
fn a_slow_body_ends_the_connection() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    client.acknowledge();
    for _ in 0..20 {
        client.send(b"x");
        client.pass(Duration::from_secs(1));
    }
    assert!(client.wire.closed);
    assert_eq!(faults(&server), [("http_body_timeout", 1)]);
}

#[test]
fn a_client_that_takes_nothing_is_reset_and_one_that_takes_little_is_not() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..100 {
        client.pass(Duration::from_secs(59));
        client.acknowledge_all_but(client.wire.unacknowledged - 100);
    }
    client.pass(Duration::from_micros(59_999_999));
    assert!(!client.wire.reset);
    client.pass(Duration::from_micros(1));
    assert!(client.wire.reset);
    assert_eq!(faults(&server), [("http_send_timeout", 1)]);
}

#[test]
fn a_last_response_that_is_long_may_take_its_time() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.send(b"GET /big.bin HTTP/1.0\r\n\r\n");
    assert!(client.wire.closed);
    for _ in 0..50 {
        client.pass(Duration::from_secs(30));
        client.acknowledge_all_but(client.wire.unacknowledged - 2_000);
    }
    client.acknowledge();
    client.pass(Duration::from_micros(4_999_999));
    assert!(!client.wire.reset);
    client.pass(Duration::from_micros(1));
    assert!(client.wire.reset);
    assert_eq!(faults(&server), [("http_linger_timeout", 1)]);
}

#[test]
fn stopping_finishes_what_is_queued_and_ends() {
    use netstack::Service;
    for request in [&b""[..], GET, &GET[..10]] {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.send(request);
        client.server.stopping(&mut client.connection, &mut client.wire);
        assert!(client.wire.closed && !client.wire.reset);
        assert_eq!(responses(&client.text()), usize::from(request == GET));
        client.send(GET);
        assert!(client.wire.sent.is_empty() && client.pending.is_empty());
    }
}

#[test]
fn only_the_configured_port_is_served() {
    use netstack::Service;
    assert!(server().listens(80) && !server().listens(81) && !server().listens(0));
    let config = site::Config { port: 8_080, ..site::Config::default() };
    let server = site::Server::new(peer::site(&[]), config, peer::CLOCK);
    assert!(server.listens(8_080) && !server.listens(80));
}

#[test]
fn a_body_is_sent_from_where_it_lies() {
    let tar = peer::tar(&[("index.html", b"<p>home")]);
    let mut server = site::Server::new(site::Site::open(tar).unwrap(), site::Config::default(), peer::CLOCK);
    let mut client = Client::new(&mut server);
    client.send(GET);
    let body = client.wire.last.unwrap();
    assert_eq!(body, b"<p>home");
    assert!(tar.as_ptr_range().contains(&body.as_ptr()));
    drop(exchange(&mut server, GET));
}

#[test]
fn a_server_that_drains_ends_each_connection_with_its_next_response() {
    let mut server = peer::server();
    let mut client = Client::new(&mut server);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.acknowledge();
    assert!(!client.text().contains("Connection: close") && !client.wire.closed);
    client.server.drain();
    assert!(!client.wire.closed);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let text = client.text();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\r\nConnection: close\r\n"), "{text}");
    assert!(client.wire.closed);
}
