//! Fragments in and out (RFC 791 section 3.2, RFC 1122 sections 3.3.2 and 3.3.3).

use crate::host::{
    ALL, Host, OUR_IP, OURS, THEIR_IP, THEIRS, arp, echo, fragment, frame, ipv4, ipv4_between, joined,
    payload, summed, to_us, udp,
};
use netstack::Duration;
use netstack::device::TransmitError;
use netstack::wire::checksum::Sum;
use proptest::prelude::*;

/// Bytes that tell where they stand.
fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n / 251 + n) as u8).collect()
}

/// An echo request of `length` bytes of data in fragments of at most `size`, as frames.
fn request(identification: u16, length: usize, size: usize) -> Vec<Vec<u8>> {
    let message = echo(&data(length));
    let cut = |(number, part): (usize, &[u8])| {
        let offset = number * size;
        to_us(&fragment(identification, 1, offset, offset + part.len() < message.len(), part))
    };
    message.chunks(size).enumerate().map(cut).collect()
}

fn host() -> Host {
    let mut host = Host::new();
    host.meet();
    host
}

/// Gives all frames; what is sent.
fn give(host: &mut Host, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    frames.iter().flat_map(|frame| host.receive(frame)).collect()
}

#[track_caller]
fn is_reply(frames: &[Vec<u8>], length: usize) {
    let reply = joined(frames);
    assert_eq!(reply[..2], [0, 0]);
    assert_eq!(reply[4..8], [0x12, 0x34, 0, 1]);
    assert!(reply[8..] == data(length));
    assert_eq!(Sum::new().bytes(&reply).checksum(), 0);
}

/// 65,507 bytes of data make an ICMP message of 65,515 and a packet of 65,535: the longest that there is.
#[test]
fn the_longest_echo_comes_and_goes_in_fragments() {
    for length in [1_473, 1_480, 2_952, 65_507] {
        let mut host = host();
        let sent = give(&mut host, &request(7, length, 1_480));
        assert_eq!(sent.len(), (length + 8).div_ceil(1_480));
        assert!(sent.iter().all(|frame| frame.len() <= 1_514));
        is_reply(&sent, length);
        assert_eq!((host.counter("ipv4_reassembled"), host.counter("ipv4_cut")), (1, 1));
        assert_eq!(host.counter("icmp_echo"), 1);
    }
}

#[test]
fn beyond_the_longest_packet_nothing_is_kept() {
    let mut host = host();
    let frames = request(7, 65_507, 1_480);
    give(&mut host, &frames[..44]);
    // The ping of death: it would end at 65,536.
    let last = to_us(&fragment(7, 1, 44 * 1_480, false, &[0; 396]));
    assert!(host.receive(&last).is_empty());
    assert_eq!(host.counter("ipv4_fragment_malformed"), 1);
    is_reply(&host.receive(&frames[44]), 65_507);
}

#[test]
fn in_any_order_and_twice() {
    let mut host = host();
    let mut frames = request(7, 8_000, 1_000);
    frames.reverse();
    is_reply(&give(&mut host, &frames), 8_000);
    let mut frames = request(8, 8_000, 1_000);
    frames.swap(0, 4);
    frames.swap(2, 7);
    let mut twice: Vec<_> = frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect();
    twice.pop();
    is_reply(&give(&mut host, &twice), 8_000);
    assert_eq!(host.counter("ipv4_fragment_duplicate"), 8);
}

/// RFC 5722 section 4, for IPv4: all of the datagram is dropped, and what is still to come of it.
#[test]
fn an_overlap_ends_the_datagram() {
    let part =
        |offset: usize, length: usize, value: u8| to_us(&fragment(7, 1, offset, true, &vec![value; length]));
    for (name, wrong) in [
        ("over the end of one", part(1_992, 16, 1)),
        ("over the start of one", part(3_992, 16, 1)),
        ("over a whole one", part(992, 1_016, 1)),
        ("inside one, with other bytes", part(1_000, 8, 1)),
        ("over both ends of a hole", part(1_992, 2_016, 1)),
    ] {
        let mut host = host();
        let frames = request(7, 6_000, 1_000);
        give(&mut host, &frames[..2]);
        give(&mut host, &frames[4..6]);
        assert!(host.receive(&wrong).is_empty());
        assert!(give(&mut host, &frames).is_empty(), "{name}");
        assert_eq!(host.counter("ipv4_fragment_overlap"), 1 + 7, "{name}");
        // Its number may be used again when its time is over.
        host.wait(Duration::from_secs(61));
        assert_eq!(host.counter("icmp_refused"), 0, "silently");
        host.meet();
        is_reply(&give(&mut host, &frames), 6_000);
    }
}

