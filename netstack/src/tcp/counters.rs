//! What TCP counts.

crate::counters! {
    /// Each way in which a segment, a connection or a timer did not go straight on.
    pub struct Counters {
        /// Connections established.
        tcp_established,
        /// A segment whose header or options could not be parsed.
        tcp_malformed,
        /// A segment from and to the same address and port.
        tcp_land,
        /// A segment for which there is no connection and no listener; answered with a reset unless it was one.
        tcp_no_connection,
        /// A segment to a listening port that neither opens nor belongs to a connection.
        tcp_not_a_syn,
        /// A SYN left unanswered because the table of connections is full.
        tcp_connections_full,
        /// What completed a handshake, left unanswered because the table of connections is full.
        tcp_handshake_refused,
        /// A half-open connection that gave way to one that opens TIME_WAIT again.
        tcp_half_open_evicted,
        /// A SYN answered with a cookie because the half-open table is full.
        tcp_cookie_sent,
        /// A cookie that came back and opened a connection.
        tcp_cookie_accepted,
        /// An acknowledgment that might have been a cookie, and was none of ours.
        tcp_cookie_refused,
        /// A connection that had long made no progress, and gave way to a new one.
        tcp_idle_evicted,
        /// A connection reset because all together held as much as they may, and it had long made no progress.
        tcp_stalled_evicted,
        /// A connection reset because all together held as much as they may, and it had made no progress for longest, though
        /// not for long.
        tcp_overload_reset,
        /// A half-open connection whose peer never answered.
        tcp_half_open_timeout,
        /// A half-open connection ended by its peer or by ICMP.
        tcp_half_open_reset,
        /// A TIME_WAIT that gave way to a newer one.
        tcp_time_wait_evicted,
        /// A TIME_WAIT that was opened again by a SYN (RFC 6191).
        tcp_time_wait_reused,
        /// A reset that found TIME_WAIT (RFC 1337).
        tcp_time_wait_reset_ignored,
        /// A segment outside the receive window.
        tcp_out_of_window,
        /// A segment with an old timestamp (RFC 7323 section 5).
        tcp_paws,
        /// A segment without the timestamps that were agreed on (RFC 7323 section 3.2).
        tcp_timestamp_missing,
        /// A segment without ACK on a synchronized connection.
        tcp_ack_missing,
        /// An acknowledgment of what was never sent, or long ago (RFC 5961 section 5).
        tcp_ack_unacceptable,
        /// A SYN on a synchronized connection (RFC 5961 section 4).
        tcp_syn_unexpected,
        /// A reset in the window but not at its edge (RFC 5961 section 3).
        tcp_reset_challenged,
        /// A reset outside the window.
        tcp_reset_out_of_window,
        /// A connection reset by its peer.
        tcp_reset_received,
        /// A reset that was sent.
        tcp_reset_sent,
        /// An acknowledgment held back because one had just gone out for the like.
        tcp_challenge_limited,
        /// Bytes that came after the peer's FIN.
        tcp_data_after_fin,
        /// A segment with bytes beyond the window that its connection had offered; they were dropped.
        tcp_beyond_window,
        /// Received bytes dropped because all connections together held as many as they may.
        tcp_buffers_full,
        /// A segment out of order dropped because it would have made one more hole.
        tcp_ranges_full,
        /// A segment sent again.
        tcp_retransmitted,
        /// The retransmission timer expired.
        tcp_timeout,
        /// Loss found by acknowledgments, and repaired without a timer.
        tcp_fast_recovery,
        /// A probe for the loss of the last segments of a flight (RFC 8985 section 7).
        tcp_tail_probe,
        /// A loss that was none, and whose consequences were undone (RFC 4015).
        tcp_spurious,
        /// The window was reduced because the peer had seen a congestion mark (RFC 3168).
        tcp_congestion_marked,
        /// Segments were made smaller because large ones seemed to vanish (RFC 2923 section 2.1).
        tcp_black_hole,
        /// A segment with urgent bytes; they were taken as all others (RFC 6093).
        tcp_urgent,
        /// A silent peer was asked whether it is still there.
        tcp_keepalive,
        /// A connection given up because nobody answered that.
        tcp_keepalive_unanswered,
        /// A zero window was probed.
        tcp_window_probe,
        /// A connection given up because the peer answered no more.
        tcp_unanswered,
        /// A connection ended because the address that it had is gone.
        tcp_abandoned,
        /// A connection given up because the peer held its window shut (RFC 6429).
        tcp_window_shut,
        /// A connection given up because the peer never closed its half.
        tcp_fin_wait_timeout,
        /// An ICMP error that named a connection of ours and a number in flight.
        tcp_unreachable,
        /// An ICMP error that did not (RFC 5927).
        tcp_unreachable_ignored,
        /// The device had no room; the connection waited.
        tcp_device_full,
    }
}
