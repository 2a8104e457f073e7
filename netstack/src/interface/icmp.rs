//! ICMP (RFC 792, RFC 1122 section 3.2.2): echo, what we refuse, and what others refuse us.

use super::receive::Received;
use super::{Delivery, Interface, Outlet};
use crate::addressing::Addressing;
use crate::device::{Device, Slice};
use crate::egress::{Ecn, Unreachable};
use crate::path_mtu;
use crate::time::Instant;
use crate::wire::icmpv4::{Malformed, Packet, Refusal, is_echo};
use crate::wire::ipv4;

/// The most of a refused packet that is quoted, so that the whole message is at most 576 bytes (RFC 1812 section 4.3.2.3).
const QUOTED: usize = 548;

impl Interface {
    pub(super) fn receive_icmp<'a>(
        &mut self,
        received: &Received<'a>,
        now: Instant,
        device: &mut impl Device,
    ) -> Option<Delivery<'a>> {
        match Packet::parse(received.packet.payload()) {
            Err(Malformed::Short) => self.counters.icmp_short.count(),
            Err(Malformed::Checksum) => self.counters.icmp_checksum.count(),
            // One that went to many would be answered by many (RFC 1122 section 3.2.2.6).
            Ok(Packet::Echo(echo)) if received.unicast => {
                let reply = ipv4::Repr {
                    source: received.packet.destination(),
                    destination: received.packet.source(),
                    protocol: ipv4::ICMP,
                    payload: u16::try_from(received.packet.payload().len()).unwrap_or(u16::MAX),
                    identification: Some(self.identification()),
                    part: ipv4::Part::default(),
                    ecn: Ecn::NotCapable,
                };
                let data = [Slice::Borrowed(echo.data)];
                match (Outlet::new(self, device, now)).send_ipv4(&reply, &echo.reply(), &data) {
                    Ok(()) => self.counters.icmp_echo.count(),
                    Err(_) => self.counters.icmp_echo_lost.count(),
                }
            }
            Ok(Packet::Unreachable { why, quoted }) => match quoted_tcp(received, quoted) {
                Some(ours) => {
                    let why = match why {
                        Unreachable::PacketTooBig { mtu: told } => {
                            let Some(mtu) = path_mtu::limit(told, ours.total_length()) else {
                                self.counters.icmp_too_big_ignored.count();
                                return None;
                            };
                            Unreachable::PacketTooBig { mtu }
                        }
                        why => why,
                    };
                    return Some(Delivery::TcpUnreachable {
                        local: ours.source().into(),
                        remote: ours.destination().into(),
                        quoted: ours.payload(),
                        why,
                    });
                }
                None => self.counters.icmp_quoted.count(),
            },
            Ok(Packet::Echo(_) | Packet::Dropped { .. } | Packet::Other { .. }) => {
                self.counters.icmp_ignored.count()
            }
        }
        None
    }

    /// Tells the sender that what it sent is not taken here; never for what went to many (RFC 1122 section 3.2.2).
    pub(super) fn refuse(
        &mut self,
        refusal: Refusal,
        received: &Received<'_>,
        now: Instant,
        device: &mut impl Device,
    ) {
        if received.unicast {
            self.complain(refusal, received.bytes, now, device);
        }
    }

    /// Tells the sender of a first fragment that the others did not come in time.
    pub(super) fn give_up(&mut self, fragment: &[u8], now: Instant, device: &mut impl Device) {
        let ours = self.addressing.as_ref().map(Addressing::address);
        if ipv4::Packet::quoted(fragment).is_ok_and(|packet| Some(packet.destination()) == ours) {
            self.complain(Refusal::Reassembly, fragment, now, device);
        }
    }

    /// Sends an error message about a packet, of which `bytes` are the start.
    fn complain(&mut self, refusal: Refusal, bytes: &[u8], now: Instant, device: &mut impl Device) {
        let Ok(packet) = ipv4::Packet::quoted(bytes) else { return };
        // RFC 1122 section 3.2.2: never about an ICMP error message.
        if packet.protocol() == ipv4::ICMP && !is_echo(packet.payload()) {
            return;
        }
        if !self.refusals.take(now) {
            return self.counters.icmp_limited.count();
        }
        let quoted = bytes.get(..QUOTED).unwrap_or(bytes);
        let header = refusal.emit(quoted);
        let repr = ipv4::Repr {
            source: packet.destination(),
            destination: packet.source(),
            protocol: ipv4::ICMP,
            payload: u16::try_from(header.len().saturating_add(quoted.len())).unwrap_or(u16::MAX),
            identification: Some(self.identification()),
            part: ipv4::Part::default(),
            ecn: Ecn::NotCapable,
        };
        let sent = Outlet::new(self, device, now).send_ipv4(&repr, &header, &[Slice::Borrowed(quoted)]);
        if sent.is_ok() {
            self.counters.icmp_refused.count();
        }
    }

    /// An identification for a packet that routers may cut; unpredictable, so that it counts nothing for others (RFC 7739).
    pub(super) fn identification(&mut self) -> u16 {
        let [a, b, ..] = self.random.half().to_le_bytes();
        u16::from_le_bytes([a, b])
    }
}

/// The TCP packet that an ICMP error quotes, if it is one that we sent.
fn quoted_tcp<'a>(received: &Received<'_>, quoted: &'a [u8]) -> Option<ipv4::Packet<'a>> {
    let packet = ipv4::Packet::quoted(quoted).ok()?;
    let ours = packet.source() == received.packet.destination() && packet.protocol() == ipv4::TCP;
    (ours && received.unicast && !packet.is_fragment()).then_some(packet)
}
