//! `_redirects` and `_headers`: files, requests, and where they lead.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is the test's failure"
)]

mod peer;

use proptest::prelude::*;
use site::rules::{Complaint, Headers, Redirects};
use site::{Config, Server};

const FILES: [(&str, &[u8]); 8] = [
    ("about.html", b"about"),
    ("blog/index.html", b"blog"),
    ("blog/a-b.html", b"post"),
    ("app/index.html", b"app"),
    ("assets/app.3f2a1b9c.js", b"js"),
    ("lost.html", b"lost"),
    ("de/index.html", b"de"),
    ("caf\u{e9}.html", b"coffee"),
];

fn server(redirects: &str, headers: &str) -> Server {
    let rules = [("_redirects", redirects.as_bytes()), ("_headers", headers.as_bytes())];
    Server::new(peer::site(&[&FILES[..], &rules].concat()), Config::default(), peer::CLOCK)
}

fn get(server: &mut Server, target: &str) -> String {
    peer::exchange(server, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).0
}

/// The status, and the Location or the body.
fn outcome(server: &mut Server, target: &str) -> (u16, String) {
    let answer = get(server, target);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let location = head.lines().find_map(|line| line.strip_prefix("Location: "));
    (answer[9..12].parse().unwrap(), location.unwrap_or(body).to_owned())
}

#[test]
fn a_redirect_ends_with_its_head() {
    let answer = "HTTP/1.1 301 Moved Permanently\r\nServer: halfpage\r\nContent-Length: 0\r\nLocation: /about\r\n\
                  Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    assert_eq!(get(&mut server("/old /about", ""), "/old"), answer);
}

