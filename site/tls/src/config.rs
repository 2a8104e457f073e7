//! The server's configuration, as rustls wants it.

use crate::clock::Clock;
use crate::resolver::Resolver;
use crate::tickets::Tickets;
use alloc::sync::Arc;
use alloc::vec;
use rustls::crypto::CryptoProvider;
use rustls::server::ServerConfig;
use rustls::version::{TLS12, TLS13};

/// A configuration for [`rustls::server::UnbufferedServerConnection`]: TLS 1.3 and 1.2, our order of suites, `http/1.1`
/// alone, no early data.
///
/// Fails where rustls finds the provider without a suite or a group, which ours has.
pub fn config(
    provider: &Arc<CryptoProvider>,
    identities: Resolver,
    tickets: Arc<Tickets>,
    clock: Arc<Clock>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_details(provider.clone(), clock)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identities));
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = tickets;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
