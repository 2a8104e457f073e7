//! Wire formats, each by the same plan: a `Packet` is a view of received bytes whose lengths have been checked,
//! a `Repr` is what this stack understands of it and emits. Parsing and emitting are total: no bytes panic.

pub mod arp;
pub mod checksum;
pub mod dhcpv4;
pub mod ethernet;
pub mod icmpv4;
pub mod ipv4;
pub mod tcp;
pub mod udp;
