//! Requests and their exact answers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use peer::{Client, exchange, server};

/// The answer to a GET in HTTP/1.1, and whether the connection ends after it.
fn get(path: &str) -> (String, bool) {
    exchange(&mut server(), format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes())
}

/// The status line of an answer.
fn status(answer: &str) -> &str {
    answer.split("\r\n").next().unwrap()
}

/// An answer without its body.
fn head(answer: &str) -> &str {
    &answer[..answer.find("\r\n\r\n").unwrap() + 4]
}

/// The ETag is the first half of what `sha256sum` prints.
const HOME: &str = "HTTP/1.1 200 OK\r\n\
    Server: halfpage\r\n\
    Accept-Ranges: bytes\r\n\
    Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Length: 7\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: strict-origin-when-cross-origin\r\n\
    Cache-Control: public, max-age=0, must-revalidate\r\n\
    ETag: \"68db1a4970c9e0cc29ab46abb64c517a\"\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    \r\n\
    <p>home";

#[test]
fn a_page_has_its_fields_and_its_bytes() {
    for path in ["/", "/index.html", "/?", "/?a=/b?c", "/%69ndex.html", "http://example.com", "HTTP://a:80/"]
    {
        assert_eq!(get(path), (HOME.to_owned(), false), "{path}");
    }
}

