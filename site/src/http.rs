//! HTTP/1.1 (RFC 9110, RFC 9112), as far as a static site needs it.

pub mod conditional;
pub mod date;
pub mod field;
pub mod head;
pub mod request;
pub mod response;
mod scan;
pub mod target;
