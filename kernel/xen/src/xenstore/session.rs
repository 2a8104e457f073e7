//! Calls to the store that wait for their answer.
//!
//! The store answers in order, so what does not depend on an answer is sent at once and awaited together: each wait is
//! a way to dom0 and back, and a boot has many.

use super::client::{Client, OUTSTANDING_MAX, RequestId, WatchId};
use super::error::Error;
use super::interface::Rings;
use super::wire::{self, Errno, MessageType};
use crate::secret::Wipe;
use alloc::string::String;
use alloc::vec::Vec;

/// How often a transaction is tried before [`Error::Conflict`].
const TRANSACTION_ATTEMPTS: u32 = 16;

/// The event channel to the store, and the clock that bounds the waiting.
pub trait Wait {
    /// A request begins: its time-out counts from here.
    fn begin(&mut self);
    /// Sends an event to the store.
    fn notify(&mut self);
    /// Waits for an event from the store; the event is cleared before this returns, so that the ring is read after it.
    /// Returning early does no harm.
    fn wait(&mut self) -> Result<(), TimedOut>;
}

/// The store has not answered in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimedOut;

/// A connection to the store. Paths are absolute, or relative to the domain's own (`/local/domain/N`).
#[derive(Debug)]
pub struct Session<'r, W> {
    client: Client,
    rings: Rings<'r>,
    wait: W,
}

impl<'r, W: Wait> Session<'r, W> {
    /// Takes up the rings where they stand. `seed` is any number that differs from boot to boot.
    pub fn new(rings: Rings<'r>, wait: W, seed: u32) -> Self {
        Self { client: Client::new(seed), rings, wait }
    }

    /// The client beneath, for what it counted.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How what may have been a secret is wiped, in the buffers of the client.
    pub fn set_wipe(&mut self, wipe: Wipe) {
        self.client.set_wipe(wipe);
    }

    /// What waits.
    pub fn wait_mut(&mut self) -> &mut W {
        &mut self.wait
    }