#[test]
fn two_ends_contradict_each_other() {
    let frames = request(7, 3_000, 1_000);
    for wrong in [
        fragment(7, 1, 2_000, false, &[0; 8]),
        fragment(7, 1, 4_000, false, &[0; 8]),
        fragment(7, 1, 4_000, true, &[0; 8]),
    ] {
        let mut host = host();
        host.receive(&frames[3]);
        host.receive(&to_us(&wrong));
        assert!(give(&mut host, &frames[..3]).is_empty());
        assert_eq!(host.counter("ipv4_fragment_overlap"), 4);
    }
    let mut host = host();
    host.receive(&frames[2]);
    host.receive(&to_us(&fragment(7, 1, 1_000, false, &[0; 8])));
    assert_eq!(host.counter("ipv4_fragment_overlap"), 1);
}

#[test]
fn fragments_that_cannot_be() {
    let mut host = host();
    for (offset, more, length) in [(0, true, 0), (0, true, 7), (8, true, 1_001), (8, false, 0)] {
        assert!(host.receive(&to_us(&fragment(7, 1, offset, more, &vec![0; length]))).is_empty());
    }
    assert_eq!(host.counter("ipv4_fragment_malformed"), 4);
    assert_eq!(host.stack.next_deadline(), None, "nothing waits");
}

/// RFC 791: source, destination, protocol and identification, all four.
#[test]
fn fragments_of_different_packets_do_not_mix() {
    let mut host = host();
    let message = echo(&data(1_000));
    host.receive(&to_us(&fragment(7, 1, 0, true, &message[..800])));
    let last = |identification, protocol| fragment(identification, protocol, 800, false, &message[800..]);
    let mut other_source = last(7, 1);
    other_source[15] ^= 1;
    for packet in [last(8, 1), last(7, 17), summed(other_source)] {
        assert!(host.receive(&to_us(&packet)).is_empty());
    }
    is_reply(&host.receive(&to_us(&last(7, 1))), 1_000);
}

/// RFC 1122 section 3.3.2: after 60 s, time exceeded (type 11, code 1) about the first fragment, if that one came.
#[test]
fn time_runs_out() {
    let mut host = host();
    let first = fragment(7, 17, 0, true, &udp(5_000, 53, &[1; 1_000]));
    host.receive(&to_us(&first));
    host.receive(&to_us(&fragment(8, 17, 1_000, false, &[1; 8])));
    let start = host.now;
    host.wait(Duration::from_secs(59));
    host.meet();
    let sent = host.wait_for_deadline();
    assert_eq!(host.now.since(start), Duration::from_secs(60));
    assert_eq!((host.counter("ipv4_reassembly_timeout"), host.counter("icmp_refused")), (2, 1));
    assert_eq!(sent.len(), 1);
    let message = payload(&sent[0]);
    assert_eq!(message[..2], [11, 1]);
    assert_eq!(message[4..8], [0; 4]);
    assert_eq!(message[8..], first[..548]);
    assert_eq!(Sum::new().bytes(message).checksum(), 0);
    // Never about an ICMP error, nor about what went to everybody.
    let error = fragment(9, 1, 0, true, &[3; 16]);
    host.receive(&to_us(&error));
    let broadcast = ipv4_between(THEIR_IP, [192, 0, 2, 255], 17, &udp(5_000, 53, &[0; 8]));
    let mut broadcast = broadcast;
    broadcast[6] = 0x20;
    host.receive(&frame(ALL, THEIRS, 0x0800, &summed(broadcast)));
    host.wait(Duration::from_secs(61));
    assert_eq!((host.counter("ipv4_reassembly_timeout"), host.counter("icmp_refused")), (4, 1));
    assert_eq!(host.counter("ipv4_no_route"), 0, "nothing was tried");
}

