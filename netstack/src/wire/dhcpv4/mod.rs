//! DHCP messages (RFC 2131, options of RFC 2132 and 3442), as a client writes and reads them.

mod options;

pub use options::{Fault, Malformed};

use super::ethernet::Address;
use crate::addressing::{Prefix, Route};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use options::Options;

/// The port of a client.
pub const CLIENT_PORT: u16 = 68;
/// The port of a server.
pub const SERVER_PORT: u16 = 67;

mod field {
    use core::ops::Range;
    pub const OP: usize = 0;
    pub const HARDWARE_TYPE: usize = 1;
    pub const HARDWARE_LENGTH: usize = 2;
    pub const XID: Range<usize> = 4..8;
    pub const SECS: Range<usize> = 8..10;
    pub const CLIENT_ADDRESS: Range<usize> = 12..16;
    pub const YOUR_ADDRESS: Range<usize> = 16..20;
    pub const CLIENT_HARDWARE: Range<usize> = 28..34;
    pub const SERVER_NAME: Range<usize> = 44..108;
    pub const FILE: Range<usize> = 108..236;
    pub const COOKIE: Range<usize> = 236..240;
    pub const OPTIONS: usize = 240;
}

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET: u8 = 1;
const ETHERNET_LENGTH: u8 = 6;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Option codes (RFC 2132, RFC 3442).
mod code {
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const HOST_NAME: u8 = 12;
    pub const INTERFACE_MTU: u8 = 26;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_IDENTIFIER: u8 = 54;
    pub const PARAMETERS: u8 = 55;
    pub const MAXIMUM_SIZE: u8 = 57;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
    pub const CLASSLESS_ROUTES: u8 = 121;
    pub const PAD: u8 = 0;
    pub const END: u8 = 255;
}

/// What a client says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Who has an address for me? (1)
    Discover,
    /// I take that one, or want to keep mine. (3)
    Request,
    /// Another station has it already. (4)
    Decline,
    /// I need it no more. (7)
    Release,
}

/// A client's message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repr<'a> {
    /// What it says.
    pub operation: Operation,
    /// The transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The client's address, if it may be sent to already; else 0.0.0.0.
    pub client: Ipv4Addr,
    /// The client's link address.
    pub hardware: Address,
    /// Option 50, the address that it takes.
    pub requested: Option<Ipv4Addr>,
    /// Option 54, the server that it takes it from.
    pub server: Option<Ipv4Addr>,
    /// Option 12, its name, at most 255 bytes.
    pub name: Option<&'a str>,
}

impl Repr<'_> {
    /// A BOOTP message has at least 300 bytes (RFC 1542 section 2.1).
    const SHORTEST: usize = 300;
    /// Option 57: what fits an Ethernet frame with its IP and UDP headers.
    const LARGEST: u16 = 1472;
    /// Option 55. 121 stands before 3 (RFC 3442).
    const WANTED: [u8; 8] = [
        code::SUBNET_MASK,
        code::CLASSLESS_ROUTES,
        code::ROUTER,
        code::INTERFACE_MTU,
        code::LEASE_TIME,
        code::SERVER_IDENTIFIER,
        code::RENEWAL_TIME,
        code::REBINDING_TIME,
    ];

    /// The message's bytes. No broadcast flag: a unicast to the offered address is understood.
    pub fn emit(&self) -> Vec<u8> {
        let mut fixed = [0; field::OPTIONS];
        fixed[field::OP] = REQUEST;
        fixed[field::HARDWARE_TYPE] = ETHERNET;
        fixed[field::HARDWARE_LENGTH] = ETHERNET_LENGTH;
        fixed[field::XID].copy_from_slice(&self.xid.to_be_bytes());
        fixed[field::SECS].copy_from_slice(&self.secs.to_be_bytes());
        fixed[field::CLIENT_ADDRESS].copy_from_slice(&self.client.octets());
        fixed[field::CLIENT_HARDWARE].copy_from_slice(&self.hardware.0);
        fixed[field::COOKIE].copy_from_slice(&COOKIE);

        let mut message = Vec::with_capacity(Self::SHORTEST);
        message.extend(fixed);
        let mut option = |code: u8, data: &[u8]| {
            if let Ok(length) = u8::try_from(data.len()) {
                message.extend([code, length]);
                message.extend(data);
            }
        };
        let operation = match self.operation {
            Operation::Discover => 1,
            Operation::Request => 3,
            Operation::Decline => 4,
            Operation::Release => 7,
        };
        option(code::MESSAGE_TYPE, &[operation]);
        if let Some(requested) = self.requested {
            option(code::REQUESTED_ADDRESS, &requested.octets());
        }
        if let Some(server) = self.server {
            option(code::SERVER_IDENTIFIER, &server.octets());
        }
        // RFC 2131 table 5: none of these where nothing is asked for.
        if matches!(self.operation, Operation::Discover | Operation::Request) {
            if let Some(name) = self.name {
                option(code::HOST_NAME, name.as_bytes());
            }
            option(code::MAXIMUM_SIZE, &Self::LARGEST.to_be_bytes());
            option(code::PARAMETERS, &Self::WANTED);
        }
        message.push(code::END);
        message.resize(message.len().max(Self::SHORTEST), code::PAD);
        message
    }
}

