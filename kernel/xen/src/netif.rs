//! The network interface's ring slots (`xen/io/netif.h`), as the 32-bit words in which they lie in a ring.
//!
//! Words are little-endian, as x86 stores them: a 16-bit field at an even multiple of four is a word's low half.
//! Decoding takes any words. It checks nothing: what a backend wrote is for the driver to judge.

/// Ring positions that any backend takes for one packet, extra-info slots apart (`XEN_NETIF_NR_SLOTS_MIN`).
pub const NR_SLOTS_MIN: usize = 18;
/// Longest packet in bytes, Ethernet header included (`XEN_NETIF_MAX_TX_SIZE`).
pub const MAX_TX_SIZE: usize = 0xffff;
/// 32-bit words in a transmit slot.
pub const TX_WORDS: usize = 3;
/// 32-bit words in a receive slot.
pub const RX_WORDS: usize = 2;

/// Flags of a transmit request (`NETTXF_*`).
pub mod txf {
    /// The checksum field is blank: it holds the pseudo-header's sum.
    pub const CSUM_BLANK: u16 = 1;
    /// The data was checked against its checksum.
    pub const DATA_VALIDATED: u16 = 2;
    /// The packet goes on in the next request.
    pub const MORE_DATA: u16 = 4;
    /// Extra-info slots follow.
    pub const EXTRA_INFO: u16 = 8;
}

/// Flags of a receive response (`NETRXF_*`). Their first two are the other way round than [`txf`]'s.
pub mod rxf {
    /// The data was checked against its checksum.
    pub const DATA_VALIDATED: u16 = 1;
    /// The checksum field is blank.
    pub const CSUM_BLANK: u16 = 2;
    /// The packet goes on in the next response.
    pub const MORE_DATA: u16 = 4;
    /// Extra-info slots follow.
    pub const EXTRA_INFO: u16 = 8;
    /// The slot is a GSO prefix without data (deprecated).
    pub const GSO_PREFIX: u16 = 16;
}

/// Status of a response (`NETIF_RSP_*`).
pub mod status {
    /// The packet was dropped.
    pub const DROPPED: i16 = -2;
    /// The request was bad.
    pub const ERROR: i16 = -1;
    /// Done.
    pub const OKAY: i16 = 0;
    /// No response: stands where an extra-info slot was.
    pub const NULL: i16 = 1;
}

/// A request to transmit (`netif_tx_request`, 12 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxRequest {
    /// Grant of the page that holds the bytes.
    pub gref: u32,
    /// Where they start in the page.
    pub offset: u16,
    /// [`txf`].
    pub flags: u16,
    /// Comes back in the response.
    pub id: u16,
    /// Bytes of the whole packet in its first request, of this slot in all others.
    pub size: u16,
}

impl TxRequest {
    /// The slot's words.
    pub fn encode(self) -> [u32; TX_WORDS] {
        [self.gref, word(self.offset, self.flags), word(self.id, self.size)]
    }

    /// The slot's fields.
    pub fn decode([gref, place, what]: [u32; TX_WORDS]) -> Self {
        Self { gref, offset: low(place), flags: high(place), id: low(what), size: high(what) }
    }
}

/// The answer to a [`TxRequest`] (`netif_tx_response`, 4 bytes at the start of the slot).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxResponse {
    /// The request's id; meaningless with [`status::NULL`].
    pub id: u16,
    /// [`status`].
    pub status: i16,
}

impl TxResponse {
    /// The slot's first word.
    pub fn encode(self) -> u32 {
        word(self.id, self.status.cast_unsigned())
    }

    /// The fields.
    pub fn decode(first: u32) -> Self {
        Self { id: low(first), status: high(first).cast_signed() }
    }
}

/// A page to receive into (`netif_rx_request`, 8 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RxRequest {
    /// Comes back in the response.
    pub id: u16,
    /// Grant of the page.
    pub gref: u32,
}

impl RxRequest {
    /// The slot's words.
    pub fn encode(self) -> [u32; RX_WORDS] {
        [word(self.id, 0), self.gref]
    }

    /// The slot's fields.
    pub fn decode([id, gref]: [u32; RX_WORDS]) -> Self {
        Self { id: low(id), gref }
    }
}

/// A page received into (`netif_rx_response`, 8 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RxResponse {
    /// The request's id.
    pub id: u16,
    /// Where the bytes start in the page.
    pub offset: u16,
    /// [`rxf`].
    pub flags: u16,
    /// Bytes in the page, or a negative [`status`].
    pub status: i16,
}

impl RxResponse {
    /// The slot's words.
    pub fn encode(self) -> [u32; RX_WORDS] {
        [word(self.id, self.offset), word(self.flags, self.status.cast_unsigned())]
    }

    /// The slot's fields.
    pub fn decode([first, second]: [u32; RX_WORDS]) -> Self {
        Self { id: low(first), offset: high(first), flags: low(second), status: high(second).cast_signed() }
    }
}

/// An extra-info slot (`netif_extra_info`, 8 bytes). It overlays a request or a response, its id included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtraInfo {
    /// What it says.
    pub extra: Extra,
    /// Another extra-info slot follows (`XEN_NETIF_EXTRA_FLAG_MORE`).
    pub more: bool,
}

/// What an extra-info slot says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extra {
    /// The packet is to be cut, or was joined (`XEN_NETIF_EXTRA_TYPE_GSO`).
    Gso {
        /// Payload bytes of each segment.
        size: u16,
        /// [`GSO_TCPV4`] or [`GSO_TCPV6`].
        kind: u8,
    },
    /// Another type (`XEN_NETIF_EXTRA_TYPE_*`), not spoken here.
    Other(u8),
}

