//! The stack as the segment sees it: frames in, frames out.
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, clippy::unwrap_used)]
#![allow(clippy::indexing_slicing, clippy::panic)]

mod any;
mod arp;
mod dhcp;
mod fragments;
mod host;
mod icmp;
mod ipv4;
mod lease;
mod link;
mod path_mtu;
mod tcp;
