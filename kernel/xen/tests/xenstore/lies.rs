//! Calls to a store that errs: nothing panics or grows, what is dropped is counted, and the next call works.

use crate::daemon::{daemon, fresh, message, page, session};
use proptest::prelude::*;
use std::sync::atomic::Ordering::SeqCst;
use xen::ring::IndexError;
use xen::xenstore::client::Client;
use xen::xenstore::wire::MessageType;
use xen::xenstore::{Errno, Error, StoreCounters};

/// What a read yields when its reply is this; the next one has to work.
fn read_against(lie: fn(u32) -> Vec<u8>) -> (Result<Vec<u8>, Error>, StoreCounters) {
    let (mut client, store) = fresh();
    store.borrow_mut().tree.insert("node".into(), b"value".to_vec());
    store.borrow_mut().lies.push_back(lie);
    let result = client.read("node");
    assert_eq!(client.read("node").unwrap(), b"value", "the next call works");
    (result, *client.client().counters())
}

/// The counters that are not 0.
fn counted(counters: StoreCounters) -> Vec<(&'static str, u64)> {
    counters.iter().filter(|(_, count)| *count != 0).collect()
}

#[test]
fn a_reply_of_another_type_fails_the_call() {
    let (result, counters) = read_against(|id| message(1, id, 0, b"value"));
    assert_eq!((result, counted(counters)), (Err(Error::Malformed), vec![("store_wrong_type", 1)]));
}

#[test]
fn a_reply_of_no_type_fails_the_call() {
    for lie in [|id| message(99, id, 0, b"value"), |id| message(0xFFFF, id, 0, b"")] {
        let (result, counters) = read_against(lie);
        assert_eq!((result, counted(counters)), (Err(Error::Malformed), vec![("store_unknown_type", 1)]));
    }
}

#[test]
fn a_reply_to_another_request_is_not_ours() {
    let (result, counters) = read_against(|id| message(2, id + 7, 0, b"theirs"));
    assert_eq!(result, Err(Error::TimedOut));
    assert_eq!(counted(counters), [("store_unmatched", 1), ("store_timed_out", 1)]);
}

#[test]
fn a_second_reply_is_dropped() {
    let (result, counters) =
        read_against(|id| [message(2, id, 0, b"first"), message(2, id, 0, b"second")].concat());
    assert_eq!((result.unwrap(), counted(counters)), (b"first".to_vec(), vec![("store_unmatched", 1)]));
}

#[test]
fn an_error_without_a_nul_is_unknown() {
    let (result, counters) = read_against(|id| message(16, id, 0, b"ENOENT"));
    assert_eq!(
        (result, counted(counters)),
        (Err(Error::Refused(Errno::Unknown)), vec![("store_malformed", 1)])
    );
    let (result, _) = read_against(|id| message(16, id, 0, b"ENOTALENT\0"));
    assert_eq!(result, Err(Error::Refused(Errno::Unknown)));
}

#[test]
fn a_reply_longer_than_there_can_be_is_skipped() {
    let (result, counters) = read_against(|id| message(2, id, 0, &[b'x'; 4097]));
    assert_eq!((result, counted(counters)), (Err(Error::Oversized(4097)), vec![("store_oversized", 1)]));
    let (result, _) = read_against(|id| message(2, id, 0, &[b'x'; 4096]));
    assert_eq!(result.unwrap(), [b'x'; 4096]);
}

#[test]
fn a_length_that_is_not_delivered_costs_one_call() {
    for claimed in [6, 4096, 4097, u32::MAX] {
        let (mut client, store) = fresh();
        let watch = client.watch("watched").unwrap();
        store.borrow_mut().run();
        client.pump().unwrap();
        assert_eq!(client.fired(), Some(watch));
        store.borrow_mut().lies.push_back(|_| Vec::new());
        let header = [2, 1, 0, claimed].into_iter().flat_map(u32::to_le_bytes);
        store.borrow_mut().outgoing.extend(header.chain(*b"short"));
        assert_eq!(client.read("node"), Err(Error::TimedOut));
        assert_eq!(client.client().counters().resynchronised.get(), 1);
        assert_eq!(client.fired(), Some(watch), "an event may have been lost");
        client.write("node", b"1").unwrap();
        assert_eq!(client.read("node").unwrap(), b"1");
    }
}

#[test]
fn broken_events_are_dropped() {
    let (mut client, store) = fresh();
    client.watch("a").unwrap();
    store.borrow_mut().run();
    client.pump().unwrap();
    client.fired().unwrap();
    for payload in [&b""[..], b"a", b"a\0", b"a\0halfpage-0", b"a\0halfpage-0\0x\0"] {
        store.borrow_mut().outgoing.extend(message(15, 0, 0, payload));
    }
    for token in ["", "0", "halfpage-", "halfpage-1", "halfpage-256", "halfpage--1", "Halfpage-0"] {
        store.borrow_mut().outgoing.extend(message(15, 0, 0, format!("a\0{token}\0").as_bytes()));
    }
    store.borrow_mut().run();
    client.pump().unwrap();
    assert_eq!(client.fired(), None);
    assert_eq!(counted(*client.client().counters()), [("store_malformed", 5), ("store_unknown_watch", 7)]);
}