/// What a server says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// An address could be had. (2)
    Offer,
    /// It is yours. (5)
    Ack,
    /// It is not. (6)
    Nak,
}

/// A received message: its fixed part is a server's reply over Ethernet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; field::OPTIONS],
}

impl<'a> Packet<'a> {
    /// Checks the fixed part.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let fixed = bytes.first_chunk::<{ field::OPTIONS }>().ok_or(Malformed::Short)?;
        if fixed[field::OP] != REPLY {
            return Err(Malformed::Operation(fixed[field::OP]));
        }
        if (fixed[field::HARDWARE_TYPE], fixed[field::HARDWARE_LENGTH]) != (ETHERNET, ETHERNET_LENGTH) {
            return Err(Malformed::Hardware);
        }
        if fixed[field::COOKIE] != COOKIE {
            return Err(Malformed::Cookie);
        }
        Ok(Self { bytes, fixed })
    }

    /// The transaction.
    pub fn xid(&self) -> u32 {
        u32::from_be_bytes(self.fixed[field::XID].first_chunk().copied().unwrap_or_default())
    }

    /// The link address of the client that it is for.
    pub fn client_hardware(&self) -> Address {
        Address(self.fixed[field::CLIENT_HARDWARE].first_chunk().copied().unwrap_or_default())
    }

    /// Reads the options.
    pub fn reply(&self) -> Result<Reply, Malformed> {
        let options = Options::new(self.bytes, self.fixed)?;
        let answer = options.first(code::MESSAGE_TYPE)?.ok_or(Malformed::NoMessageType)?;
        let your = self.fixed[field::YOUR_ADDRESS].first_chunk::<4>().copied().unwrap_or_default();
        let your = Ipv4Addr::from(your);
        Ok(Reply {
            answer: match answer.array()? {
                [2] => Answer::Offer,
                [5] => Answer::Ack,
                [6] => Answer::Nak,
                _ => return Err(answer.fault(Fault::Value)),
            },
            your,
            server: options.first(code::SERVER_IDENTIFIER)?.map(|option| option.address()).transpose()?,
            prefix: match options.first(code::SUBNET_MASK)? {
                Some(option) => option.prefix(your)?,
                None => Prefix::of_class(your),
            },
            router: options.first(code::ROUTER)?.map(|option| option.first_address()).transpose()?,
            mtu: options.first(code::INTERFACE_MTU)?.map(|option| option.word()).transpose()?,
            lease: options.first(code::LEASE_TIME)?.map(|option| option.seconds()).transpose()?,
            renewal: options.first(code::RENEWAL_TIME)?.map(|option| option.seconds()).transpose()?,
            rebinding: options.first(code::REBINDING_TIME)?.map(|option| option.seconds()).transpose()?,
            routes: options.routes(code::CLASSLESS_ROUTES)?,
        })
    }
}

/// What is understood of a server's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// What it says.
    pub answer: Answer,
    /// The client's address, `yiaddr`.
    pub your: Ipv4Addr,
    /// Option 54; some servers leave it out.
    pub server: Option<Ipv4Addr>,
    /// `your` with option 1, or with the mask of its class.
    pub prefix: Prefix,
    /// Option 3, the first of them.
    pub router: Option<Ipv4Addr>,
    /// Option 26, in bytes from the IP header on.
    pub mtu: Option<u16>,
    /// Option 51, in seconds; all ones are for ever.
    pub lease: Option<u32>,
    /// Option 58, in seconds.
    pub renewal: Option<u32>,
    /// Option 59, in seconds.
    pub rebinding: Option<u32>,
    /// Option 121 (RFC 3442): where it is there, option 3 is to be ignored.
    pub routes: Option<Vec<Route>>,
}

#[cfg(test)]
mod tests;
