use crate::client::{Client, GET, count, server, server_of, server_with};
use netstack::record::Pool;
use netstack::{Duration, Instant};
use site::tls::Limits;

#[test]
fn a_silent_handshake_ends_after_20_seconds() {
    for bytes in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
        let mut server = server();
        let mut client = Client::new(&mut server);
        client.inject(bytes, false);
        client.pass(Duration::from_millis(19_999));
        assert!(!client.wire.reset);
        client.pass(Duration::from_millis(1));
        assert!(client.wire.reset);
        assert_eq!(client.count("tls_handshake_timeout"), 1);
        assert_eq!(client.finish(), 0);
    }
}

#[test]
fn a_flight_that_nobody_takes_is_short_and_waits_20_seconds() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.push();
    // All that a hello makes the server keep: its answer, with a certificate of some 400 bytes. Nothing follows unasked.
    let flight = client.wire.unacknowledged;
    assert!((400..2_000).contains(&flight), "{flight}");
    client.pass(Duration::from_millis(19_999));
    assert_eq!((client.wire.peak, client.server.kept()), (flight, 0));
    assert!(!client.wire.reset);
    client.pass(Duration::from_millis(1));
    assert!(client.wire.reset);
    assert_eq!(client.count("tls_handshake_timeout"), 1);
    assert_eq!(client.finish(), 0);
}

#[test]
fn an_idle_session_ends_as_an_idle_connection_does() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.ask(GET);
    client.pass(Duration::from_secs(61));
    client.settle();
    assert!(client.notified && client.wire.closed && !client.wire.reset);
    assert_eq!(client.count("http_idle_timeout"), 1);
}

#[test]
fn one_that_an_error_ended_is_reset_if_the_peer_stays() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    client.inject(GET, false);
    client.pass(Duration::from_secs(5));
    assert!(client.wire.reset);
    assert_eq!(client.count("tls_linger_timeout"), 1);
}

#[test]
fn a_hello_that_does_not_end() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    // A ClientHello of 65,000 bytes, in records of 1,000.
    let mut record = [&[22, 3, 1, 3, 0xe8][..], &[0; 1_000]].concat();
    record[5..9].copy_from_slice(&[1, 0, 0xfd, 0xe8]);
    let (mut records, mut most) = (0, 0);
    while !client.wire.reset {
        client.inject(&record, false);
        record[5..9].fill(0);
        records += 1;
        most = most.max(client.server.kept());
    }
    assert_eq!(records, 25);
    assert!((24_000..=48 << 10).contains(&most), "{most}");
    assert_eq!(client.count("tls_handshake_length"), 1);
    assert_eq!(client.finish(), 0);
}

#[test]
fn what_all_keep_has_a_bound() {
    let mut server = server_with(Limits { kept_all: 10_000, ..Limits::default() });
    let mut client = Client::new(&mut server);
    let head = [&b"GET /?"[..], &[b'x'; 7_000]].concat();
    client.ask(&head);
    assert!(!client.wire.reset);
    let connection = client.connection;
    let mut second = Client::new(&mut server);
    second.ask(&head);
    assert!(second.wire.reset);
    assert_eq!(second.count("tls_buffers_full"), 1);
    second.finish();
    netstack::Service::closed(&mut server, connection);
    assert_eq!((server.kept(), count(&server, "tls_buffers_full")), (0, 1));
}

#[test]
fn records_wait_for_pages() {
    let pool = Pool::new(0, 1);
    let mut server = server_of(Limits::default(), pool.clone());
    let mut client = Client::new(&mut server);
    client.settle();
    let taken = pool.take(1).unwrap();
    assert_eq!(client.ask(GET), "");
    assert!(client.count("tls_records_exhausted") > 0);
    client.pass(Duration::from_millis(20));
    client.settle();
    assert_eq!(client.take_text(), "");
    drop(taken);
    client.pass(Duration::from_millis(20));
    client.settle();
    assert!(client.take_text().ends_with("<p>home"));
    // A body through one page: each record waits for the acknowledgment of the one before.
    let text = client.ask(b"GET /big.bin HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(text.matches('\u{7}').count(), 100_000);
    assert!(client.wire.peak <= 4_096);
    client.finish();
    assert_eq!(pool.free(), (0, 1));
}

#[test]
fn what_a_reset_leaves_goes_back() {
    let pool = Pool::new(4, 4);
    let mut server = server_of(Limits::default(), pool.clone());
    let mut client = Client::new(&mut server);
    client.settle();
    std::io::Write::write_all(&mut client.tls.writer(), b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    client.push();
    assert_eq!(pool.free(), (0, 0));
    client.wire.chunks.clear();
    client.finish();
    assert_eq!(pool.free(), (4, 4));
}

#[test]
fn who_takes_nothing_goes_where_others_wait_for_pages() {
    let pool = Pool::new(1, 0);
    let mut server = server_of(Limits::default(), pool.clone());
    let mut slow = Client::new(&mut server);
    slow.settle();
    std::io::Write::write_all(&mut slow.tls.writer(), b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    slow.push();
    assert_eq!(pool.free(), (0, 0));
    slow.pass(Duration::from_secs(20));
    assert!(!slow.wire.reset, "nobody waits");
    let Client { connection, mut wire, .. } = slow;
    let mut slow = connection;

    let mut client = Client::new(&mut server);
    client.wire.now = Instant::from_micros(24_500_000);
    client.settle();
    std::io::Write::write_all(&mut client.tls.writer(), GET).unwrap();
    client.push();
    wire.now = client.wire.now + Duration::from_millis(500);
    netstack::Service::deadline(client.server, &mut slow, &mut wire);
    assert!(wire.reset);
    netstack::Service::closed(client.server, slow);
    drop(wire);
    client.pass(Duration::from_millis(500));
    client.settle();
    assert!(client.take_text().ends_with("<p>home"));
    assert_eq!(client.count("tls_evicted"), 1);
}

/// 100,000 bytes are under way to each: 12,500 of them in five seconds are an eighth.
#[test]
fn who_takes_little_of_much_goes_where_others_wait_for_pages() {
    for (taken, goes) in [(8_000, true), (13_000, false)] {
        let pool = Pool::new(8, 0);
        let mut server = server_of(Limits::default(), pool.clone());
        let mut slow = Client::new(&mut server);
        slow.settle();
        std::io::Write::write_all(&mut slow.tls.writer(), b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        slow.push();
        let Client { connection: mut slow, mut wire, .. } = slow;
        assert!((100_000..101_000).contains(&wire.unacknowledged));
        // Others have the rest.
        let rest: Vec<_> = std::iter::from_fn(|| pool.take(4_097)).collect();
        wire.now = Instant::from_micros(4_500_000);
        wire.unacknowledged -= taken;
        netstack::Service::acknowledged(&mut server, &mut slow, &mut wire);

        let mut client = Client::new(&mut server);
        client.wire.now = Instant::from_micros(4_500_000);
        client.settle();
        std::io::Write::write_all(&mut client.tls.writer(), GET).unwrap();
        client.push();
        assert!(client.count("tls_records_exhausted") > 0);
        wire.now = Instant::from_micros(5_000_000);
        netstack::Service::deadline(client.server, &mut slow, &mut wire);
        assert_eq!(wire.reset, goes, "{taken}");
        assert_eq!(client.count("tls_evicted"), u64::from(goes));
        netstack::Service::closed(client.server, slow);
        drop((wire, rest));
        client.pass(Duration::from_millis(500));
        client.settle();
        assert!(client.take_text().ends_with("<p>home"));
    }
}
