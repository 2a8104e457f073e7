//! Requests that are refused: the status, the counter, and that the connection ends with the client able to read why.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use peer::{Client, exchange, server};

/// A status line, the counter that counted it, and requests.
type Row<'a> = (&'a str, &'a str, &'a [&'a str]);

const ROWS: &[Row<'_>] = &[
    (
        "400 Bad Request",
        "http_bad_request_line",
        &[
            "GET\r\n\r\n",
            "GET /\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "GET / HTTP/11.1\r\nHost: a\r\n\r\n",
            "GET / HTP/1.1\r\nHost: a\r\n\r\n",
            "G{T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01",
            "\0",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            // Bare LF: the request line's end, so that nobody sees another line end than we do.
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\n\n",
        ],
    ),
    (
        "400 Bad Request",
        "http_bad_target",
        &[
            "GET index.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a%2fb^/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /?\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /?\t HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /% HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%2g HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%%20 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a%00.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /ü.html HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    ),
    (
        "505 HTTP Version Not Supported",
        "http_bad_version",
        &[
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/0.9\r\n\r\n",
            "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    ),
    (
        "400 Bad Request",
        "http_bad_host",
        &[
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [g::]\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\n",
        ],
    ),
    (
        "400 Bad Request",
        "http_bad_field",
        &[
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\tfolded: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: bare\rcr\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: nul\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: control\x01\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        ],
    ),
    (
        "400 Bad Request",
        "http_bad_content_length",
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        ],
    ),
    (
        "400 Bad Request",
        "http_bad_transfer_encoding",
        &[
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ],
    ),
    (
        "501 Not Implemented",
        "http_bad_coding",
        &[
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        ],
    ),
    (
        "417 Expectation Failed",
        "http_bad_expectation",
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, 200-ok\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue=1\r\n\r\n",
        ],
    ),
];

fn check(request: &[u8], status: &str, counter: &str) {
    let mut server = server();
    peer::record(request);
    let mut client = Client::new(&mut server);
    client.send(request);
    let answer = client.text();
    let shown = &request[..request.len().min(120)];
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{}: {answer}", shown.escape_ascii());
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("</html>\n"));
    assert!(client.wire.closed && !client.wire.reset, "the client must be able to read the answer");
    assert!(client.pending.is_empty());
    // What comes after is not answered, nor kept.
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.wire.sent.is_empty() && client.pending.is_empty());
    let counted: Vec<_> =
        server.counters().iter().filter(|(name, count)| name.contains("_bad_") && *count > 0).collect();
    assert_eq!(counted, [(counter, 1)], "{}", shown.escape_ascii());
}

#[test]
fn each_malformed_request_is_refused_and_ends_the_connection() {
    for (status, counter, requests) in ROWS {
        for request in *requests {
            check(request.as_bytes(), status, counter);
        }
    }
}

#[test]
fn a_head_request_that_is_refused_gets_no_content() {
    let long = format!("HEAD /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(8_000));
    for (request, status) in [
        ("HEAD / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (&long, "414 URI Too Long"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", "417 Expectation Failed"),
        ("HEAD / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"),
    ] {
        let (answer, closed) = exchange(&mut server(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        // The length is that of the page which a GET would get (RFC 9110, section 8.6).
        assert!(answer.contains("\r\nContent-Length: ") && !answer.contains("\r\nContent-Length: 0\r\n"));
        assert!(
            closed && answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1,
            "{answer}"
        );
    }
}

#[test]
fn a_head_may_have_8192_bytes_and_a_target_8000() {
    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4)).into_bytes()
    };
    assert!(exchange(&mut server(), &head(8_192)).0.starts_with("HTTP/1.1 200 OK"));
    check(&head(8_193), "431 Request Header Fields Too Large", "http_bad_head_length");
    check(&head(100_000), "431 Request Header Fields Too Large", "http_bad_head_length");

    let target =
        |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length - 1)).into_bytes();
    assert!(exchange(&mut server(), &target(8_000)).0.starts_with("HTTP/1.1 404 Not Found"));
    check(&target(8_001), "414 URI Too Long", "http_bad_target_length");
    check(&target(8_200), "414 URI Too Long", "http_bad_target_length");
    check(&target(100_000), "414 URI Too Long", "http_bad_target_length");
}

#[test]
fn sound_variants_are_not_refused() {
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhOST:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: gr\u{fc}\u{df} \t\"\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: ,100-continue , 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09az: \x7e\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let (answer, _) = exchange(&mut server(), request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {answer}");
    }
}
