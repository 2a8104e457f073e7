//! A connection that speaks TLS.

use super::counters::Counters;
use super::outgoing::Outgoing;
use super::records;
use super::scratch::Scratch;
use super::sink::Sink;
use crate::http::head;
use crate::{Connection, Server};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use netstack::record::Pool;
use netstack::{Chunk, Duration, Instant, Service, Stream};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{Error, HandshakeKind, ProtocolVersion, ServerConfig};

/// What a record has besides its plaintext: at most 5 bytes of header, 8 of a nonce or 1 of type, 16 of a tag; and before it
/// may stand a message that changes the keys, and the answer to one of the peer's, of 27 bytes each.
const OVERHEAD: usize = 84;

/// When a session tries again that found no room for a record, and has nothing under way whose acknowledgment would call it.
const AGAIN: Duration = Duration::from_millis(20);

/// How often it is looked at what a peer has taken while records of its are under way.
const LOOK: Duration = Duration::from_secs(5);
/// Bytes that it has to take in that time where others wait for pages: so many, and such a part of those under way, lest the
/// pages of all go to a few who take just enough.
const LEAST: u64 = 4_096;
const PART: u64 = 8;
/// How long ago a record found no page, where pages are short.
const SHORT: Duration = Duration::from_secs(1);

/// The bounds of a session, and of all together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may take to end a connection that an error ended.
    pub linger_timeout: Duration,
    /// Bytes of a handshake's messages, or of any message that comes in several records, that are kept for one session.
    pub handshake: usize,
    /// Bytes that all sessions keep of what came in part.
    pub kept_all: usize,
    /// Ciphertext that is under way for one session, in bytes; one record more may be.
    pub unacknowledged: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(20),
            linger_timeout: Duration::from_secs(5),
            handshake: 24 << 10,
            kept_all: 8 << 20,
            unacknowledged: 256 << 10,
        }
    }
}

/// What the sessions share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) scratch: Scratch,
    /// Where records lie from their encryption until both TCP and the device are done with them.
    pub(super) pool: Pool,
    /// Bytes that all sessions keep.
    pub(super) kept: usize,
    /// When a record last found no page.
    short: Option<Instant>,
}

impl Shared {
    pub(super) fn new(limits: Limits, pool: Pool) -> Self {
        Self { limits, counters: Counters::default(), scratch: Scratch::new(), pool, kept: 0, short: None }
    }
}

/// What a session's call works with.
pub(super) struct Around<'a> {
    pub(super) http: &'a mut Server,
    pub(super) shared: &'a mut Shared,
    pub(super) tcp: &'a mut dyn Stream,
}

/// A connection that speaks TLS.
pub(super) struct Session {
    tls: UnbufferedServerConnection,
    phase: Phase,
    ends: (SocketAddr, SocketAddr),
    /// What the server keeps, once there is a session.
    http: Option<Connection>,
    /// Records that rustls has begun to work on, as it left them: a message that is not yet whole.
    begun: Vec<u8>,
    /// What the server has not yet taken.
    incoming: Vec<u8>,
    outgoing: Outgoing,
    /// The peer has said, or TCP has, that nothing follows.
    ended: bool,
    /// A close_notify was sent.
    closed: bool,
    /// While records are under way in an open session: when it was last looked, and how much the peer had taken by then.
    looked: Option<(Instant, u64)>,
    /// The deadline that TCP has, at or before the one that is due.
    armed: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// A handshake, which has to be done by then.
    Handshake(Instant),
    /// Requests and responses.
    Open,
    /// It is over: until then for the peer's end. What still comes is thrown away.
    Linger(Instant),
}

