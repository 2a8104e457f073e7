//! Responses (RFC 9112, section 4), as lists of chunks: nothing is allocated for one, and no body is copied.

use super::date;
use super::range::{Parts, Span};
use crate::page::Page;
use crate::representation::Representation;
use crate::rules::Redirect;
use crate::rules::template::Part;
use core::fmt::{self, Write};
use netstack::service::Inline;
use netstack::{Chunk, Stream};

/// Status codes (RFC 9110, section 15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the reason phrases say it")]
pub enum Status {
    Ok,
    NoContent,
    PartialContent,
    MovedPermanently,
    Found,
    SeeOther,
    NotModified,
    TemporaryRedirect,
    PermanentRedirect,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    Gone,
    PreconditionFailed,
    UriTooLong,
    RangeNotSatisfiable,
    ExpectationFailed,
    MisdirectedRequest,
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
    /// The same, as if modified just now: its file's time has not yet come (RFC 9110, section 8.8.2.1).
    Future(&'static Representation),
    /// A part of a representation.
    Part(&'static Representation, Span),
    /// The parts of a representation that the value of a Range asks for.
    Parts(&'static Representation, &'a [u8]),
    /// A representation in another's place, without its validators.
    Instead(&'static Representation),
    /// The same, for ranges of which nothing is there, of so many bytes.
    Unsatisfiable(&'static Representation, usize),
    /// The validators of a representation, and no content.
    NotModified(&'static Representation),
    /// To the folder of this index, and the query that goes along.
    Redirect(&'static Page, &'a [u8]),
    /// To where this rule leads for a path and a query that it matches.
    Moved(&'static Redirect, &'a [u8], &'a [u8]),
    /// Nothing.
    Empty,
}

/// The longest query that a redirect keeps, in bytes.
pub const QUERY_LIMIT: usize = 240;

/// As many chunks as a response has that has no parts and keeps no query.
pub const CHUNKS: usize = 8;

/// What a part has besides its bytes: the delimiter, its type, the range in text.
const CHUNKS_OF_A_PART: usize = 7;

impl Response<'_> {
    /// At least as many chunks as [`Self::send`] queues.
    pub fn chunks(&self) -> usize {
        match self.content {
            Content::Redirect(_, query) => {
                CHUNKS.saturating_add(query.len().min(QUERY_LIMIT) / Inline::CAPACITY)
            }
            Content::Moved(rule, path, query) => {
                let mut chunks = CHUNKS;
                rule.fill(path, query, |part| {
                    let more = match part {
                        Part::Fixed(_) => 1,
                        Part::Filled(bytes) => bytes.len().div_ceil(Inline::CAPACITY),
                    };
                    chunks = chunks.saturating_add(more);
                });
                chunks
            }
            Content::Part(..) => CHUNKS.saturating_add(4),
            Content::Parts(of, range) => {
                let parts = Parts::read(range, of.body.len()).map_or(0, |parts| parts.spans().len());
                CHUNKS.saturating_add(4).saturating_add(parts.saturating_mul(CHUNKS_OF_A_PART))
            }
            _ => CHUNKS,
        }
    }

    /// Whether the representation has the start of the response too.
    fn is_usual(&self, persistence: Persistence, more: &[u8]) -> bool {
        more.is_empty()
            && matches!(
                (self.content, self.status, persistence),
                (Content::Whole(_), Status::Ok, Persistence::Open)
            )
    }

    /// What can be sent in its place in [`CHUNKS`] chunks.
    pub fn shortened(self) -> Self {
        match self.content {
            Content::Part(of, _) | Content::Parts(of, _) => {
                Self { status: Status::Ok, content: Content::Whole(of) }
            }
            Content::Redirect(index, _) => Self { content: Content::Redirect(index, b""), ..self },
            _ => self,
        }
    }

    /// Queues the response; `more` are field lines of the connection's, each with the line end before it, `date` has the end
    /// of a head behind it, and `with_content` is false for HEAD. Gives the number of bytes, or `None` if the stream did
    /// not take all of it.
    #[inline(always)]
    pub fn send(
        &self,
        persistence: Persistence,
        more: &'static [u8],
        date: Inline,
        with_content: bool,
        stream: &mut dyn Stream,
    ) -> Option<usize> {
        let mut queue = Queue { stream, bytes: 0 };
        let is_usual = self.is_usual(persistence, more);
        if !is_usual {
            queue.fixed(self.status.start(persistence))?;
        }
        if !more.is_empty() {
            queue.fixed(more)?;
        }
        let body = match self.content {
            Content::Whole(whole) => {
                queue.fixed(if is_usual { whole.response() } else { whole.head() })?;
                whole.body
            }
            Content::Future(whole) => {
                queue.fixed(b"\r\nLast-Modified: ")?;
                queue.put(Chunk::Inline(Inline::new(date.bytes().get(..date::LENGTH)?)?))?;
                queue.fixed(whole.undated())?;
                whole.body
            }
            Content::Part(of, span) => {
                let (last, whole) = (span.end.saturating_sub(1), of.body.len());
                queue.text(format_args!(
                    "\r\nContent-Length: {}\r\nContent-Range: bytes {}-{last}/{whole}",
                    span.bytes(),
                    span.start
                ))?;
                queue.fixed(of.last_modified())?;
                queue.fixed(of.partial())?;
                of.body.get(span.start..span.end)?
            }
            Content::Parts(of, range) => {
                let parts = Parts::read(range, of.body.len())?;
                return queue.parts(of, &parts, date).map(|()| queue.bytes);
            }
            Content::Instead(other) => {
                queue.fixed(other.instead())?;
                queue.fixed(DATE)?;
                other.body
            }
            Content::Unsatisfiable(other, whole) => {
                queue.text(format_args!("\r\nContent-Range: bytes */{whole}"))?;
                queue.fixed(other.instead())?;
                queue.fixed(DATE)?;
                other.body
            }
            Content::NotModified(known) => {
                queue.fixed(known.not_modified())?;
                b""
            }
            Content::Redirect(index, query) => {
                queue.fixed(b"\r\nContent-Length: 0\r\nLocation: ")?;
                queue.fixed(index.location)?;
                for part in query.chunks(Inline::CAPACITY).filter(|_| query.len() <= QUERY_LIMIT) {
                    queue.put(Chunk::Inline(Inline::new(part)?))?;
                }
                queue.fixed(DATE)?;
                b""
            }
            Content::Moved(rule, path, query) => {
                queue.fixed(b"\r\nContent-Length: 0\r\nLocation: ")?;
                let mut sent = Some(());
                rule.fill(path, query, |part| sent = sent.and_then(|()| queue.part(part)));
                sent?;
                queue.fixed(DATE)?;
                b""
            }
            Content::Empty => {
                queue.fixed(DATE)?;
                b""
            }
        };
        queue.put(Chunk::Inline(date))?;
        if with_content {
            queue.fixed(body)?;
        }
        Some(queue.bytes)
    }

    /// Bytes of pages in the content, what stands between parts not counted; `with_content` is false for HEAD.
    pub fn content_length(&self, with_content: bool) -> usize {
        match self.content {
            _ if !with_content => 0,
            Content::Whole(sent) | Content::Future(sent) | Content::Instead(sent) => sent.body.len(),
            Content::Unsatisfiable(page, _) => page.body.len(),
            Content::Part(_, span) => span.bytes(),
            Content::Parts(of, range) => Parts::read(range, of.body.len()).map_or(0, |parts| {
                parts.spans().iter().fold(0, |sum, span| span.bytes().saturating_add(sum))
            }),
            Content::NotModified(_) | Content::Redirect(..) | Content::Moved(..) | Content::Empty => 0,
        }
    }
}

/// What stands before the date, which ends each head.
pub const DATE: &[u8] = b"\r\nDate: ";

/// The last line end of a head, and the empty line.
const END: &[u8] = b"\r\n\r\n";

/// What a part begins with, up to the delimiter; the first has no line end before it.
const DASHES: &[u8] = b"\r\n--";
/// What stands between a part's type and its range.
const RANGE: &str = "\r\nContent-Range: bytes ";

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

    fn fixed(&mut self, bytes: &'static [u8]) -> Option<()> {
        if bytes.is_empty() { Some(()) } else { self.put(Chunk::Static(bytes)) }
    }

    /// A part of where a rule leads.
    fn part(&mut self, part: Part<'static, '_>) -> Option<()> {
        match part {
            Part::Fixed(bytes) => self.fixed(bytes),
            Part::Filled(bytes) => bytes
                .chunks(Inline::CAPACITY)
                .try_for_each(|bytes| self.put(Chunk::Inline(Inline::new(bytes)?))),
        }
    }

    /// Text, carried in as few chunks as it takes.
    fn text(&mut self, text: fmt::Arguments<'_>) -> Option<()> {
        let mut text_chunks = Text { queue: self, bytes: [0; Inline::CAPACITY], length: 0 };
        text_chunks.write_fmt(text).ok()?;
        text_chunks.flush()
    }

    /// `multipart/byteranges` (RFC 9110, section 14.6; RFC 2046, section 5.1). The entity tag is the delimiter: no part can
    /// hold the hash of the whole.
    fn parts(&mut self, of: &'static Representation, parts: &Parts, date: Inline) -> Option<()> {
        let tag = of.etag().strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\""))?;
        let whole = of.body.len();
        let range =
            |span: &Span| length(format_args!("{}-{}/{whole}", span.start, span.end.saturating_sub(1)));
        let delimiter = DASHES.len().saturating_add(tag.len());
        let length = parts.spans().iter().fold(0_usize, |length, span| {
            let head = delimiter.saturating_add(of.type_line().len()).saturating_add(RANGE.len());
            length
                .saturating_add(head)
                .saturating_add(range(span))
                .saturating_add(END.len())
                .saturating_add(span.bytes())
        });
        // The last delimiter, less the line end that the first part does not have.
        let length = length.saturating_add(delimiter).saturating_add(2);
        self.text(format_args!("\r\nContent-Length: {length}"))?;
        self.fixed(b"\r\nContent-Type: multipart/byteranges; boundary=")?;
        self.fixed(tag)?;
        self.fixed(of.last_modified())?;
        self.fixed(of.multipart())?;
        self.put(Chunk::Inline(date))?;
        for (number, span) in parts.spans().iter().enumerate() {
            self.fixed(if number == 0 { b"--" } else { DASHES })?;
            self.fixed(tag)?;
            self.fixed(of.type_line())?;
            self.fixed(RANGE.as_bytes())?;
            let last = span.end.saturating_sub(1);
            self.text(format_args!("{}-{last}/{whole}\r\n\r\n", span.start))?;
            self.fixed(of.body.get(span.start..span.end)?)?;
        }
        self.fixed(DASHES)?;
        self.fixed(tag)?;
        self.fixed(b"--\r\n")
    }
}

/// Text on its way into chunks.
struct Text<'a, 'b> {
    queue: &'a mut Queue<'b>,
    bytes: [u8; Inline::CAPACITY],
    length: usize,
}

impl Text<'_, '_> {
    fn flush(&mut self) -> Option<()> {
        let bytes = self.bytes.get(..core::mem::take(&mut self.length))?;
        if bytes.is_empty() { Some(()) } else { self.queue.put(Chunk::Inline(Inline::new(bytes)?)) }
    }
}

impl fmt::Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.length == self.bytes.len() {
                self.flush().ok_or(fmt::Error)?;
            }
            *self.bytes.get_mut(self.length).ok_or(fmt::Error)? = byte;
            self.length = self.length.saturating_add(1);
        }
        Ok(())
    }
}

