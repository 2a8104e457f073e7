//! The service: HTTP as it is at one port, in TLS at another.

use super::counters::Counters;
use super::session::{Around, Limits, Session, Shared};
use crate::Server;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::SocketAddr;
use netstack::record::Pool;
use netstack::{Service, Stream};
use rustls::ServerConfig;

/// The port of HTTPS (RFC 9110, section 4.2.2).
const PORT: u16 = 443;

/// Serves a site over HTTP and over HTTPS.
pub struct TlsServer {
    http: Server,
    config: Option<Arc<ServerConfig>>,
    shared: Shared,
    /// How often [`TlsServer::forget_sessions`] was called.
    life: u32,
}

/// What is kept for a connection.
pub struct Connection(Kind);

enum Kind {
    Plain(crate::Connection),
    /// The session, and the server's life that it belongs to.
    Secure(Box<Session>, u32),
    /// It is reset.
    Refused,
}

impl TlsServer {
    /// `http` over HTTP, and over HTTPS once there is a configuration; with the pages of `pool` for records.
    pub fn new(http: Server, limits: Limits, pool: Pool) -> Self {
        Self { http, config: None, shared: Shared::new(limits, pool), life: 0 }
    }

    /// From now on handshakes are by this configuration; with `None` the port of HTTPS is shut. Sessions that there are stay.
    pub fn set_config(&mut self, config: Option<Arc<ServerConfig>>) {
        self.config = config;
    }

    /// Ends the sessions that there are: each is reset before it seals or opens another byte. Due when the memory may have been
    /// copied, since two servers would go on with the same keys.
    pub fn forget_sessions(&mut self) {
        self.life = self.life.wrapping_add(1);
    }

    /// The server of the site.
    pub fn http(&self) -> &Server {
        &self.http
    }

    /// The same, to be told things.
    pub fn http_mut(&mut self) -> &mut Server {
        &mut self.http
    }

    /// What TLS counted so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Bytes that sessions keep of what came in part.
    pub fn kept(&self) -> usize {
        self.shared.kept
    }

    fn session<T>(
        &mut self,
        session: &mut Session,
        tcp: &mut dyn Stream,
        call: impl FnOnce(&mut Session, &mut Around<'_>) -> T,
    ) -> T {
        let was_open = session.is_open();
        let given = call(session, &mut Around { http: &mut self.http, shared: &mut self.shared, tcp });
        if session.is_open() && !was_open {
            let counters = &mut self.shared.counters;
            counters.tls_handshakes.count();
            if session.is_resumed() {
                counters.tls_resumed.count();
            }
            if session.is_1_2() {
                counters.tls_1_2.count();
            }
        }
        given
    }
}

impl Service for TlsServer {
    type Connection = Connection;

    fn listens(&self, port: u16) -> bool {
        match port {
            PORT => self.config.is_some(),
            _ => self.http.listens(port),
        }
    }

    fn accept(&mut self, peer: SocketAddr, local: SocketAddr, stream: &mut dyn Stream) -> Connection {
        if local.port() != PORT {
            return Connection(Kind::Plain(self.http.accept(peer, local, stream)));
        }
        let config = self.config.as_ref();
        let session = config.and_then(|config| Session::new(config, (peer, local), &mut self.shared, stream));
        Connection(match session {
            Some(session) => Kind::Secure(Box::new(session), self.life),
            None => {
                stream.reset();
                Kind::Refused
            }
        })
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        bytes: &[u8],
        end: bool,
        stream: &mut dyn Stream,
    ) -> usize {
        match &mut connection.0 {
            Kind::Plain(connection) => self.http.receive(connection, bytes, end, stream),
            Kind::Secure(session, life) if *life == self.life => {
                self.session(session, stream, |session, around| session.receive(bytes, end, around))
            }
            Kind::Secure(..) => {
                stream.reset();
                bytes.len()
            }
            Kind::Refused => bytes.len(),
        }
    }

    fn acknowledged(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        match &mut connection.0 {
            Kind::Plain(connection) => self.http.acknowledged(connection, stream),
            Kind::Secure(session, life) if *life == self.life => {
                self.session(session, stream, Session::acknowledged);
            }
            Kind::Secure(..) => stream.reset(),
            Kind::Refused => {}
        }
    }

    fn deadline(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        match &mut connection.0 {
            Kind::Plain(connection) => self.http.deadline(connection, stream),
            Kind::Secure(session, life) if *life == self.life => {
                self.session(session, stream, Session::deadline);
            }
            Kind::Secure(..) => stream.reset(),
            Kind::Refused => {}
        }
    }

    fn stopping(&mut self, connection: &mut Connection, stream: &mut dyn Stream) {
        match &mut connection.0 {
            Kind::Plain(connection) => self.http.stopping(connection, stream),
            Kind::Secure(session, life) if *life == self.life => {
                self.session(session, stream, Session::stopping);
            }
            Kind::Secure(..) => stream.reset(),
            Kind::Refused => {}
        }
    }

    fn closed(&mut self, connection: Connection) {
        match connection.0 {
            Kind::Plain(connection) => self.http.closed(connection),
            Kind::Secure(session, _) => session.finish(&mut self.http, &mut self.shared),
            Kind::Refused => {}
        }
    }
}