#[test]
fn a_path_may_leave_out_html() {
    let files: [(&str, &[u8]); 6] = [
        ("plain.html", b"plain"),
        ("both.html", b"page"),
        ("both/index.html", b"folder"),
        ("folder/index.html", b"folder"),
        ("exact", b"exact"),
        ("exact.html", b"page"),
    ];
    for (path, expected) in [
        ("/plain", Some("plain")),
        ("/plain.html", Some("plain")),
        ("/pl%61in", Some("plain")),
        ("/plain/", None),
        ("/plain.htm", None),
        ("/plain.html.html", None),
        ("/both", Some("page")),
        ("/both/", Some("folder")),
        ("/folder/index", Some("folder")),
        ("/exact", Some("exact")),
        ("/exact.html", Some("page")),
    ] {
        let mut server = site::Server::new(peer::site(&files), site::Config::default(), peer::CLOCK);
        let (answer, _) = exchange(&mut server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let body = answer.split_once("\r\n\r\n").filter(|_| status(&answer) == "HTTP/1.1 200 OK");
        assert_eq!(body.map(|(_, body)| body), expected, "{path}");
    }
}

#[test]
fn a_head_has_no_content() {
    let request = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(exchange(&mut server(), request), (HOME.replace("<p>home", ""), false));
    let (answer, _) = exchange(&mut server(), b"HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&answer), "HTTP/1.1 404 Not Found");
    assert!(answer.ends_with("\r\n\r\n"));
}

#[test]
fn the_type_is_that_of_the_name() {
    for (path, fields) in [
        ("/about/", "Content-Length: 8\r\nContent-Type: text/html; charset=utf-8\r\n"),
        ("/about/me.txt", "Content-Length: 6\r\nContent-Type: text/plain; charset=utf-8\r\n"),
        ("/latin1.txt", "Content-Length: 4\r\nContent-Type: text/plain\r\n"),
        ("/big.bin", "Content-Length: 100000\r\nContent-Type: application/octet-stream\r\n"),
        ("/empty.css", "Content-Length: 0\r\nContent-Type: text/css; charset=utf-8\r\n"),
        ("/feed.atom", "Content-Length: 7\r\nContent-Type: application/atom+xml\r\n"),
        ("/%c3%BC.html", "Content-Length: 4\r\nContent-Type: text/html; charset=utf-8\r\n"),
        ("/.well-known/security.txt", "Content-Length: 15\r\nContent-Type: text/plain; charset=utf-8\r\n"),
    ] {
        let (answer, _) = get(path);
        assert_eq!(status(&answer), "HTTP/1.1 200 OK", "{path}");
        assert!(head(&answer).contains(fields), "{path}: {answer}");
    }
}

#[test]
fn a_folder_is_redirected_to_its_slash() {
    let answer = |location: &str| {
        format!(
            "HTTP/1.1 301 Moved Permanently\r\nServer: halfpage\r\nContent-Length: 0\r\n\
             Location: {location}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
        )
    };
    let long = "q".repeat(239);
    for (path, location) in [
        ("/about", "/about/".to_owned()),
        ("/about?a=%20&b", "/about/?a=%20&b".to_owned()),
        ("/%61bout?", "/about/?".to_owned()),
        ("/a%20b%25", "/a%20b%25/".to_owned()),
        ("http://evil.example/about", "/about/".to_owned()),
        (&format!("/about?{long}"), format!("/about/?{long}")),
        (&format!("/about?{long}q"), "/about/".to_owned()),
    ] {
        assert_eq!(get(path), (answer(&location), false), "{path}");
    }
}

#[test]
fn what_is_no_page_is_a_404_and_the_connection_stays() {
    for path in [
        "/no",
        "/about/no",
        "/about/me.txt/",
        "/index.html/",
        "/About",
        "//",
        "//about",
        "/about//",
        "/./",
        "/about/..",
        "/../index.html",
        "/%2e%2e/index.html",
        "/..%2findex.html",
        "/about%2f",
        "/about%2Findex.html",
        "/about%5c",
        "/\\index.html",
        "/~",
        "/index.html%20",
        "/%ff",
        "/indexx",
        "/index.",
        "/.html",
        "/about/index.htm",
        "/%252e",
        "/%c3",
        "/index.html;a",
    ] {
        let (answer, closed) = get(path);
        assert_eq!((status(&answer), closed), ("HTTP/1.1 404 Not Found", false), "{path}");
        assert!(answer.contains("<h1><span>404</span> Not Found</h1>"), "{answer}");
    }
}

#[test]
fn the_error_page_is_whole() {
    let (answer, _) = get("/no");
    let body = &answer[head(&answer).len()..];
    assert_eq!(
        head(&answer),
        format!(
            "HTTP/1.1 404 Not Found\r\nServer: halfpage\r\nContent-Length: {}\r\n\
             Content-Type: text/html; charset=utf-8\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
            body.len()
        )
    );
    assert!(body.starts_with("<!DOCTYPE html>") && body.contains("system-ui") && body.ends_with("</html>\n"));
    assert!(!["{code}", "{reason}", "{explanation}", "{style}"].iter().any(|name| body.contains(name)));
}

#[test]
fn the_sites_own_404_page_comes_first_without_its_validators() {
    let site = peer::site(&[("404.html", b"<p>lost")]);
    let mut server = site::Server::new(site, site::Config::default(), peer::CLOCK);
    let answer = "HTTP/1.1 404 Not Found\r\nServer: halfpage\r\nContent-Length: 7\r\n\
        Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
        Referrer-Policy: strict-origin-when-cross-origin\r\n\
        Cache-Control: public, max-age=0, must-revalidate\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n<p>lost";
    let request = b"GET /no HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n";
    assert_eq!(exchange(&mut server, request), (answer.to_owned(), false));
}

#[test]
fn other_methods_are_405_or_501_with_allow() {
    let not_allowed = "HTTP/1.1 405 Method Not Allowed\r\nServer: halfpage\r\nAllow: GET, HEAD, OPTIONS\r\n";
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        for path in ["/", "/no", "/about"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n");
            let (answer, closed) = exchange(&mut server(), request.as_bytes());
            assert!(answer.starts_with(not_allowed) && !closed, "{method} {path}: {answer}");
        }
    }
    for method in ["get", "BREW", "G-E!T", "PROPFIND", "QUERY"] {
        for target in ["/", "*", "http://a/"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let (answer, closed) = exchange(&mut server(), request.as_bytes());
            assert_eq!((status(&answer), closed), ("HTTP/1.1 501 Not Implemented", false), "{method}");
        }
    }
}

#[test]
fn connect_is_405_and_what_follows_is_not_read() {
    let request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (answer, closed) = exchange(&mut server(), request);
    assert_eq!((status(&answer), closed), ("HTTP/1.1 405 Method Not Allowed", true));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
}

#[test]
fn options_tells_the_methods() {
    let answer = "HTTP/1.1 204 No Content\r\nServer: halfpage\r\nAllow: GET, HEAD, OPTIONS\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    for target in ["*", "/", "/about", "/about/me.txt", "http://a/", "/?q"] {
        for fields in
            ["", "If-None-Match: *\r\n", "If-Match: \"x\"\r\n", "Range: bytes=0-0\r\n", "Max-Forwards: 0\r\n"]
        {
            let request = format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(exchange(&mut server(), request.as_bytes()), (answer.to_owned(), false), "{request}");
        }
    }
    let (answer, _) = exchange(&mut server(), b"OPTIONS /no HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&answer), "HTTP/1.1 404 Not Found");
}

#[test]
fn what_is_asked_for_with_https_is_not_told_without() {
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        let request = format!("{method} https://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        let (answer, closed) = exchange(&mut server(), request.as_bytes());
        assert_eq!((status(&answer), closed), ("HTTP/1.1 421 Misdirected Request", false), "{method}");
    }
}

#[test]
fn the_sites_own_error_pages_come_first() {
    for (code, request) in [
        ("400", "GET / HTTP/1.1\r\n\r\n"),
        ("404", "GET /no HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("405", "POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("412", "GET / HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n"),
        ("416", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=7-\r\n\r\n"),
        ("501", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("505", "GET / HTTP/3.0\r\n\r\n"),
    ] {
        let name = format!("{code}.html");
        let body = format!("<p>our {code}");
        let site = peer::site(&[(&name, body.as_bytes())]);
        let mut server = site::Server::new(site, site::Config::default(), peer::CLOCK);
        let (answer, _) = exchange(&mut server, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        assert!(!answer.contains("ETag") && !answer.contains("Last-Modified"), "{answer}");
        // It can also be asked for.
        let request = format!("GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(status(&exchange(&mut server, request.as_bytes()).0), "HTTP/1.1 200 OK");
    }
}

#[test]
fn the_connection_ends_when_the_client_or_its_version_says_so() {
    let close = HOME.replace("Server: halfpage\r\n", "Server: halfpage\r\nConnection: close\r\n");
    let keep = HOME.replace("Server: halfpage\r\n", "Server: halfpage\r\nConnection: keep-alive\r\n");
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", (&close, true)),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", (&close, true)),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", (&close, true)),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", (&HOME.to_owned(), false)),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", (&HOME.to_owned(), false)),
        ("GET / HTTP/1.9\r\nHost: a\r\n\r\n", (&HOME.to_owned(), false)),
        ("GET / HTTP/1.0\r\n\r\n", (&close, true)),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", (&keep, false)),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", (&close, true)),
    ] {
        assert_eq!(exchange(&mut server(), request.as_bytes()), (answer.0.clone(), answer.1), "{request}");
    }
}

#[test]
fn a_date_follows_the_clock() {
    let mut server = server();
    let mut client = Client::new(&mut server);
    for (micros, date) in
        [(222_999_999, "08:53:19"), (1, "08:53:20"), (1, "08:53:20"), (1_000_000, "08:53:21")]
    {
        client.wire.now = client.wire.now + netstack::Duration::from_micros(micros);
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.acknowledge();
        assert!(client.text().contains(&format!("Date: Sun, 06 Nov 1994 {date} GMT")), "{date}");
    }
    let now = client.wire.now;
    client.server.set_wall_clock(site::WallClock { unix_micros: 0, at: now });
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().contains("Date: Thu, 01 Jan 1970 00:00:00 GMT"));
}
