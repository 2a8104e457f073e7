//! Fuzz targets: plain functions that take any bytes and panic where a promise is broken.
//!
//! - [`TARGETS`] lists them. Each turns its input into calls of one parser, or into a whole conversation
//!   ([`choices::Choices`] gives out the bytes as choices), and checks what came of it against its own, simpler idea.
//! - `scripts/fuzz` (`make fuzz`) runs them under libFuzzer, which looks for inputs that reach new code.
//! - `tests/replay.rs` needs no more than stable Rust: it replays `corpora/` and `regressions/` and runs a bounded,
//!   seeded number of mutations ([`mutation`]) of them.
//!
//! A target holds no state from one input to the next but caches: the same bytes always do the same.

pub mod choices;
pub mod corpus;
pub mod depth;
pub mod lent;
pub mod mutation;
pub mod targets;

/// A function from any bytes to no panic.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and its folders' in `corpora/` and `regressions/`.
    pub name: &'static str,
    /// Longer inputs are of no use.
    pub longest: usize,
    /// It reads a format with words and sums to be guessed, so an engine should look at what is compared. That is slow.
    pub compares: bool,
    /// The function.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "arp", longest: 64, compares: true, run: targets::link::arp },
    Target { name: "checksum", longest: 512, compares: false, run: targets::checksum::checksum },
    Target { name: "cmdline", longest: 256, compares: true, run: targets::cmdline::cmdline },
    Target { name: "conversation", longest: 320, compares: false, run: targets::conversation::conversation },
    Target { name: "dhcp_client", longest: 512, compares: false, run: targets::dhcp_client::client },
    Target { name: "dhcpv4", longest: 768, compares: true, run: targets::dhcpv4::message },
    Target { name: "ethernet", longest: 64, compares: true, run: targets::link::ethernet },
    Target { name: "http_connection", longest: 4_096, compares: true, run: targets::http::connection },
    Target { name: "http_request", longest: 1_024, compares: true, run: targets::http::request },
    Target { name: "https", longest: 256, compares: false, run: targets::https::connection },
    Target { name: "icmpv4", longest: 256, compares: true, run: targets::ip::icmpv4 },
    Target { name: "ipv4", longest: 256, compares: true, run: targets::ip::ipv4 },
    Target { name: "netfront", longest: 1_024, compares: false, run: targets::netfront::netfront },
    Target { name: "netif", longest: 64, compares: true, run: targets::netif::netif },
    Target { name: "pvclock", longest: 256, compares: false, run: targets::pvclock::pvclock },
    Target { name: "ring", longest: 256, compares: false, run: targets::ring::ring },
    Target { name: "rules", longest: 2_048, compares: true, run: targets::rules::rules },
    Target { name: "stack", longest: 1_024, compares: true, run: targets::stack::stack },
    Target { name: "tar", longest: 8_192, compares: true, run: targets::tar::tar },
    Target { name: "tcp", longest: 256, compares: true, run: targets::tcp::segment },
    Target { name: "tls_identity", longest: 2_048, compares: true, run: targets::tls::identity },
    Target { name: "tls_ticket", longest: 512, compares: false, run: targets::tls::ticket },
    Target { name: "udp", longest: 256, compares: true, run: targets::ip::udp },
    Target { name: "xenstore_client", longest: 512, compares: true, run: targets::xenstore::client },
    Target { name: "xenstore_session", longest: 512, compares: true, run: targets::xenstore::session },
    Target { name: "xenstore_wire", longest: 64, compares: true, run: targets::xenstore::wire },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
