//! A store in software at the other end of the rings: a tree, watches, transactions, and whatever lies a test asks for.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicU32};
use xen::ring::{Consumer, Producer};
use xen::xenstore::{Session, TimedOut, Wait, XenstoreInterface};

pub type Store = Rc<RefCell<Daemon>>;

/// The store's end, and what it knows.
pub struct Daemon {
    requests: Consumer<'static>,
    replies: Producer<'static>,
    received: Vec<u8>,
    pub outgoing: VecDeque<u8>,
    pub tree: BTreeMap<String, Vec<u8>>,
    pub watches: Vec<(String, String)>,
    pub transactions: BTreeMap<u32, BTreeMap<String, Vec<u8>>>,
    next_transaction: u32,
    /// Every request as (type, transaction, payload).
    pub seen: Vec<(u32, u32, Vec<u8>)>,
    /// Commits that still fail with EAGAIN.
    pub conflicts: u32,
    /// What is sent in place of the next replies: made from the request's id.
    pub lies: VecDeque<fn(u32) -> Vec<u8>>,
    /// So many replies are kept back: what they answer is done all the same.
    pub slow: usize,
    /// The replies that were kept back.
    pub late: Vec<u8>,
    /// Bytes moved to the ring at once: the client sees its messages cut.
    pub trickle: usize,
    pub notified: u32,
    /// How often the client waited.
    pub runs: u32,
}

/// The client's way to the daemon: to wait is to let it run.
pub struct Direct {
    store: Store,
    patience: u32,
}

impl Direct {
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), patience: 0 }
    }
}

impl Wait for Direct {
    fn begin(&mut self) {
        self.patience = 10_000;
    }

    fn notify(&mut self) {
        self.store.borrow_mut().notified += 1;
    }

    fn wait(&mut self) -> Result<(), TimedOut> {
        self.store.borrow_mut().run();
        self.patience -= 1;
        if self.patience == 0 { Err(TimedOut) } else { Ok(()) }
    }
}

/// A page whose indices all start at `start`.
pub fn page(start: u32) -> &'static XenstoreInterface {
    Box::leak(Box::new(XenstoreInterface {
        requests: [const { AtomicU8::new(0) }; 1024],
        replies: [const { AtomicU8::new(0) }; 1024],
        requests_consumed: AtomicU32::new(start),
        requests_produced: AtomicU32::new(start),
        replies_consumed: AtomicU32::new(start),
        replies_produced: AtomicU32::new(start),
        server_features: AtomicU32::new(0),
        connection: AtomicU32::new(0),
        error: AtomicU32::new(0),
    }))
}

/// A daemon at the other end of a page.
pub fn daemon(page: &'static XenstoreInterface) -> Store {
    Rc::new(RefCell::new(Daemon {
        requests: Consumer::attach(&page.requests, &page.requests_produced, &page.requests_consumed),
        replies: Producer::attach(&page.replies, &page.replies_produced, &page.replies_consumed),
        received: Vec::new(),
        outgoing: VecDeque::new(),
        tree: BTreeMap::new(),
        watches: Vec::new(),
        transactions: BTreeMap::new(),
        next_transaction: 40,
        seen: Vec::new(),
        conflicts: 0,
        lies: VecDeque::new(),
        slow: 0,
        late: Vec::new(),
        trickle: 1024,
        notified: 0,
        runs: 0,
    }))
}

