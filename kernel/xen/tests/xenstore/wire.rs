//! The message format, typed by hand from io/xs_wire.h.

use std::mem::{offset_of, size_of};
use xen::xenstore::XenstoreInterface;
use xen::xenstore::wire::{Errno, Header, MessageType, terminated, watch_event};

#[test]
fn the_page_lies_as_in_the_header() {
    assert_eq!(offset_of!(XenstoreInterface, requests), 0);
    assert_eq!(offset_of!(XenstoreInterface, replies), 1024);
    assert_eq!(offset_of!(XenstoreInterface, requests_consumed), 2048);
    assert_eq!(offset_of!(XenstoreInterface, requests_produced), 2052);
    assert_eq!(offset_of!(XenstoreInterface, replies_consumed), 2056);
    assert_eq!(offset_of!(XenstoreInterface, replies_produced), 2060);
    assert_eq!(offset_of!(XenstoreInterface, server_features), 2064);
    assert_eq!(offset_of!(XenstoreInterface, connection), 2068);
    assert_eq!(offset_of!(XenstoreInterface, error), 2072);
    assert_eq!(size_of::<XenstoreInterface>(), 2076);
}

#[test]
fn a_header_is_four_words() {
    let header = Header { kind: 11, request: 0x0102_0304, transaction: 7, length: 0x1000 };
    let bytes = [11, 0, 0, 0, 4, 3, 2, 1, 7, 0, 0, 0, 0, 0x10, 0, 0];
    assert_eq!(header.emit(), bytes);
    assert_eq!(Header::parse(&bytes), header);
}

#[test]
fn types_have_the_numbers_of_the_header() {
    for (kind, number) in [
        (MessageType::Directory, 1),
        (MessageType::Read, 2),
        (MessageType::Watch, 4),
        (MessageType::Unwatch, 5),
        (MessageType::TransactionStart, 6),
        (MessageType::TransactionEnd, 7),
        (MessageType::Write, 11),
        (MessageType::Rm, 13),
        (MessageType::WatchEvent, 15),
        (MessageType::Error, 16),
        (MessageType::ResetWatches, 21),
    ] {
        assert_eq!(kind.number(), number, "{kind:?}");
        assert!(MessageType::is_known(number));
    }
    assert!(![0, 3, 8, 20, 22, 0xffff, u32::MAX].iter().any(|number| MessageType::is_known(*number)));
}

#[test]
fn errors_travel_by_name() {
    for (name, errno) in [
        ("EINVAL", Errno::EINVAL),
        ("EACCES", Errno::EACCES),
        ("EEXIST", Errno::EEXIST),
        ("EISDIR", Errno::EISDIR),
        ("ENOENT", Errno::ENOENT),
        ("ENOMEM", Errno::ENOMEM),
        ("ENOSPC", Errno::ENOSPC),
        ("EIO", Errno::EIO),
        ("ENOTEMPTY", Errno::ENOTEMPTY),
        ("ENOSYS", Errno::ENOSYS),
        ("EROFS", Errno::EROFS),
        ("EBUSY", Errno::EBUSY),
        ("EAGAIN", Errno::EAGAIN),
        ("EISCONN", Errno::EISCONN),
        ("E2BIG", Errno::E2BIG),
        ("EPERM", Errno::EPERM),
    ] {
        assert_eq!(Errno::parse(name.as_bytes()), errno);
        assert_eq!(errno.to_string(), name);
    }
    for unknown in ["", "ENOENT ", "enoent", "EWOULDBLOCK"] {
        assert_eq!(Errno::parse(unknown.as_bytes()), Errno::Unknown);
    }
}

#[test]
fn strings_are_closed_by_a_nul() {
    assert_eq!(terminated(b"a\0"), Some(&b"a"[..]));
    assert_eq!(terminated(b"\0"), Some(&b""[..]));
    assert_eq!(terminated(b""), None);
    assert_eq!(terminated(b"a"), None);
    assert_eq!(watch_event(b"control/shutdown\0t\0"), Some((&b"control/shutdown"[..], &b"t"[..])));
    for broken in [&b""[..], b"a", b"a\0", b"a\0b", b"a\0b\0c\0"] {
        assert_eq!(watch_event(broken), None, "{broken:?}");
    }
}
