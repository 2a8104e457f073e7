//! What the backend can do, decided once for each connection.

use core::fmt;

/// What the backend's keys say, each as it counts when it is absent (`xen/io/netif.h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// It takes IPv4 TCP and UDP checksums half done. On unless `feature-no-csum-offload` is 1.
    pub checksum: bool,
    /// It takes packets of several slots (`feature-sg`). Off when absent.
    pub scatter_gather: bool,
    /// It takes large TCPv4 packets (`feature-gso-tcpv4`). Off when absent.
    pub gso_v4: bool,
    /// It binds two event channels (`feature-split-event-channels`). Off when absent.
    pub split_channels: bool,
}

/// The five sets of transmit features that are used; any other offer falls to the next lower one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FeatureSet {
    /// One slot a frame, summed here.
    None,
    /// One slot a frame.
    Checksum,
    /// Several slots a frame, summed here.
    ScatterGather,
    /// Several slots a frame.
    ChecksumScatterGather,
    /// Several slots a frame, and large packets that the backend cuts.
    All,
}

impl From<Offer> for FeatureSet {
    fn from(offer: Offer) -> Self {
        match (offer.checksum, offer.scatter_gather, offer.gso_v4) {
            (true, true, true) => Self::All,
            (true, true, false) => Self::ChecksumScatterGather,
            (false, true, _) => Self::ScatterGather,
            (true, false, _) => Self::Checksum,
            (false, false, _) => Self::None,
        }
    }
}

impl FeatureSet {
    /// A checksum may be left to the backend.
    pub fn checksum(self) -> bool {
        matches!(self, Self::Checksum | Self::ChecksumScatterGather | Self::All)
    }

    /// A frame may take several slots.
    pub fn scatter_gather(self) -> bool {
        self >= Self::ScatterGather
    }

    /// A packet may be left to the backend to cut.
    pub fn gso_v4(self) -> bool {
        self == Self::All
    }
}

impl fmt::Display for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Checksum => "csum",
            Self::ScatterGather => "sg",
            Self::ChecksumScatterGather => "csum+sg",
            Self::All => "csum+sg+gso",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offer_falls_to_one_of_five_sets() {
        let table = [
            ((false, false, false), FeatureSet::None),
            ((false, false, true), FeatureSet::None),
            ((false, true, false), FeatureSet::ScatterGather),
            ((false, true, true), FeatureSet::ScatterGather),
            ((true, false, false), FeatureSet::Checksum),
            ((true, false, true), FeatureSet::Checksum),
            ((true, true, false), FeatureSet::ChecksumScatterGather),
            ((true, true, true), FeatureSet::All),
        ];
        for ((checksum, scatter_gather, gso_v4), set) in table {
            let offer = Offer { checksum, scatter_gather, gso_v4, split_channels: false };
            assert_eq!(FeatureSet::from(offer), set, "{offer:?}");
        }
    }

    #[test]
    fn a_set_uses_what_its_name_says() {
        use FeatureSet::*;
        for set in [None, Checksum, ScatterGather, ChecksumScatterGather, All] {
            let name = alloc::format!("{set}");
            assert_eq!(set.checksum(), name.contains("csum"), "{name}");
            assert_eq!(set.scatter_gather(), name.contains("sg"), "{name}");
            assert_eq!(set.gso_v4(), name.contains("gso"), "{name}");
        }
    }
}
