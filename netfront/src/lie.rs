//! What a backend does that the protocol excludes. It ends the connection.

use crate::ring::IndexError;
use core::fmt;

/// The backend broke the protocol: nothing more from it is believed until it has been reconnected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// The transmit ring's response index.
    TransmitIndex(IndexError),
    /// The receive ring's response index.
    ReceiveIndex(IndexError),
    /// A transmit response whose id is not in flight: never sent, or answered before.
    TransmitId(u16),
    /// A `NETIF_RSP_NULL` with no extra-info slot in flight.
    TransmitNull,
    /// A receive response whose id is not that of the request at its ring position.
    ReceiveId {
        /// The id it bears.
        id: u16,
        /// The id of the request there.
        position: u16,
    },
    /// Bytes received outside their page.
    ReceiveBounds {
        /// Where they are said to start.
        offset: u16,
        /// How many are said to be there.
        size: i16,
    },
    /// Extra-info slots without end.
    ExtraChain,
    /// So many pages are mapped for good that no more are risked.
    Hoard,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TransmitIndex(error) => write!(f, "transmit ring: {error}"),
            Self::ReceiveIndex(error) => write!(f, "receive ring: {error}"),
            Self::TransmitId(id) => write!(f, "transmit response with id {id}, which is not in flight"),
            Self::TransmitNull => f.write_str("empty transmit response with no extra-info slot in flight"),
            Self::ReceiveId { id, position } => {
                write!(f, "receive response with id {id} where {position} was asked for")
            }
            Self::ReceiveBounds { offset, size } => {
                write!(f, "{size} bytes received at offset {offset} of a page of 4096")
            }
            Self::ExtraChain => f.write_str("more extra-info slots than there are types"),
            Self::Hoard => f.write_str("too many pages are never let go"),
        }
    }
}
