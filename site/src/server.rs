//! The server: requests in, responses out.

use crate::access_log::{AccessLog, Entry};
use crate::catalogue::{Found, Site};
#[cfg(feature = "tls")]
use crate::challenges::Challenges;
use crate::connection::{Connection as State, Phase};
use crate::counters::Counters;
use crate::error_page::ErrorPages;
use crate::http::chunked::{Chunked, Progress};
use crate::http::get::{self, Refusal};
use crate::http::request::{Body, Method, Rejection, Request};
use crate::http::response::{CHUNKS, Content, Persistence, QUERY_LIMIT, Response, Status};
use crate::http::target::{Form, Path};
use crate::http::{field, head, negotiation};
use crate::page::Page;
use crate::representation::Representation;
use crate::resolve::Resolved;
use crate::rules::Redirect;
#[cfg(feature = "tls")]
use crate::secure::{self, Aside, Plain, Secure};
use crate::wall_clock::{DateField, WallClock};
use alloc::boxed::Box;
use core::net::SocketAddr;
#[cfg(feature = "tls")]
use netstack::Chunk;
use netstack::{Duration, Instant, Service, Stream};

/// Serves a site over HTTP/1.1.
pub struct Server {
    site: Site,
    config: Config,
    date: DateField,
    errors: ErrorPages,
    counters: Counters,
    access_log: Option<Logged>,
    /// Each connection ends with its next response.
    drains: bool,
    #[cfg(feature = "tls")]
    secure: Secure,
}

/// The access log, and a response that it has no line of yet: its status, and the length of its content.
struct Logged {
    log: Box<dyn AccessLog>,
    pending: Option<(Status, usize)>,
}

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// The TCP port.
    pub port: u16,
    /// How long a head may take, from its first byte, or a connection's first from the start; and an unwanted body.
    pub head_timeout: Duration,
    /// How long a connection stays open between two requests.
    pub idle_timeout: Duration,
    /// How long a peer may take none of the bytes queued for it.
    pub send_timeout: Duration,
    /// How long a peer may take to end a connection that we ended.
    pub linger_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 80,
            head_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            linger_timeout: Duration::from_secs(5),
        }
    }
}

/// What the server keeps for a connection: 64 bytes at most.
#[derive(Debug)]
pub struct Connection(State);

/// The longest body that is read past, in bytes; for a longer one the connection ends.
const BODY_LIMIT: u32 = 65_536;

impl Server {
    /// A server of `site`.
    pub fn new(site: Site, config: Config, clock: WallClock) -> Self {
        Self {
            site,
            config,
            date: DateField::new(clock),
            errors: ErrorPages::default(),
            counters: Counters::default(),
            access_log: None,
            drains: false,
            #[cfg(feature = "tls")]
            secure: Secure::default(),
        }
    }

    /// What the port of HTTP does; at first it serves the site.
    #[cfg(feature = "tls")]
    pub fn set_plain(&mut self, plain: Plain) {
        self.secure.plain = plain;
    }

    /// Has each response over HTTPS tell for how many seconds only HTTPS is to be used (RFC 6797). To be set once.
    #[cfg(feature = "tls")]
    pub fn set_hsts(&mut self, seconds: u32) {
        self.secure.set_transport(seconds);
    }

    /// Answers these challenges of ACME's, and no longer those of before.
    #[cfg(feature = "tls")]
    pub fn set_challenges(&mut self, challenges: Challenges) {
        self.secure.challenges = challenges;
    }

    /// Logs every response from now on.
    pub fn set_access_log(&mut self, log: Box<dyn AccessLog>) {
        self.access_log = Some(Logged { log, pending: None });
    }

    /// Sets the time of day.
    pub fn set_wall_clock(&mut self, clock: WallClock) {
        self.date.set(clock);
    }

    /// From now on each connection ends with its next response: another server takes this one's place.
    pub fn drain(&mut self) {
        self.drains = true;
    }

