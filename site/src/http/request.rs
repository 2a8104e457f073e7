//! Requests (RFC 9112, sections 3 to 6).

use super::field;
use super::head::TARGET_LIMIT;
use super::response::Status;
use super::section::Section;
use super::target::Target;

/// A request whose head is sound.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// What is asked for.
    pub target: Target<'a>,
    /// The client speaks HTTP/1.0.
    pub is_1_0: bool,
    /// The client wants the connection to stay open.
    pub keep_alive: bool,
    /// What follows the head.
    pub body: Body,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
    /// The field lines, which have been checked.
    pub section: Section<'a>,
}

/// Methods, as far as they differ here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
    /// `CONNECT`, which is for proxies: 405.
    Connect,
    /// Another method that we know and no page allows: 405.
    NotAllowed,
    /// A method that we do not know: 501.
    Unknown,
}

/// The framing of a request's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunked (RFC 9112, section 7.1).
    Chunked,
}

/// Why a head is refused. The connection ends with it, but for [`Rejection::Incomplete`] while more may come.
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
    /// The head is not yet there as a whole.
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
    /// Parses a head, from the request line to the empty line; gives what is behind it, too.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Rejection> {
        let (method, target) = match bytes {
            [b'G', b'E', b'T', b' ', rest @ ..] => (Method::Get, rest),
            _ => method(bytes)?,
        };
        let (parsed, rest) = Target::parse(target, method)?;
        if target.len().wrapping_sub(rest.len()) > TARGET_LIMIT.wrapping_add(1) {
            return Err(Rejection::TargetLength);
        }
        let (is_1_0, rest) = match rest {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b'\r', b'\n', rest @ ..] => (false, rest),
            _ => version(rest)?,
        };
        let (section, rest) = Section::read(rest)?;
        let request = Self {
            method,
            target: parsed,
            is_1_0,
            keep_alive: !section.close && (section.keep_alive || !is_1_0),
            body: section.body(is_1_0)?,
            expects_continue: section.expects_continue && !is_1_0,
            section,
        };
        Ok((request, rest))
    }
}

/// The method, and what is behind the space after it.
fn method(bytes: &[u8]) -> Result<(Method, &[u8]), Rejection> {
    let end = bytes.iter().position(|byte| !field::is_tchar(*byte)).ok_or(Rejection::Incomplete)?;
    let (token, rest) = bytes.split_at_checked(end).unwrap_or_default();
    let rest = rest.strip_prefix(b" ").ok_or(Rejection::RequestLine)?;
    let method = match token {
        b"" => return Err(Rejection::RequestLine),
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"OPTIONS" => Method::Options,
        b"CONNECT" => Method::Connect,
        b"DELETE" | b"PATCH" | b"POST" | b"PUT" | b"TRACE" => Method::NotAllowed,
        _ => Method::Unknown,
    };
    Ok((method, rest))
}

/// Whether the version is 1.0, and what is behind its line.
fn version(mut rest: &[u8]) -> Result<(bool, &[u8]), Rejection> {
    if !rest.contains(&b'\n') {
        return Err(Rejection::Incomplete);
    }
    match field::line(&mut rest).ok_or(Rejection::RequestLine)? {
        b"HTTP/1.0" => Ok((true, rest)),
        // A minor version that we do not know is one we can still talk to (RFC 9110, section 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok((false, rest)),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Rejection::Version),
        _ => Err(Rejection::RequestLine),
    }
}
