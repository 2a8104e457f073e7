//! The store's client as a state machine: requests in, bytes out; bytes in, replies and fired watches out.

use super::error::Error;
use super::interface::Rings;
use super::wire::{self, Errno, HEADER_SIZE, Header, MessageType, PAYLOAD_MAX};
use crate::ring::IndexError;
use crate::secret::Wipe;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Requests that may wait for their replies at once. A store may stop reading a domain that has more than 20.
pub const OUTSTANDING_MAX: usize = 16;
/// Watches at once.
const WATCHES_MAX: usize = 16;
/// Bytes that may wait for room in the ring: one message of the greatest size and some small ones.
const OUTGOING_MAX: usize = 2 * (HEADER_SIZE + PAYLOAD_MAX);
/// Bytes taken out of the ring at once.
const CHUNK: usize = 256;
/// Begins the tokens of our watches: those of a boot loader before us look different.
const TOKEN_PREFIX: &str = "halfpage-";
/// Set in the ids of requests whose replies nobody awaits.
const UNHEEDED: u32 = 1 << 31;

crate::counters! {
    /// What befell the store's messages.
    pub struct StoreCounters: "store" {
        /// Replies to requests that nobody waits for: late, or another's (a boot loader's).
        unmatched,
        /// Messages of a type that we do not know.
        unknown_type,
        /// Replies of another type than the request's.
        wrong_type,
        /// Messages that claim more than `XENSTORE_PAYLOAD_MAX` bytes: skipped.
        oversized,
        /// Payloads that are not as their type has them.
        malformed,
        /// Events of watches that are not ours, or not any more.
        unknown_watch,
        /// Requests that the store refused although nobody awaited its reply.
        unheeded_refused,
        /// Ring indices that claim more than the ring holds.
        ring_index,
        /// Requests without a reply in time.
        timed_out,
        /// Streams cut off in the middle of a message and taken up afresh.
        resynchronised,
        /// Transactions that met a conflict.
        conflicts,
    }
}

/// A watch of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WatchId(u8);

/// A request whose reply is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId(u32);

/// A request that has been made, and its reply once that is there.
#[derive(Debug)]
struct Outstanding {
    id: RequestId,
    kind: MessageType,
    reply: Option<Result<Vec<u8>, Error>>,
}

/// What the next bytes from the store are.
#[derive(Debug)]
enum Incoming {
    /// A header, of which this many bytes are there.
    Header([u8; HEADER_SIZE], usize),
    /// The payload that belongs to this header; what is there of it.
    Payload(Header, Vec<u8>),
    /// This many bytes of a payload that nobody wants.
    Skip(u32),
}

impl Incoming {
    const START: Self = Self::Header([0; HEADER_SIZE], 0);
}

/// The store's client. It never waits: [`super::Session`] does.
#[derive(Debug)]
pub struct Client {
    next_request: u32,
    outgoing: VecDeque<u8>,
    incoming: Incoming,
    outstanding: Vec<Outstanding>,
    /// The path of each watch; its index is in its token.
    watches: [Option<Box<str>>; WATCHES_MAX],
    /// Watches with something to look at, each at most once: an event says no more than "look again".
    fired: VecDeque<WatchId>,
    counters: StoreCounters,
    wipe: Wipe,
}

impl Client {
    /// A client whose first request has an id made of `seed`: one that stale replies are unlikely to have. What waits has
    /// its room from the start.
    pub fn new(seed: u32) -> Self {
        Self {
            next_request: seed,
            outgoing: VecDeque::with_capacity(OUTGOING_MAX),
            incoming: Incoming::START,
            outstanding: Vec::with_capacity(OUTSTANDING_MAX),
            watches: [const { None }; WATCHES_MAX],
            fired: VecDeque::with_capacity(WATCHES_MAX),
            counters: StoreCounters::default(),
            wipe: |bytes| bytes.fill(0),
        }
    }

    /// How bytes are wiped that were a value, or a part of one: it may have been a key.
    pub fn set_wipe(&mut self, wipe: Wipe) {
        self.wipe = wipe;
    }

    /// What befell the store's messages so far.
    pub fn counters(&self) -> &StoreCounters {
        &self.counters
    }

    pub(super) fn counters_mut(&mut self) -> &mut StoreCounters {
        &mut self.counters
    }

    /// Queues a request; `payload` is joined as it is.
    pub fn submit(
        &mut self,
        kind: MessageType,
        transaction: u32,
        payload: &[&[u8]],
    ) -> Result<RequestId, Error> {
        if self.outstanding.len() >= OUTSTANDING_MAX {
            return Err(Error::Busy);
        }
        let id = RequestId(self.next_id());
        self.queue(kind, id.0, transaction, payload)?;
        self.outstanding.push(Outstanding { id, kind, reply: None });
        Ok(id)
    }

    /// Queues a request whose reply nobody awaits; a refusal is counted.
    pub fn submit_unheeded(&mut self, kind: MessageType, payload: &[&[u8]]) -> Result<(), Error> {
        let id = self.next_id() | UNHEEDED;
        self.queue(kind, id, 0, payload)
    }

