//! What befell the driver's frames, by name.

xen::counters! {
    /// Counters of the network device. They outlive its epochs.
    pub struct NetCounters: "net" {
        /// Frames put in the transmit ring.
        tx_frames,
        /// Their bytes.
        tx_bytes,
        /// Payload bytes copied into blocks.
        tx_payload_copied,
        /// Payload bytes sent by reference.
        tx_payload_referenced,
        /// Ring positions they took.
        tx_slots,
        /// Frames refused for want of ring slots, blocks or grants.
        tx_full,
        /// Frames refused while there was no connection to a backend.
        tx_down,
        /// Frames refused for their length or for an offload that the backend does not do.
        tx_length,
        /// Requests that the backend dropped (`NETIF_RSP_DROPPED`).
        tx_backend_dropped,
        /// Requests that the backend called wrong (`NETIF_RSP_ERROR`, or a status that does not exist).
        tx_backend_error,
        /// Frames handed to the stack.
        rx_frames,
        /// Their bytes.
        rx_bytes,
        /// Frames that came in several slots.
        rx_joined,
        /// Frames dropped: the backend reported an error instead of bytes.
        rx_backend_error,
        /// Frames dropped: shorter than an Ethernet header.
        rx_short,
        /// Frames dropped: more slots than a frame may have.
        rx_slots,
        /// Frames dropped: an extra-info slot of a type not asked for.
        rx_extra,
        /// Frames dropped: the backend did not let go of a page.
        rx_quarantined,
        /// Times that no page could be put back into the ring, for want of memory or grants.
        rx_unposted,
        /// Events sent to the backend for transmit requests.
        tx_events,
        /// Events sent to the backend for receive pages.
        rx_events,
        /// Connections to a backend.
        connects,
        /// Connections ended by the backend or the toolstack.
        disconnects,
        /// Connections ended by us, since the backend broke the protocol.
        lies,
    }
}
