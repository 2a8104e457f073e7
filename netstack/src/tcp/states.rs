//! The states of a synchronized connection (RFC 9293 section 3.3.2).
//!
//! ```text
//!                  +-------------+
//!                  | ESTABLISHED |
//!                  +-------------+
//!        send FIN   /            \   receive FIN
//!     +------------+              +------------+
//!     | FIN-WAIT-1 |              | CLOSE-WAIT |
//!     +------------+              +------------+
//!  ACK of FIN |  \ receive FIN          | send FIN
//!     +------------+  \ +---------+  +----------+
//!     | FIN-WAIT-2 |    | CLOSING |  | LAST-ACK |
//!     +------------+    +---------+  +----------+
//!  receive FIN |      ACK of FIN |         | ACK of FIN
//!             TIME-WAIT     TIME-WAIT    CLOSED
//! ```
//!
//! LISTEN and SYN-RECEIVED are in `listener`, TIME-WAIT is in `time_wait`: they hold other things, and in tables of their
//! own. SYN-SENT does not exist: a server does not open connections.

use crate::Instant;

/// A state in which a connection has a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Established,
    FinWait1,
    FinWait2 {
        /// When to wait no longer for the peer's FIN.
        until: Instant,
    },
    CloseWait,
    Closing,
    LastAck,
}

/// What has become of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It lives on.
    Lives,
    /// Both sides have closed, ours first.
    TimeWait,
    /// It is gone.
    Closed,
}

impl State {
    /// Our FIN has been sent for the first time.
    #[must_use]
    pub(super) fn fin_sent(self) -> Self {
        match self {
            Self::Established => Self::FinWait1,
            Self::CloseWait => Self::LastAck,
            other => other,
        }
    }

    /// Our FIN has been acknowledged. `until` bounds FIN-WAIT-2.
    pub(super) fn fin_acknowledged(&mut self, until: Instant) -> Fate {
        match self {
            Self::FinWait1 => *self = Self::FinWait2 { until },
            Self::Closing => return Fate::TimeWait,
            Self::LastAck => return Fate::Closed,
            Self::Established | Self::FinWait2 { .. } | Self::CloseWait => (),
        }
        Fate::Lives
    }

    /// The peer's FIN has been received, in order.
    pub(super) fn fin_received(&mut self) -> Fate {
        match self {
            Self::Established => *self = Self::CloseWait,
            Self::FinWait1 => *self = Self::Closing,
            Self::FinWait2 { .. } => return Fate::TimeWait,
            Self::CloseWait | Self::Closing | Self::LastAck => (),
        }
        Fate::Lives
    }

    /// Whether the peer may still send data.
    pub(super) fn receives(self) -> bool {
        matches!(self, Self::Established | Self::FinWait1 | Self::FinWait2 { .. })
    }

    /// Whether our FIN is not sent yet.
    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Established | Self::CloseWait)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, State};
    use crate::Instant;

    const UNTIL: Instant = Instant::from_micros(60);

    fn fin_acknowledged(mut state: State) -> (State, Fate) {
        let fate = state.fin_acknowledged(UNTIL);
        (state, fate)
    }

    fn fin_received(mut state: State) -> (State, Fate) {
        let fate = state.fin_received();
        (state, fate)
    }

    #[test]
    fn we_close_first() {
        let state = State::Established.fin_sent();
        assert_eq!(state, State::FinWait1);
        let (state, fate) = fin_acknowledged(state);
        assert_eq!((state, fate), (State::FinWait2 { until: UNTIL }, Fate::Lives));
        assert_eq!(fin_received(state).1, Fate::TimeWait);
    }

    #[test]
    fn the_peer_closes_first() {
        let (state, fate) = fin_received(State::Established);
        assert_eq!((state, fate), (State::CloseWait, Fate::Lives));
        assert_eq!(state.fin_sent(), State::LastAck);
        assert_eq!(fin_acknowledged(State::LastAck).1, Fate::Closed);
    }

    #[test]
    fn both_close_at_once() {
        let (state, fate) = fin_received(State::FinWait1);
        assert_eq!((state, fate), (State::Closing, Fate::Lives));
        assert_eq!(fin_acknowledged(state).1, Fate::TimeWait);
    }

    #[test]
    fn who_may_send_and_receive() {
        let all = [
            (State::Established, true, true),
            (State::FinWait1, false, true),
            (State::FinWait2 { until: UNTIL }, false, true),
            (State::CloseWait, true, false),
            (State::Closing, false, false),
            (State::LastAck, false, false),
        ];
        for (state, sends, receives) in all {
            assert_eq!((state.sends(), state.receives()), (sends, receives), "{state:?}");
        }
    }
}
