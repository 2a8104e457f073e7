//! The options of a DHCP message, overload (RFC 2132 section 9.3) and long ones (RFC 3396) included.

use super::{code, field};
use crate::addressing::{Prefix, Route};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Why a message was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 240 bytes.
    Short,
    /// Not a server's reply.
    Operation(u8),
    /// Not for Ethernet.
    Hardware,
    /// Not the four bytes of RFC 2131 section 3: BOOTP, not DHCP.
    Cookie,
    /// No option 53.
    NoMessageType,
    /// An option that is not what it should be.
    Option {
        /// Which.
        code: u8,
        /// Where its code stands, in bytes from the start of the message.
        at: usize,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It runs past the end of its field.
    Truncated,
    /// Its length is not one that it can have.
    Length(usize),
    /// Its value is not one that it can have.
    Value,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("fewer than 240 bytes"),
            Self::Operation(operation) => write!(f, "operation {operation}"),
            Self::Hardware => f.write_str("not for Ethernet"),
            Self::Cookie => f.write_str("no DHCP cookie"),
            Self::NoMessageType => f.write_str("no option 53"),
            Self::Option { code, at, fault } => match fault {
                Fault::Truncated => write!(f, "option {code} at byte {at} runs past its field"),
                Fault::Length(length) => write!(f, "option {code} at byte {at} has length {length}"),
                Fault::Value => write!(f, "option {code} at byte {at} has an impossible value"),
            },
        }
    }
}

/// One option.
#[derive(Clone, Copy)]
pub(super) struct DhcpOption<'a> {
    code: u8,
    at: usize,
    data: &'a [u8],
}

impl DhcpOption<'_> {
    pub(super) fn fault(&self, fault: Fault) -> Malformed {
        Malformed::Option { code: self.code, at: self.at, fault }
    }

    fn length(&self) -> Malformed {
        self.fault(Fault::Length(self.data.len()))
    }

    /// The data, of exactly this length.
    pub(super) fn array<const N: usize>(&self) -> Result<[u8; N], Malformed> {
        <[u8; N]>::try_from(self.data).map_err(|_| self.length())
    }

    pub(super) fn address(&self) -> Result<Ipv4Addr, Malformed> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    pub(super) fn word(&self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn seconds(&self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A mask, with the address that it belongs to.
    pub(super) fn prefix(&self, address: Ipv4Addr) -> Result<Prefix, Malformed> {
        Prefix::from_mask(address, self.address()?).ok_or(self.fault(Fault::Value))
    }

    /// The first of one or more addresses.
    pub(super) fn first_address(&self) -> Result<Ipv4Addr, Malformed> {
        match self.data.as_chunks::<4>() {
            ([first, ..], []) => Ok(Ipv4Addr::from(*first)),
            _ => Err(self.length()),
        }
    }
}

/// The options, from each field that holds some.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    /// Each field's place in the message, and its bytes.
    fields: [(usize, &'a [u8]); 3],
}

impl<'a> Options<'a> {
    pub(super) fn new(bytes: &'a [u8], fixed: &'a [u8; field::OPTIONS]) -> Result<Self, Malformed> {
        let own = (field::OPTIONS, bytes.get(field::OPTIONS..).unwrap_or_default());
        let file = (field::FILE.start, &fixed[field::FILE]);
        let name = (field::SERVER_NAME.start, &fixed[field::SERVER_NAME]);
        let none: (usize, &[u8]) = (0, &[]);
        let options = Self { fields: [own, none, none] };
        let Some(overload) = options.first(code::OVERLOAD)? else { return Ok(options) };
        // The file field is read before the server's name (RFC 2131 section 4.1).
        let fields = match overload.array()? {
            [1] => [own, file, none],
            [2] => [own, name, none],
            [3] => [own, file, name],
            _ => return Err(overload.fault(Fault::Value)),
        };
        Ok(Self { fields })
    }

    /// The first option with this code. Every option up to it must be whole; without it, every option.
    pub(super) fn first(&self, code: u8) -> Result<Option<DhcpOption<'a>>, Malformed> {
        for option in self.iter() {
            let option = option?;
            if option.code == code {
                return Ok(Some(option));
            }
        }
        Ok(None)
    }

    /// The routes of RFC 3442, from all options with this code put together.
    pub(super) fn routes(&self, code: u8) -> Result<Option<Vec<Route>>, Malformed> {
        let Some(first) = self.first(code)? else { return Ok(None) };
        let mut data = Vec::new();
        for option in self.iter() {
            let option = option?;
            if option.code == code {
                data.extend_from_slice(option.data);
            }
        }
        let mut routes = Vec::new();
        let mut rest = data.as_slice();
        while let [length, after @ ..] = rest {
            // As many octets of the network as its length makes meaningful, then the router.
            let octets = usize::from(length.div_ceil(8));
            let route = (*length <= 32).then_some(()).and_then(|()| {
                let (significant, after) = after.split_at_checked(octets)?;
                let (router, after) = after.split_first_chunk::<4>()?;
                let mut network = [0; 4];
                for (to, from) in network.iter_mut().zip(significant) {
                    *to = *from;
                }
                let router = Ipv4Addr::from(*router);
                let gateway = (!router.is_unspecified()).then_some(router);
                rest = after;
                Some(Route { destination: Prefix::new(Ipv4Addr::from(network), *length)?, gateway })
            });
            routes.push(route.ok_or(first.fault(Fault::Value))?);
        }
        Ok(Some(routes))
    }

    fn iter(&self) -> impl Iterator<Item = Result<DhcpOption<'a>, Malformed>> {
        self.fields.into_iter().flat_map(|(start, bytes)| Field { at: start, rest: bytes })
    }
}

/// One field's options; it may end without the end option.
struct Field<'a> {
    at: usize,
    rest: &'a [u8],
}

impl<'a> Iterator for Field<'a> {
    type Item = Result<DhcpOption<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [code::PAD, rest @ ..] = self.rest {
            self.rest = rest;
            self.at = self.at.saturating_add(1);
        }
        let (&code, after) = self.rest.split_first()?;
        self.rest = &[];
        if code == code::END {
            return None;
        }
        let at = self.at;
        let whole =
            after.split_first().and_then(|(length, after)| after.split_at_checked(usize::from(*length)));
        let Some((data, rest)) = whole else {
            return Some(Err(Malformed::Option { code, at, fault: Fault::Truncated }));
        };
        self.rest = rest;
        self.at = at.saturating_add(data.len()).saturating_add(2);
        Some(Ok(DhcpOption { code, at, data }))
    }
}