#[test]
fn rules_lead_where_they_say() {
    for (rules, target, status, to) in [
        // The status is 301 where none is given, and a slash at the end makes no difference.
        ("/old /about", "/old", 301, "/about"),
        ("/old /about", "/old/", 301, "/about"),
        ("/old/ /about", "/old", 301, "/about"),
        ("/old /about 302", "/old", 302, "/about"),
        ("/old /about 303", "/old", 303, "/about"),
        ("/old /about 307", "/old", 307, "/about"),
        ("/old /about 308 # why", "/old", 308, "/about"),
        ("# one\n\n  /old\t https://b.example:8080/x#y  302\r\n", "/old", 302, "https://b.example:8080/x#y"),
        ("/old /about\n/old /blog/", "/old", 301, "/about"),
        ("/o* /blog/\n/old /about", "/old", 301, "/blog/"),
        ("/old /about\n/o* /blog/", "/old", 301, "/about"),
        // Paths are compared decoded, and case counts.
        ("/%6Fld /about", "/o%6cd", 301, "/about"),
        ("/OLD /about", "/old", 404, ""),
        ("/a/b /about", "/a%2Fb", 404, ""),
        ("/caf\u{e8} /caf\u{e9}", "/caf%C3%A8", 301, "/caf%C3%A9"),
        // Splats and placeholders.
        ("/news/* /blog/:splat", "/news/2024/a?b=c", 301, "/blog/2024/a?b=c"),
        ("/news/* /blog/:splat", "/news/", 301, "/blog/"),
        ("/news/* /blog/:splat", "/news", 301, "/blog/"),
        ("/news/* /blog/:splat", "/newspaper", 404, ""),
        ("/news* /blog/:splat", "/newspaper", 301, "/blog/paper"),
        ("/*.php /:splat", "/x/y.php", 301, "/x/y"),
        ("/*.php /:splat", "/x/y.php/", 404, ""),
        ("/*.php /:splat", "/x/y.%70hp", 301, "/x/y"),
        ("/:year/:month/* /blog/:month-:year/:splat", "/2024/05/x%20y", 301, "/blog/05-2024/x%20y"),
        ("/:year/:month /blog/:year", "/2024", 404, ""),
        ("/:year/:month /blog/:year", "/2024//", 404, ""),
        ("/u/:id/edit /e?id=:id", "/u/7/edit?x=1", 301, "/e?id=7"),
        ("/a:b /about", "/a:b", 301, "/about"),
        ("/x /a:80", "/x", 301, "/a:80"),
        // The query goes along, unless the target has one, a fragment stands there, or the rule is about it.
        ("/old /about", "/old?a=1&b", 301, "/about?a=1&b"),
        ("/old /about?c", "/old?a=1", 301, "/about?c"),
        ("/old /about#c", "/old?a=1", 301, "/about#c"),
        ("/store id=:id /blog/:id", "/store?x=1&id=a-b", 301, "/blog/a-b"),
        ("/store id=:id /blog/:id", "/store", 404, ""),
        ("/store id=:id /blog/:id", "/store?idx=3", 404, ""),
        ("/s/* id=1 tag=:t /b/:splat/:t", "/s/x?tag=q&id=1", 301, "/b/x/q"),
        ("/s/* id=1 tag=:t /b/:splat/:t", "/s/x?tag=q&id=2", 404, ""),
        // No placeholder makes another host of a path.
        ("/r/* /:splat", "/r//evil.example/", 301, "/evil.example/"),
        ("/* /:splat/x", "///evil.example", 301, "/evil.example/x"),
        ("/r/* t=:t /:splat:t", "/r/?t=/evil.example", 301, "/evil.example"),
        ("/r/* https://b.example/:splat", "/r//c.example", 301, "https://b.example//c.example"),
        // A file comes first, unless the rule is forced.
        ("/about /blog/", "/about", 200, "about"),
        ("/blog /about", "/blog", 301, "/blog/"),
        ("/about /blog/ 302!", "/about", 302, "/blog/"),
        ("/about /blog/\n/x /y 302!", "/about", 200, "about"),
        ("/* /app/ 200", "/about", 200, "about"),
        ("/* /app/ 200", "/no/such", 200, "app"),
        ("/* /app/ 200!", "/about", 200, "app"),
        // Rewrites lead to files, and to nothing else.
        ("/p/* /blog/:splat 200", "/p/a-b", 200, "post"),
        ("/p/* /blog/:splat 200", "/p/no", 404, ""),
        ("/p /blog 200", "/p", 200, "blog"),
        ("/p /q 200\n/q /about 200", "/p", 404, ""),
        ("/p /q?x 200\n/q /about 200", "/q", 200, "about"),
        ("/l/* /:splat 200", "/l/../about", 404, ""),
        ("/l/* /:splat 200", "/l/_headers", 404, ""),
        ("/c /caf\u{e9} 200", "/c", 200, "coffee"),
        // What is not there, and with which page.
        ("/about /lost.html 404", "/about", 200, "about"),
        ("/about /lost.html 404!", "/about", 404, "lost"),
        ("/x /lost 410", "/x", 410, "lost"),
        ("/x /no 404", "/x", 404, ""),
        ("/x 410", "/x", 410, ""),
        ("/x 404", "/x", 404, ""),
    ] {
        let (found, text) = outcome(&mut server(rules, ""), target);
        let text = if to.is_empty() { "" } else { text.as_str() };
        assert_eq!((found, text), (status, to), "{rules} {target}");
    }
}

#[test]
fn the_fields_of_all_rules_have_a_bound() {
    for (length, complaints) in [(16_383, 0), (16_384, 1)] {
        let text = format!("/*\nA: {}\n", "v".repeat(length));
        let mut said = 0;
        Headers::parse(text.as_bytes(), &mut |_| said += 1);
        assert_eq!(said, complaints, "{length}");
    }
}

