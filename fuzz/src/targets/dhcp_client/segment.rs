//! What the client's segment sees of it: the device below the stack, which reads all that is sent.

use crate::targets::stack::OURS;
use netstack::device::{Capabilities, Frame, TransmitError};
use netstack::wire::{arp, ipv4};
use netstack::{Device, Instant};
use std::net::Ipv4Addr;

/// Option 53, RFC 2132 section 9.6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
}

/// An address that a server has acknowledged, and until when; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub address: Ipv4Addr,
    pub until: Option<Instant>,
}

/// A message of the client's.
#[derive(Clone, Debug)]
pub struct Sent {
    pub kind: Kind,
    pub client: Ipv4Addr,
    pub requested: Option<Ipv4Addr>,
}

#[derive(Debug)]
pub struct Segment {
    pub room: usize,
    /// Frames since they were counted last.
    pub frames: usize,
    /// The client's last message, and all its transactions.
    pub last: Option<Sent>,
    pub xids: Vec<[u8; 4]>,
    pub releases: usize,
    pub asked_for_server: bool,
    /// The address that the stack had when it was looked at last.
    pub current: Option<Ipv4Addr>,
    pub offered: Vec<Ipv4Addr>,
    pub given: Vec<Given>,
}

impl Segment {
    pub fn new() -> Self {
        Self {
            room: usize::MAX,
            frames: 0,
            last: None,
            xids: Vec::new(),
            releases: 0,
            asked_for_server: false,
            current: None,
            offered: Vec::new(),
            given: Vec::new(),
        }
    }

    fn was_given(&self, address: Ipv4Addr) -> bool {
        self.given.iter().any(|given| given.address == address)
    }

    /// A message, by RFC 2131 table 5.
    fn message(&mut self, source: Ipv4Addr, destination: Ipv4Addr, bytes: &[u8]) {
        assert!((300..=548).contains(&bytes.len()), "{} bytes", bytes.len());
        assert_eq!((bytes[0], bytes[1], bytes[2], &bytes[28..34]), (1, 1, 6, &OURS.0[..]));
        assert_eq!(bytes[236..240], [99, 130, 83, 99]);
        let word = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).expect("four bytes"));
        let (mut kind, mut requested, mut server, mut at) = (None, None, None, 240);
        while bytes[at] != 255 {
            let (code, length) = (bytes[at], usize::from(bytes[at + 1]));
            match code {
                53 => kind = Some(bytes[at + 2]),
                50 => requested = Some(word(at + 2)),
                54 => server = Some(word(at + 2)),
                _ => (),
            }
            at += 2 + length;
        }
        let kind = match kind {
            Some(1) => Kind::Discover,
            Some(3) => Kind::Request,
            Some(4) => Kind::Decline,
            Some(7) => Kind::Release,
            other => panic!("message type {other:?}"),
        };
        let sent = Sent { kind, client: word(12), requested };
        let nobody = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        match (kind, requested, server) {
            (Kind::Discover, None, None) => assert_eq!((source, sent.client), nobody),
            // SELECTING.
            (Kind::Request, Some(address), Some(_)) => {
                assert_eq!((source, sent.client), nobody);
                assert!(self.offered.contains(&address), "{address} was never offered");
            }
            // INIT-REBOOT.
            (Kind::Request, Some(address), None) | (Kind::Decline, Some(address), Some(_)) => {
                assert_eq!((source, sent.client), nobody);
                assert!(self.was_given(address), "{address} was never given");
            }
            // RENEWING and REBINDING.
            (Kind::Request, None, None) => {
                assert!(source == sent.client && self.was_given(source), "{source} was never given");
            }
            (Kind::Release, None, Some(_)) => {
                assert!(source == sent.client && self.was_given(source), "{source} was never given");
            }
            _ => panic!("{sent:?}, server {server:?}"),
        }
        let unicast = matches!(kind, Kind::Release) || (kind == Kind::Request && requested.is_none());
        assert!(unicast || destination == Ipv4Addr::BROADCAST, "{sent:?} to {destination}");
        let xid = [bytes[4], bytes[5], bytes[6], bytes[7]];
        // What the device had no room for comes again.
        if self.xids.last() != Some(&xid) {
            self.xids.push(xid);
            self.releases += usize::from(kind == Kind::Release);
        }
        self.last = Some(sent);
    }
}

impl Device for Segment {
    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: 1_500, checksum: false, gso_v4: None }
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        let payload = frame.payload.iter().flat_map(|slice| slice.bytes()).copied();
        let bytes: Vec<u8> = frame.header.iter().copied().chain(payload).collect();
        self.frames += 1;
        match bytes[12..14] {
            [8, 6] => {
                let said = arp::Repr::parse(&bytes[14..]).expect("a sound packet");
                let source = said.sender;
                assert!(source.is_unspecified() || self.was_given(source), "{source} was never given");
                self.asked_for_server |= said.target == super::SERVER;
            }
            [8, 0] => {
                let packet = ipv4::Packet::parse(&bytes[14..]).expect("a sound packet");
                let (source, data) = (packet.source(), packet.payload());
                if packet.protocol() == 17 && data[..4] == [0, 68, 0, 67] {
                    self.message(source, packet.destination(), &data[8..]);
                } else {
                    assert!(self.was_given(source), "{source} was never given");
                }
            }
            _ => panic!("{:?}", &bytes[..14]),
        }
        if self.room == 0 {
            return Err(TransmitError::Full);
        }
        self.room = self.room.saturating_sub(usize::from(self.room != usize::MAX));
        Ok(())
    }
}
