//! The targets, by what they call.

pub mod checksum;
pub mod cmdline;
pub mod conversation;
pub mod dhcp_client;
pub mod dhcpv4;
pub mod http;
pub mod https;
pub mod ip;
pub mod link;
pub mod netfront;
pub mod netif;
pub mod pvclock;
pub mod ring;
pub mod rules;
pub mod stack;
pub mod tar;
pub mod tcp;
pub mod tls;
mod wire;
pub mod xenstore;