impl Session {
    /// A session in which nothing has come. `None` where rustls has no memory, or no use, for it.
    pub(super) fn new(
        config: &Arc<ServerConfig>,
        ends: (SocketAddr, SocketAddr),
        shared: &mut Shared,
        tcp: &mut dyn Stream,
    ) -> Option<Self> {
        let tls = UnbufferedServerConnection::new(Arc::clone(config)).ok()?;
        let until = tcp.now() + shared.limits.handshake_timeout;
        shared.counters.tls_connections.count();
        let mut session = Self {
            tls,
            phase: Phase::Handshake(until),
            ends,
            http: None,
            begun: Vec::new(),
            incoming: Vec::new(),
            outgoing: Outgoing::default(),
            ended: false,
            closed: false,
            looked: None,
            armed: None,
        };
        session.arm(tcp);
        Some(session)
    }

    /// Takes what it can of `bytes`; gives the number of bytes taken.
    pub(super) fn receive(&mut self, bytes: &[u8], end: bool, around: &mut Around<'_>) -> usize {
        let before = self.kept();
        let mut taken = 0_usize;
        while self.takes() {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let Some(length) = records::whole(rest, records::LONGEST) else { break };
            self.input(rest.get(..length).unwrap_or_default(), around);
            taken = taken.saturating_add(length);
        }
        if self.is_deaf() {
            taken = bytes.len();
        }
        if end && (taken == bytes.len() || self.takes()) {
            // Of a record that is not whole nothing more comes.
            taken = bytes.len();
            self.end(around);
        }
        self.settle(before, around);
        taken
    }