    /// The site that is served.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes what it can of `bytes`; gives the number of bytes taken.
    fn take(&mut self, connection: &mut State, bytes: &[u8], end: bool, stream: &mut dyn Stream) -> usize {
        let now = stream.now();
        let mut rest = bytes;
        loop {
            match connection.phase {
                Phase::Linger => return bytes.len(),
                Phase::Body(left) => {
                    let taken = rest.len().min(left as usize);
                    rest = rest.get(taken..).unwrap_or_default();
                    let left = left.saturating_sub(u32::try_from(taken).unwrap_or(left));
                    if left > 0 {
                        connection.phase = Phase::Body(left);
                        break;
                    }
                    connection.enter(Phase::Idle, now);
                }
                Phase::Chunked(mut body) => match body.read(rest) {
                    Progress::More => {
                        rest = &[];
                        connection.phase = Phase::Chunked(body);
                        break;
                    }
                    Progress::End(length) => {
                        rest = rest.get(length..).unwrap_or_default();
                        connection.enter(Phase::Idle, now);
                    }
                    Progress::Broken => {
                        self.counters.http_bad_body.count();
                        self.close(connection, stream);
                    }
                },
                Phase::Idle | Phase::Head => {
                    // Line ends before a request line are ignored (RFC 9112, section 2.2).
                    while let [b'\r', b'\n', after @ ..] = rest {
                        rest = after;
                        connection.searched = 0;
                    }
                    let has_room =
                        stream.room() >= CHUNKS && connection.outstanding.has_room(stream.unacknowledged());
                    if rest.is_empty() || !has_room {
                        break;
                    }
                    let Some(length) = self.request(connection, rest, end, stream) else { break };
                    self.log(connection, rest.get(..length).unwrap_or_default(), now);
                    rest = rest.get(length..).unwrap_or_default();
                }
            }
        }
        if end && rest.is_empty() && connection.phase != Phase::Linger {
            self.close(connection, stream);
        }
        bytes.len().saturating_sub(rest.len())
    }

