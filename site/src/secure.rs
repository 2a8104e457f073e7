//! What HTTPS asks of the site's server: where HTTP leads, what is said of it in each response, and answers for ACME.

use crate::challenges::Challenges;
use crate::http::request::{Method, Request};
use crate::http::response::{DATE, Status};
use crate::http::target::Form;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// What the port of HTTP does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Plain {
    /// Serves the site.
    #[default]
    Serve,
    /// Sends everyone to HTTPS.
    Redirect,
    /// Is shut.
    Shut,
}

/// The port of HTTPS (RFC 9110, section 4.2.2): what comes from there comes through TLS.
pub(crate) const PORT: u16 = 443;

/// Bytes of a URL that HTTP sends someone to, at most.
const LOCATION: usize = 1024;

/// The server's part in HTTPS.
#[derive(Default)]
pub(crate) struct Secure {
    pub(crate) plain: Plain,
    pub(crate) challenges: Challenges,
    /// A field line, with the line end before it; empty where none is sent.
    transport: &'static [u8],
}

/// A response that is none of a page's: its status, and the head from behind the status on, up to the date; its content.
pub(crate) struct Aside {
    pub(crate) status: Status,
    pub(crate) fields: Vec<u8>,
    pub(crate) content: Vec<u8>,
}

impl Secure {
    /// What each response over HTTPS says of the time for which only HTTPS is to be used (RFC 6797, section 6.1). To be set
    /// once: the line stays for good.
    pub(crate) fn set_transport(&mut self, seconds: u32) {
        let line = format!("\r\nStrict-Transport-Security: max-age={seconds}");
        self.transport = Box::leak(line.into_bytes().into_boxed_slice());
    }

    /// The same, for a response over HTTPS or not: over HTTP it says nothing (section 7.2).
    pub(crate) fn transport(&self, is_secure: bool) -> &'static [u8] {
        if is_secure { self.transport } else { b"" }
    }

    /// The answer to a challenge, or over HTTP the way to HTTPS; `None` where the site answers.
    pub(crate) fn aside(&self, request: &Request<'_>, is_secure: bool) -> Option<Aside> {
        // What is asked for by https is not told without, nor is the way to it (RFC 9110, section 7.4).
        let is_misdirected = request.target.form == Form::AbsoluteSecure && !is_secure;
        if is_misdirected || !matches!(request.method, Method::Get | Method::Head) {
            return None;
        }
        let path = request.target.path.encoded();
        if let Some(authorization) = self.challenges.find(path) {
            let length = authorization.len();
            let fields = format!(
                "\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\nCache-Control: no-store"
            );
            return Some(Aside {
                status: Status::Ok,
                fields: [fields.as_bytes(), self.transport(is_secure), DATE].concat(),
                content: authorization.into(),
            });
        }
        if is_secure || self.plain != Plain::Redirect {
            return None;
        }
        let authority = match request.target.form {
            Form::Absolute(authority) => Some(authority),
            _ => request.section.fields().values(b"host").next(),
        };
        let host = authority.map(without_port);
        let location = [b"https://", host.unwrap_or_default(), b"/", path, request.target.query].concat();
        let (status, fields) = match host {
            None => (Status::BadRequest, Vec::new()),
            Some(_) if location.len() > LOCATION => (Status::UriTooLong, Vec::new()),
            Some(_) => (Status::MovedPermanently, [b"\r\nLocation: ", &location[..]].concat()),
        };
        let fields = [&fields[..], b"\r\nContent-Length: 0", DATE].concat();
        Some(Aside { status, fields, content: Vec::new() })
    }
}

/// The host of a sound authority: HTTPS has another port.
fn without_port(authority: &[u8]) -> &[u8] {
    let literal = authority.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    let port = authority.iter().rposition(|byte| *byte == b':').filter(|colon| *colon > literal);
    authority.get(..port.unwrap_or(authority.len())).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_left_out() {
        for (authority, host) in [
            ("a.example", "a.example"),
            ("a.example:80", "a.example"),
            ("a.example:", "a.example"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:80", "[2001:db8::1]"),
        ] {
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes());
        }
    }
}
