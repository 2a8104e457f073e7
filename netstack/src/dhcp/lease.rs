//! What a server gave, and until when.

use super::RENEWAL_WAIT;
use crate::addressing::Addressing;
use crate::random::Random;
use crate::time::{Duration, Instant};
use crate::wire::dhcpv4::Reply;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Where option 51 is absent: what EC2 gives. Asking again every half hour harms nobody.
const ABSENT: u32 = 3_600;
/// No lease is taken for shorter, in seconds: the server would be asked without end.
const SHORTEST: u32 = 10;
/// Option 51 of a lease without end (RFC 2131 section 3.3).
const FOR_EVER: u32 = 0xffff_ffff;
/// Below this an MTU is not believed: every host takes this much (RFC 1122 section 3.3.3).
const SMALLEST_MTU: u16 = 576;
/// T1 and T2 come up to this fraction of their time sooner, so that hosts that started together drift apart.
const SPREAD: u64 = 16;

/// A lease.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) addressing: Addressing,
    pub(super) server: Ipv4Addr,
    /// `None` where it has no end.
    pub(super) times: Option<Times>,
}

/// When a lease changes its state: T1, T2 and the end (RFC 2131 section 4.4.5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) renew: Instant,
    pub(super) rebind: Instant,
    pub(super) expire: Instant,
}

impl Lease {
    pub(super) fn new(server: Ipv4Addr, reply: &Reply, now: Instant, random: &mut Random) -> Self {
        let router = reply.router.filter(|router| !router.is_unspecified());
        let routes = match &reply.routes {
            // They take the place of option 3 (RFC 3442).
            Some(routes) => routes.clone(),
            None => router.into_iter().map(Addressing::default_route).collect::<Vec<_>>(),
        };
        let mtu = reply.mtu.filter(|mtu| *mtu >= SMALLEST_MTU);
        if reply.mtu != mtu {
            log::warn!("dhcp: an MTU of {} is not used", reply.mtu.unwrap_or(0));
        }
        let addressing = Addressing::with_routes(reply.prefix, routes).with_mtu(mtu);
        Self { addressing, server, times: Times::new(reply, now, random) }
    }

    /// Whether it has run out.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.times.is_some_and(|times| times.expire <= now)
    }

    /// Half of what is left until T2.
    pub(super) fn renewal_wait(&self, now: Instant) -> Duration {
        self.wait(now, |times| times.rebind)
    }

    /// Half of what is left until the end.
    pub(super) fn rebinding_wait(&self, now: Instant) -> Duration {
        self.wait(now, |times| times.expire)
    }

    fn wait(&self, now: Instant, until: impl Fn(&Times) -> Instant) -> Duration {
        let left = self.times.as_ref().map_or(Duration::ZERO, |times| until(times).since(now));
        Duration::from_micros(left.micros() / 2).max(RENEWAL_WAIT)
    }
}

impl Times {
    fn new(reply: &Reply, now: Instant, random: &mut Random) -> Option<Self> {
        let lease = reply.lease.unwrap_or(ABSENT);
        if lease == FOR_EVER {
            return None;
        }
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let lease = seconds(lease.max(SHORTEST));
        // Half, and seven eighths.
        let given = |option: Option<u32>, share: u64| {
            option.map_or(Duration::from_micros(lease.micros() / 8).times(share), seconds)
        };
        let (mut t1, mut t2) = (given(reply.renewal, 4), given(reply.rebinding, 7));
        if !(t1 < t2 && t2 < lease) || t1 == Duration::ZERO {
            (t1, t2) = (given(None, 4), given(None, 7));
        }
        let mut sooner = |span: Duration| random.span(Duration::from_micros(span.micros() / SPREAD));
        let (renew, rebind) = (t1 - sooner(t1), t2 - sooner(t2 - t1));
        Some(Self { renew: now + renew, rebind: now + rebind, expire: now + lease })
    }
}
