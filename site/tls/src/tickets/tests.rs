use super::*;
use alloc::vec;

const BORN: u64 = 1_750_000_000;
const HOUR: u64 = 3600;

fn tickets() -> (Tickets, Arc<Clock>) {
    let random = Random::leak();
    random.seed(&[9; 32]).unwrap();
    let clock = Arc::new(Clock::new());
    clock.set(BORN);
    (Tickets::new(random, clock.clone()), clock)
}

#[test]
fn a_ticket_opens_again() {
    let (tickets, _) = tickets();
    let ticket = tickets.encrypt(b"session").unwrap();
    assert_eq!(ticket.len(), 16 + 24 + 7 + 16);
    assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
    // Never the same twice, but for the key's name.
    let other = tickets.encrypt(b"session").unwrap();
    assert_eq!(ticket[..16], other[..16]);
    assert_ne!(ticket[16..40], other[16..40]);
}

#[test]
fn a_ticket_that_was_touched_does_not() {
    let (tickets, _) = tickets();
    let ticket = tickets.encrypt(b"session").unwrap();
    for at in 0..ticket.len() {
        let mut bad = ticket.clone();
        bad[at] ^= 0x80;
        assert_eq!(tickets.decrypt(&bad), None, "byte {at}");
        assert_eq!(tickets.decrypt(&ticket[..at]), None, "{at} bytes");
    }
    let long = tickets.encrypt(&vec![0; 969]).unwrap();
    assert_eq!(long.len(), 1025);
    assert_eq!(tickets.decrypt(&long), None);
    let longest = tickets.encrypt(&vec![0; 968]).unwrap();
    assert_eq!(tickets.decrypt(&longest).unwrap().len(), 968);
}

/// A key seals for six hours and opens for twelve.
#[test]
fn keys_rotate() {
    let (tickets, clock) = tickets();
    let first = tickets.encrypt(b"1").unwrap();
    clock.set(BORN + 6 * HOUR - 1);
    let same = tickets.encrypt(b"2").unwrap();
    assert_eq!(first[..16], same[..16]);
    clock.set(BORN + 6 * HOUR);
    let next = tickets.encrypt(b"3").unwrap();
    assert_ne!(first[..16], next[..16]);
    assert_eq!(tickets.decrypt(&first).unwrap(), b"1");
    clock.set(BORN + 12 * HOUR - 1);
    assert_eq!(tickets.decrypt(&same).unwrap(), b"2");
    clock.set(BORN + 12 * HOUR);
    assert_eq!(tickets.decrypt(&same), None);
    assert_eq!(tickets.decrypt(&next).unwrap(), b"3");
}

/// Nobody connects for long: the keys end all the same.
#[test]
fn keys_end_without_traffic() {
    let (tickets, clock) = tickets();
    tickets.encrypt(b"1").unwrap();
    clock.set(BORN + 13 * HOUR);
    tickets.expire();
    let keys = tickets.keys.lock();
    assert!(keys.current.is_none() && keys.previous.is_none());
}

#[test]
fn a_clock_that_goes_back_ends_them() {
    let (tickets, clock) = tickets();
    let ticket = tickets.encrypt(b"1").unwrap();
    clock.set(BORN - 1);
    assert_eq!(tickets.decrypt(&ticket), None);
    clock.set(BORN);
    assert_eq!(tickets.decrypt(&ticket), None);
}

#[test]
fn nothing_is_sealed_without_time_or_randomness() {
    let (tickets, clock) = tickets();
    let ticket = tickets.encrypt(b"1").unwrap();
    clock.set(0);
    assert_eq!((tickets.encrypt(b"1"), tickets.decrypt(&ticket)), (None, None));
    clock.set(BORN);
    tickets.random.forget();
    assert_eq!(tickets.encrypt(b"1"), None);
    assert_eq!(tickets.decrypt(&ticket).unwrap(), b"1");
}

#[test]
fn forgotten_keys_open_nothing() {
    let (tickets, _) = tickets();
    let ticket = tickets.encrypt(b"1").unwrap();
    tickets.forget();
    assert_eq!(tickets.decrypt(&ticket), None);
}
