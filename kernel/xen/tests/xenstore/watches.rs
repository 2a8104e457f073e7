//! Watches that belong together, with a store that fails now and then.

use crate::daemon::{fresh, message};
use xen::xenstore::watches::Watches;
use xen::xenstore::{Errno, Error};

const PATHS: [&str; 4] = ["control/shutdown", "control/sysrq", "memory/target", "cpu"];

#[test]
fn each_is_known_by_its_place() {
    let (mut client, store) = fresh();
    let mut watches = Watches::new(PATHS);
    watches.make(&mut client, 1).unwrap();
    assert_eq!((watches.are_made(1), watches.are_made(4)), (true, false));
    watches.make(&mut client, 4).unwrap();
    assert!(watches.are_made(4));
    let stranger = client.watch("device/vif/0/backend").unwrap();
    store.borrow_mut().run();
    client.pump().unwrap();
    while client.fired().is_some() {}
    for (place, path) in PATHS.iter().enumerate() {
        store.borrow_mut().change(path, b"1");
        store.borrow_mut().run();
        client.pump().unwrap();
        assert_eq!(watches.place(client.fired().unwrap()), Some(place));
    }
    assert_eq!(watches.place(stranger), None);
}

/// Sixteen watches are all there are: a store that fails now and then does not use them up.
#[test]
fn what_was_made_before_a_failure_stays() {
    let (mut client, store) = fresh();
    for _ in 0..40 {
        let mut watches = Watches::new(PATHS);
        let granted = (|id| message(4, id, 0, b"OK\0")) as fn(u32) -> Vec<u8>;
        store.borrow_mut().lies.extend([granted, granted, |id| message(16, id, 0, b"ENOSPC\0")]);
        assert_eq!(watches.make(&mut client, 4), Err(Error::Refused(Errno::ENOSPC)));
        assert_eq!((watches.are_made(2), watches.are_made(3)), (true, false));
        watches.make(&mut client, 4).unwrap();
        let asked: Vec<_> = store.borrow_mut().seen.drain(..).map(|(_, _, payload)| payload).collect();
        let paths = asked.iter().map(|payload| payload.split(|byte| *byte == 0).next().unwrap());
        let order = ["control/shutdown", "control/sysrq", "memory/target", "memory/target", "cpu"];
        assert!(paths.eq(order.map(str::as_bytes)), "each as often as it takes");
        // As after a restore that failed halfway.
        watches.forget(&mut client);
        assert!(!watches.are_made(1));
        store.borrow_mut().watches.clear();
    }
}