#[test]
fn what_a_redirect_takes_from_a_request_has_a_bound() {
    let mut server = server("/n/* /blog/:splat\n/q a=:a /:a", "");
    let (path, query) = ("p".repeat(120), "q".repeat(119));
    let fits = outcome(&mut server, &format!("/n/{path}?{query}"));
    assert_eq!(fits, (301, format!("/blog/{path}?{query}")));
    assert_eq!(outcome(&mut server, &format!("/n/{path}?{query}q")), (301, format!("/blog/{path}")));
    assert_eq!(outcome(&mut server, &format!("/n/{}", "p".repeat(240))).0, 301);
    assert_eq!(outcome(&mut server, &format!("/n/{}", "p".repeat(241))).0, 414);
    assert_eq!(outcome(&mut server, &format!("/q?a={}", "p".repeat(241))).0, 414);
}

#[test]
fn the_files_of_the_rules_are_not_served() {
    let mut server = server("/x /y", "/*\n X: y");
    for path in ["/_redirects", "/_headers", "/%5Fredirects"] {
        assert_eq!(outcome(&mut server, path).0, 404, "{path}");
    }
    assert_eq!(server.site().pages(), FILES.len() + 1);
    assert_eq!(server.site().complaints().1, 0);
}

#[test]
fn fields_are_those_of_every_rule_that_matches() {
    let get = |headers: &str, path: &str, name: &str| {
        let answer = get(&mut server("", headers), path);
        let start = format!("{}: ", name.to_lowercase());
        let lines = answer.split("\r\n\r\n").next().unwrap().lines();
        let values = lines.filter(|line| line.to_lowercase().starts_with(&start));
        values.map(|line| line[start.len()..].to_owned()).collect::<Vec<_>>().join("|")
    };
    for (headers, path, name, value) in [
        ("", "/about", "Referrer-Policy", "strict-origin-when-cross-origin"),
        ("", "/about", "Cache-Control", "public, max-age=0, must-revalidate"),
        ("", "/assets/app.3f2a1b9c.js", "Cache-Control", "public, max-age=31536000, immutable"),
        ("/*\n  X-A: 1", "/about", "X-A", "1"),
        ("/*\n  X-A: 1\n/about\n  x-a: 2\n  X-A: 3", "/about", "X-A", "1, 2, 3"),
        ("/*\n  X-A: 1\n/about\n  ! x-a", "/about", "X-A", ""),
        ("/*\n  X-A: 1\n/about\n  ! x-a\n  X-A: 2", "/about", "X-A", "2"),
        ("/*\n  Referrer-Policy: no-referrer", "/about", "Referrer-Policy", "no-referrer"),
        ("/*\n  ! Referrer-Policy", "/about", "Referrer-Policy", ""),
        ("/assets/*\n  cache-control: no-store", "/assets/app.3f2a1b9c.js", "Cache-Control", "no-store"),
        ("/about\n  X-A: 1", "/about.html", "X-A", "1"),
        ("/about.html\n  X-A: 1", "/about", "X-A", "1"),
        ("/about.html\n  X-A: 1\n/about\n X-A: 2", "/about", "X-A", "1, 2"),
        ("/blog/\n  X-A: 1", "/blog/index.html", "X-A", "1"),
        ("/blog/*\n  X-A: 1", "/blog/a-b", "X-A", "1"),
        ("/blog/*\n  X-A: 1", "/about", "X-A", ""),
        ("/*.js\n  X-A: 1", "/assets/app.3f2a1b9c.js", "X-A", "1"),
        ("/:part/a-b\n  X-A: 1", "/blog/a-b", "X-A", "1"),
        ("/caf\u{e9}\n  X-A: 1", "/caf%C3%A9", "X-A", "1"),
        ("/caf%C3%A9\n  X-A: 1", "/caf%C3%A9", "X-A", "1"),
        ("/\n  X-A: 1", "/", "X-A", "1"),
        ("/\n  X-A: 1", "/about", "X-A", ""),
        ("# a\n/*\n# b\n\tX-A:  a: b \r\n", "/about", "X-A", "a: b"),
        ("/*\n  Content-Type: text/plain", "/about", "Content-Type", "text/plain"),
        ("/*\n  Vary: Cookie", "/about", "Vary", "Cookie"),
        ("/*\n  Set-Cookie: a=1\n  Set-Cookie: b=2", "/about", "Set-Cookie", "a=1|b=2"),
    ] {
        assert_eq!(get(headers, path, name), value, "{headers} {path}");
    }
}

