//! What is served: the site over HTTP, and with the feature `tls` over HTTPS too.

use site::Server;

/// The service above TCP.
#[cfg(not(feature = "tls"))]
pub type Service = Server;
/// The service above TCP.
#[cfg(feature = "tls")]
pub type Service = site::tls::TlsServer;

/// The site's server in it.
#[cfg(not(feature = "tls"))]
pub fn http(service: &Service) -> &Server {
    service
}

/// The site's server in it.
#[cfg(feature = "tls")]
pub fn http(service: &Service) -> &Server {
    service.http()
}

/// The same, to be told things.
#[cfg(not(feature = "tls"))]
pub fn http_mut(service: &mut Service) -> &mut Server {
    service
}

/// The same, to be told things.
#[cfg(feature = "tls")]
pub fn http_mut(service: &mut Service) -> &mut Server {
    service.http_mut()
}
