//! HTTP/1.1 (RFC 9110, RFC 9112), as far as a static site needs it.

pub mod chunked;
pub mod conditional;
pub mod date;
pub mod field;
pub mod get;
pub mod head;
pub mod negotiation;
pub mod range;
pub mod request;
pub mod response;
mod scan;
pub mod section;
pub mod target;