    /// The reply to a request, once it is there. It is given once.
    pub fn take(&mut self, id: RequestId) -> Option<Result<Vec<u8>, Error>> {
        let index =
            self.outstanding.iter().position(|request| request.id == id && request.reply.is_some())?;
        self.outstanding.swap_remove(index).reply
    }

    /// Nobody waits for this reply any more.
    pub fn forget(&mut self, id: RequestId) {
        for request in self.outstanding.extract_if(.., |request| request.id == id) {
            discard(request, self.wipe);
        }
    }

    /// Moves bytes both ways as far as they go. True where any moved: the store is to be notified, since it may wait
    /// for them or for the room.
    pub fn pump(&mut self, rings: &mut Rings<'_>) -> Result<bool, IndexError> {
        let moved = self.send(rings).and_then(|sent| Ok(self.receive(rings)? || sent));
        if moved.is_err() {
            self.counters.ring_index.increment();
        }
        moved
    }

    /// A watch that has fired since it was last given here. What it watches has to be read again.
    pub fn fired(&mut self) -> Option<WatchId> {
        self.fired.pop_front()
    }

    /// Whether [`Client::fired`] has one to give.
    pub fn has_fired(&self) -> bool {
        !self.fired.is_empty()
    }

    /// Whether a message has come only in part.
    pub fn is_mid_message(&self) -> bool {
        !matches!(self.incoming, Incoming::Header(_, 0))
    }

    /// Gives up the message that has come only in part and whatever is in the ring: the next byte begins a message.
    /// An event may be lost by it, so every watch fires.
    pub fn resynchronise(&mut self, rings: &mut Rings<'_>) -> Result<(), IndexError> {
        self.counters.resynchronised.increment();
        self.drop_incoming();
        for (watch, _) in self.watches() {
            self.fire(watch);
        }
        rings.replies.discard().map(|_| ())
    }

    /// Forgets all requests: their replies never come, since the store they went to is another host's now.
    /// Watches are kept.
    pub(super) fn restart(&mut self) {
        self.outgoing.clear();
        for request in self.outstanding.drain(..) {
            discard(request, self.wipe);
        }
        self.drop_incoming();
    }

    /// Gives up what has come only in part.
    fn drop_incoming(&mut self) {
        if let Incoming::Payload(_, payload) = &mut self.incoming {
            (self.wipe)(payload);
        }
        self.incoming = Incoming::START;
    }

    /// Takes a free watch for a path. It is known from here on: its first event may come before the reply.
    pub(super) fn add_watch(&mut self, path: &str) -> Result<WatchId, Error> {
        let (index, slot) =
            (0..).zip(&mut self.watches).find(|(_, slot)| slot.is_none()).ok_or(Error::TooManyWatches)?;
        *slot = Some(path.into());
        Ok(WatchId(index))
    }

    /// Forgets a watch; gives its path.
    pub(super) fn remove_watch(&mut self, watch: WatchId) -> Option<Box<str>> {
        self.fired.retain(|fired| *fired != watch);
        self.watches.get_mut(usize::from(watch.0))?.take()
    }

    /// Every watch and its path.
    pub(super) fn watches(&self) -> Vec<(WatchId, Box<str>)> {
        let watches = (0..).map(WatchId).zip(&self.watches);
        watches.filter_map(|(watch, path)| Some((watch, path.clone()?))).collect()
    }

    fn next_id(&mut self) -> u32 {
        self.next_request = self.next_request.wrapping_add(1);
        self.next_request & !UNHEEDED
    }