#[test]
fn a_404_page_has_the_fields_of_its_own_path() {
    let rules: [(&str, &[u8]); 2] =
        [("404.html", b"lost"), ("_headers", b"/404\n X-A: 1\n/no\n X-A: 2\n/*\n X-B: 3")];
    let mut server = Server::new(peer::site(&rules), Config::default(), peer::CLOCK);
    let answer = get(&mut server, "/no");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("\r\nX-A: 1\r\nX-B: 3\r\n"), "{answer}");
}

fn complaints(parse: impl FnOnce(&mut dyn FnMut(Complaint))) -> Vec<String> {
    let mut complaints = Vec::new();
    parse(&mut |complaint| complaints.push(complaint.to_string()));
    complaints
}

#[test]
fn lines_that_are_no_rules_are_named() {
    for (line, expected) in [
        ("/a", "there is no target"),
        ("/a 301", "there is no target"),
        ("a /b", "\"a\" is no path"),
        ("/a?b /c", "\"/a?b\" is no path"),
        ("/%zz /b", "\"/%zz\" is no path"),
        ("/%2f /b", "\"/%2f\" is no path"),
        ("http://a.example/* /b", "\"http://a.example/*\": rules for a host are not supported, only paths"),
        ("/*/* /b", "\"/*/*\": only one \"*\", and no placeholder after it"),
        ("/*/:a /b", "\"/*/:a\": only one \"*\", and no placeholder after it"),
        ("/:a/:b/:c/:d/:e/:f/:g/:h/* /b", "\"/:a/:b/:c/:d/:e/:f/:g/:h/*\" has more than 8 placeholders"),
        ("/a b", "\"b\" is neither a path nor an http URL"),
        ("/a //b.example/", "\"//b.example/\" is neither a path nor an http URL"),
        ("/a ftp://b.example/", "\"ftp://b.example/\" is neither a path nor an http URL"),
        ("/a https:///", "\"https:///\" is neither a path nor an http URL"),
        ("/a/* https://:splat/", "\"https://:splat/\" is neither a path nor an http URL"),
        ("/a /\\b", "\"/\\b\" is neither a path nor an http URL"),
        ("/a /:b", "\":b\" is not in the rule's path or query"),
        ("/a https://b.example/ 200", "\"https://b.example/\": no requests are passed on to another host"),
        ("/a /b 418", "\"418\" is none of the statuses 200, 301, 302, 303, 307, 308, 404, 410"),
        ("/a /b 0301", "\"0301\" is none of the statuses 200, 301, 302, 303, 307, 308, 404, 410"),
        ("/a /b 302 Country=de,at", "\"Country=de,at\": conditions are not supported"),
        ("/a /b Role=admin", "\"Role=admin\": conditions are not supported"),
        ("/a /b 302 /c", "\"/c\" is more than a rule has"),
        ("/a /a/", "the rule leads to itself"),
        ("/a /a#b 302", "the rule leads to itself"),
        ("/a /a?b", "the rule leads to itself"),
        ("/* /b 302!", "the rule leads to itself"),
        ("/a /b\u{7f}", "the line is no text"),
    ] {
        let text = format!("/fine /b\n\n{line}\n/good /b\n");
        let found =
            complaints(|report| assert_eq!(Redirects::parse(text.as_bytes(), report).len(), 2, "{line}"));
        assert_eq!(found, [format!("_redirects:3: {expected}")], "{line}");
    }
    assert_eq!(
        complaints(|report| drop(Redirects::parse(b"/a /\xff", report))),
        ["_redirects:1: the line is no text"]
    );
    for (line, expected) in [
        ("X", "\"X\" is neither a path nor a field"),
        ("X Y: 1", "\"X Y: 1\" is neither a path nor a field"),
        (": 1", "\": 1\" is neither a path nor a field"),
        ("!", "\"!\" is neither a path nor a field"),
        ("X-A:", "the value of X-A holds what a field cannot"),
        ("X-A: \u{e9}", "the value of X-A holds what a field cannot"),
        ("X-A: a\u{1}", "the value of X-A holds what a field cannot"),
        ("/a b", "\"/a b\" is no path"),
        ("https://a.example/", "\"https://a.example/\": rules for a host are not supported, only paths"),
        ("Content-Length: 1", "Content-Length is not for a site to set"),
        ("DATE: x", "DATE is not for a site to set"),
        ("Connection: close", "Connection is not for a site to set"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding is not for a site to set"),
        ("Content-Encoding: gzip", "Content-Encoding is not for a site to set"),
        ("! ETag", "ETag is not for a site to set"),
    ] {
        let text = format!("/fine\n X-A: b\n{line}\n");
        let found = complaints(|report| drop(Headers::parse(text.as_bytes(), report)));
        assert_eq!(found, [format!("_headers:3: {expected}")], "{line}");
    }
    assert_eq!(
        complaints(|report| drop(Headers::parse(b"X-A: b", report))),
        ["_headers:1: a field stands before the first path"]
    );
    // The fields of a path that is none go with it, and no other rule gets them.
    let mut parsed = None;
    let found = complaints(|report| parsed = Some(Headers::parse(b"/a\n/*/*\n X-A: b\n", report)));
    assert_eq!(found.len(), 1);
    assert_eq!(parsed.unwrap().changes(&[b"a".to_vec()]).count(), 0);
}

#[test]
fn there_is_an_end_to_rules() {
    let patterns: String = (0..102).map(|number| format!("/{number}/* /b\n")).collect();
    assert_eq!(
        complaints(|report| assert_eq!(Redirects::parse(patterns.as_bytes(), report).len(), 100)),
        [
            "_redirects:101: there are more than 100 such rules",
            "_redirects:102: there are more than 100 such rules"
        ]
    );
    let exact: String = (0..5_001).map(|number| format!("/{number} /b\n")).collect();
    let found = complaints(|report| {
        let rules = Redirects::parse(exact.as_bytes(), report);
        assert!((0..5_000).all(|number| rules.find(number.to_string().as_bytes(), b"", false).is_some()));
    });
    assert_eq!(found, ["_redirects:5001: there are more than 5000 such rules"]);
    let fields = format!("/*\n X-A: {}\n X-B: {}\n", "a".repeat(16_000), "b".repeat(1_000));
    let found = complaints(|report| drop(Headers::parse(fields.as_bytes(), report)));
    assert_eq!(found, ["_headers:3: all fields together are longer than 16384 bytes"]);
    let paths = "/*\n X: y\n".repeat(101);
    let found = complaints(|report| assert_eq!(Headers::parse(paths.as_bytes(), report).len(), 100));
    assert_eq!(found, ["_headers:201: there are more than 100 such rules"]);
}

proptest! {
    /// Any text is rules or complaints, and no request upon it ends a field line or leaves the site unasked.
    #[test]
    fn any_rules_are_harmless(
        text in prop::collection::vec(prop::sample::select(&[
            "/", "*", ":a", ":splat", "a", "b=:b", " ", " ", "\n", "/a", "https://b.example", "200", " 301", "!", "#", "%41", "%", "?",
        ][..]), 0..24),
        path in "[/a-c:*%41]{0,12}",
    ) {
        let rules = text.concat();
        let mut server = server(&rules, &rules);
        let answer = get(&mut server, &format!("/{path}"));
        if let Some(location) = answer.lines().find_map(|line| line.strip_prefix("Location: ")) {
            let stays = location.starts_with('/') && !location.starts_with("//");
            prop_assert!(stays || location.starts_with("https://b.example"), "{} {}", rules, location);
        }
    }
}
