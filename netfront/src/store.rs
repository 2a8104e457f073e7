//! What the driver asks of xenstore, and the states that both ends of a device show there.

use alloc::string::String;
use core::fmt;

/// The store's client: the kernel's, or a simulation. Paths that do not start with a slash are relative to the domain's
/// own.
pub trait Store {
    /// Why the store refused, other than for want of the key.
    type Error: fmt::Display + fmt::Debug;

    /// A key's value; `None` where there is no such key (or it is not ours to read).
    fn read(&mut self, path: &str) -> Result<Option<String>, Self::Error>;
    /// The values of several keys, each as [`Store::read`] gives it. A store that is far away has them all for the wait
    /// of one.
    fn read_all<const N: usize>(&mut self, paths: [&str; N]) -> Result<[Option<String>; N], Self::Error> {
        let mut values = [const { None }; N];
        for (value, path) in values.iter_mut().zip(paths) {
            *value = self.read(path)?;
        }
        Ok(values)
    }
    /// Writes keys, or with `None` removes them where they are, all in one transaction that is repeated while the store
    /// says EAGAIN.
    fn write(&mut self, entries: &[(String, Option<String>)]) -> Result<(), Self::Error>;
    /// Asks for events about a key and what is below it. When one comes, [`crate::device::Device::control`] wants to be
    /// called.
    fn watch(&mut self, path: &str) -> Result<(), Self::Error>;
    /// Ends a watch; one that is not there is no error.
    fn unwatch(&mut self, path: &str) -> Result<(), Self::Error>;
}

/// The state of one end of a device (`enum xenbus_state`, xen/io/xenbus.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XenbusState {
    /// No state, or none that exists.
    Unknown,
    /// Starting.
    Initialising,
    /// The backend waits for our keys.
    InitWait,
    /// Waiting for the other end to connect.
    Initialised,
    /// In use.
    Connected,
    /// Ending, by error or by unplugging.
    Closing,
    /// Ended.
    Closed,
    /// Being changed.
    Reconfiguring,
    /// Changed.
    Reconfigured,
}

impl XenbusState {
    /// The state that a key's value names.
    pub fn parse(value: &str) -> Option<Self> {
        Some(match value {
            "0" => Self::Unknown,
            "1" => Self::Initialising,
            "2" => Self::InitWait,
            "3" => Self::Initialised,
            "4" => Self::Connected,
            "5" => Self::Closing,
            "6" => Self::Closed,
            "7" => Self::Reconfiguring,
            "8" => Self::Reconfigured,
            _ => return None,
        })
    }

    /// The key's value.
    pub fn value(self) -> &'static str {
        match self {
            Self::Unknown => "0",
            Self::Initialising => "1",
            Self::InitWait => "2",
            Self::Initialised => "3",
            Self::Connected => "4",
            Self::Closing => "5",
            Self::Closed => "6",
            Self::Reconfiguring => "7",
            Self::Reconfigured => "8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::XenbusState::*;
    use super::*;

    #[test]
    fn states_have_the_numbers_of_the_header() {
        let states = [
            (Unknown, "0"),
            (Initialising, "1"),
            (InitWait, "2"),
            (Initialised, "3"),
            (Connected, "4"),
            (Closing, "5"),
            (Closed, "6"),
            (Reconfiguring, "7"),
            (Reconfigured, "8"),
        ];
        for (state, value) in states {
            assert_eq!(state.value(), value);
            assert_eq!(XenbusState::parse(value), Some(state));
        }
        for value in ["", "9", "04", "-1", "4 ", "\u{664}"] {
            assert_eq!(XenbusState::parse(value), None, "{value:?}");
        }
    }
}
