//! Requests (RFC 9112, sections 3 to 6).

use super::field::{self, Fields};
use super::head::TARGET_LIMIT;
use super::response::Status;
use super::scan;
use super::target;
use crate::pax::decimal;

/// A request whose head is sound.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path, decoded when looked at.
    pub path: target::Path<'a>,
    /// The query with its `?`, or nothing.
    pub query: &'a [u8],
    /// The client speaks HTTP/1.0.
    pub is_1_0: bool,
    /// The client wants the connection to stay open.
    pub keep_alive: bool,
    /// What follows the head.
    pub body: Body,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
    /// There is an If-None-Match.
    pub is_conditional: bool,
    /// The field lines, which have been checked.
    pub fields: Fields<'a>,
}

/// Methods, as far as they differ here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// A method that we know and no page allows: 405.
    NotAllowed,
    /// A method that we do not know: 501.
    Unknown,
}

/// The framing of a request's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunked. It is never read: the connection ends after the response.
    Chunked,
}

/// Why a head is refused. The connection ends with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// The request line is none.
    RequestLine,
    /// The target is of no form, holds a byte that it must not, or a broken percent-encoding.
    Target,
    /// The target is longer than 8,000 bytes.
    TargetLength,
    /// The major version is not 1.
    Version,
    /// A field line is malformed.
    Field,
    /// The head is longer than 8,192 bytes.
    HeadLength,
    /// No Host, several, or one that is no host.
    Host,
    /// Content-Length is repeated, or no number.
    ContentLength,
    /// Transfer-Encoding beside Content-Length, in HTTP/1.0, repeated, or malformed.
    TransferEncoding,
    /// A transfer coding other than chunked.
    Coding,
    /// An expectation other than 100-continue.
    Expectation,
    /// The stream ended within the head.
    Incomplete,
}

impl Rejection {
    /// The response's status.
    pub fn status(self) -> Status {
        match self {
            Self::TargetLength => Status::UriTooLong,
            Self::Version => Status::HttpVersionNotSupported,
            Self::HeadLength => Status::RequestHeaderFieldsTooLarge,
            Self::Coding => Status::NotImplemented,
            Self::Expectation => Status::ExpectationFailed,
            Self::RequestLine
            | Self::Target
            | Self::Field
            | Self::Host
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::Incomplete => Status::BadRequest,
        }
    }
}

impl<'a> Request<'a> {
    /// Parses a head, from the request line to the empty line.
    pub fn parse(head: &'a [u8]) -> Result<Self, Rejection> {
        let mut rest = head;
        let line = field::line(&mut rest).ok_or(Rejection::RequestLine)?;
        let (method, target, is_1_0) = request_line(line)?;
        let (path, query) = target::split(target, method)?;
        let path = target::Path::parse(path)?;
        let lines = rest.strip_suffix(b"\r\n").ok_or(Rejection::Field)?;
        let known = Known::read(Fields::new(lines))?;
        Ok(Self {
            method: Method::of(method),
            path,
            query,
            is_1_0,
            keep_alive: !known.close && (known.keep_alive || !is_1_0),
            body: known.body(is_1_0)?,
            expects_continue: known.expects_continue && !is_1_0,
            is_conditional: known.is_conditional,
            fields: Fields::new(lines),
        })
    }
}

impl Method {
    fn of(token: &[u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"CONNECT" | b"DELETE" | b"OPTIONS" | b"PATCH" | b"POST" | b"PUT" | b"TRACE" => Self::NotAllowed,
            _ => Self::Unknown,
        }
    }
}

/// `method SP request-target SP HTTP-version`: the method, the target, and whether the version is 1.0.
fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], bool), Rejection> {
    let (method, rest) = part(line).ok_or(Rejection::RequestLine)?;
    let (target, version) = part(rest).ok_or(Rejection::RequestLine)?;
    if target.is_empty() || (method != b"GET" && !field::is_token(method)) {
        return Err(Rejection::RequestLine);
    }
    if target.len() > TARGET_LIMIT {
        return Err(Rejection::TargetLength);
    }
    match version {
        b"HTTP/1.1" => Ok((method, target, false)),
        b"HTTP/1.0" => Ok((method, target, true)),
        // A minor version that we do not know is one we can still talk to (RFC 9110, section 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Ok((method, target, false)),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Rejection::Version),
        _ => Err(Rejection::RequestLine),
    }
}

/// What stands before the first space, and after it.
fn part(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (part, rest) = line.split_at_checked(scan::space(line)?)?;
    Some((part, rest.get(1..)?))
}

/// What the fields say that the server looks at for each request.
#[derive(Default)]
struct Known<'a> {
    hosts: usize,
    content_length: Option<u64>,
    transfer_encoding: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    is_conditional: bool,
}

impl<'a> Known<'a> {
    fn read(fields: Fields<'a>) -> Result<Self, Rejection> {
        let mut known = Self::default();
        for field in fields {
            let (name, value) = field?;
            // The length tells most fields apart before any byte of the name is looked at.
            match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => {
                    known.hosts = known.hosts.saturating_add(1);
                    if !target::is_authority(value) {
                        return Err(Rejection::Host);
                    }
                }
                6 if name.eq_ignore_ascii_case(b"expect") => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(Rejection::Expectation);
                    }
                    known.expects_continue = true;
                }
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    for option in field::list(value) {
                        known.close |= option.eq_ignore_ascii_case(b"close");
                        known.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                13 if name.eq_ignore_ascii_case(b"if-none-match") => known.is_conditional = true,
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    let length = decimal(value).ok_or(Rejection::ContentLength)?;
                    once(&mut known.content_length, length).ok_or(Rejection::ContentLength)?;
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    once(&mut known.transfer_encoding, value).ok_or(Rejection::TransferEncoding)?;
                }
                _ => {}
            }
        }
        Ok(known)
    }

    /// Checks what needs all fields (RFC 9112, sections 3.2 and 6.3).
    fn body(&self, is_1_0: bool) -> Result<Body, Rejection> {
        if self.hosts > 1 || (self.hosts == 0 && !is_1_0) {
            return Err(Rejection::Host);
        }
        match (self.transfer_encoding, self.content_length) {
            (None, length) => Ok(Body::Length(length.unwrap_or(0))),
            (Some(_), Some(_)) => Err(Rejection::TransferEncoding),
            (Some(_), None) if is_1_0 => Err(Rejection::TransferEncoding),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (Some(coding), None) if field::is_token(coding) => Err(Rejection::Coding),
            (Some(_), None) => Err(Rejection::TransferEncoding),
        }
    }
}

/// Sets what must not be set before.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}
