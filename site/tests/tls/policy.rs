//! What HTTPS asks of the site's server: HTTP that leads there, HSTS, ACME's challenges, sessions that are forgotten.

use crate::client::{Client, GET, server};
use crate::peer::Wire;
use netstack::{Instant, Service};
use site::{Challenges, Plain};

const TOKEN: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const AUTHORIZATION: &str =
    "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

/// The whole answer over HTTP, and whether the server ended the connection.
fn plain(server: &mut site::tls::TlsServer, request: &str) -> (String, bool) {
    let mut wire = Wire::at(Instant::ZERO, true);
    let (peer, local) = ("192.0.2.1:1024".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
    let mut connection = server.accept(peer, local, &mut wire);
    server.receive(&mut connection, request.as_bytes(), false, &mut wire);
    server.closed(connection);
    assert!(!wire.reset);
    (String::from_utf8(wire.sent).unwrap(), wire.closed)
}

#[test]
fn http_leads_to_https() {
    let mut server = server();
    server.http_mut().set_plain(Plain::Redirect);
    for (target, host, location) in [
        ("/", "a.example", "https://a.example/"),
        ("/x%20y?q=1", "a.example:80", "https://a.example/x%20y?q=1"),
        ("/nothing", "[2001:db8::1]:8080", "https://[2001:db8::1]/nothing"),
        // What the target says counts, and no Host (RFC 9112, section 3.2.2).
        ("http://a.example/x", "a.example", "https://a.example/x"),
        ("http://a.example:80/x?q", "other.example", "https://a.example/x?q"),
    ] {
        let (text, closed) = plain(&mut server, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let wanted = format!(
            "HTTP/1.1 301 Moved Permanently\r\nServer: halfpage\r\nConnection: close\r\nLocation: {location}\r\n\
             Content-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
        );
        assert_eq!((text, closed), (wanted, true));
    }
    let start = |text: &str| text.split_once("\r\n").unwrap().0.to_owned();
    // `https://a.example.org/` has 22 bytes, and 1,024 are the most.
    for (more, status) in [(1_002, "301 Moved Permanently"), (1_003, "414 URI Too Long")] {
        let long = "x".repeat(more);
        let (text, _) = plain(&mut server, &format!("GET /{long} HTTP/1.1\r\nHost: a.example.org\r\n\r\n"));
        assert_eq!(start(&text), format!("HTTP/1.1 {status}"));
    }
    let (text, _) = plain(&mut server, "GET / HTTP/1.0\r\n\r\n");
    assert_eq!(start(&text), "HTTP/1.1 400 Bad Request");
    // Who asks for it by https is at the wrong port, and is not led round to what was asked for (RFC 9110, section 7.4).
    let (text, _) = plain(&mut server, "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(start(&text), "HTTP/1.1 421 Misdirected Request");
    // Over HTTPS the site is served.
    assert!(Client::new(&mut server).ask(GET).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn http_can_be_shut() {
    let mut server = server();
    assert!(server.listens(80) && server.listens(443));
    server.http_mut().set_plain(Plain::Shut);
    assert!(!server.listens(80) && server.listens(443));
}

#[test]
fn https_alone_tells_of_hsts() {
    const LINE: &str = "\r\nStrict-Transport-Security: max-age=31536000\r\n";
    let mut server = server();
    server.http_mut().set_hsts(31_536_000);
    let mut challenges = Challenges::default();
    assert!(challenges.add(TOKEN, AUTHORIZATION.as_bytes()));
    server.http_mut().set_challenges(challenges);
    let mut client = Client::new(&mut server);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "200"),
        ("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n", "200"),
        ("GET /big.bin HTTP/1.1\r\nHost: test\r\nRange: bytes=0-1\r\n\r\n", "206"),
        ("GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n", "404"),
        ("GET https://test/ HTTP/1.1\r\nHost: test\r\n\r\n", "200"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let text = client.ask(request.as_bytes());
        assert_eq!(text.get(9..12), Some(status), "{request}");
        assert_eq!(text.matches(LINE).count(), 1, "{text}");
    }
    let challenge = format!("GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: test\r\n\r\n");
    let text = Client::new(&mut server).ask(challenge.as_bytes());
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.matches(LINE).count() == 1, "{text}");
    for request in ["GET / HTTP/1.1\r\nHost: test\r\n\r\n", &challenge] {
        let (text, _) = plain(&mut server, request);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && !text.contains("Strict"), "{text}");
    }
}

#[test]
fn a_challenge_is_answered_over_both_and_before_a_redirect() {
    let mut server = server();
    let mut challenges = Challenges::default();
    assert!(challenges.add(TOKEN, AUTHORIZATION.as_bytes()));
    server.http_mut().set_plain(Plain::Redirect);
    server.http_mut().set_challenges(challenges);
    let request = format!("GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: test\r\n\r\n");
    let wanted = format!(
        "HTTP/1.1 200 OK\r\nServer: halfpage\r\nConnection: close\r\nAccept-Ranges: bytes\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 87\r\nCache-Control: no-store\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{AUTHORIZATION}"
    );
    assert_eq!(plain(&mut server, &request), (wanted.clone(), true));
    assert_eq!(Client::new(&mut server).ask(request.as_bytes()), wanted);
    let head = request.replacen("GET", "HEAD", 1);
    assert_eq!(plain(&mut server, &head).0, wanted.strip_suffix(AUTHORIZATION).unwrap());
    // Another token is a page that is not there; and so is this one once its challenge is over.
    let other = request.replace("Loq", "loq");
    assert!(Client::new(&mut server).ask(other.as_bytes()).starts_with("HTTP/1.1 404 "));
    server.http_mut().set_challenges(Challenges::default());
    assert!(Client::new(&mut server).ask(request.as_bytes()).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_session_that_is_forgotten_sends_nothing_more() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    assert!(client.ask(GET).starts_with("HTTP/1.1 200 OK\r\n"));
    client.server.forget_sessions();
    assert_eq!(client.ask(GET), "");
    assert!(client.wire.reset && client.wire.sent.is_empty());
    assert_eq!(client.finish(), 0);
    assert!(Client::new(&mut server).ask(GET).starts_with("HTTP/1.1 200 OK\r\n"));
}
