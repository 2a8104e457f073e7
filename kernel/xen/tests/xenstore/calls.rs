//! Calls to an honest store.

use crate::daemon::{daemon, fresh, message, page, session};
use std::sync::atomic::Ordering::SeqCst;
use xen::xenstore::{Errno, Error};

#[test]
fn values_are_written_read_listed_and_removed() {
    let (mut client, store) = fresh();
    client.write("data/state", b"booting").unwrap();
    client.write("data/counters/a", b"1").unwrap();
    client.write("data/counters/b", b"\0raw\0").unwrap();
    assert_eq!(client.read("data/state").unwrap(), b"booting");
    assert_eq!(client.read("data/counters/b").unwrap(), b"\0raw\0");
    assert_eq!(client.list("data").unwrap(), ["counters", "state"]);
    assert_eq!(client.list("data/counters").unwrap(), ["a", "b"]);
    assert_eq!(client.list("data/state").unwrap(), [""; 0]);
    client.remove("data/counters").unwrap();
    client.remove("data/counters").unwrap();
    assert_eq!(store.borrow().tree.keys().collect::<Vec<_>>(), ["data/state"]);
    let error = client.read("data/counters/a").unwrap_err();
    assert_eq!(error, Error::Refused(Errno::ENOENT));
    assert!(error.is_absent());
    assert_eq!(store.borrow().seen[0], (11, 0, b"data/state\0booting".to_vec()));
    assert_eq!(client.client().counters().iter().map(|(_, count)| count).sum::<u64>(), 0);
}

#[test]
fn messages_longer_than_the_ring_go_through_in_pieces() {
    for (start, trickle) in [(0, 1024), (u32::MAX - 100, 1024), (77, 1), (1023, 333)] {
        let page = page(start);
        let store = daemon(page);
        let mut client = session(page, &store);
        store.borrow_mut().trickle = trickle;
        let value: Vec<u8> = (0..4000_u32).map(|i| i as u8).collect();
        client.write("big", &value).unwrap();
        assert_eq!(client.read("big").unwrap(), value);
    }
}

#[test]
fn what_the_wire_cannot_carry_is_refused_here() {
    let (mut client, store) = fresh();
    client.write("p", &[b'x'; 4094]).unwrap();
    assert_eq!(client.write("p", &[b'x'; 4095]), Err(Error::TooLong(4097)));
    assert_eq!(client.read("a\0b"), Err(Error::Nul));
    assert_eq!(client.write("a\0b", b""), Err(Error::Nul));
    assert_eq!(client.write_unheeded("a\0b", b""), Err(Error::Nul));
    assert_eq!(client.remove("a\0b"), Err(Error::Nul));
    assert_eq!(client.list("a\0b"), Err(Error::Nul));
    assert_eq!(client.watch("a\0b"), Err(Error::Nul));
    assert_eq!(store.borrow().seen.len(), 1);
}

#[test]
fn a_watch_fires_at_once_and_at_each_change() {
    let (mut client, store) = fresh();
    let shutdown = client.watch("control/shutdown").unwrap();
    let data = client.watch("data").unwrap();
    assert_ne!(shutdown, data);
    store.borrow_mut().run();
    client.pump().unwrap();
    assert_eq!([client.fired(), client.fired(), client.fired()], [Some(shutdown), Some(data), None]);

    for _ in 0..1000 {
        store.borrow_mut().change("data/tls/reload", b"1");
    }
    store.borrow_mut().change("elsewhere", b"1");
    for _ in 0..100 {
        store.borrow_mut().run();
        client.pump().unwrap();
    }
    assert_eq!([client.fired(), client.fired()], [Some(data), None], "events of one watch are one");

    client.unwatch(data).unwrap();
    assert_eq!(store.borrow().watches, [("control/shutdown".into(), "halfpage-0".into())]);
    let late = message(15, 0, 0, b"data\0halfpage-1\0");
    store.borrow_mut().outgoing.extend(late);
    store.borrow_mut().run();
    client.pump().unwrap();
    assert_eq!((client.fired(), client.client().counters().unknown_watch.get()), (None, 1));
}

#[test]
fn events_between_request_and_reply_are_kept() {
    let (mut client, store) = fresh();
    let watch = client.watch("control").unwrap();
    store.borrow_mut().run();
    client.pump().unwrap();
    assert_eq!(client.fired(), Some(watch));
    store.borrow_mut().change("control/shutdown", b"poweroff");
    assert_eq!(client.read("control/shutdown").unwrap(), b"poweroff");
    assert_eq!(client.fired(), Some(watch));
}

