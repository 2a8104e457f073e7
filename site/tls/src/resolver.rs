//! Which identity a client gets.

use crate::identity::Identity;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The identities of a server, the default one first.
#[derive(Debug)]
pub struct Resolver {
    identities: Vec<Identity>,
}

impl Resolver {
    /// The first is for clients that name no server, or one that none of them is for. Without any, each handshake
    /// fails.
    pub const fn new(identities: Vec<Identity>) -> Self {
        Self { identities }
    }

    /// The first identity for this name whose signature the client can verify; else the default; else any that it can.
    pub fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Identity> {
        let usable = |identity: &&Identity| identity.signs(schemes);
        let named = name.and_then(|name| self.identities.iter().filter(usable).find(|it| it.is_for(name)));
        named.or_else(|| self.identities.iter().find(usable))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Where none is of use to the client, rustls says so: without one its alert would be access_denied.
        let chosen = self.choose(hello.server_name(), hello.signature_schemes());
        chosen.or_else(|| self.identities.first()).map(Identity::certified)
    }
}
