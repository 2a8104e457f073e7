//! Counters with names: every drop path has one.

/// A number of events since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counter(u64);

impl Counter {
    /// One more.
    pub fn count(&mut self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&mut self, n: u64) {
        self.0 = self.0.wrapping_add(n);
    }

    /// How many so far.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl PartialEq<u64> for Counter {
    fn eq(&self, other: &u64) -> bool {
        self.0 == *other
    }
}

impl core::fmt::Display for Counter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Declares a struct of [`Counter`]s and `iter`, which gives each with its name, in the order of the source.
///
/// ```
/// netstack::counters! {
///     /// What a door has seen.
///     pub struct Door {
///         /// It was opened.
///         door_opened,
///         /// Somebody knocked.
///         door_knocks,
///     }
/// }
/// let mut door = Door::default();
/// door.door_knocks.count();
/// assert!(door.iter().eq([("door_opened", 0), ("door_knocks", 1)]));
/// assert_eq!(door.total(), 1);
/// ```
#[macro_export]
macro_rules! counters {
    ($(#[$about:meta])* $visibility:vis struct $name:ident { $($(#[$doc:meta])* $counter:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
        // So that they are summed up two at a time.
        #[repr(align(16))]
        $visibility struct $name {
            $($(#[$doc])* pub $counter: $crate::counters::Counter,)*
        }

        impl $name {
            /// Each counter's name and value.
            pub fn iter(self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($counter), self.$counter.get()),)*].into_iter()
            }

            /// The sum of them all, modulo 2^64: cheaper to look at than each of them.
            pub fn total(&self) -> u64 {
                let mut total = 0_u64;
                $(total = total.wrapping_add(self.$counter.get());)*
                total
            }
        }
    };
}
