//! Any frame, and any change of a good one: no panic, and nothing sent that a device could not take.

use crate::host::{
    ALL, Host, Nobody, OUR_IP, THEIR_IP, THEIRS, arp, echo, icmp, ipv4, summed, tcp, to_us, udp,
};
use netstack::Duration;
use netstack::device::ReceiveChecksum;
use netstack::stack::Config;
use proptest::prelude::*;

/// Good frames to begin with.
fn good() -> Vec<Vec<u8>> {
    let mut offer = vec![0; 236];
    offer[..3].copy_from_slice(&[2, 1, 6]);
    offer.extend([99, 130, 83, 99, 53, 1, 2, 1, 4, 255, 255, 255, 0, 26, 2, 5, 220, 255]);
    vec![
        arp(ALL, 1, THEIRS, THEIR_IP, [0; 6], OUR_IP),
        to_us(&ipv4(1, &echo(b"0123456789"))),
        to_us(&ipv4(1, &icmp(3, 4, [0, 0, 5, 0], &ipv4(6, &tcp(0x10))))),
        to_us(&ipv4(17, &udp(67, 68, &offer))),
        to_us(&ipv4(17, &udp(5000, 53, b"question"))),
        to_us(&ipv4(6, &tcp(0x02))),
        to_us(&ipv4(6, &tcp(0x10))),
    ]
}

#[derive(Clone, Debug)]
struct Change {
    frame: usize,
    bytes: Vec<(usize, u8)>,
    length: Option<usize>,
    /// Makes the IP header's checksum right again, so that what is behind it is looked at.
    mend: bool,
    trusted: bool,
    wait: u64,
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = proptest::collection::vec((0_usize..330, any::<u8>()), 0..4);
    let length = proptest::option::of(0_usize..400);
    (0_usize..7, bytes, length, any::<bool>(), any::<bool>(), 0_u64..5_000_000).prop_map(
        |(frame, bytes, length, mend, trusted, wait)| Change { frame, bytes, length, mend, trusted, wait },
    )
}

fn play(mut host: Host, changes: Vec<Change>) {
    let good = good();
    for change in changes {
        let mut frame = good[change.frame].clone();
        for (at, value) in change.bytes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        if change.mend && frame[12..14] == [8, 0] && frame.len() >= 34 {
            frame[14] = frame[14].clamp(0x45, 0x46);
            let packet = summed(frame.split_off(14));
            frame.extend(packet);
        }
        if let Some(length) = change.length {
            frame.resize(length, 0);
        }
        let checksum = if change.trusted { ReceiveChecksum::Trusted } else { ReceiveChecksum::Unverified };
        host.stack.receive(&frame, checksum, host.now, &mut host.device, &mut Nobody);
        host.wait(Duration::from_micros(change.wait));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn changed_frames(changes in proptest::collection::vec(change(), 1..40)) {
        play(Host::new(), changes);
    }

    #[test]
    fn changed_frames_while_there_is_no_address(changes in proptest::collection::vec(change(), 1..40)) {
        play(Host::with(Config::Dhcp { name: None }), changes);
    }

    #[test]
    fn any_bytes(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let mut host = Host::new();
        for frame in frames {
            host.receive(&frame);
            host.receive(&to_us(&frame));
        }
    }
}