    fn queue(
        &mut self,
        kind: MessageType,
        id: u32,
        transaction: u32,
        payload: &[&[u8]],
    ) -> Result<(), Error> {
        let length = payload.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()));
        if length > PAYLOAD_MAX {
            return Err(Error::TooLong(length));
        }
        let message = HEADER_SIZE.saturating_add(length);
        if self.outgoing.len().saturating_add(message) > OUTGOING_MAX {
            return Err(Error::Busy);
        }
        let length = u32::try_from(length).map_err(|_| Error::TooLong(length))?;
        let header = Header { kind: kind.number(), request: id, transaction, length };
        self.outgoing.extend(header.emit());
        for part in payload {
            self.outgoing.extend(*part);
        }
        Ok(())
    }

    fn send(&mut self, rings: &mut Rings<'_>) -> Result<bool, IndexError> {
        let mut moved = false;
        while !self.outgoing.is_empty() {
            let (bytes, _) = self.outgoing.as_slices();
            let written = rings.requests.write(bytes)?;
            if written == 0 {
                break;
            }
            self.outgoing.drain(..written);
            moved = true;
        }
        Ok(moved)
    }

    fn receive(&mut self, rings: &mut Rings<'_>) -> Result<bool, IndexError> {
        let mut chunk = [0; CHUNK];
        let mut moved = false;
        loop {
            let read = rings.replies.read(&mut chunk)?;
            let Some(bytes) = chunk.get_mut(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(moved);
            };
            self.feed(bytes);
            (self.wipe)(bytes);
            moved = true;
        }
    }

    /// Takes bytes from the store, cut anywhere.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.incoming {
                Incoming::Header(header, there) => {
                    let rest = header.get_mut(*there..).unwrap_or_default();
                    let (now, later) = bytes.split_at(rest.len().min(bytes.len()));
                    rest.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
                    *there = there.saturating_add(now.len());
                    later
                }
                Incoming::Payload(header, payload) => {
                    let missing = (header.length as usize).saturating_sub(payload.len());
                    let (now, later) = bytes.split_at(missing.min(bytes.len()));
                    payload.extend_from_slice(now);
                    later
                }
                Incoming::Skip(left) => {
                    let skipped = (*left as usize).min(bytes.len());
                    *left = left.saturating_sub(u32::try_from(skipped).unwrap_or(u32::MAX));
                    bytes.get(skipped..).unwrap_or_default()
                }
            };
            self.advance();
        }
    }

    /// Goes on to the next part where one is whole.
    fn advance(&mut self) {
        if let Incoming::Header(bytes, HEADER_SIZE) = &self.incoming {
            let header = Header::parse(bytes);
            self.incoming = if header.length as usize > PAYLOAD_MAX {
                self.counters.oversized.increment();
                self.answer(header, Err(Error::Oversized(header.length)));
                Incoming::Skip(header.length)
            } else {
                Incoming::Payload(header, Vec::with_capacity(header.length as usize))
            };
        }
        match &mut self.incoming {
            Incoming::Payload(header, payload) if payload.len() == header.length as usize => {
                let (header, payload) = (*header, core::mem::take(payload));
                self.incoming = Incoming::START;
                self.dispatch(header, payload);
            }
            Incoming::Skip(0) => self.incoming = Incoming::START,
            _ => {}
        }
    }

    /// A message is whole.
    fn dispatch(&mut self, header: Header, payload: Vec<u8>) {
        if header.kind == MessageType::WatchEvent.number() {
            self.event(&payload);
        } else if header.kind == MessageType::Error.number() {
            let errno = match wire::terminated(&payload) {
                Some(name) => Errno::parse(name),
                None => {
                    self.counters.malformed.increment();
                    Errno::Unknown
                }
            };
            self.answer(header, Err(Error::Refused(errno)));
        } else if MessageType::is_known(header.kind) {
            self.answer(header, Ok(payload));
        } else {
            self.counters.unknown_type.increment();
            self.answer(header, Err(Error::Malformed));
        }
    }

    /// Gives a reply to whoever waits for it.
    fn answer(&mut self, header: Header, reply: Result<Vec<u8>, Error>) {
        if header.request & UNHEEDED != 0 {
            if reply.is_err() {
                self.counters.unheeded_refused.increment();
            }
            return;
        }
        let waits = |request: &&mut Outstanding| request.id.0 == header.request && request.reply.is_none();
        let Some(request) = self.outstanding.iter_mut().find(waits) else {
            self.counters.unmatched.increment();
            if header.kind == MessageType::TransactionStart.number() {
                self.end(reply.ok().and_then(|payload| wire::transaction(&payload)));
            }
            return;
        };
        request.reply = Some(if reply.is_ok() && header.kind != request.kind.number() {
            self.counters.wrong_type.increment();
            Err(Error::Malformed)
        } else {
            reply
        });
    }

    /// Ends a transaction that began too late for whoever wanted it: a store bears few at a time.
    fn end(&mut self, late: Option<u32>) {
        let Some(transaction) = late else { return };
        let id = self.next_id() | UNHEEDED;
        // Where no more can wait, the store has not taken what came before, and this is the least of it.
        let _ = self.queue(MessageType::TransactionEnd, id, transaction, &[b"F\0"]);
    }

    /// A watch has fired.
    fn event(&mut self, payload: &[u8]) {
        let Some((_, token)) = wire::watch_event(payload) else {
            self.counters.malformed.increment();
            return;
        };
        let ours = WatchId::parse(token)
            .filter(|watch| self.watches.get(usize::from(watch.0)).is_some_and(Option::is_some));
        match ours {
            Some(watch) => self.fire(watch),
            None => self.counters.unknown_watch.increment(),
        }
    }

    pub(super) fn fire(&mut self, watch: WatchId) {
        if !self.fired.contains(&watch) {
            self.fired.push_back(watch);
        }
    }
}

/// Lets go of a request, with the reply that nobody took.
fn discard(mut request: Outstanding, wipe: Wipe) {
    if let Some(Ok(value)) = &mut request.reply {
        wipe(value);
    }
}

impl WatchId {
    /// What the store sends back with each event of this watch.
    pub(super) fn token(self) -> String {
        format!("{TOKEN_PREFIX}{}", self.0)
    }

    /// The watch of a token; `None` where it is not one of ours.
    fn parse(token: &[u8]) -> Option<Self> {
        let number = token.strip_prefix(TOKEN_PREFIX.as_bytes())?;
        core::str::from_utf8(number).ok()?.parse().ok().map(Self)
    }
}