/// The oldest make room; a packet whose fragments come together is whole all the same.
#[test]
fn a_flood_displaces_what_waited_longest() {
    let mut host = host();
    let waiting = request(1, 3_000, 1_480);
    host.receive(&waiting[0]);
    for identification in 100..163 {
        host.receive(&to_us(&fragment(identification, 17, 8, true, &[0; 8])));
    }
    assert_eq!(host.counter("ipv4_reassembly_evicted"), 0, "64 may wait");
    is_reply(&give(&mut host, &waiting[1..]), 3_000);
    host.receive(&waiting[0]);
    for identification in 200..1_200 {
        host.receive(&to_us(&fragment(identification, 17, 8, true, &[0; 8])));
    }
    assert!(give(&mut host, &waiting[1..]).is_empty());
    assert_eq!(host.counter("ipv4_reassembly_evicted"), 1 + 63 + 1_000 - 64 + 1);
    is_reply(&give(&mut host, &request(2, 30_000, 1_480)), 30_000);
}

/// 256 KiB in all.
#[test]
fn bytes_are_bounded() {
    let mut host = host();
    for identification in 0..60 {
        for number in 0..20 {
            let offset = number * 2_960;
            host.receive(&to_us(&fragment(identification, 17, offset, true, &[0; 1_480])));
        }
    }
    // 20 runs of 1,480 and 32 bytes, and 256 (and a header): 8 of them fit.
    assert_eq!(host.counter("ipv4_reassembly_evicted"), 60 - 8);
    is_reply(&give(&mut host, &request(100, 65_507, 1_480)), 65_507);
}

#[test]
fn holes_are_bounded() {
    let mut host = host();
    for number in 0..200 {
        host.receive(&to_us(&fragment(7, 17, number * 16, true, &[0; 8])));
    }
    assert_eq!(host.counter("ipv4_reassembly_full"), 1, "128 runs");
    assert_eq!(host.counter("ipv4_fragment_overlap"), 71, "what follows is dropped");
}

/// A datagram's checksum is looked at when it is whole; its refusal quotes a packet that is no fragment.
#[test]
fn what_is_whole_is_treated_as_if_it_had_come_so() {
    let mut host = host();
    let datagram = udp(5_000, 53, &data(2_000));
    host.receive(&to_us(&fragment(7, 17, 0, true, &datagram[..1_000])));
    let sent = host.receive(&to_us(&fragment(7, 17, 1_000, false, &datagram[1_000..])));
    let message = payload(&sent[0]);
    assert_eq!(message[..2], [3, 3]);
    let quoted = &message[8..];
    assert_eq!(Sum::new().bytes(&quoted[..20]).checksum(), 0);
    assert_eq!((&quoted[2..4], &quoted[6..8]), (&2_028_u16.to_be_bytes()[..], &[0, 0][..]));
    assert_eq!(quoted[20..], datagram[..528]);
    let mut message = echo(&data(2_000));
    message[2] ^= 1;
    host.receive(&to_us(&fragment(8, 1, 0, true, &message[..1_000])));
    host.receive(&to_us(&fragment(8, 1, 1_000, false, &message[1_000..])));
    assert_eq!(host.counter("icmp_checksum"), 1);
}

/// RFC 3168 section 5.3.
#[test]
fn congestion_marks_of_fragments() {
    let mark = |mut packet: Vec<u8>, bits: u8| {
        packet[1] = bits;
        summed(packet)
    };
    // Seen in the quotation of a refused packet: 0x40 is RFC 2474's, of the first one.
    for (first, second, whole) in [
        (0x40, 0, Some(0x40)),
        (0x42, 2, Some(0x42)),
        (0x41, 1, Some(0x41)),
        (0x42, 1, Some(0x42)),
        (0x42, 3, Some(0x43)),
        (0x43, 1, Some(0x43)),
        (0x42, 0, Some(0x40)),
        (0x43, 0, None),
    ] {
        let mut host = host();
        host.receive(&to_us(&mark(fragment(7, 132, 0, true, &[0; 8]), first)));
        let sent = host.receive(&to_us(&mark(fragment(7, 132, 8, false, &[0; 8]), second)));
        let seen = sent.first().map(|frame| payload(frame)[8 + 1]);
        assert_eq!(seen, whole, "{first:#x} {second}");
        assert_eq!(host.counter("ipv4_fragment_ecn"), u64::from(whole.is_none()));
    }
}

