//! The store's client, against a store that says anything.

use crate::choices::Choices;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use xen::ring::{Consumer, Producer};
use xen::xenstore::wire::{Errno, HEADER_SIZE, Header, PAYLOAD_MAX, terminated, watch_event};
use xen::xenstore::{Client, Session, TimedOut, Wait, XenstoreInterface};

/// The message format: any bytes are a header, and it is written as it was read; text ends in a NUL.
pub fn wire(input: &[u8]) {
    if let Some(first) = input.first_chunk::<HEADER_SIZE>() {
        assert_eq!(Header::parse(first).emit(), *first);
    }
    assert_eq!(terminated(input).map(<[u8]>::len), input.ends_with(&[0]).then(|| input.len() - 1));
    if let Some((path, token)) = watch_event(input) {
        assert_eq!([path, b"\0", token, b"\0"].concat(), input);
    }
    let _ = Errno::parse(input).to_string();
}

/// What the store sends does the same to the client however it is cut, and no reply is given that was not asked for.
pub fn client(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (asked, cut) = (choices.below(17), choices.byte());
    let kinds = choices.array::<16>();
    let stream = replies(choices);
    let [whole, pieces] = [usize::MAX, usize::from(cut) + 1].map(|most| {
        let mut client = Client::new(40);
        let requests: Vec<_> = (0..asked)
            .filter_map(|at| {
                let kind = [2, 1, 4, 11][usize::from(kinds[at]) % 4];
                let kind = match kind {
                    1 => xen::xenstore::wire::MessageType::Directory,
                    4 => xen::xenstore::wire::MessageType::Watch,
                    11 => xen::xenstore::wire::MessageType::Write,
                    _ => xen::xenstore::wire::MessageType::Read,
                };
                client.submit(kind, 0, &[b"a\0"]).ok()
            })
            .collect();
        assert!(requests.len() <= 16);
        stream.chunks(most).for_each(|piece| client.feed(piece));
        let replies: Vec<_> = requests.iter().map(|request| client.take(*request)).collect();
        for reply in replies.iter().flatten().flatten() {
            assert!(reply.len() <= PAYLOAD_MAX);
        }
        assert!(requests.iter().all(|request| client.take(*request).is_none()), "a reply is given once");
        assert_eq!(client.fired(), None, "an event of a watch that nobody has");
        let counted: Vec<_> = client.counters().iter().collect();
        (replies, client.is_mid_message(), counted)
    });
    assert_eq!(whole, pieces);
}

/// Messages: what the choices say of each, its length mostly right.
fn replies(mut choices: Choices<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    while !choices.is_empty() && stream.len() < 16_384 {
        stream.extend(message(&mut choices, 41));
    }
    stream
}

fn message(choices: &mut Choices<'_>, first: u32) -> Vec<u8> {
    let kind = choices.of(&[2, 1, 4, 5, 6, 7, 11, 13, 15, 16, 21, 0, 99, 2, 2, 16]);
    let payload = match choices.byte() % 8 {
        0 => b"OK\0".to_vec(),
        1 => choices.of(&["ENOENT\0", "EAGAIN\0", "EACCES", "", "\0", "7\0", "0\0"]).as_bytes().to_vec(),
        2 => format!("a/b\0halfpage-{}\0", choices.byte()).into_bytes(),
        3 => vec![b'x'; usize::from(choices.byte()) * 17],
        _ => {
            let length = choices.below(40);
            choices.bytes(length).to_vec()
        }
    };
    let length = match choices.byte() {
        0..0xf0 => payload.len() as u32,
        0xf0..0xf8 => choices.half(),
        other => payload.len() as u32 + u32::from(other & 7),
    };
    let request = match choices.byte() {
        near @ 0..0xf0 => first.wrapping_add(u32::from(near % 20)),
        _ => choices.half(),
    };
    let header = Header { kind, request, transaction: u32::from(choices.byte() & 3), length };
    [&header.emit()[..], &payload].concat()
}

/// The store's end of the rings.
struct Store {
    page: &'static XenstoreInterface,
    requests: Consumer<'static>,
    replies: Producer<'static>,
    script: Vec<u8>,
    at: usize,
    received: Vec<u8>,
    patience: u32,
}