/// A client's session with a daemon.
pub fn session(page: &'static XenstoreInterface, store: &Store) -> Session<'static, Direct> {
    Session::new(page.rings(), Direct::new(store), 1000)
}

/// A session with a fresh daemon.
pub fn fresh() -> (Session<'static, Direct>, Store) {
    let page = page(0);
    let store = daemon(page);
    (session(page, &store), store)
}

/// A message's bytes.
pub fn message(kind: u32, request: u32, transaction: u32, payload: &[u8]) -> Vec<u8> {
    let header = [kind, request, transaction, payload.len() as u32];
    header.iter().flat_map(|word| word.to_le_bytes()).chain(payload.iter().copied()).collect()
}

impl Daemon {
    /// Takes what is in the ring, answers what is whole, sends what fits.
    pub fn run(&mut self) {
        self.runs += 1;
        let mut chunk = [0; 2048];
        let read = self.requests.read(&mut chunk).unwrap();
        self.received.extend(&chunk[..read]);
        while let Some(length) = self.received.get(12..16) {
            let end = 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
            if self.received.len() < end {
                break;
            }
            let message: Vec<u8> = self.received.drain(..end).collect();
            let word = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().unwrap());
            self.request(word(0), word(4), word(8), &message[16..]);
        }
        let (bytes, _) = self.outgoing.as_slices();
        let sent = self.replies.write(&bytes[..bytes.len().min(self.trickle)]).unwrap();
        self.outgoing.drain(..sent);
    }

    /// Someone else changes a node.
    pub fn change(&mut self, path: &str, value: &[u8]) {
        self.tree.insert(path.into(), value.into());
        self.fire(path);
    }

    fn fire(&mut self, path: &str) {
        let hit = |watched: &String| path == watched || path.starts_with(&format!("{watched}/"));
        let events = self.watches.iter().filter(|(watched, _)| hit(watched));
        let events: Vec<u8> = events
            .flat_map(|(_, token)| message(15, 0, 0, format!("{path}\0{token}\0").as_bytes()))
            .collect();
        self.outgoing.extend(events);
    }

    fn request(&mut self, kind: u32, id: u32, transaction: u32, payload: &[u8]) {
        self.seen.push((kind, transaction, payload.into()));
        if let Some(lie) = self.lies.pop_front() {
            self.outgoing.extend(lie(id));
            return;
        }
        let reply = match self.answer(kind, transaction, payload) {
            Ok(reply) => message(kind, id, transaction, &reply),
            Err(errno) => message(16, id, transaction, format!("{errno}\0").as_bytes()),
        };
        let refused = reply.first() == Some(&16);
        if self.slow > 0 {
            self.slow -= 1;
            self.late.extend(reply);
            return;
        }
        self.outgoing.extend(reply);
        if kind == 4 && !refused {
            let (path, token) = self.watches.last().unwrap();
            let event = message(15, 0, 0, format!("{path}\0{token}\0").as_bytes());
            self.outgoing.extend(event);
        }
    }

    fn answer(&mut self, kind: u32, transaction: u32, payload: &[u8]) -> Result<Vec<u8>, &'static str> {
        let ok = || Ok(b"OK\0".to_vec());
        let mut strings = payload.split(|byte| *byte == 0);
        let first = String::from_utf8(strings.next().unwrap().into()).unwrap();
        let second = String::from_utf8(strings.next().ok_or("EINVAL")?.into()).unwrap();
        let tree = match transaction {
            0 => &mut self.tree,
            id => self.transactions.get_mut(&id).ok_or("ENOENT")?,
        };
        match kind {
            1 => {
                let under = format!("{first}/");
                let mut names: Vec<&str> =
                    tree.keys().filter_map(|path| path.strip_prefix(&under)?.split('/').next()).collect();
                names.dedup();
                Ok(names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect())
            }
            2 => tree.get(&first).cloned().ok_or("ENOENT"),
            4 if self.watches.contains(&(first.clone(), second.clone())) => Err("EEXIST"),
            4 => {
                self.watches.push((first, second));
                ok()
            }
            5 => {
                self.watches.retain(|watch| *watch != (first.clone(), second.clone()));
                ok()
            }
            6 => {
                self.next_transaction += 1;
                self.transactions.insert(self.next_transaction, self.tree.clone());
                Ok(format!("{}\0", self.next_transaction).into())
            }
            7 => {
                let tree = self.transactions.remove(&transaction).ok_or("ENOENT")?;
                match first.as_str() {
                    "T" if self.conflicts > 0 => {
                        self.conflicts -= 1;
                        return Err("EAGAIN");
                    }
                    "T" => self.tree = tree,
                    "F" => {}
                    _ => return Err("EINVAL"),
                }
                ok()
            }
            11 => {
                tree.insert(first.clone(), payload[first.len() + 1..].into());
                if transaction == 0 {
                    self.fire(&first);
                }
                ok()
            }
            13 => {
                let under = format!("{first}/");
                let before = tree.len();
                tree.retain(|path, _| *path != first && !path.starts_with(&under));
                if tree.len() == before { Err("ENOENT") } else { ok() }
            }
            21 => {
                self.watches.clear();
                self.transactions.clear();
                ok()
            }
            _ => Err("ENOSYS"),
        }
    }
}