#[test]
fn what_has_fired_is_known_until_it_is_taken_or_its_watch_removed() {
    let (mut client, store) = fresh();
    assert!(!client.client().has_fired());
    let (kept, removed) = (client.watch("a").unwrap(), client.watch("b").unwrap());
    store.borrow_mut().run();
    client.pump().unwrap();
    assert!(client.client().has_fired());
    client.unwatch(removed).unwrap();
    assert_eq!([client.fired(), client.fired()], [Some(kept), None]);
    assert!(!client.client().has_fired());
}

#[test]
fn watches_are_bounded_and_a_refused_one_is_free_again() {
    let (mut client, store) = fresh();
    store.borrow_mut().lies.push_back(|id| message(16, id, 0, b"ENOSPC\0"));
    assert_eq!(client.watch("a"), Err(Error::Refused(Errno::ENOSPC)));
    let watches: Vec<_> = (0..16).map(|n| client.watch(&format!("w{n}")).unwrap()).collect();
    assert_eq!(client.watch("one more"), Err(Error::TooManyWatches));
    client.unwatch(watches[3]).unwrap();
    assert!(client.watch("one more").is_ok());
}

#[test]
fn a_transaction_happens_at_once() {
    let (mut client, store) = fresh();
    let seen = client
        .transaction(|transaction| {
            transaction.write("a", b"1")?;
            transaction.write("b", b"2")?;
            transaction.remove("b")?;
            transaction.read("a")
        })
        .unwrap();
    assert_eq!(seen, b"1");
    assert_eq!(store.borrow().tree.len(), 1);
    let transactions: Vec<u32> = store.borrow().seen.iter().map(|request| request.1).collect();
    assert_eq!(transactions, [0, 41, 41, 41, 41, 41]);
    assert_eq!(store.borrow().seen.last().unwrap().2, b"T\0");
}

#[test]
fn a_transaction_is_done_again_after_a_conflict() {
    let (mut client, store) = fresh();
    store.borrow_mut().conflicts = 3;
    let mut attempts = 0;
    client
        .transaction(|transaction| {
            attempts += 1;
            transaction.write("a", b"1")
        })
        .unwrap();
    assert_eq!((attempts, client.client().counters().conflicts.get()), (4, 3));

    store.borrow_mut().conflicts = u32::MAX;
    let mut attempts = 0;
    let result = client.transaction(|_| {
        attempts += 1;
        Ok(())
    });
    assert_eq!((result, attempts), (Err(Error::Conflict), 16));
}

#[test]
fn an_error_inside_aborts_the_transaction() {
    let (mut client, store) = fresh();
    let result = client.transaction(|transaction| {
        transaction.write("a", b"1")?;
        transaction.read("absent")
    });
    assert_eq!(result, Err(Error::Refused(Errno::ENOENT)));
    assert!(store.borrow().tree.is_empty());
    assert_eq!(store.borrow().seen.last().unwrap().2, b"F\0");
}

#[test]
fn what_waits_for_no_answer_is_sent_together() {
    let (mut client, store) = fresh();
    client
        .transaction(|transaction| (0..12).try_for_each(|n| transaction.write(&format!("n{n}"), b"1")))
        .unwrap();
    assert_eq!(store.borrow().tree.len(), 12);
    assert_eq!(store.borrow().runs, 3, "the start, the writes, the end");

    let paths: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["a\0b"]).collect();
    let values = client.read_all(&paths);
    assert_eq!(store.borrow().runs, 5, "16 and 4");
    let absent = Err(Error::Refused(Errno::ENOENT));
    assert!(values[..12].iter().all(|value| *value == Ok(b"1".to_vec())));
    assert!(values[12..20].iter().all(|value| *value == absent));
    assert_eq!(values[20..], [Err(Error::Nul)]);
}

#[test]
fn a_transaction_may_be_longer_than_what_can_wait() {
    let (mut client, store) = fresh();
    client
        .transaction(|transaction| {
            for n in 0..40 {
                transaction.write(&format!("n{n}"), &[n; 2000])?;
            }
            transaction.remove("n0")?;
            assert_eq!(transaction.read("n39")?, [39; 2000]);
            transaction.remove("n0")
        })
        .unwrap();
    assert_eq!(store.borrow().tree.len(), 39);
}