/// RFC 1122 section 2.3.2.2 asks for one packet; of one in many pieces, none waits rather than some.
#[test]
fn a_long_reply_to_a_stranger_is_lost_whole() {
    let mut host = Host::new();
    assert_eq!(give(&mut host, &request(7, 5_000, 1_480)).len(), 1, "the ARP request");
    assert_eq!((host.counter("neighbour_held"), host.counter("icmp_echo_lost")), (0, 0));
    let mut host = Host::new();
    assert_eq!(give(&mut host, &request(7, 6_000, 1_480)).len(), 1, "the ARP request");
    assert_eq!((host.counter("neighbour_held"), host.counter("icmp_echo_lost")), (1, 1));
    assert!(host.receive(&arp(OURS, 2, THEIRS, THEIR_IP, OURS.0, OUR_IP)).is_empty());
}

#[test]
fn fragments_wait_for_a_full_device() {
    let mut host = host();
    host.device.fails = Some(TransmitError::Full);
    assert!(give(&mut host, &request(7, 65_507, 1_480)).is_empty());
    host.device.fails = None;
    host.poll();
    is_reply(&host.sent(), 65_507);
}

#[test]
fn a_small_mtu_cuts_more_finely() {
    let mut host = host();
    host.device.capabilities.mtu = 69;
    let sent = host.receive(&to_us(&ipv4(1, &echo(&data(100)))));
    assert_eq!(sent.iter().map(|frame| frame.len() - 34).collect::<Vec<_>>(), [48, 48, 12]);
    is_reply(&sent, 100);
}

#[derive(Clone, Debug)]
struct Piece {
    identification: u16,
    offset: usize,
    length: usize,
    more: bool,
    value: u8,
    wait: u64,
}

fn piece() -> impl Strategy<Value = Piece> {
    (0_u16..3, 0_usize..12, 0_usize..40, any::<bool>(), 0_u8..2, 0_u64..2_000_000).prop_map(
        |(identification, offset, length, more, value, wait)| {
            let (offset, length) = (offset * 8, if more { length / 8 * 8 } else { length });
            Piece { identification, offset, length, more, value, wait }
        },
    )
}

proptest! {
    /// Against a plain model: a packet is delivered just when pieces without a contradiction cover it.
    #[test]
    fn as_a_plain_model(pieces in proptest::collection::vec(piece(), 1..60)) {
        let mut host = host();
        host.device.capabilities.mtu = 1_500;
        let mut models = [Model::default(), Model::default(), Model::default()];
        for piece in pieces {
            let bytes = vec![piece.value; piece.length];
            let packet = fragment(piece.identification, 132, piece.offset, piece.more, &bytes);
            let before = host.counter("ipv4_protocol");
            if piece.offset == 0 && !piece.more {
                continue;
            }
            host.receive(&to_us(&packet));
            let whole = models[usize::from(piece.identification)].add(&piece);
            prop_assert_eq!(host.counter("ipv4_protocol") - before, u64::from(whole), "{:?}", piece);
            host.wait(Duration::from_micros(piece.wait / 100));
        }
    }
}

#[derive(Default)]
struct Model {
    bytes: Vec<Option<u8>>,
    end: Option<usize>,
    spoiled: bool,
}

impl Model {
    fn add(&mut self, piece: &Piece) -> bool {
        if piece.length == 0 || self.spoiled {
            return false;
        }
        let end = piece.offset + piece.length;
        let room = self.bytes.len().max(end);
        let mut bytes = self.bytes.clone();
        bytes.resize(room, None);
        let there = &bytes[piece.offset..end];
        if there.iter().all(|byte| *byte == Some(piece.value)) {
            return false;
        }
        let beyond = self.end.is_some_and(|known| if piece.more { end > known } else { end != known });
        let past = !piece.more && self.end.is_none() && self.bytes.len() > end;
        if beyond || past || there.iter().any(Option::is_some) {
            *self = Self { spoiled: true, ..Self::default() };
            return false;
        }
        bytes[piece.offset..end].fill(Some(piece.value));
        self.bytes = bytes;
        if !piece.more {
            self.end = Some(end);
        }
        if self.end == Some(self.bytes.len()) && self.bytes.iter().all(Option::is_some) {
            *self = Self::default();
            return true;
        }
        false
    }
}
