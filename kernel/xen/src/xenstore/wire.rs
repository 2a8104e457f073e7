//! The store's message format (io/xs_wire.h): a header of four 32-bit words in the processor's order, then a payload.

use core::fmt;

/// Bytes of a header (`struct xsd_sockmsg`).
pub const HEADER_SIZE: usize = 16;

/// The most bytes that follow a header (`XENSTORE_PAYLOAD_MAX`).
pub const PAYLOAD_MAX: usize = 4096;

/// Makes the enum of message types with their numbers.
macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What a message is: the types of `enum xsd_sockmsg_type` that this domain sends or is sent.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum MessageType {
            $($(#[$doc])* $name,)*
        }

        impl MessageType {
            /// The number in the header.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// Whether a header's number is one of these types.
            pub const fn is_known(number: u32) -> bool {
                matches!(number, $($number)|*)
            }
        }
    };
}

message_types! {
    /// `XS_DIRECTORY`: the names under a node.
    Directory = 1,
    /// `XS_READ`: a node's value.
    Read = 2,
    /// `XS_WATCH`: send an event when a node or one below it changes.
    Watch = 4,
    /// `XS_UNWATCH`: send none any more.
    Unwatch = 5,
    /// `XS_TRANSACTION_START`.
    TransactionStart = 6,
    /// `XS_TRANSACTION_END`: commit (`T`) or abort (`F`).
    TransactionEnd = 7,
    /// `XS_WRITE`: set a node's value, making it and its parents where they are not there.
    Write = 11,
    /// `XS_RM`: remove a node and all below it.
    Rm = 13,
    /// `XS_WATCH_EVENT`: comes unasked.
    WatchEvent = 15,
    /// `XS_ERROR`: in place of a reply.
    Error = 16,
    /// `XS_RESET_WATCHES`: forget every watch and transaction of this domain. An old store does not know it.
    ResetWatches = 21,
}

/// `struct xsd_sockmsg`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// `type`: a [`MessageType`]'s number, or one that we do not know.
    pub kind: u32,
    /// `req_id`: echoed in the reply; 0 in an event.
    pub request: u32,
    /// `tx_id`: the transaction, 0 for none.
    pub transaction: u32,
    /// `len`: bytes that follow.
    pub length: u32,
}

impl Header {
    /// The header's bytes.
    pub fn emit(self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        let words = [self.kind, self.request, self.transaction, self.length];
        for (field, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *field = word.to_ne_bytes();
        }
        bytes
    }

    /// The header in these bytes: any are one.
    pub fn parse(bytes: &[u8; HEADER_SIZE]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
        Self {
            kind: u32::from_ne_bytes([a, b, c, d]),
            request: u32::from_ne_bytes([e, f, g, h]),
            transaction: u32::from_ne_bytes([i, j, k, l]),
            length: u32::from_ne_bytes([m, n, o, p]),
        }
    }
}

/// Makes the enum of the store's errors with their names, which is how they travel.
macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// Why the store refused (`xsd_errors`): errors travel by name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(clippy::upper_case_acronyms, reason = "the names of errno.h")]
        pub enum Errno {
            $($(#[$doc])* $name,)*
            /// A name that xs_wire.h does not list.
            Unknown,
        }

        impl Errno {
            /// The error of this name.
            pub fn parse(name: &[u8]) -> Self {
                $(if name == stringify!($name).as_bytes() { return Self::$name; })*
                Self::Unknown
            }
        }

        impl fmt::Display for Errno {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Unknown => "an unknown error",
                })
            }
        }
    };
}

errnos! {
    /// Malformed path or request.
    EINVAL
    /// No permission.
    EACCES
    /// It is there already.
    EEXIST
    /// Is a directory.
    EISDIR
    /// No such node.
    ENOENT
    /// The store is out of memory.
    ENOMEM
    /// Over this domain's quota.
    ENOSPC
    /// The store failed.
    EIO
    /// Not empty.
    ENOTEMPTY
    /// The store does not know this request.
    ENOSYS
    /// Read-only.
    EROFS
    /// Busy.
    EBUSY
    /// The transaction met a conflict: do it again.
    EAGAIN
    /// Connected already.
    EISCONN
    /// Too big for one reply.
    E2BIG
    /// Not permitted.
    EPERM
}

/// A payload's text without its closing NUL; `None` where that is missing.
pub fn terminated(payload: &[u8]) -> Option<&[u8]> {
    match payload.split_last() {
        Some((0, text)) => Some(text),
        _ => None,
    }
}

/// The transaction that a reply to `XS_TRANSACTION_START` names. 0 is none: what is done in it would be done at once.
pub fn transaction(payload: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(terminated(payload)?).ok()?;
    text.parse().ok().filter(|id| *id != 0)
}

/// The path and the token of a watch event's payload: two strings, each closed by a NUL.
pub fn watch_event(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut strings = terminated(payload)?.split(|byte| *byte == 0);
    let event = (strings.next()?, strings.next()?);
    strings.next().is_none().then_some(event)
}
