//! Ethernet and ARP.

use netstack::wire::{arp, ethernet};

/// A frame's header: whatever is read is what was written.
pub fn ethernet(input: &[u8]) {
    let parsed = ethernet::Repr::parse(input);
    assert_eq!(parsed.is_some(), input.len() >= 14);
    if let Some((header, payload)) = parsed {
        assert_eq!(header.emit(), input[..14]);
        assert_eq!(payload, &input[14..]);
        let _ = header.source.to_string();
        assert!(!(header.source.is_station() && header.source.is_multicast()));
    }
}

/// An ARP packet: the same, and nothing but Ethernet and IPv4 is read.
pub fn arp(input: &[u8]) {
    match arp::Repr::parse(input) {
        Ok(packet) => {
            assert_eq!(packet.emit(), input[..28]);
            assert_eq!(input[..6], [0, 1, 8, 0, 6, 4]);
        }
        Err(error) => {
            let _ = error.to_string();
            let sound =
                input.len() >= 28 && input[..6] == [0, 1, 8, 0, 6, 4] && matches!(input[6..8], [0, 1 | 2]);
            assert!(!sound, "{error}: {input:x?}");
        }
    }
}
