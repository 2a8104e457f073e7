//! HTTPS while the guest runs: a certificate that comes through the store, tokens of ACME, and another life after a resume.

use super::{Guest, Progress};
use crate::service::http_mut;
use crate::{status, wipe};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use netstack::Stack;
use site::tls::Limits;
use xen::renewal::{self, Renewal};
use xen::xenstore::{Errno, Error};

/// Where dom0 puts the answers to an ACME server's challenges, each under its token (RFC 8555, section 8.3).
pub const CHALLENGES: &str = "data/acme";

/// Bytes that are left to a TLS session and its connection, in a guest of little memory.
const SESSION_BYTES: usize = 24 << 10;

/// Limits for sessions of TLS in a guest with so many free bytes.
pub fn limits(free: usize) -> Limits {
    let most = Limits::default();
    Limits {
        kept_all: most.kept_all.min(free / 8),
        unacknowledged: most.unacknowledged.min(free / 64),
        ..most
    }
}

/// Connections, of which each may be a session of TLS, in a guest with so many free bytes.
pub fn connections(free: usize) -> usize {
    (free / SESSION_BYTES).max(16)
}

impl Guest {
    /// Takes the certificate that stands in the store, and tells there what came of it.
    pub(super) fn take_certificate(&mut self, progress: &Progress) -> Result<(), Error> {
        let Some(taken) = renewal::take(self.store.session(), wipe::bytes)? else { return Ok(()) };
        let outcome =
            taken.map_err(|error| format!("{error}")).and_then(|renewal| self.replace(&renewal, progress));
        match &outcome {
            Ok(()) => status::tls(&mut self.store, "ok"),
            Err(reason) => {
                log::warn!("https: the new certificate is refused: {reason}");
                status::tls(&mut self.store, reason);
            }
        }
        Ok(())
    }

    fn replace(&mut self, renewal: &Renewal, progress: &Progress) -> Result<(), String> {
        let was_open = self.https.is_open();
        let config = self.https.replace(renewal)?;
        // Connections that there are go on with what they began with.
        self.server.set_config(Some(config));
        if !was_open {
            http_mut(&mut self.server).set_plain(self.https.plain());
            let address = progress.stack.as_ref().and_then(Stack::addressing).map(|found| found.address());
            if let Some(address) = address.filter(|_| progress.listening) {
                log::info!("listening on https://{address}/");
            }
        }
        Ok(())
    }

    /// Takes the answers to challenges that stand in the store, in the place of those of before.
    pub(super) fn take_challenges(&mut self) -> Result<(), Error> {
        let session = self.store.session();
        let names = match session.list(CHALLENGES) {
            Err(Error::Refused(Errno::ENOENT)) => Vec::new(),
            names => names?,
        };
        let mut challenges = site::Challenges::default();
        let mut left_out = 0_usize;
        for token in names {
            let is_room = challenges.is_room_for(&token);
            let answer = match session.read(&format!("{CHALLENGES}/{token}")) {
                _ if !is_room => None,
                Err(error) if error.is_absent() => continue,
                answer => Some(answer?),
            };
            if !answer.is_some_and(|answer| challenges.add(&token, &answer)) {
                left_out = left_out.saturating_add(1);
            }
        }
        if left_out > 0 {
            log::warn!("acme: {left_out} entries of {CHALLENGES} are no challenge's, or too many");
        }
        log::debug!("acme: {} challenges", challenges.len());
        self.server.http_mut().set_challenges(challenges);
        Ok(())
    }

    /// The memory may have been copied, and the keys of open sessions with it: they would be used twice.
    pub(super) fn renew_https(&mut self) {
        self.https.renew(&self.seed);
        self.server.forget_sessions();
    }

    /// Says where HTTPS listens.
    pub(super) fn tell_https(&mut self, address: core::net::Ipv4Addr, progress: &Progress) {
        if self.https.is_open() && !progress.listening {
            log::info!("listening on https://{address}/");
        }
    }
}