/// How long a text is.
fn length(text: fmt::Arguments<'_>) -> usize {
    struct Counter(usize);
    impl fmt::Write for Counter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A counter takes everything.
    let _ = counter.write_fmt(text);
    counter.0
}

/// The code, the reason phrase, and for each persistence what stands before the date.
macro_rules! statuses {
    ($($status:ident $code:literal $reason:literal $($field:literal)?;)*) => {
        impl Status {
            /// The code, in decimal digits.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$status => $code,)* }
            }

            /// The name of the page that a site may have for it.
            pub const fn page_name(self) -> &'static [u8] {
                match self { $(Self::$status => concat!($code, ".html").as_bytes(),)* }
            }

            /// The status line and the fields that are the same for all such responses, without the last line end.
            pub const fn start(self, persistence: Persistence) -> &'static [u8] {
                match (self, persistence) { $(
                    (Self::$status, Persistence::Open) => statuses!(@ $code $reason "" $($field)?),
                    (Self::$status, Persistence::KeepAlive) => {
                        statuses!(@ $code $reason "\r\nConnection: keep-alive" $($field)?)
                    }
                    (Self::$status, Persistence::Close) => {
                        statuses!(@ $code $reason "\r\nConnection: close" $($field)?)
                    }
                )* }
            }
        }
    };
    (@ $code:literal $reason:literal $connection:literal $($field:literal)?) => {
        concat!("HTTP/1.1 ", $code, " ", $reason, "\r\nServer: halfpage", $connection $(, "\r\n", $field)?).as_bytes()
    };
}