#[test]
fn a_refused_write_aborts_the_transaction() {
    let (mut client, store) = fresh();
    store.borrow_mut().lies.push_back(|id| message(6, id, 0, b"41\0"));
    store.borrow_mut().lies.push_back(|id| message(11, id, 41, b"OK\0"));
    store.borrow_mut().lies.push_back(|id| message(16, id, 41, b"EACCES\0"));
    let result =
        client.transaction(|transaction| (0..5).try_for_each(|n| transaction.write(&format!("n{n}"), b"")));
    assert_eq!(result, Err(Error::Refused(Errno::EACCES)));
    assert_eq!(store.borrow().seen.last().unwrap().2, b"F\0");
    assert!(store.borrow().tree.is_empty());
    client.write("after", b"").unwrap();
}

#[test]
fn unheeded_writes_do_not_wait() {
    let (mut client, store) = fresh();
    for n in 0..20 {
        client.write_unheeded("data/n", n.to_string().as_bytes()).unwrap();
    }
    assert!(store.borrow().seen.is_empty());
    store.borrow_mut().lies.push_back(|id| message(16, id, 0, b"EACCES\0"));
    store.borrow_mut().run();
    client.pump().unwrap();
    assert_eq!(store.borrow().tree["data/n"], b"19");
    assert_eq!(client.client().counters().unheeded_refused.get(), 1);
    assert_eq!(client.client().counters().unmatched.get(), 0);

    let mut refused = None;
    for _ in 0..10 {
        refused = client.write_unheeded("data/n", &[b'x'; 4000]).err();
    }
    assert_eq!(refused, Some(Error::Busy), "what waits for a store that does not read is bounded");
    client.write("after", b"").unwrap();
}

/// PV GRUB leaves indices that are not 0, replies it did not wait for, and watches of its own.
#[test]
fn a_boot_loader_was_here_before() {
    let page = page(0xFFFF_FF80);
    let store = daemon(page);
    store.borrow_mut().watches.push(("device".into(), "grub".into()));
    store.borrow_mut().outgoing.extend(message(2, 3, 0, b"stale"));
    store.borrow_mut().change("device/vbd", b"");
    store.borrow_mut().run();
    assert_ne!(page.replies_produced.load(SeqCst), page.replies_consumed.load(SeqCst));

    let mut client = session(page, &store);
    client.reset().unwrap();
    client.write("a", b"1").unwrap();
    assert!(store.borrow().watches.is_empty());
    assert_eq!(client.read("a").unwrap(), b"1");
    let counters = client.client().counters();
    assert_eq!((counters.unmatched.get(), counters.unknown_watch.get(), client.fired()), (1, 1, None));
}

#[test]
fn a_store_that_cannot_reset_is_no_failure() {
    let (mut client, store) = fresh();
    store.borrow_mut().lies.push_back(|id| message(16, id, 0, b"ENOSYS\0"));
    client.reset().unwrap();
    client.write("a", b"1").unwrap();
    assert_eq!(client.client().counters().unheeded_refused.get(), 1);
}

#[test]
fn watches_are_made_again_after_a_restore() {
    let (mut client, _old) = fresh();
    let watch = client.watch("control/shutdown").unwrap();
    let other = client.watch("device/vif/0/backend").unwrap();
    client.write_unheeded("lost", b"").unwrap();
    client.forget(other);
    let page = page(5);
    // Half a message of the former store.
    page.replies_produced.store(15, SeqCst);
    let store = daemon(page);
    *client.wait_mut() = crate::daemon::Direct::new(&store);
    client.reconnect(page.rings()).unwrap();
    while client.fired().is_some() {}
    store.borrow_mut().change("control/shutdown", b"suspend");
    assert_eq!(client.read("control/shutdown").unwrap(), b"suspend");
    assert_eq!(client.fired(), Some(watch));
    assert!(!store.borrow().tree.contains_key("lost"));
    assert_eq!(store.borrow().watches.len(), 1, "what was forgotten is not watched again");
}

#[test]
fn the_store_is_notified_when_bytes_moved() {
    let (mut client, store) = fresh();
    client.pump().unwrap();
    assert_eq!(store.borrow().notified, 0);
    client.write("a", b"").unwrap();
    assert_eq!(store.borrow().notified, 2, "the request is there, the reply's room is free");
}
