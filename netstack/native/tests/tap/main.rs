//! The tap server on a real Linux segment: each test has a network namespace of its own.
//!
//! It takes curl, iproute2, util-linux, ping, nmap, dnsmasq and tcpdump, and either root or unprivileged user namespaces;
//! what is missing is named.
#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod dhcp;
mod fetch;
mod probe;
mod segment;
mod start;