    /// Makes the store forget the watches and transactions of whoever ran in this domain before, without waiting for
    /// it: a store that does not know how refuses, which is counted.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.client.submit_unheeded(MessageType::ResetWatches, &[b"\0"])?;
        self.pump()
    }

    /// A node's value.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Error> {
        self.read_in(0, path)
    }

    /// The values of several nodes, in their order, for about the wait of one.
    pub fn read_all(&mut self, paths: &[&str]) -> Vec<Result<Vec<u8>, Error>> {
        let mut values: Vec<Result<Vec<u8>, Error>> = Vec::with_capacity(paths.len());
        for batch in paths.chunks(OUTSTANDING_MAX) {
            let submit = |path: &&str| {
                check(path)?;
                self.client.submit(MessageType::Read, 0, &[path.as_bytes(), b"\0"])
            };
            let requests: Vec<Result<RequestId, Error>> = batch.iter().map(submit).collect();
            for request in requests {
                // A store that has been silent once is not waited for again.
                let value = match (values.last(), request) {
                    (Some(Err(error @ (Error::TimedOut | Error::Ring(_)))), Ok(request)) => {
                        self.client.forget(request);
                        Err(*error)
                    }
                    (_, request) => request.and_then(|request| self.reply(request)),
                };
                values.push(value);
            }
        }
        values
    }

    /// Sets a node's value, making it where it is not there.
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<(), Error> {
        check(path)?;
        self.command(MessageType::Write, 0, &[path.as_bytes(), b"\0", value])
    }

    /// Sets a node's value without waiting for the store's consent; a refusal is counted.
    pub fn write_unheeded(&mut self, path: &str, value: &[u8]) -> Result<(), Error> {
        self.queue_unheeded(path, "", value)?;
        self.pump()
    }

    /// The same for one of many, the node being `folder` and `name` joined: it goes with the next
    /// [`Session::pump`], for one event to the store. [`Error::Busy`] where no more can wait.
    pub fn queue_unheeded(&mut self, folder: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        check(folder)?;
        check(name)?;
        let payload = [folder.as_bytes(), name.as_bytes(), b"\0", value];
        self.client.submit_unheeded(MessageType::Write, &payload)
    }

    /// Removes a node and all below it; that it is not there is no failure.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        check(path)?;
        present(self.command(MessageType::Rm, 0, &[path.as_bytes(), b"\0"]))
    }

    /// The names under a node.
    pub fn list(&mut self, path: &str) -> Result<Vec<String>, Error> {
        check(path)?;
        let reply = self.call(MessageType::Directory, 0, &[path.as_bytes(), b"\0"])?;
        if reply.is_empty() {
            return Ok(Vec::new());
        }
        let names = wire::terminated(&reply).and_then(|names| {
            let names = core::str::from_utf8(names).ok()?.split('\0');
            Some(names.map(String::from).collect())
        });
        names.ok_or_else(|| self.malformed())
    }

    /// Watches a node and all below it. The watch fires at once, and then at each change.
    pub fn watch(&mut self, path: &str) -> Result<WatchId, Error> {
        check(path)?;
        let watch = self.client.add_watch(path)?;
        let done = self.register(watch, path);
        if done.is_err() {
            self.client.remove_watch(watch);
        }
        done.map(|()| watch)
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, watch: WatchId) -> Result<(), Error> {
        let Some(path) = self.client.remove_watch(watch) else { return Ok(()) };
        let token = watch.token();
        self.command(MessageType::Unwatch, 0, &[path.as_bytes(), b"\0", token.as_bytes(), b"\0"])
    }

    /// Forgets a watch without telling the store: one of a store that is gone, not to be watched again.
    pub fn forget(&mut self, watch: WatchId) {
        self.client.remove_watch(watch);
    }

    /// Takes up the rings of a restored domain, whose store knows nothing of us, and watches again what was watched.
    /// What the former store had still to say is thrown away.
    pub fn reconnect(&mut self, rings: Rings<'r>) -> Result<(), Error> {
        self.rings = rings;
        self.client.restart();
        self.rings.replies.discard()?;
        for (watch, path) in self.client.watches() {
            self.register(watch, &path)?;
        }
        Ok(())
    }

    /// Moves bytes both ways without waiting. To be called when the store's event has come (and been cleared).
    pub fn pump(&mut self) -> Result<(), Error> {
        if self.client.pump(&mut self.rings)? {
            self.wait.notify();
        }
        Ok(())
    }

    /// A watch that has fired since it was last given here: read again what it watches.
    pub fn fired(&mut self) -> Option<WatchId> {
        self.client.fired()
    }

    /// Does `work` in a transaction: all of it happens at once or not at all. Where others changed what it touched in
    /// the meantime (EAGAIN), it is done again, a bounded number of times. An error of `work` aborts it.
    pub fn transaction<T>(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_, 'r, W>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..TRANSACTION_ATTEMPTS {
            let id = self.start_transaction()?;
            let mut transaction = Transaction { session: self, id, unanswered: Vec::new() };
            let worked = work(&mut transaction);
            let settled = transaction.settle();
            let done = worked.and_then(|value| settled.map(|()| value));
            let verdict: &[u8] = if done.is_ok() { b"T\0" } else { b"F\0" };
            let ended = self.command(MessageType::TransactionEnd, id, &[verdict]);
            match (done, ended) {
                (Ok(_), Err(Error::Refused(Errno::EAGAIN))) => {
                    self.client.counters_mut().conflicts.increment()
                }
                (Ok(value), ended) => return ended.map(|()| value),
                // What `work` met says more than how the abort went.
                (Err(error), _) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    fn start_transaction(&mut self) -> Result<u32, Error> {
        let reply = self.call(MessageType::TransactionStart, 0, &[b"\0"])?;
        wire::transaction(&reply).ok_or_else(|| self.malformed())
    }

    fn read_in(&mut self, transaction: u32, path: &str) -> Result<Vec<u8>, Error> {
        check(path)?;
        self.call(MessageType::Read, transaction, &[path.as_bytes(), b"\0"])
    }

    fn register(&mut self, watch: WatchId, path: &str) -> Result<(), Error> {
        let token = watch.token();
        match self.command(MessageType::Watch, 0, &[path.as_bytes(), b"\0", token.as_bytes(), b"\0"]) {
            // An earlier try's answer came too late: it stands, and what it told at first was nobody's.
            Err(Error::Refused(Errno::EEXIST)) => {
                self.client.fire(watch);
                Ok(())
            }
            done => done,
        }
    }

    /// A request whose reply is no more than `OK`.
    fn command(&mut self, kind: MessageType, transaction: u32, payload: &[&[u8]]) -> Result<(), Error> {
        let request = self.client.submit(kind, transaction, payload)?;
        self.consent(request)
    }

    /// Waits for a reply that is no more than `OK`.
    fn consent(&mut self, request: RequestId) -> Result<(), Error> {
        if self.reply(request)? == b"OK\0" { Ok(()) } else { Err(self.malformed()) }
    }

    fn call(&mut self, kind: MessageType, transaction: u32, payload: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let request = self.client.submit(kind, transaction, payload)?;
        self.reply(request)
    }

    /// Waits for a reply. Whatever becomes of it, the request is answered or forgotten.
    fn reply(&mut self, request: RequestId) -> Result<Vec<u8>, Error> {
        self.wait.begin();
        let reply = self.wait_for(request);
        if reply.is_err() {
            self.client.forget(request);
        }
        reply
    }

    fn wait_for(&mut self, request: RequestId) -> Result<Vec<u8>, Error> {
        loop {
            self.pump()?;
            if let Some(reply) = self.client.take(request) {
                return reply;
            }
            if self.wait.wait().is_err() {
                self.client.counters_mut().timed_out.increment();
                // The rest of a message that has come only in part is not coming: its length was a lie.
                if self.client.is_mid_message() {
                    self.client.resynchronise(&mut self.rings)?;
                }
                return Err(Error::TimedOut);
            }
        }
    }

    fn malformed(&mut self) -> Error {
        self.client.counters_mut().malformed.increment();
        Error::Malformed
    }
}

/// A transaction under way. What it changes is sent at once; whether the store consented is known at its end, before
/// it is committed.
#[derive(Debug)]
pub struct Transaction<'s, 'r, W> {
    session: &'s mut Session<'r, W>,
    id: u32,
    unanswered: Vec<(RequestId, Change)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Write,
    Remove,
}

impl<W: Wait> Transaction<'_, '_, W> {
    /// A node's value.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Error> {
        self.session.read_in(self.id, path)
    }

    /// Sets a node's value, making it where it is not there.
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<(), Error> {
        check(path)?;
        self.send(Change::Write, MessageType::Write, &[path.as_bytes(), b"\0", value])
    }

    /// Removes a node and all below it; that it is not there is no failure.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        check(path)?;
        self.send(Change::Remove, MessageType::Rm, &[path.as_bytes(), b"\0"])
    }

    fn send(&mut self, change: Change, kind: MessageType, payload: &[&[u8]]) -> Result<(), Error> {
        // One stays free, for a read.
        if self.unanswered.len() >= OUTSTANDING_MAX.saturating_sub(1) {
            self.settle()?;
        }
        let request = match self.session.client.submit(kind, self.id, payload) {
            // Large values fill the queue before there are many.
            Err(Error::Busy) => {
                self.settle()?;
                self.session.client.submit(kind, self.id, payload)?
            }
            request => request?,
        };
        self.unanswered.push((request, change));
        self.session.pump()
    }

    /// Waits for the store's consent to what was sent: the first refusal is the result.
    fn settle(&mut self) -> Result<(), Error> {
        let mut settled = Ok(());
        for (request, change) in self.unanswered.drain(..) {
            // A store that has been silent once is not waited for again.
            if matches!(settled, Err(Error::TimedOut | Error::Ring(_))) {
                self.session.client.forget(request);
                continue;
            }
            let consent = match (self.session.consent(request), change) {
                (consent, Change::Remove) => present(consent),
                (consent, Change::Write) => consent,
            };
            settled = settled.and(consent);
        }
        settled
    }
}

/// To remove what is not there is no failure.
fn present(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(error) if error.is_absent() => Ok(()),
        removed => removed,
    }
}

/// A path is closed by a NUL on the wire: one inside would end it early.
fn check(path: &str) -> Result<(), Error> {
    if path.contains('\0') { Err(Error::Nul) } else { Ok(()) }
}
