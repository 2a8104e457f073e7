//! The network rings' slots.

use crate::choices::Choices;
use xen::netif::{Extra, ExtraInfo, RxRequest, RxResponse, TxRequest, TxResponse};

/// Any words are a slot; written again they are the same, where the slot has a field for each bit.
pub fn netif(input: &[u8]) {
    let mut choices = Choices::new(input);
    let words = [choices.half(), choices.half(), choices.half()];
    assert_eq!(TxRequest::decode(words).encode(), words);
    assert_eq!(TxResponse::decode(words[0]).encode(), words[0]);
    let two = [words[0], words[1]];
    assert_eq!(RxResponse::decode(two).encode(), two);
    let request = RxRequest::decode(two);
    assert_eq!(request.encode(), [words[0] & 0xffff, words[1]]);
    let info = ExtraInfo::decode(two);
    assert_eq!(ExtraInfo::decode(info.encode()), info);
    let kind = words[0] as u8;
    match info.extra {
        Extra::Gso { size, kind: gso } => {
            assert_eq!((kind, u32::from(size), gso), (1, words[0] >> 16, words[1] as u8));
        }
        Extra::Other(other) => assert!(kind == other && kind != 1),
    }
    assert_eq!(info.more, words[0] >> 8 & 1 == 1);
}