    /// Answers the request at the start of `bytes`, and gives the length of its head; `None` if that is not yet there.
    fn request(
        &mut self,
        connection: &mut State,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> Option<usize> {
        // Nearly always a head is there as a whole, and sound: its end is looked for only where it was not there before.
        let searched = usize::from(connection.searched);
        let head = match searched {
            0 => bytes,
            _ => head::length(bytes, searched).and_then(|length| bytes.get(..length)).unwrap_or_default(),
        };
        let rejection = match Request::parse(head) {
            Ok((request, rest)) => {
                let length = head.len().wrapping_sub(rest.len());
                if length <= head::LIMIT {
                    return self.answer(connection, &request, stream).then(|| {
                        connection.searched = 0;
                        length
                    });
                }
                Rejection::HeadLength
            }
            Err(rejection) => rejection,
        };
        self.unanswered(connection, rejection, bytes, end, stream)
    }

    /// Waits for the rest of a head that cannot be read, or refuses it: with more bytes behind it or in other pieces it would
    /// be refused for the same reason.
    #[cold]
    fn unanswered(
        &mut self,
        connection: &mut State,
        rejection: Rejection,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> Option<usize> {
        let length = head::length(bytes, usize::from(connection.searched));
        let rejection = match length {
            _ if !starts_a_request(bytes) => Rejection::RequestLine,
            Some(length) if length <= head::LIMIT => rejection,
            _ if bytes.len() >= head::LIMIT => too_long(bytes),
            _ if end => Rejection::Incomplete,
            _ => {
                connection.searched = u16::try_from(bytes.len()).unwrap_or_default();
                connection.enter(Phase::Head, stream.now());
                return None;
            }
        };
        connection.searched = 0;
        self.counters.rejection(rejection);
        // What is refused may be a HEAD all the same, and a response to that has no content (RFC 9110, section 9.3.2).
        let with_content = !bytes.starts_with(b"HEAD ");
        self.refuse(connection, rejection.status(), with_content, stream);
        length.or(Some(bytes.len()))
    }

    /// Logs the response that was just queued, to the request of this head.
    fn log(&mut self, connection: &State, head: &[u8], now: Instant) {
        let Some(Logged { log, pending }) = &mut self.access_log else { return };
        let Some((status, content)) = pending.take() else { return };
        let date = self.date.at(now);
        let entry = Entry { peer: connection.peer, date, head, status: status.code(), content };
        if !log.record(&entry) {
            self.counters.http_unlogged.count();
        }
    }

    /// Answers a request; `false` where that has to wait for room.
    fn answer(&mut self, connection: &mut State, request: &Request<'_>, stream: &mut dyn Stream) -> bool {
        #[cfg(feature = "tls")]
        if let Some(aside) = self.secure.aside(request, connection.is_secure) {
            self.counters.http_requests.count();
            self.send_aside(connection, aside, request.method != Method::Head, stream);
            return true;
        }
        let after = if self.drains { Phase::Linger } else { after(request) };
        let persistence = match (after, request.is_1_0) {
            (Phase::Linger, _) => Persistence::Close,
            (_, false) => Persistence::Open,
            (_, true) => Persistence::KeepAlive,
        };
        let mut response = self.response(request, is_secure(connection), stream.now());
        if stream.room() < response.chunks() {
            if stream.unacknowledged() > 0 {
                return false;
            }
            response = response.shortened();
        }
        self.counters.http_requests.count();
        let with_content = request.method != Method::Head;
        self.send(connection, &response, persistence, with_content, stream);
        if connection.phase != Phase::Linger {
            connection.enter(after, stream.now());
        }
        true
    }

    #[inline(always)]
    fn response<'a>(&mut self, request: &Request<'a>, is_secure: bool, now: Instant) -> Response<'a> {
        match (request.method, request.target.form) {
            (Method::Unknown, _) => return self.error(Status::NotImplemented, Some(request)),
            // What has to be secret may not be told to all (RFC 9110, section 7.4).
            (_, Form::AbsoluteSecure) if !is_secure => {
                return self.error(Status::MisdirectedRequest, Some(request));
            }
            (Method::Options, Form::Asterisk) => {
                return Response { status: Status::NoContent, content: Content::Empty };
            }
            (Method::Get | Method::Head | Method::Options, _) => {}
            (Method::Connect | Method::NotAllowed, _) => {
                return self.error(Status::MethodNotAllowed, Some(request));
            }
        }
        let (path, query) = (&request.target.path, request.target.query);
        let found = match self.site.resolve(path, query) {
            Resolved::Found(found) => found,
            Resolved::Moved(rule) => return self.moved(rule, request),
            Resolved::Missing(page) => return self.instead(Status::NotFound, page, request),
            Resolved::Gone(page) => return self.instead(Status::Gone, page, request),
        };
        match found {
            Found::Nothing => self.error(Status::NotFound, Some(request)),
            _ if request.method == Method::Options => {
                Response { status: Status::NoContent, content: Content::Empty }
            }
            Found::Page(page) => match get::response(page, request, self.date.second(now)) {
                Ok(response) => response,
                Err(Refusal::NotAcceptable) => self.error(Status::NotAcceptable, None),
                Err(Refusal::PreconditionFailed) => self.error(Status::PreconditionFailed, Some(request)),
                Err(Refusal::RangeNotSatisfiable(length)) => {
                    let status = Status::RangeNotSatisfiable;
                    let page = self.error_page(status, Some(request));
                    Response { status, content: Content::Unsatisfiable(page, length) }
                }
            },
            Found::Folder(index) => {
                let content = Content::Redirect(index, request.target.query);
                Response { status: Status::MovedPermanently, content }
            }
        }
    }

    /// To where a rule of the site leads. What it takes from the request has a bound; the query goes first.
    fn moved<'a>(&mut self, rule: &'static Redirect, request: &Request<'a>) -> Response<'a> {
        let (path, query) = (request.target.path.encoded(), request.target.query);
        let status = match rule.status {
            302 => Status::Found,
            303 => Status::SeeOther,
            307 => Status::TemporaryRedirect,
            308 => Status::PermanentRedirect,
            _ => Status::MovedPermanently,
        };
        let fits = |query: &&[u8]| rule.filled(path, query) <= QUERY_LIMIT;
        let shorter = if rule.needs_query() { query } else { b"" };
        match [query, shorter].into_iter().find(fits) {
            Some(query) => Response { status, content: Content::Moved(rule, path, query) },
            None => self.error(Status::UriTooLong, Some(request)),
        }
    }

