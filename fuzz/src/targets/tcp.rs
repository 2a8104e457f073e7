//! TCP's header and options.

use crate::choices::Choices;
use netstack::wire::tcp::{Flags, Header, Options, Segment, Timestamps};

/// A segment: the payload is what follows the header, and what is emitted for what was read is read again as the same.
pub fn segment(input: &[u8]) {
    match Segment::parse(input) {
        Ok(segment) => {
            let offset = usize::from(input[12] >> 4) * 4;
            assert!(offset >= 20);
            assert_eq!(segment.payload, &input[offset..]);
            assert_eq!(segment.header.source.to_be_bytes(), input[..2]);
            assert_eq!(segment.header.flags.bits(), input[13]);
            let again = segment.header.emit(&segment.options);
            assert!(again.bytes().len() <= 60 && again.bytes().len().is_multiple_of(4));
            assert_eq!(again.bytes()[..12], input[..12]);
            check(&segment.header, &segment.options);
        }
        Err(error) => drop(error.to_string()),
    }
    let mut choices = Choices::new(input);
    let header = Header {
        source: choices.word(),
        destination: choices.word(),
        sequence: choices.half(),
        acknowledgment: choices.half(),
        flags: Flags::new(choices.byte()),
        window: choices.word(),
        urgent: choices.word(),
    };
    let mut options = Options {
        maximum_segment_size: choices.yes().then(|| choices.word()),
        window_scale: choices.yes().then(|| choices.byte()),
        sack_permitted: choices.yes(),
        timestamps: choices.yes().then(|| Timestamps { value: choices.half(), echo: choices.half() }),
        ..Options::default()
    };
    for _ in 0..choices.below(6) {
        options.sack.push(choices.half(), choices.half());
    }
    check(&header, &options);
}

/// What is emitted is read as it was; SACK blocks for which there is no room are left out from the end.
fn check(header: &Header, options: &Options) {
    let emitted = header.emit(options);
    assert_eq!(emitted.bytes().len(), 20 + options.length());
    let read = Segment::parse(emitted.bytes()).expect("what we emit");
    assert_eq!((read.header, read.payload), (*header, &[][..]));
    let blocks = read.options.sack.as_slice().len();
    let mut expected = *options;
    expected.sack.truncate(blocks as u8);
    assert_eq!(read.options, expected);
    assert!(blocks == options.sack.as_slice().len() || options.length() + 8 > 40);
}
