//! A client of TLS, and one in the middle, who can be the same.

use super::sealer::Sealer;
use crate::targets::wire::Wire;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::{Chunk, Duration, Service};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use site::tls::{Connection, TlsServer};
use std::io::{Read, Write};
use std::sync::Arc;

/// Where a ClientHello's body begins: behind the headers of record and message.
const BODY: usize = 5 + 4;

/// Who speaks for the client.
enum Side {
    /// Nobody yet.
    Silent(Arc<ClientConfig>),
    /// rustls.
    Honest(Box<ClientConnection>),
    /// One with its keys.
    Sealing(Sealer),
    Gone,
}

pub struct Client<'a> {
    server: &'a mut TlsServer,
    connection: Connection,
    wire: Wire,
    side: Side,
    /// Bytes of a segment.
    segment: usize,
    /// Records of the client's, on their way.
    out: Vec<u8>,
    /// The last that arrived.
    last: Vec<u8>,
    /// Bytes that the server has not yet taken.
    pending: Vec<u8>,
    text: Vec<u8>,
    /// Nobody has touched what either side sent, and the client has done nothing that ends it.
    sound: bool,
    ended: bool,
    /// How often it has changed its keys.
    updates: u32,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a mut TlsServer, config: Arc<ClientConfig>, segment: usize) -> Self {
        let plain = |chunk: &Chunk| !matches!(chunk, Chunk::Owned(_) | Chunk::Record(_));
        let mut wire = Wire::new(plain, "plaintext went out");
        let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let connection = server.accept(address(1_024), address(443), &mut wire);
        Self {
            server,
            connection,
            wire,
            side: Side::Silent(config),
            segment,
            out: Vec::new(),
            last: Vec::new(),
            pending: Vec::new(),
            text: Vec::new(),
            sound: true,
            ended: false,
            updates: 0,
        }
    }

    /// rustls's client, if it is one that speaks.
    fn tls(&mut self) -> Option<&mut ClientConnection> {
        if let Side::Silent(config) = &self.side {
            let name = ServerName::try_from("test").expect("a name");
            let tls = ClientConnection::new(Arc::clone(config), name).expect("a client");
            self.side = Side::Honest(Box::new(tls));
        }
        if let Side::Honest(tls) = &mut self.side { Some(tls) } else { None }
    }

    /// The same, once it may send.
    fn open(&mut self) -> Option<&mut ClientConnection> {
        self.tls().filter(|tls| !tls.is_handshaking())
    }

    fn wants_write(&self) -> bool {
        matches!(&self.side, Side::Honest(tls) if tls.wants_write())
    }

    pub fn shake_hands(&mut self) {
        for _ in 0..8 {
            self.push();
            self.acknowledge(usize::MAX);
            if self.open().is_some() && !self.wants_write() {
                return;
            }
        }
        self.sound = false;
    }

    /// How things stand, to be shown.
    pub fn state(&self) -> String {
        let Wire { closed, reset, unacknowledged, .. } = self.wire;
        let counted: Vec<_> = self.server.counters().iter().filter(|(_, count)| *count > 0).collect();
        format!("closed {closed}, reset {reset}, {unacknowledged} unacknowledged, {counted:?}")
    }

    pub fn is_sound(&self) -> bool {
        self.sound
    }

    pub fn is_resumed(&self) -> bool {
        matches!(&self.side, Side::Honest(tls) if tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed))
    }

    /// What follows may end it.
    pub fn spoil(&mut self) {
        self.sound = false;
    }

    /// Plaintext, for the next records; whether it will be sent.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if !self.sound || self.ended {
            return false;
        }
        let Some(tls) = self.open() else { return false };
        let written = tls.writer().write_all(bytes).is_ok();
        self.fetch();
        written
    }

    fn fetch(&mut self) {
        let Side::Honest(tls) = &mut self.side else { return };
        while tls.wants_write() && tls.write_tls(&mut self.out).is_ok_and(|length| length > 0) {}
    }

    /// What the client has to say arrives, a segment at a time. One that was silent says hello.
    pub fn push(&mut self) {
        self.tls();
        self.flush();
    }

    /// The same; one that was silent stays so.
    fn flush(&mut self) {
        self.fetch();
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        for segment in out.chunks(self.segment) {
            self.arrive(segment);
        }
        self.last = out;
    }

    /// Bytes of somebody else's.
    pub fn inject(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.sound = false;
            self.flush();
            self.arrive(bytes);
        }
    }

    /// A record that nobody encrypted.
    pub fn forge(&mut self, kind: u8, length: u16, byte: u8) {
        let [high, low] = length.to_be_bytes();
        let mut record = vec![20 + kind % 5, 3, 3, high, low];
        record.resize(5 + usize::from(length), byte);
        self.inject(&record);
    }

    /// Records of this kind with these bodies: under the client's keys, once it has any.
    pub fn seal(&mut self, kind: u8, bodies: &[&[u8]], padding: usize) {
        self.sound = false;
        self.flush();
        if self.open().is_some()
            && let Side::Honest(tls) = std::mem::replace(&mut self.side, Side::Gone)
            && let Some(sealer) = Sealer::new(*tls)
        {
            self.side = Side::Sealing(sealer);
        }
        let mut records = Vec::new();
        for body in bodies {
            if let Side::Sealing(sealer) = &mut self.side {
                records.extend_from_slice(&sealer.seal(kind, body, padding));
            } else {
                let [.., high, low] = body.len().to_be_bytes();
                records.extend_from_slice(&[kind, 3, 3, high, low]);
                records.extend_from_slice(body);
            }
        }
        for segment in records.chunks(self.segment) {
            self.arrive(segment);
        }
        self.last = records;
    }

    /// One bit of what is under way to the server.
    pub fn flip(&mut self, at: u16, bit: u8) {
        self.speak();
        let length = self.out.len();
        if length > 0 {
            self.sound = false;
            self.out[usize::from(at) % length] ^= 1 << (bit % 8);
        }
    }

    /// What the client has to say is under way.
    fn speak(&mut self) {
        self.tls();
        self.fetch();
    }

    /// Some bytes of the record under way are others, more or fewer: its length, and that of the message in it, are made to fit.
    pub fn edit(&mut self, at: u16, less: usize, bytes: &[u8]) {
        self.speak();
        if self.out.len() <= BODY {
            return;
        }
        let at = BODY + usize::from(at) % (self.out.len() - BODY);
        let end = (at + less).min(self.out.len());
        self.splice(at..end, bytes);
    }

    fn splice(&mut self, range: core::ops::Range<usize>, bytes: &[u8]) {
        self.sound = false;
        let more = bytes.len().wrapping_sub(range.len());
        self.out.splice(range, bytes.iter().copied());
        grow(&mut self.out, 3, 2, more);
        grow(&mut self.out, 6, 3, more);
    }

    /// One extension more for a ClientHello under way, with all lengths as they should be.
    pub fn extend(&mut self, kind: u16, body: &[u8]) {
        self.speak();
        let Some(extensions) = extensions(&self.out) else { return };
        let [high, low] = kind.to_be_bytes();
        let [.., long, short] = body.len().to_be_bytes();
        let extension = [&[high, low, long, short], body].concat();
        grow(&mut self.out, extensions, 2, extension.len());
        self.splice(extensions + 2..extensions + 2, &extension);
    }

    /// What arrived last arrives once more.
    pub fn replay(&mut self) {
        let last = self.last.clone();
        self.inject(&last);
    }

    /// What is under way to the server is cut.
    pub fn drop_some(&mut self, keep: u16) {
        self.fetch();
        if usize::from(keep) < self.out.len() {
            self.sound = false;
            self.out.truncate(keep.into());
        }
    }

    pub fn update_keys(&mut self) {
        if let Some(tls) = self.open()
            && tls.refresh_traffic_keys().is_ok()
        {
            self.updates += 1;
            // rustls, as others do, takes no more in a row than it has to.
            self.sound &= self.updates <= 32;
        }
    }

    pub fn close(&mut self) {
        if let Some(tls) = self.open() {
            tls.send_close_notify();
            self.push();
            self.ended = true;
        }
    }

    /// The client's FIN, in the middle of whatever it was.
    pub fn end(&mut self) {
        self.flush();
        if !self.ended {
            self.sound &= self.pending.is_empty();
        }
        self.ended = true;
        self.receive(true);
    }

    fn arrive(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.receive(false);
    }

    fn receive(&mut self, end: bool) {
        if self.wire.reset {
            return;
        }
        let taken = self.server.receive(&mut self.connection, &self.pending, end, &mut self.wire);
        assert!(taken <= self.pending.len());
        self.pending.drain(..taken);
        assert!(self.wire.deadline.is_some() || self.wire.reset, "nothing bounds the wait");
        // What is not taken is less than a record, or there is something to be acknowledged first.
        assert!(
            self.pending.len() < 18_437 || self.wire.unacknowledged > 0 || self.wire.reset,
            "it is stuck"
        );
    }

    /// The client reads what came, and acknowledges so many bytes.
    pub fn acknowledge(&mut self, bytes: usize) {
        self.read();
        if !self.wire.acknowledge(bytes) {
            return;
        }
        self.server.acknowledged(&mut self.connection, &mut self.wire);
        if !self.pending.is_empty() {
            self.receive(false);
        }
    }

    fn read(&mut self) {
        let sent = std::mem::take(&mut self.wire.sent);
        let Side::Honest(tls) = &mut self.side else { return };
        let mut bytes = &sent[..];
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes).unwrap_or(0) == 0 {
                break;
            }
            match tls.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() > 0 => {
                    // At the end of what has come it says that more may come.
                    let _ = tls.reader().read_to_end(&mut self.text);
                }
                Ok(_) => {}
                Err(error) => {
                    assert!(!self.sound, "the server broke the protocol: {error}");
                    return;
                }
            }
        }
    }

    /// Both sides go on until neither has anything to say.
    pub fn settle(&mut self) {
        for _ in 0..4_096 {
            self.flush();
            self.acknowledge(usize::MAX);
            if self.wire.reset
                || (self.wire.unacknowledged == 0 && self.wire.sent.is_empty() && !self.wants_write())
            {
                return;
            }
        }
        panic!("it does not end");
    }

    /// Time passes; deadlines are met on their microsecond.
    pub fn pass(&mut self, time: Duration) {
        let then = self.wire.now + time;
        let mut met = 0;
        while self.wire.pass(then) {
            met += 1;
            assert!(met < 64, "one deadline after the other");
            // It may be that which ends it.
            self.sound = false;
            self.server.deadline(&mut self.connection, &mut self.wire);
        }
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn kept(&self) -> usize {
        self.server.kept()
    }

    pub fn is_over(&self) -> bool {
        self.wire.is_over()
    }

    pub fn finish(self) {
        let Self { server, connection, wire, .. } = self;
        server.closed(connection);
        drop(wire);
    }
}

/// Adds to a number of so many bytes.
fn grow(record: &mut [u8], at: usize, length: usize, more: usize) {
    let Some(field) = record.get_mut(at..at + length) else { return };
    let number = field.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    let bytes = number.wrapping_add(more).to_be_bytes();
    field.copy_from_slice(&bytes[bytes.len() - length..]);
}

/// Where in the record of a ClientHello the length of its extensions stands (RFC 8446, section 4.1.2).
fn extensions(record: &[u8]) -> Option<usize> {
    if !matches!(record, [22, 3, _, _, _, 1, ..]) {
        return None;
    }
    // Version and random; the session's id, the suites, the methods of compression.
    let mut at = BODY + 2 + 32;
    at += 1 + usize::from(*record.get(at)?);
    at += 2 + usize::from(u16::from_be_bytes(*record.get(at..)?.first_chunk()?));
    at += 1 + usize::from(*record.get(at)?);
    (at + 2 <= record.len()).then_some(at)
}
