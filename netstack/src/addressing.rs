//! An interface's IPv4 configuration: its address, its network, its routes.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::str::FromStr;

/// An address and how many of its leading bits are the network's: `192.0.2.10/24`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    address: Ipv4Addr,
    length: u8,
}

impl Prefix {
    /// `None` where the length is above 32.
    pub const fn new(address: Ipv4Addr, length: u8) -> Option<Self> {
        if length <= 32 { Some(Self { address, length }) } else { None }
    }

    /// From a network mask; `None` where its ones are not all in front.
    pub fn from_mask(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Self> {
        let ones = mask.to_bits().leading_ones();
        (mask.to_bits().count_ones() == ones).then_some(())?;
        Self::new(address, u8::try_from(ones).ok()?)
    }

    /// The network that an address had before there were masks (RFC 791 section 3.2).
    pub fn of_class(address: Ipv4Addr) -> Self {
        let [first, ..] = address.octets();
        let length = match first {
            0..128 => 8,
            128..192 => 16,
            _ => 24,
        };
        Self { address, length }
    }

    /// The address.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// How many bits are the network's, 0 to 32.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether `other` is in this network.
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        (self.address.to_bits() ^ other.to_bits()) & self.mask() == 0
    }

    /// Whether `other` means every host of this network (RFC 919); the old form with zeros too (RFC 1122 section 3.3.6).
    /// A /31 and a /32 have none (RFC 3021).
    pub fn is_broadcast(&self, other: Ipv4Addr) -> bool {
        let host = other.to_bits() & !self.mask();
        self.length < 31 && self.contains(other) && (host == 0 || host == !self.mask())
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(self.length))).unwrap_or(0)
    }
}

impl core::fmt::Display for Prefix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Text that is not `A.B.C.D/length`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAPrefix;

impl core::fmt::Display for NotAPrefix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not an address and a prefix length, as in 192.0.2.10/24")
    }
}

impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let (address, length) = text.split_once('/').ok_or(NotAPrefix)?;
        let address = address.parse().map_err(|_| NotAPrefix)?;
        Self::new(address, length.parse().map_err(|_| NotAPrefix)?).ok_or(NotAPrefix)
    }
}

/// A way to a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The network.
    pub destination: Prefix,
    /// The router; `None` where the network is on the link itself.
    pub gateway: Option<Ipv4Addr>,
}

/// What an interface has been given, by hand or by DHCP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addressing {
    prefix: Prefix,
    /// Longest prefix first.
    routes: Vec<Route>,
    mtu: Option<u16>,
}

impl Addressing {
    /// The most routes that are kept.
    pub const ROUTES: usize = 32;

    /// An address in a network on the link, and perhaps a router to everywhere else. The router need not be in the network.
    pub fn new(prefix: Prefix, gateway: Option<Ipv4Addr>) -> Self {
        Self::with_routes(prefix, gateway.into_iter().map(Self::default_route).collect())
    }

    /// An address with routes of its own, as DHCP option 121 gives them; the first [`Self::ROUTES`] are kept.
    pub fn with_routes(prefix: Prefix, mut routes: Vec<Route>) -> Self {
        routes.truncate(Self::ROUTES);
        routes.push(Route { destination: prefix, gateway: None });
        routes.sort_by_key(|route| core::cmp::Reverse(route.destination.length));
        Self { prefix, routes, mtu: None }
    }

    /// The same, with a limit on packets, in bytes from the IP header on.
    #[must_use]
    pub fn with_mtu(self, mtu: Option<u16>) -> Self {
        Self { mtu, ..self }
    }

    /// The route to everywhere.
    pub fn default_route(gateway: Ipv4Addr) -> Route {
        Route { destination: Prefix { address: Ipv4Addr::UNSPECIFIED, length: 0 }, gateway: Some(gateway) }
    }

    /// The interface's address.
    pub fn address(&self) -> Ipv4Addr {
        self.prefix.address
    }

