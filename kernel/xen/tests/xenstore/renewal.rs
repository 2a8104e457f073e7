//! A certificate and its key through the store, and what may go wrong with them.

use crate::daemon::{Store, fresh, message};
use std::sync::atomic::{AtomicUsize, Ordering};
use xen::renewal::{Renewal, RenewalError, take};
use xen::xenstore::{Errno, Error};

fn plain(bytes: &mut [u8]) {
    bytes.fill(0);
}

fn put(store: &Store, nodes: &[(&str, &[u8])]) {
    for (name, value) in nodes {
        // What xenstored takes (`is_valid_nodename`).
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/_@".contains(&byte)), "{name}");
        store.borrow_mut().tree.insert(format!("data/tls/{name}"), value.to_vec());
    }
}

/// The names that are left in the folder.
fn left(store: &Store) -> Vec<String> {
    let store = store.borrow();
    store.tree.keys().filter_map(|path| path.strip_prefix("data/tls/")).map(String::from).collect()
}

fn refused(nodes: &[(&str, &[u8])]) -> RenewalError {
    let (mut client, store) = fresh();
    put(&store, nodes);
    let error = take(&mut client, plain).unwrap().unwrap().unwrap_err();
    assert_eq!(left(&store), [""; 0], "what is refused is removed too: {error}");
    error
}

#[test]
fn parts_are_joined_in_their_order_and_removed() {
    let (mut client, store) = fresh();
    let (first, last) = ([b'a'; 3072], [b'b'; 100]);
    put(&store, &[("cert-0", &first), ("cert-1", &last), ("key-0", b"secret"), ("reload", b"2 1")]);
    // Of one that was broken off.
    put(&store, &[("key-3", b"old"), ("cert-9", b"old"), ("status", b"ok")]);
    let Renewal { certificate, key } = take(&mut client, plain).unwrap().unwrap().unwrap();
    assert_eq!(&*certificate, [&first[..], &last[..]].concat());
    assert_eq!(&*key, b"secret");
    assert_eq!(left(&store), ["status"]);
    assert!(take(&mut client, plain).unwrap().is_none());
}

#[test]
fn the_most_parts_of_the_greatest_size_come_whole() {
    let (mut client, store) = fresh();
    let part = [b'x'; 3072];
    for number in 0..16 {
        put(&store, &[(&format!("cert-{number}"), &part)]);
    }
    for number in 0..4 {
        put(&store, &[(&format!("key-{number}"), &part)]);
    }
    put(&store, &[("reload", b"16 4")]);
    let renewal = take(&mut client, plain).unwrap().unwrap().unwrap();
    assert_eq!((renewal.certificate.len(), renewal.key.len()), (49152, 12288));
    assert_eq!(left(&store), [""; 0]);
}

#[test]
fn without_the_word_nothing_happens() {
    let (mut client, store) = fresh();
    assert!(take(&mut client, plain).unwrap().is_none());
    put(&store, &[("cert-0", b"c"), ("key-0", b"k")]);
    assert!(take(&mut client, plain).unwrap().is_none());
    put(&store, &[("reload", b"")]);
    assert!(take(&mut client, plain).unwrap().is_none());
    assert_eq!(left(&store), ["cert-0", "key-0", "reload"]);
}

#[test]
fn a_word_that_makes_no_sense_is_refused() {
    let words: [&[u8]; 12] = [
        b"1",
        b"0 1",
        b"1 0",
        b"17 1",
        b"1 5",
        b"-1 1",
        b"+1 1",
        b"1  1",
        b"1 1 1",
        b"1 1\n",
        b"\xff 1",
        b"99999999999999999999 1",
    ];
    for word in words {
        assert_eq!(refused(&[("cert-0", b"c"), ("key-0", b"k"), ("reload", word)]), RenewalError::Form);
    }
}

#[test]
fn a_part_that_is_missing_or_too_long_is_named() {
    let missing = |path: &str| RenewalError::Missing(format!("data/tls/{path}"));
    assert_eq!(refused(&[("key-0", b"k"), ("reload", b"1 1")]), missing("cert-0"));
    assert_eq!(refused(&[("cert-0", b"c"), ("key-0", b"k"), ("reload", b"2 1")]), missing("cert-1"));
    assert_eq!(refused(&[("cert-0", b"c"), ("reload", b"1 1")]), missing("key-0"));
    let long = [b'x'; 3073];
    assert_eq!(
        refused(&[("cert-0", b"c"), ("key-0", &long), ("reload", b"1 1")]),
        RenewalError::TooLong("data/tls/key-0".into(), 3073)
    );
}

#[test]
fn a_store_that_fails_is_asked_again_later() {
    let (mut client, store) = fresh();
    put(&store, &[("cert-0", b"c"), ("key-0", b"k"), ("reload", b"1 1")]);
    let granted = (|id| message(2, id, 0, b"1 1")) as fn(u32) -> Vec<u8>;
    for good in 0..3 {
        store.borrow_mut().lies.extend(std::iter::repeat_n(granted, good));
        store.borrow_mut().lies.push_back(|id| message(16, id, 0, b"EIO\0"));
        assert_eq!(take(&mut client, plain).unwrap_err(), Error::Refused(Errno::EIO));
        assert_eq!(left(&store), ["cert-0", "key-0", "reload"]);
    }
    assert_eq!(&*take(&mut client, plain).unwrap().unwrap().unwrap().key, b"k");
}

/// Bytes of keys that were wiped, wherever they were.
static WIPED: AtomicUsize = AtomicUsize::new(0);

fn counting(bytes: &mut [u8]) {
    WIPED.fetch_add(bytes.iter().filter(|byte| **byte == 0xa7).count(), Ordering::Relaxed);
    bytes.fill(0);
}

#[test]
fn a_key_is_wiped_wherever_it_has_been() {
    let (mut client, store) = fresh();
    client.set_wipe(counting);
    put(&store, &[("cert-0", b"c"), ("key-0", &[0xa7; 1000]), ("reload", b"1 1")]);
    drop(take(&mut client, counting).unwrap().unwrap().unwrap());
    // The buffer between the ring and the message, the message, and the key that was handed out.
    assert_eq!(WIPED.swap(0, Ordering::Relaxed), 3000);

    // A reply that comes after its time-out: what was kept of it, and what is thrown away unread.
    put(&store, &[("key-0", &[0xa7; 1000])]);
    store.borrow_mut().trickle = 1;
    assert_eq!(client.read("data/tls/key-0").unwrap().len(), 1000);
    assert_eq!(WIPED.swap(0, Ordering::Relaxed), 1000);
    let lie = |id| message(2, id, 0, &[0xa7; 500])[..400].to_vec();
    store.borrow_mut().lies.push_back(lie);
    assert_eq!(client.read("data/tls/key-0"), Err(Error::TimedOut));
    assert_eq!(WIPED.swap(0, Ordering::Relaxed), 2 * 384);
}