#[test]
fn replies_without_their_form_are_malformed() {
    let (mut client, store) = fresh();
    let lie = |lie: fn(u32) -> Vec<u8>| store.borrow_mut().lies.push_back(lie);
    lie(|id| message(11, id, 0, b"OK"));
    assert_eq!(client.write("a", b""), Err(Error::Malformed));
    lie(|id| message(1, id, 0, b"a\0b"));
    assert_eq!(client.list("a"), Err(Error::Malformed));
    lie(|id| message(1, id, 0, b"\xFF\0"));
    assert_eq!(client.list("a"), Err(Error::Malformed));
    for id in [|id| message(6, id, 0, b"7"), |id| message(6, id, 0, b"0\0"), |id| message(6, id, 0, b"x\0")] {
        lie(id);
        assert_eq!(client.transaction(|_| Ok(())), Err(Error::Malformed));
    }
    assert_eq!(counted(*client.client().counters()), [("store_malformed", 6)]);
}

#[test]
fn a_store_silent_within_a_transaction_is_waited_for_once() {
    let (mut client, store) = fresh();
    for _ in 0..3 {
        store.borrow_mut().lies.push_back(|id| message(6, id, 0, b"50\0"));
        store.borrow_mut().lies.extend([(|_| Vec::new()) as fn(u32) -> Vec<u8>; 6]);
        let result = client
            .transaction(|transaction| (0..5).try_for_each(|n| transaction.write(&format!("n{n}"), b"")));
        assert_eq!(result, Err(Error::TimedOut));
    }
    // Once for the writes and once for the abort, each time.
    assert_eq!(counted(*client.client().counters()), [("store_timed_out", 6)]);
    client.write("after", b"").unwrap();
}

/// The store answers too late, and has done what it was asked: there is one watch of that path and token, which is ours.
#[test]
fn a_watch_that_stands_although_its_answer_was_late() {
    let (mut client, store) = fresh();
    store.borrow_mut().slow = 1;
    assert_eq!(client.watch("control/shutdown"), Err(Error::TimedOut));
    let watch = client.watch("control/shutdown").unwrap();
    assert_eq!(client.fired(), Some(watch), "it fires as a new one does");
    store.borrow_mut().change("control/shutdown", b"reboot");
    assert_eq!(client.read("control/shutdown").unwrap(), b"reboot");
    assert_eq!(client.fired(), Some(watch));
    assert_eq!(store.borrow().watches.len(), 1);
}

/// A store bears few transactions of a domain at a time.
#[test]
fn a_transaction_whose_start_came_too_late_is_ended() {
    let (mut client, store) = fresh();
    for _ in 0..20 {
        store.borrow_mut().slow = 1;
        assert_eq!(client.transaction(|_| Ok(())), Err(Error::TimedOut));
        let late = std::mem::take(&mut store.borrow_mut().late);
        store.borrow_mut().outgoing.extend(late);
        client.write("node", b"1").unwrap();
        client.write("node", b"2").unwrap();
        assert_eq!(store.borrow().transactions.len(), 0);
    }
    assert_eq!(client.client().counters().unmatched.get(), 20);
    assert_eq!(client.client().counters().unheeded_refused.get(), 0);
}

#[test]
fn indices_that_make_no_sense_are_an_error_each_time() {
    let page = page(0);
    let store = daemon(page);
    let mut client = session(page, &store);
    page.replies_produced.store(1025, SeqCst);
    let error = IndexError { produced: 1025, consumed: 0 };
    assert_eq!(client.read("a"), Err(Error::Ring(error)));
    assert_eq!(client.pump(), Err(Error::Ring(error)));
    assert_eq!(client.client().counters().ring_index.get(), 2);
    page.replies_produced.store(0, SeqCst);
    client.write("a", b"1").unwrap();
    assert_eq!(client.read("a").unwrap(), b"1");
}

#[test]
fn requests_that_wait_are_bounded() {
    let mut client = Client::new(0);
    for _ in 0..16 {
        client.submit(MessageType::Read, 0, &[b"a\0"]).unwrap();
    }
    assert_eq!(client.submit(MessageType::Read, 0, &[b"a\0"]), Err(Error::Busy));
}

proptest! {
    /// Whatever comes, cut anywhere: no panic, and nothing but what was asked for is given.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..6000), cut in 1_usize..300) {
        let mut client = Client::new(7);
        let id = client.submit(MessageType::Read, 0, &[b"a\0"]).unwrap();
        for piece in bytes.chunks(cut) {
            client.feed(piece);
        }
        client.take(id);
    }

    /// The same for messages that are nearly right.
    #[test]
    fn near_messages_are_survived(
        messages in proptest::collection::vec(
            (0_u32..24, 0_u32..12, 0_u32..3, proptest::collection::vec(0_u8..3, 0..40), 0_usize..60),
            0..200,
        ),
        cut in 1_usize..300,
    ) {
        let mut client = Client::new(0);
        let id = client.submit(MessageType::Directory, 0, &[b"a\0"]).unwrap();
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, id, transaction, payload, keep)| {
                let mut bytes = message(*kind, *id, *transaction, payload);
                bytes.truncate(*keep);
                bytes
            })
            .collect();
        for piece in bytes.chunks(cut) {
            client.feed(piece);
        }
        prop_assert_eq!(client.fired(), None);
        client.take(id);
    }
}

#[test]
fn a_store_silent_to_several_reads_is_waited_for_once() {
    let (mut client, store) = fresh();
    store.borrow_mut().lies.extend([(|_| Vec::new()) as fn(u32) -> Vec<u8>; 3]);
    assert_eq!(client.read_all(&["a", "b", "c"]), vec![Err(Error::TimedOut); 3]);
    assert_eq!(counted(*client.client().counters()), [("store_timed_out", 1)]);
    // None of them is still waited for.
    store.borrow_mut().tree.insert("d".into(), b"there".to_vec());
    assert_eq!(client.read_all(&["d"; 16]), vec![Ok(b"there".to_vec()); 16]);
}