    /// The address with its network.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The router to everywhere else.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.routes.iter().rev().find(|route| route.destination.length == 0)?.gateway
    }

    /// The routers.
    pub fn gateways(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.routes.iter().filter_map(|route| route.gateway)
    }

    /// The limit on packets, in bytes from the IP header on, where one was given.
    pub fn mtu(&self) -> Option<u16> {
        self.mtu
    }

    /// Whom on the link a packet to `destination` goes to: itself, or a router (which may be outside every network on the
    /// link: RFC 3442 with a /32). `None` where there is no way.
    pub fn next_hop(&self, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        let route = self.routes.iter().find(|route| route.destination.contains(destination))?;
        Some(route.gateway.unwrap_or(destination))
    }

    /// Whether a station on the link may have this address: it is ours to talk to without a router, or is a router.
    pub fn is_neighbour(&self, address: Ipv4Addr) -> bool {
        !self.is_broadcast(address)
            && (self.next_hop(address) == Some(address) || self.gateways().any(|gateway| gateway == address))
    }

    /// Whether packets to `address` are for every station on the link.
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast() || self.prefix.is_broadcast(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes() {
        assert_eq!(prefix("192.0.2.10/24").to_string(), "192.0.2.10/24");
        for text in ["192.0.2.10", "192.0.2.10/33", "192.0.2/24", "/24", "a/b"] {
            assert_eq!(text.parse::<Prefix>(), Err(NotAPrefix), "{text}");
        }
        let mask = |mask| Prefix::from_mask(address("10.0.0.1"), address(mask)).map(|prefix| prefix.length());
        assert_eq!(mask("255.255.240.0"), Some(20));
        assert_eq!(mask("255.255.255.255"), Some(32));
        assert_eq!(mask("0.0.0.0"), Some(0));
        assert_eq!(mask("255.0.255.0"), None);
        let class = |text| Prefix::of_class(address(text)).length();
        assert_eq!((class("10.0.0.1"), class("172.16.0.1"), class("192.0.2.1")), (8, 16, 24));
    }

    #[test]
    fn broadcasts() {
        let net = prefix("192.0.2.10/24");
        assert!(net.is_broadcast(address("192.0.2.255")) && net.is_broadcast(address("192.0.2.0")));
        assert!(!net.is_broadcast(address("192.0.3.255")) && !net.is_broadcast(address("192.0.2.254")));
        assert!(!prefix("192.0.2.10/31").is_broadcast(address("192.0.2.11")));
        assert!(!prefix("192.0.2.10/32").is_broadcast(address("192.0.2.10")));
    }

    #[test]
    fn the_longest_prefix_wins() {
        let addressing = Addressing::with_routes(
            prefix("10.0.0.5/24"),
            vec![
                Addressing::default_route(address("10.0.0.1")),
                Route { destination: prefix("10.9.0.0/16"), gateway: Some(address("10.0.0.2")) },
                Route { destination: prefix("10.9.1.0/24"), gateway: None },
            ],
        );
        let hop = |to| addressing.next_hop(address(to)).unwrap().to_string();
        assert_eq!(hop("10.0.0.77"), "10.0.0.77");
        assert_eq!(hop("10.9.4.4"), "10.0.0.2");
        assert_eq!(hop("10.9.1.4"), "10.9.1.4");
        assert_eq!(hop("198.51.100.1"), "10.0.0.1");
        assert_eq!(addressing.gateway(), Some(address("10.0.0.1")));
    }

    #[test]
    fn a_gateway_outside_a_network_of_one() {
        let addressing = Addressing::new(prefix("10.132.0.2/32"), Some(address("10.132.0.1")));
        assert_eq!(addressing.next_hop(address("8.8.8.8")), Some(address("10.132.0.1")));
        assert_eq!(addressing.next_hop(address("10.132.0.1")), Some(address("10.132.0.1")));
        assert!(addressing.is_neighbour(address("10.132.0.1")));
        assert!(!addressing.is_neighbour(address("10.132.0.3")));
    }

    #[test]
    fn no_gateway_no_way() {
        let addressing = Addressing::new(prefix("10.0.0.5/24"), None);
        assert_eq!(addressing.next_hop(address("8.8.8.8")), None);
        assert!(!addressing.is_neighbour(address("10.0.0.255")));
    }
}
