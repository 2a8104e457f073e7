//! Requests and their exact answers.

mod peer;

use peer::{exchange, server};

fn get(path: &str) -> (String, bool) {
    exchange(&mut server(), format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes())
}

/// The ETag is the first half of what `sha256sum` prints.
const HOME: &str = "HTTP/1.1 200 OK\r\n\
    Server: halfpage\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 7\r\n\
    ETag: \"68db1a4970c9e0cc29ab46abb64c517a\"\r\n\
    \r\n\
    <p>home";

#[test]
fn a_page_is_answered_with_its_fields_and_its_bytes() {
    for path in ["/", "/index.html", "/?", "/?a=/b?c", "/%69ndex.html", "http://example.com", "HTTP://a:80/"]
    {
        assert_eq!(get(path), (HOME.to_owned(), false), "{path}");
    }
}
