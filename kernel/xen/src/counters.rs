//! Named counters: every path that drops, refuses or gives up has one.

/// A count of events. It wraps at 2^64, which no run reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counter(u64);

impl Counter {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Counts one.
    pub const fn increment(&mut self) {
        self.add(1);
    }

    /// Counts `n`.
    pub const fn add(&mut self, n: u64) {
        self.0 = self.0.wrapping_add(n);
    }

    /// How many were counted.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Makes a struct of [`Counter`]s and an `iter` over (name, value), in the order written.
///
/// A counter's name is the prefix, an underscore and the field: letters, digits and underscores, so that it can be a
/// xenstore key and a Prometheus name.
///
/// ```
/// xen::counters! {
///     /// What befell the door.
///     pub struct DoorCounters: "door" {
///         /// Knocks nobody answered.
///         unanswered,
///     }
/// }
/// let mut counters = DoorCounters::default();
/// counters.unanswered.increment();
/// assert!(counters.iter().eq([("door_unanswered", 1)]));
/// ```
#[macro_export]
macro_rules! counters {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident: $prefix:literal {
            $($(#[$field_meta:meta])* $field:ident),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        $visibility struct $name {
            $($(#[$field_meta])* pub $field: $crate::Counter,)+
        }

        impl $name {
            /// Every counter's name and value.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((concat!($prefix, "_", stringify!($field)), self.$field.get()),)+].into_iter()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::Counter;

    crate::counters! {
        /// Two counters.
        struct Pair: "pair" {
            /// The first.
            left,
            /// The second.
            right_one,
        }
    }

    #[test]
    fn names_and_values_come_in_the_order_written() {
        let mut pair = Pair::default();
        pair.left.increment();
        pair.right_one.add(41);
        pair.right_one.increment();
        assert!(pair.iter().eq([("pair_left", 1), ("pair_right_one", 42)]));
    }

    #[test]
    fn a_counter_wraps() {
        let mut counter = Counter::default();
        counter.add(u64::MAX);
        counter.increment();
        assert_eq!(counter.get(), 0);
    }
}