    /// A page that a rule of the site shows for what is not there.
    fn instead(
        &mut self,
        status: Status,
        page: Option<&'static Page>,
        request: &Request<'_>,
    ) -> Response<'static> {
        match page {
            Some(page) => {
                let chosen = negotiation::select(page, &request.section).unwrap_or(&page.identity);
                Response { status, content: Content::Instead(chosen) }
            }
            None => self.error(status, Some(request)),
        }
    }

    fn error(&mut self, status: Status, request: Option<&Request<'_>>) -> Response<'static> {
        Response { status, content: Content::Instead(self.error_page(status, request)) }
    }

    /// The page of an error: the site's `CODE.html`, or ours; in a form that the client accepts, if it told.
    fn error_page(&mut self, status: Status, request: Option<&Request<'_>>) -> &'static Representation {
        let page = match self.site.page(&Path::of_name(status.page_name())) {
            Some(page) => page,
            None => self.errors.page(status),
        };
        request.and_then(|request| negotiation::select(page, &request.section)).unwrap_or(&page.identity)
    }

    /// Sends an error, and ends the connection.
    fn refuse(
        &mut self,
        connection: &mut State,
        status: Status,
        with_content: bool,
        stream: &mut dyn Stream,
    ) {
        let response = self.error(status, None);
        self.send(connection, &response, Persistence::Close, with_content, stream);
    }

    #[inline(always)]
    fn send(
        &mut self,
        connection: &mut State,
        response: &Response<'_>,
        persistence: Persistence,
        with_content: bool,
        stream: &mut dyn Stream,
    ) {
        let date = self.date.at(stream.now());
        #[cfg(feature = "tls")]
        let more = self.secure.transport(connection.is_secure);
        #[cfg(not(feature = "tls"))]
        let more = b"";
        let sent = response.send(persistence, more, date, with_content, stream);
        self.sent(
            connection,
            sent,
            response.status,
            || response.content_length(with_content),
            persistence,
            stream,
        );
    }

    /// A response of so many bytes was queued, with this status and so many bytes of content, which the log asks for; `None`:
    /// only in part.
    #[inline(always)]
    fn sent(
        &mut self,
        connection: &mut State,
        sent: Option<usize>,
        status: Status,
        content: impl Fn() -> usize,
        persistence: Persistence,
        stream: &mut dyn Stream,
    ) {
        match sent {
            Some(bytes) => {
                self.counters.response(status);
                if let Some(logged) = &mut self.access_log {
                    logged.pending = Some((status, content()));
                }
                connection.outstanding.queued(bytes);
                connection.progress(stream.now());
                if persistence == Persistence::Close {
                    self.close(connection, stream);
                }
            }
            // Part of a response is worse than none.
            None => {
                self.counters.http_send_refused.count();
                connection.enter(Phase::Linger, stream.now());
                stream.reset();
            }
        }
    }

    /// Sends what is no page's, and ends the connection: it is made for this request, and one has room for one such.
    #[cfg(feature = "tls")]
    fn send_aside(
        &mut self,
        connection: &mut State,
        Aside { status, fields, content }: Aside,
        with_content: bool,
        stream: &mut dyn Stream,
    ) {
        let content = if with_content { &content[..] } else { b"" };
        let date = self.date.at(stream.now());
        let whole = [status.start(Persistence::Close), &fields, date.bytes(), content].concat();
        let bytes = whole.len();
        let sent = stream.send(Chunk::Owned(whole.into_boxed_slice())).is_ok().then_some(bytes);
        self.sent(connection, sent, status, || content.len(), Persistence::Close, stream);
    }

    /// Ends our side, behind what is queued.
    fn close(&self, connection: &mut State, stream: &mut dyn Stream) {
        connection.enter(Phase::Linger, stream.now());
        stream.close();
    }
}

impl Service for Server {
    type Connection = Connection;

    fn listens(&self, port: u16) -> bool {
        #[cfg(feature = "tls")]
        if self.secure.plain == Plain::Shut {
            return false;
        }
        port == self.config.port
    }

    fn accept(&mut self, peer: SocketAddr, local: SocketAddr, stream: &mut dyn Stream) -> Connection {
        self.counters.http_connections.count();
        let mut connection = State::new(peer, stream.now());
        #[cfg(feature = "tls")]
        {
            connection.is_secure = local.port() == secure::PORT;
        }
        #[cfg(not(feature = "tls"))]
        let _ = local;
        connection.arm(&self.config, stream);
        Connection(connection)
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> usize {
        let taken = self.take(&mut connection.0, bytes, end, stream);
        self.site.tag();
        connection.0.arm(&self.config, stream);
        taken
    }

    fn acknowledged(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        self.site.tag();
        connection.0.progress(stream.now());
        connection.0.arm(&self.config, stream);
    }

    fn deadline(&mut self, Connection(connection): &mut Connection, stream: &mut dyn Stream) {
        connection.disarmed();
        if stream.now() >= connection.due(&self.config, stream) {
            match connection.phase {
                _ if stream.unacknowledged() > 0 => {
                    self.counters.http_send_timeout.count();
                    return stream.reset();
                }
                Phase::Linger => {
                    self.counters.http_linger_timeout.count();
                    return stream.reset();
                }
                // A head of which nothing has come is an idle connection too.
                Phase::Head if connection.searched > 0 => {
                    self.counters.http_head_timeout.count();
                    self.refuse(connection, Status::RequestTimeout, true, stream);
                    self.log(connection, &[], stream.now());
                }
                Phase::Idle | Phase::Head => {
                    self.counters.http_idle_timeout.count();
                    self.close(connection, stream);
                }
                Phase::Body(_) | Phase::Chunked(_) => {
                    self.counters.http_body_timeout.count();
                    self.close(connection, stream);
                }
            }
        }
        connection.arm(&self.config, stream);
    }

    fn stopping(&mut self, Connection(connection): &mut Connection, stream: &mut dyn Stream) {
        if connection.phase != Phase::Linger {
            self.close(connection, stream);
            connection.arm(&self.config, stream);
        }
    }

    fn closed(&mut self, _connection: Connection) {}
}

/// What comes after the response to this request.
fn after(request: &Request<'_>) -> Phase {
    // What follows a CONNECT may be meant for a tunnel.
    if !request.keep_alive || request.method == Method::Connect {
        return Phase::Linger;
    }
    match request.body {
        Body::Length(0) => Phase::Idle,
        // A client that waits for a 100 sends its body or not: there is no telling where its next request starts.
        _ if request.expects_continue => Phase::Linger,
        Body::Length(length) if length <= u64::from(BODY_LIMIT) => {
            u32::try_from(length).map_or(Phase::Linger, Phase::Body)
        }
        Body::Length(_) => Phase::Linger,
        Body::Chunked => Phase::Chunked(Chunked::new(BODY_LIMIT)),
    }
}

/// Whether what it sends and gets is secret on its way.
#[cfg(feature = "tls")]
fn is_secure(connection: &State) -> bool {
    connection.is_secure
}

/// Whether what it sends and gets is secret on its way.
#[cfg(not(feature = "tls"))]
fn is_secure(_: &State) -> bool {
    false
}

/// Whether the first byte can be one of a method. A TLS client's cannot.
fn starts_a_request(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| *byte == b'\r' || field::is_tchar(*byte))
}

/// Which part of a head is too long.
fn too_long(bytes: &[u8]) -> Rejection {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(line) if line <= head::TARGET_LIMIT => Rejection::HeadLength,
        _ => Rejection::TargetLength,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Connection>() <= 64, "{}", size_of::<Connection>());
    }
}