/// TCP over IPv4 (`XEN_NETIF_GSO_TYPE_TCPV4`).
pub const GSO_TCPV4: u8 = 1;
/// TCP over IPv6 (`XEN_NETIF_GSO_TYPE_TCPV6`).
pub const GSO_TCPV6: u8 = 2;
/// `XEN_NETIF_EXTRA_TYPE_GSO`.
const EXTRA_TYPE_GSO: u8 = 1;
/// `XEN_NETIF_EXTRA_FLAG_MORE`.
const EXTRA_FLAG_MORE: u8 = 1;

impl ExtraInfo {
    /// The slot's first two words; a transmit slot's third is padding.
    pub fn encode(self) -> [u32; 2] {
        let flags = if self.more { EXTRA_FLAG_MORE } else { 0 };
        match self.extra {
            Extra::Gso { size, kind } => {
                [word(u16::from_le_bytes([EXTRA_TYPE_GSO, flags]), size), u32::from(kind)]
            }
            Extra::Other(kind) => [word(u16::from_le_bytes([kind, flags]), 0), 0],
        }
    }

    /// The slot's fields.
    pub fn decode([first, second]: [u32; 2]) -> Self {
        let [kind, flags] = low(first).to_le_bytes();
        let [gso_kind, ..] = second.to_le_bytes();
        let extra = match kind {
            EXTRA_TYPE_GSO => Extra::Gso { size: high(first), kind: gso_kind },
            other => Extra::Other(other),
        };
        Self { extra, more: flags & EXTRA_FLAG_MORE != 0 }
    }
}

/// A word of two 16-bit fields, the one at the lower address first.
fn word(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

/// The field at the word's lower address.
fn low(word: u32) -> u16 {
    let [a, b, _, _] = word.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// The field at the word's higher address.
fn high(word: u32) -> u16 {
    let [_, _, a, b] = word.to_le_bytes();
    u16::from_le_bytes([a, b])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The words as memory holds them.
    fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_transmit_request_is_these_twelve_bytes() {
        let request =
            TxRequest { gref: 0x0403_0201, offset: 0x0605, flags: 0x0807, id: 0x0a09, size: 0x0c0b };
        assert_eq!(bytes(&request.encode()), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(TxRequest::decode(request.encode()), request);
    }

    #[test]
    fn a_transmit_response_is_these_four_bytes() {
        let response = TxResponse { id: 0x0201, status: -2 };
        assert_eq!(bytes(&[response.encode()]), [0x01, 0x02, 0xfe, 0xff]);
        assert_eq!(TxResponse::decode(response.encode()), response);
        assert_eq!(TxResponse::decode(0x0001_0000), TxResponse { id: 0, status: status::NULL });
    }

    #[test]
    fn a_receive_request_is_these_eight_bytes() {
        let request = RxRequest { id: 0x0201, gref: 0x0807_0605 };
        assert_eq!(bytes(&request.encode()), [1, 2, 0, 0, 5, 6, 7, 8]);
        assert_eq!(RxRequest::decode(request.encode()), request);
    }

    #[test]
    fn a_receive_response_is_these_eight_bytes() {
        let response = RxResponse { id: 0x0201, offset: 0x0403, flags: 0x0605, status: -1 };
        assert_eq!(bytes(&response.encode()), [1, 2, 3, 4, 5, 6, 0xff, 0xff]);
        assert_eq!(RxResponse::decode(response.encode()), response);
        let long = RxResponse { status: 0x0102, ..response };
        assert_eq!(bytes(&long.encode()), [1, 2, 3, 4, 5, 6, 2, 1]);
    }

    #[test]
    fn a_gso_slot_is_these_eight_bytes() {
        let gso = ExtraInfo { extra: Extra::Gso { size: 0x05a8, kind: 1 }, more: false };
        assert_eq!(bytes(&gso.encode()), [1, 0, 0xa8, 0x05, 1, 0, 0, 0]);
        assert_eq!(ExtraInfo::decode(gso.encode()), gso);
        let more = ExtraInfo { extra: Extra::Gso { size: 0x05a8, kind: 2 }, more: true };
        assert_eq!(bytes(&more.encode()), [1, 1, 0xa8, 0x05, 2, 0, 0, 0]);
        assert_eq!(ExtraInfo::decode(more.encode()), more);
    }

    #[test]
    fn an_unknown_extra_keeps_its_type() {
        let hash = ExtraInfo::decode([u32::from_le_bytes([4, 1, 9, 9]), 7]);
        assert_eq!(hash, ExtraInfo { extra: Extra::Other(4), more: true });
    }

    #[test]
    fn flags_and_statuses_are_those_of_the_header() {
        assert_eq!([txf::CSUM_BLANK, txf::DATA_VALIDATED, txf::MORE_DATA, txf::EXTRA_INFO], [1, 2, 4, 8]);
        assert_eq!([rxf::DATA_VALIDATED, rxf::CSUM_BLANK, rxf::MORE_DATA, rxf::EXTRA_INFO], [1, 2, 4, 8]);
        assert_eq!(rxf::GSO_PREFIX, 16);
        assert_eq!([status::DROPPED, status::ERROR, status::OKAY, status::NULL], [-2, -1, 0, 1]);
        assert_eq!((NR_SLOTS_MIN, MAX_TX_SIZE), (18, 65_535));
    }
}
