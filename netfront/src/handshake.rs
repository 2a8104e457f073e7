//! The handshake through xenbus states: what follows from where we are and what the backend shows.
//!
//! ```text
//!   Absent --device there--> Waiting --backend InitWait, our keys written--> Connecting --backend Connected--> Connected
//!                              ^                                                 |  backend Closing, or gone      |
//!                              '--- backend InitWait, or Closed and online --- Closed <------- Closing <----------'  its lie, or our stop
//! ```
//! Frames pass only in [`Phase::Connected`]: netback loses what is sent before.

use crate::store::XenbusState;

/// Where we are. The state key that stands in our directory is in brackets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// There is no device, or we have not begun (whatever the toolstack, a boot loader or a failed try of ours left).
    Absent,
    /// We are ready for the backend (Initialising).
    Waiting,
    /// Our keys are written; the backend maps the rings (Connected).
    Connecting,
    /// Frames pass (Connected).
    Connected,
    /// We want out; the backend still has our pages (Closing).
    Closing,
    /// The connection is over (Closed).
    Closed,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing until something changes.
    Stay,
    /// Show Initialising. An epoch that is still there ends before.
    Initialise,
    /// Make an epoch, write its keys and Connected.
    Connect,
    /// Let frames pass.
    Open,
    /// Show Closing; the epoch stays until the backend has followed.
    Close,
    /// Nothing for a while; then, since this backend does not follow, as `Initialise`.
    Outwait,
    /// End the epoch and show Closed.
    Shut,
}

impl Phase {
    /// What follows from the backend's state. `online` is the backend's key: the device is meant to be there, so a
    /// closed one may start again.
    pub fn step(self, backend: XenbusState, online: bool) -> Step {
        use XenbusState::*;
        match (self, backend) {
            // A boot loader's connection, or that of an earlier kernel: its rings are not ours.
            (Self::Absent, Connected | Closing | Reconfiguring | Reconfigured) => Step::Close,
            (Self::Absent, Initialising | InitWait | Initialised | Closed) => Step::Initialise,
            (Self::Absent, Unknown) => Step::Stay,

            (Self::Waiting, InitWait) => Step::Connect,
            (Self::Waiting, Closing) => Step::Shut,
            // A backend that was closed goes on to InitWait now that we show Initialising.
            (Self::Waiting, _) => Step::Stay,

            (Self::Connecting, Connected) => Step::Open,
            (Self::Connecting | Self::Connected, Closing | Closed | Unknown) => Step::Shut,
            (Self::Connecting, _) => Step::Stay,

            // The backend has been restarted. While it finds Connected here it may map the rings that the keys name, as
            // netback does: they stay until it has seen that we want out.
            (Self::Connected, Initialising | InitWait | Initialised) => Step::Close,
            (Self::Connected, Connected | Reconfiguring | Reconfigured) => Step::Stay,

            (Self::Closing, Closing | Closed | Unknown) => Step::Shut,
            (Self::Closing, Initialising | InitWait | Initialised) => Step::Outwait,
            (Self::Closing, Connected | Reconfiguring | Reconfigured) => Step::Stay,

            (Self::Closed, InitWait) => Step::Initialise,
            (Self::Closed, Closed) if online => Step::Initialise,
            (Self::Closed, _) => Step::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Step::*;
    use super::*;

    /// For each phase, the steps by the backend's state, in the states' numeric order: Unknown 0 to Reconfigured 8.
    #[test]
    fn every_phase_meets_every_state() {
        let table = [
            (
                Phase::Absent,
                [Stay, Initialise, Initialise, Initialise, Close, Close, Initialise, Close, Close],
            ),
            (Phase::Waiting, [Stay, Stay, Connect, Stay, Stay, Shut, Stay, Stay, Stay]),
            (Phase::Connecting, [Shut, Stay, Stay, Stay, Open, Shut, Shut, Stay, Stay]),
            (Phase::Connected, [Shut, Close, Close, Close, Stay, Shut, Shut, Stay, Stay]),
            (Phase::Closing, [Shut, Outwait, Outwait, Outwait, Stay, Shut, Shut, Stay, Stay]),
            (Phase::Closed, [Stay, Stay, Initialise, Stay, Stay, Stay, Stay, Stay, Stay]),
        ];
        for (phase, steps) in table {
            for (state, step) in ["0", "1", "2", "3", "4", "5", "6", "7", "8"].into_iter().zip(steps) {
                let backend = XenbusState::parse(state).unwrap();
                assert_eq!(phase.step(backend, false), step, "{phase:?}, {backend:?}");
                // Only a closed connection heeds whether the device is meant to be there.
                let online = if (phase, state) == (Phase::Closed, "6") { Initialise } else { step };
                assert_eq!(phase.step(backend, true), online, "{phase:?}, {backend:?}, online");
            }
        }
    }
}