    /// TCP has room again.
    pub(super) fn acknowledged(&mut self, around: &mut Around<'_>) {
        let before = self.kept();
        if let (Phase::Open, Some(http)) = (self.phase, &mut self.http) {
            around.http.acknowledged(http, &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp });
            self.turn_over(around);
        }
        self.settle(before, around);
    }

    pub(super) fn deadline(&mut self, around: &mut Around<'_>) {
        let before = self.kept();
        self.armed = None;
        let now = around.tcp.now();
        self.look(now, around);
        match (self.phase, &mut self.http) {
            (Phase::Handshake(until), _) if now >= until => {
                around.shared.counters.tls_handshake_timeout.count();
                self.outgoing.reset = true;
            }
            (Phase::Linger(until), _) if now >= until => {
                around.shared.counters.tls_linger_timeout.count();
                self.outgoing.reset = true;
            }
            (Phase::Open, Some(http)) => {
                if self.outgoing.deadline.is_some_and(|deadline| deadline <= now) {
                    self.outgoing.deadline = None;
                    around.http.deadline(http, &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp });
                }
                self.turn_over(around);
            }
            _ => {}
        }
        self.settle(before, around);
    }

    /// One that takes hardly anything goes where others wait for the pages that its records lie in.
    fn look(&mut self, now: Instant, around: &mut Around<'_>) {
        let Some((then, before)) = self.looked.filter(|(then, _)| now.since(*then) >= LOOK) else { return };
        let taken = self.taken(around.tcp);
        self.looked = Some((now, taken));
        let short = around.shared.short.is_some_and(|short| now.since(short) < SHORT);
        let least = LEAST.max(around.tcp.unacknowledged() as u64 / PART);
        if short && taken.saturating_sub(before) < least && now > then {
            around.shared.counters.tls_evicted.count();
            self.outgoing.reset = true;
        }
    }

    /// Bytes of records that the peer has acknowledged.
    fn taken(&self, tcp: &dyn Stream) -> u64 {
        self.outgoing.written.saturating_sub(tcp.unacknowledged() as u64)
    }

    pub(super) fn stopping(&mut self, around: &mut Around<'_>) {
        let before = self.kept();
        match (self.phase, &mut self.http) {
            (Phase::Open, Some(http)) => {
                around.http.stopping(http, &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp });
                self.turn_over(around);
            }
            (Phase::Handshake(_) | Phase::Open, _) => self.linger(around),
            (Phase::Linger(_), _) => {}
        }
        self.settle(before, around);
    }

    /// The connection is over.
    pub(super) fn finish(self, http: &mut Server, shared: &mut Shared) {
        shared.kept = shared.kept.saturating_sub(self.kept());
        if let Some(connection) = self.http {
            http.closed(connection);
        }
    }

    /// Whether more may be taken: neither is it over, nor has the server to make room first.
    fn takes(&self) -> bool {
        // A head of so many bytes is refused, so what is left over waits for room.
        !self.is_deaf() && self.incoming.len() < head::LIMIT
    }

    /// Whether what still comes is thrown away.
    fn is_deaf(&self) -> bool {
        // After our close_notify rustls has nothing to say to anybody: to an error it would send an alert all the same.
        self.ended || self.closed || self.outgoing.reset || matches!(self.phase, Phase::Linger(_))
    }

    /// Bytes of the heap that a peer can make it keep.
    fn kept(&self) -> usize {
        self.begun.capacity().saturating_add(self.incoming.capacity())
    }

    /// Whole records come.
    fn input(&mut self, bytes: &[u8], around: &mut Around<'_>) {
        if self.begun.is_empty() {
            let mut input = core::mem::take(&mut around.shared.scratch.input);
            if let Some(room) = input.get_mut(..bytes.len()) {
                room.copy_from_slice(bytes);
                let done = self.turn(room, around);
                // rustls has decrypted in place what it goes on with.
                self.begun = room.get(done..).unwrap_or_default().to_vec();
            }
            around.shared.scratch.input = input;
        } else if self.begun.len().saturating_add(bytes.len()) > around.shared.limits.handshake {
            around.shared.counters.tls_handshake_length.count();
            self.outgoing.reset = true;
        } else {
            self.begun.extend_from_slice(bytes);
            self.turn_over(around);
        }
        if self.is_deaf() {
            self.begun = Vec::new();
        }
    }

    /// A turn without anything new. There is none after our close_notify: nothing is left to write, and rustls would look for
    /// the start of a message that was thrown away.
    fn turn_over(&mut self, around: &mut Around<'_>) {
        if self.closed {
            return;
        }
        let mut begun = core::mem::take(&mut self.begun);
        let done = self.turn(&mut begun, around);
        if done < begun.len() {
            begun.drain(..done);
            self.begun = begun;
        }
    }

    /// rustls goes on, with the records of `buffer`, until it has to wait. Gives how many bytes it is done with.
    fn turn(&mut self, buffer: &mut [u8], around: &mut Around<'_>) -> usize {
        let mut done = 0_usize;
        while let Some(rest) = buffer.get_mut(done..) {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(rest);
            let mut waits = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let http = match &mut self.http {
                        Some(http) => http,
                        none => none.insert(open(&mut self.phase, self.ends, &mut self.outgoing, around)),
                    };
                    while let Some(Ok(record)) = traffic.next_record() {
                        let stream = &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp };
                        serve(around.http, http, &mut self.incoming, record.payload, false, stream);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => around.shared.scratch.encode(&mut message),
                Ok(ConnectionState::TransmitTlsData(transmit)) => {
                    transmit.done();
                    self.outgoing.reset |= !around.send_flight();
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.ended = true;
                    if let Some(http) = &mut self.http {
                        let stream = &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp };
                        serve(around.http, http, &mut self.incoming, &[], true, stream);
                    } else {
                        self.outgoing.closing = true;
                    }
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    if self.http.is_none() {
                        self.http = Some(open(&mut self.phase, self.ends, &mut self.outgoing, around));
                    }
                    around.write(&mut traffic, &mut self.outgoing, &mut self.closed);
                    // There may be room for what had to wait.
                    while let (Some(http), false) = (&mut self.http, self.incoming.is_empty()) {
                        let left = self.incoming.len();
                        let stream = &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp };
                        serve(around.http, http, &mut self.incoming, &[], self.ended, stream);
                        if self.incoming.len() == left {
                            break;
                        }
                        around.write(&mut traffic, &mut self.outgoing, &mut self.closed);
                    }
                    waits = true;
                }
                Ok(_) => waits = true,
                Err(error) => {
                    self.fail(&error, buffer, done.saturating_add(discard), around);
                    return buffer.len();
                }
            }
            done = done.saturating_add(discard);
            if waits || self.outgoing.reset {
                break;
            }
        }
        done
    }

    /// Tells the peer what was wrong, and ends the connection.
    fn fail(&mut self, error: &Error, buffer: &mut [u8], done: usize, around: &mut Around<'_>) {
        // Only for what is to be sent: the records that were wrong are not looked at again.
        while self.tls.wants_write() {
            let rest = buffer.get_mut(done..).unwrap_or_default();
            match self.tls.process_tls_records(rest).state {
                Ok(ConnectionState::EncodeTlsData(mut message)) => around.shared.scratch.encode(&mut message),
                // What came before the error.
                Ok(ConnectionState::ReadTraffic(mut traffic)) => while traffic.next_record().is_some() {},
                _ => break,
            }
        }
        let counters = &mut around.shared.counters;
        match error {
            Error::AlertReceived(_) => counters.tls_alerts_received.count(),
            _ if around.shared.scratch.flight.is_empty() => counters.tls_errors.count(),
            _ => counters.tls_alerts_sent.count(),
        }
        self.outgoing.reset |= !around.send_flight();
        self.linger(around);
    }

    /// TCP brings nothing more.
    fn end(&mut self, around: &mut Around<'_>) {
        if self.is_deaf() {
            return;
        }
        self.ended = true;
        match &mut self.http {
            Some(http) => {
                around.shared.counters.tls_truncated.count();
                let stream = &mut Sink { outgoing: &mut self.outgoing, tcp: around.tcp };
                serve(around.http, http, &mut self.incoming, &[], true, stream);
                self.turn_over(around);
            }
            None => {
                around.shared.counters.tls_handshake_incomplete.count();
                self.linger(around);
            }
        }
    }

    /// Ends our side behind what is queued, and waits for the peer's end.
    fn linger(&mut self, around: &mut Around<'_>) {
        self.phase = Phase::Linger(around.tcp.now() + around.shared.limits.linger_timeout);
        (self.begun, self.incoming) = (Vec::new(), Vec::new());
        around.tcp.close();
    }

    /// What a call has come to: budgets, the end, the deadline.
    fn settle(&mut self, before: usize, around: &mut Around<'_>) {
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
        if self.begun.is_empty() {
            self.begun = Vec::new();
        }
        let shared = &mut *around.shared;
        let after = self.kept();
        shared.kept = shared.kept.saturating_sub(before).saturating_add(after);
        if after > before && shared.kept > shared.limits.kept_all && !self.outgoing.reset {
            shared.counters.tls_buffers_full.count();
            self.outgoing.reset = true;
        }
        if self.outgoing.reset {
            around.tcp.reset();
        }
        self.arm(around.tcp);
    }

    /// Sees to it that TCP has the deadline that is due next.
    fn arm(&mut self, tcp: &mut dyn Stream) {
        self.looked = match self.looked {
            _ if tcp.unacknowledged() == 0 || self.phase != Phase::Open => None,
            None => Some((tcp.now(), self.taken(tcp))),
            looked => looked,
        };
        let due = match self.phase {
            Phase::Handshake(until) | Phase::Linger(until) => Some(until),
            Phase::Open => {
                let look = self.looked.map(|(then, _)| then + LOOK);
                Instant::earliest(look, Instant::earliest(self.outgoing.deadline, self.outgoing.again))
            }
        };
        // One that comes too early is set anew when it has passed: requests in a row cost no timer work.
        if due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed)) {
            self.armed = due;
            tcp.set_deadline(due);
        }
    }

    /// What was negotiated, for the counters.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn is_1_2(&self) -> bool {
        self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2)
    }

    /// Whether the handshake is done.
    pub(super) fn is_open(&self) -> bool {
        self.http.is_some()
    }
}

