//! Responses (RFC 9112, section 4), as lists of chunks: nothing is allocated for one, and no body is copied.

use crate::page::Page;
use crate::representation::Representation;
use netstack::service::Inline;
use netstack::{Chunk, Stream};

/// Status codes (RFC 9110, section 15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the reason phrases say it")]
pub enum Status {
    Ok,
    MovedPermanently,
    NotModified,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    UriTooLong,
    ExpectationFailed,
    RequestHeaderFieldsTooLarge,
    NotImplemented,
    HttpVersionNotSupported,
}

/// What a response says of the connection after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// It stays open, as it does in HTTP/1.1.
    Open,
    /// It stays open, as an HTTP/1.0 client asked.
    KeepAlive,
    /// It ends.
    Close,
}

/// A response to send.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status.
    pub status: Status,
    /// The rest.
    pub content: Content<'a>,
}

/// What follows the status line and the date.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A representation with all of its fields.
    Whole(&'static Representation),
    /// A representation in another's place, without its validators.
    Instead(&'static Representation),
    /// The validators of a representation, and no content.
    NotModified(&'static Representation),
    /// To the folder of this index, and the query that goes along.
    Redirect(&'static Page, &'a [u8]),
}

/// The longest query that a redirect keeps, in bytes.
pub const QUERY_LIMIT: usize = 240;

/// The most chunks that a response has: status, date, location, query and end of a redirect.
pub const CHUNKS: usize = 4 + QUERY_LIMIT / Inline::CAPACITY;

impl Response<'_> {
    /// Queues the response; `with_content` is false for HEAD. Gives the number of bytes, or `None` if the stream did
    /// not take all of it.
    pub fn send(
        &self,
        persistence: Persistence,
        date: Inline,
        with_content: bool,
        stream: &mut dyn Stream,
    ) -> Option<usize> {
        let mut queue = Queue { stream, bytes: 0 };
        queue.put(Chunk::Static(self.status.start(persistence)))?;
        queue.put(Chunk::Inline(date))?;
        match self.content {
            Content::Whole(whole) => queue.put(Chunk::Static(whole.head()))?,
            Content::Instead(other) => {
                queue.put(Chunk::Static(other.instead()))?;
                queue.put(Chunk::Static(b"\r\n\r\n"))?;
            }
            Content::NotModified(known) => queue.put(Chunk::Static(known.not_modified()))?,
            Content::Redirect(index, query) => {
                queue.put(Chunk::Static(b"\r\nContent-Length: 0\r\nLocation: "))?;
                queue.put(Chunk::Static(index.location))?;
                for part in query.chunks(Inline::CAPACITY).filter(|_| query.len() <= QUERY_LIMIT) {
                    queue.put(Chunk::Inline(Inline::new(part)?))?;
                }
                queue.put(Chunk::Static(b"\r\n\r\n"))?;
            }
        }
        match self.content {
            Content::Whole(sent) | Content::Instead(sent) if with_content && !sent.body.is_empty() => {
                queue.put(Chunk::Static(sent.body))?;
            }
            _ => {}
        }
        Some(queue.bytes)
    }
}

/// Counts what it queues.
struct Queue<'a> {
    stream: &'a mut dyn Stream,
    bytes: usize,
}

impl Queue<'_> {
    fn put(&mut self, chunk: Chunk) -> Option<()> {
        self.bytes = self.bytes.saturating_add(chunk.bytes().len());
        self.stream.send(chunk).ok()
    }
}

/// The code, the reason phrase, and for each persistence what stands before the date.
macro_rules! statuses {
    ($($status:ident $code:literal $reason:literal $($field:literal)?;)*) => {
        impl Status {
            /// The code, in decimal digits.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$status => $code,)* }
            }

            /// The status line and the fields that are the same for all such responses, up to the date.
            pub const fn start(self, persistence: Persistence) -> &'static [u8] {
                match (self, persistence) { $(
                    (Self::$status, Persistence::Open) => statuses!(@ $code $reason "" $($field)?),
                    (Self::$status, Persistence::KeepAlive) => {
                        statuses!(@ $code $reason "Connection: keep-alive\r\n" $($field)?)
                    }
                    (Self::$status, Persistence::Close) => {
                        statuses!(@ $code $reason "Connection: close\r\n" $($field)?)
                    }
                )* }
            }
        }
    };
    (@ $code:literal $reason:literal $connection:literal $($field:literal)?) => {
        concat!("HTTP/1.1 ", $code, " ", $reason, "\r\nServer: halfpage\r\n", $connection, $($field,)? "Date: ").as_bytes()
    };
}

statuses! {
    Ok "200" "OK";
    MovedPermanently "301" "Moved Permanently";
    NotModified "304" "Not Modified";
    BadRequest "400" "Bad Request";
    NotFound "404" "Not Found";
    MethodNotAllowed "405" "Method Not Allowed" "Allow: GET, HEAD\r\n";
    RequestTimeout "408" "Request Timeout";
    UriTooLong "414" "URI Too Long";
    ExpectationFailed "417" "Expectation Failed";
    RequestHeaderFieldsTooLarge "431" "Request Header Fields Too Large";
    NotImplemented "501" "Not Implemented";
    HttpVersionNotSupported "505" "HTTP Version Not Supported";
}