impl Store {
    /// One act: an answer to the last request, a message of any kind, other bytes, or an index that cannot be.
    fn act(&mut self) {
        let script = std::mem::take(&mut self.script);
        let mut choices = Choices::new(&script[self.at.min(script.len())..]);
        let before = choices.left();
        let mut chunk = [0; 256];
        if let Ok(read @ 1..) = self.requests.read(&mut chunk) {
            self.received.extend(&chunk[..read]);
        }
        let id = self.received.get(4..8).map_or(1, |id| u32::from_ne_bytes(id.try_into().expect("four")));
        let what = choices.byte();
        let bytes = match what % 16 {
            15 => {
                self.page.replies_produced.fetch_add(u32::from(choices.byte()) * 16, Ordering::Relaxed);
                Vec::new()
            }
            14 => {
                self.page.requests_consumed.fetch_add(u32::from(choices.byte()), Ordering::Relaxed);
                Vec::new()
            }
            13 => choices.bytes(16).to_vec(),
            8..13 => message(&mut choices, id.wrapping_sub(2)),
            _ => self.answer(&mut choices),
        };
        let _ = self.replies.write(&bytes);
        self.at += before - choices.left();
        self.script = script;
    }

    /// What an honest store would say to the first request that is whole: some value, or an error.
    fn answer(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        let Some(first) = self.received.first_chunk::<HEADER_SIZE>() else { return Vec::new() };
        let header = Header::parse(first);
        let end = HEADER_SIZE + header.length as usize;
        if self.received.len() < end {
            return Vec::new();
        }
        self.received.drain(..end);
        let (kind, payload) = match (header.kind, choices.byte()) {
            (_, 0xf0..) => (16, &b"EAGAIN\0"[..]),
            (_, 0xe0..) => (16, &b"ENOENT\0"[..]),
            (2, length) => (2, choices.bytes(usize::from(length) % 32)),
            (1, _) => (1, &b"a\0b\0"[..]),
            (6, _) => (6, &b"5\0"[..]),
            (kind, _) => (kind, &b"OK\0"[..]),
        };
        let header = Header { kind, length: payload.len() as u32, ..header };
        [&header.emit()[..], payload].concat()
    }
}

/// The client's way to the store: to wait is to let it act.
struct Patience(Rc<RefCell<Store>>);

impl Wait for Patience {
    fn begin(&mut self) {
        self.0.borrow_mut().patience = 12;
    }

    fn notify(&mut self) {}

    fn wait(&mut self) -> Result<(), TimedOut> {
        let mut store = self.0.borrow_mut();
        store.act();
        store.patience -= 1;
        if store.patience == 0 { Err(TimedOut) } else { Ok(()) }
    }
}

thread_local! {
    /// One page for all inputs: its rings are borrowed for ever.
    static PAGE: &'static XenstoreInterface = Box::leak(Box::new(XenstoreInterface {
        requests: [const { AtomicU8::new(0) }; 1024],
        replies: [const { AtomicU8::new(0) }; 1024],
        requests_consumed: AtomicU32::new(0),
        requests_produced: AtomicU32::new(0),
        replies_consumed: AtomicU32::new(0),
        replies_produced: AtomicU32::new(0),
        server_features: AtomicU32::new(0),
        connection: AtomicU32::new(0),
        error: AtomicU32::new(0),
    }));
}

/// Calls that wait for a store which answers, lies, or says nothing: each comes back, and what it gives is bounded.
pub fn session(input: &[u8]) {
    let mut choices = Choices::new(input);
    let start = choices.half();
    let calls = choices.array::<8>();
    let page = PAGE.with(|page| *page);
    for index in
        [&page.requests_consumed, &page.requests_produced, &page.replies_consumed, &page.replies_produced]
    {
        index.store(start, Ordering::Relaxed);
    }
    let store = Rc::new(RefCell::new(Store {
        page,
        requests: Consumer::attach(&page.requests, &page.requests_produced, &page.requests_consumed),
        replies: Producer::attach(&page.replies, &page.replies_produced, &page.replies_consumed),
        script: choices.rest().to_vec(),
        at: 0,
        received: Vec::new(),
        patience: 0,
    }));
    let mut session = Session::new(page.rings(), Patience(store.clone()), 0);
    let mut watches = Vec::new();
    let _ = session.reset();
    for call in calls {
        match call % 10 {
            0 => drop(session.read("a").map(|value| assert!(value.len() <= PAYLOAD_MAX))),
            1 => drop(session.read("a/b")),
            2 => drop(session.list("a")),
            3 => drop(session.write("a", b"1")),
            4 => drop(session.write_unheeded("a", &[7; 100])),
            5 => watches.extend(session.watch("a")),
            6 => drop(watches.pop().map(|watch| session.unwatch(watch))),
            7 => {
                let values = session.read_all(&["a"; 20]);
                assert_eq!(values.len(), 20);
            }
            8 => drop(session.remove("a")),
            _ => {
                let done = session.transaction(|transaction| {
                    transaction.write("a", b"2")?;
                    transaction.read("b")
                });
                drop(done.map_err(|error| error.to_string()));
            }
        }
        let _ = session.pump();
    }
    assert!(watches.len() <= 16);
}