/// The handshake is done: the server accepts.
fn open(
    phase: &mut Phase,
    (peer, local): (SocketAddr, SocketAddr),
    outgoing: &mut Outgoing,
    around: &mut Around<'_>,
) -> Connection {
    *phase = Phase::Open;
    around.http.accept(peer, local, &mut Sink { outgoing, tcp: around.tcp })
}

/// Shows the server what has come, behind what it left before.
fn serve(
    http: &mut Server,
    connection: &mut Connection,
    incoming: &mut Vec<u8>,
    bytes: &[u8],
    end: bool,
    stream: &mut Sink<'_>,
) {
    if incoming.is_empty() {
        let taken = http.receive(connection, bytes, end, stream);
        incoming.extend_from_slice(bytes.get(taken..).unwrap_or_default());
    } else {
        incoming.extend_from_slice(bytes);
        let taken = http.receive(connection, incoming, end, stream);
        incoming.drain(..taken.min(incoming.len()));
    }
}

impl Around<'_> {
    /// Sends the flight that was encoded. `false` where TCP did not take it.
    fn send_flight(&mut self) -> bool {
        let flight = &mut self.shared.scratch.flight;
        let bytes: Box<[u8]> = flight.as_slice().into();
        flight.clear();
        bytes.is_empty() || self.send(Chunk::Owned(bytes))
    }

    fn send(&mut self, records: Chunk) -> bool {
        let sent = self.tcp.send(records).is_ok();
        if !sent {
            self.shared.counters.tls_send_refused.count();
        }
        sent
    }

    /// Encrypts what waits, as far as TCP is to have it; then a close_notify where nothing follows.
    fn write(
        &mut self,
        traffic: &mut WriteTraffic<'_, ServerConnectionData>,
        outgoing: &mut Outgoing,
        closed: &mut bool,
    ) {
        outgoing.again = None;
        while outgoing.len() > 0 && !*closed && !outgoing.reset && self.has_room() {
            let Some(mut blank) = self.shared.pool.take(outgoing.len().saturating_add(OVERHEAD)) else {
                self.shared.counters.tls_records_exhausted.count();
                self.shared.short = Some(self.tcp.now());
                if self.tcp.unacknowledged() == 0 {
                    outgoing.again = Some(self.tcp.now() + AGAIN);
                }
                break;
            };
            let room = blank.bytes_mut();
            let most = room.len().saturating_sub(OVERHEAD);
            let plaintext = outgoing.next(most, &mut self.shared.scratch.plaintext);
            let length = plaintext.len();
            match traffic.encrypt(plaintext, room) {
                Ok(written) => {
                    outgoing.release(length);
                    outgoing.written = outgoing.written.saturating_add(written as u64);
                    outgoing.reset |= !self.send(Chunk::Record(blank.seal(written)));
                }
                Err(error) => {
                    self.refused(&error);
                    outgoing.reset = true;
                }
            }
        }
        if outgoing.closing && outgoing.len() == 0 && !*closed && !outgoing.reset {
            *closed = true;
            let mut alert = [0; OVERHEAD];
            match traffic.queue_close_notify(&mut alert) {
                Ok(written) => {
                    outgoing.reset |=
                        !self.send(Chunk::Owned(alert.get(..written).unwrap_or_default().into()));
                }
                Err(error) => self.refused(&error),
            }
            self.tcp.close();
        }
    }

    fn refused(&mut self, error: &EncryptError) {
        match error {
            EncryptError::EncryptExhausted => self.shared.counters.tls_keys_exhausted.count(),
            EncryptError::InsufficientSize(_) => self.shared.counters.tls_errors.count(),
        }
    }

    /// Whether TCP is to have one more record. Room for two chunks is left to what cannot wait: an alert, an answer to a
    /// change of keys.
    fn has_room(&self) -> bool {
        self.tcp.unacknowledged() < self.shared.limits.unacknowledged && self.tcp.room() > 2
    }
}
