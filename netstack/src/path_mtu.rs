//! What routers said of the paths beyond them (RFC 1191): a bounded table of destinations whose path takes less than the
//! link does.

use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use core::net::IpAddr;

/// Destinations in the table.
pub(crate) const CAPACITY: usize = 256;
/// How long a limit is believed before larger packets are tried again (RFC 1191 section 6.3: 10 minutes).
const AGE: Duration = Duration::from_secs(600);
/// No path is believed to take less: 512 bytes of data. Where one does, routers may cut, and the smallest segments that a
/// forger can force stay worth their headers (RFC 5927 section 7.2).
const FLOOR: u16 = 552;
/// The MTUs of RFC 1191 section 7.1.
const PLATEAUS: [u16; 11] = [65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];

/// The table.
#[derive(Debug, Default)]
pub(crate) struct PathMtus {
    limits: BTreeMap<IpAddr, Limit>,
}

/// What a path takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limit {
    /// Largest packet, from its IP header on.
    pub(crate) mtu: u16,
    /// It takes less than that: routers must be allowed to cut.
    pub(crate) cut: bool,
    until: Instant,
}

impl PathMtus {
    pub(crate) fn clear(&mut self) {
        self.limits.clear();
    }

    /// The limit on packets to `remote`, where there is one below the link's.
    #[inline(always)]
    pub(crate) fn get(&self, remote: IpAddr, now: Instant) -> Option<Limit> {
        if self.limits.is_empty() {
            return None;
        }
        self.limits.get(&remote).copied().filter(|limit| now < limit.until)
    }

    /// A router takes no packets to `remote` above `mtu` bytes. Limits only fall until they are forgotten; where the table
    /// is full, the one that has the least time left makes room. `false` where it is no news.
    pub(crate) fn lower(&mut self, remote: IpAddr, mtu: u16, now: Instant) -> bool {
        if self.get(remote, now).is_some_and(|known| known.cut || known.mtu <= mtu) {
            return false;
        }
        if self.limits.len() >= CAPACITY && !self.limits.contains_key(&remote) {
            let oldest = self.limits.iter().min_by_key(|(_, limit)| limit.until).map(|(remote, _)| *remote);
            oldest.and_then(|oldest| self.limits.remove(&oldest));
        }
        let limit = Limit { mtu: mtu.max(FLOOR), cut: mtu < FLOOR, until: now + AGE };
        self.limits.insert(remote, limit);
        true
    }
}

/// What to make of a router's message about a packet of ours of `length` bytes: the packets that it takes, or the next
/// smaller plateau where it is too old to say (RFC 1191 section 5). `None` where it says that it took that packet.
pub(crate) fn limit(told: u16, length: u16) -> Option<u16> {
    let mtu = match told {
        0 => PLATEAUS.into_iter().find(|plateau| *plateau < length)?,
        told => told,
    };
    (mtu < length).then_some(mtu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const START: Instant = Instant::from_micros(77_000_000);

    fn remote(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | number))
    }

    fn mtu(paths: &PathMtus, number: u32, now: Instant) -> Option<(u16, bool)> {
        paths.get(remote(number), now).map(|limit| (limit.mtu, limit.cut))
    }

    /// RFC 1191 section 3: "MUST NOT increase its estimate", and section 6.3: not before 10 minutes.
    #[test]
    fn limits_fall_and_age() {
        let mut paths = PathMtus::default();
        assert_eq!(mtu(&paths, 1, START), None);
        assert!(paths.lower(remote(1), 1_400, START));
        assert!(!paths.lower(remote(1), 1_450, START));
        assert!(!paths.lower(remote(1), 1_400, START));
        assert_eq!(mtu(&paths, 1, START), Some((1_400, false)));
        assert_eq!(mtu(&paths, 2, START), None);
        let later = START + Duration::from_secs(300);
        assert!(paths.lower(remote(1), 1_300, later));
        let end = later + Duration::from_secs(600);
        assert_eq!(mtu(&paths, 1, Instant::from_micros(end.micros() - 1)), Some((1_300, false)));
        assert_eq!(mtu(&paths, 1, end), None);
        assert!(paths.lower(remote(1), 1_450, end), "what has aged is no limit");
    }

    #[test]
    fn below_552_bytes_routers_cut() {
        let mut paths = PathMtus::default();
        paths.lower(remote(1), 552, START);
        assert_eq!(mtu(&paths, 1, START), Some((552, false)));
        assert!(paths.lower(remote(1), 551, START));
        assert_eq!(mtu(&paths, 1, START), Some((552, true)));
        assert!(!paths.lower(remote(1), 68, START));
        assert!(!paths.lower(remote(1), 600, START));
        assert_eq!(mtu(&paths, 1, START), Some((552, true)));
    }

    #[test]
    fn bounded() {
        let mut paths = PathMtus::default();
        for number in 0..1_000 {
            paths.lower(remote(number), 1_000, START + Duration::from_secs(u64::from(number) / 10));
        }
        assert_eq!(paths.limits.len(), 256);
        let now = START + Duration::from_secs(100);
        assert_eq!((mtu(&paths, 743, now), mtu(&paths, 744, now)), (None, Some((1_000, false))));
        paths.lower(remote(999), 900, now);
        assert_eq!(
            (mtu(&paths, 744, now), mtu(&paths, 999, now)),
            (Some((1_000, false)), Some((900, false)))
        );
    }

    #[test]
    fn what_routers_say() {
        assert_eq!(limit(1_400, 1_500), Some(1_400));
        assert_eq!(limit(1_500, 1_500), None);
        assert_eq!(limit(9_000, 1_500), None);
        let plateaus = [
            (1_500, Some(1_492)),
            (1_492, Some(1_006)),
            (1_006, Some(508)),
            (9_001, Some(8_166)),
            (40_000, Some(32_000)),
            (69, Some(68)),
            (68, None),
        ];
        for (length, mtu) in plateaus {
            assert_eq!(limit(0, length), mtu, "{length}");
        }
    }
}