statuses! {
    Ok "200" "OK" "Accept-Ranges: bytes";
    NoContent "204" "No Content" "Allow: GET, HEAD, OPTIONS";
    PartialContent "206" "Partial Content" "Accept-Ranges: bytes";
    MovedPermanently "301" "Moved Permanently";
    Found "302" "Found";
    SeeOther "303" "See Other";
    NotModified "304" "Not Modified";
    TemporaryRedirect "307" "Temporary Redirect";
    PermanentRedirect "308" "Permanent Redirect";
    BadRequest "400" "Bad Request";
    NotFound "404" "Not Found";
    MethodNotAllowed "405" "Method Not Allowed" "Allow: GET, HEAD, OPTIONS";
    NotAcceptable "406" "Not Acceptable" "Vary: Accept-Encoding";
    RequestTimeout "408" "Request Timeout";
    Gone "410" "Gone";
    PreconditionFailed "412" "Precondition Failed";
    UriTooLong "414" "URI Too Long";
    RangeNotSatisfiable "416" "Range Not Satisfiable" "Accept-Ranges: bytes";
    ExpectationFailed "417" "Expectation Failed";
    MisdirectedRequest "421" "Misdirected Request";
    RequestHeaderFieldsTooLarge "431" "Request Header Fields Too Large";
    NotImplemented "501" "Not Implemented";
    HttpVersionNotSupported "505" "HTTP Version Not Supported";
}
