//! What the toolstack asks of a running domain through `control/shutdown` (docs/misc/xenstore-paths).

/// The node that the toolstack writes and the domain clears.
pub const SHUTDOWN: &str = "control/shutdown";

/// The node that `xl sysrq` writes a letter to, and the domain clears.
pub const SYSRQ: &str = "control/sysrq";

/// Nodes by which the domain says what it understands (value `1`).
pub const FEATURES: [&str; 3] =
    ["control/feature-poweroff", "control/feature-reboot", "control/feature-suspend"];

/// What `control/shutdown` holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'v> {
    /// Nothing: not there yet, or cleared.
    None,
    /// `poweroff`, or `halt`, which for a guest is the same: end, for good.
    Poweroff,
    /// `reboot`: end, to be started again.
    Reboot,
    /// `suspend`: stop, to be saved, and go on here or elsewhere.
    Suspend,
    /// Something that this domain does not do.
    Unknown(&'v [u8]),
}

impl<'v> Request<'v> {
    /// The request that a value is.
    pub fn parse(value: &'v [u8]) -> Self {
        match value {
            b"" => Self::None,
            b"poweroff" | b"halt" => Self::Poweroff,
            b"reboot" => Self::Reboot,
            b"suspend" => Self::Suspend,
            unknown => Self::Unknown(unknown),
        }
    }
}

/// What `control/sysrq` holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sysrq<'v> {
    /// Nothing: not there yet, or cleared.
    None,
    /// `h`: which letters there are.
    Help,
    /// `s`: counters, connections, grants, memory and rings.
    Show,
    /// `p`: the last packets.
    Packets,
    /// A letter that this domain does not know.
    Unknown(&'v [u8]),
}

impl<'v> Sysrq<'v> {
    /// The help's line.
    pub const HELP: &'static str =
        "h: this help, s: counters, connections, grants, memory, rings, p: the last packets";

    /// What a value asks for. A domain clears the node with a NUL byte as well as with nothing.
    pub fn parse(value: &'v [u8]) -> Self {
        match value {
            b"" | b"\0" => Self::None,
            b"h" => Self::Help,
            b"s" => Self::Show,
            b"p" => Self::Packets,
            unknown => Self::Unknown(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, Sysrq};

    #[test]
    fn sysrq_is_a_letter() {
        for (value, asked) in [
            (&b""[..], Sysrq::None),
            (b"\0", Sysrq::None),
            (b"h", Sysrq::Help),
            (b"s", Sysrq::Show),
            (b"p", Sysrq::Packets),
            (b"S", Sysrq::Unknown(b"S")),
            (b"ss", Sysrq::Unknown(b"ss")),
        ] {
            assert_eq!(Sysrq::parse(value), asked);
        }
    }

    #[test]
    fn requests_are_words() {
        for (value, request) in [
            (&b""[..], Request::None),
            (b"poweroff", Request::Poweroff),
            (b"halt", Request::Poweroff),
            (b"reboot", Request::Reboot),
            (b"suspend", Request::Suspend),
            (b"suspend ", Request::Unknown(b"suspend ")),
            (b"Poweroff", Request::Unknown(b"Poweroff")),
            (b"reboot\0", Request::Unknown(b"reboot\0")),
        ] {
            assert_eq!(Request::parse(value), request);
        }
    }
}
