//! The device: one network interface through all its connections to backends.
//!
//! An epoch runs from the keys we write to the end of that connection. Grants belong to it: on a reconnect they end and
//! are made anew.

use crate::counters::NetCounters;
use crate::features::{FeatureSet, Offer};
use crate::frame::{Offload, Received, Slice, TransmitError};
use crate::handshake::{Phase, Step};
use crate::keys::{self, Identity, Key, KeyError};
use crate::lie::Lie;
use crate::pages::{Held, Quarantine};
use crate::platform::{Channel, GrantRef, Platform, Ports, RingPage};
use crate::rx::Rx;
use crate::store::{Store, XenbusState};
use crate::tx::Tx;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use xen::netif::NR_SLOTS_MIN;
use xen::quota::Quota;

/// A time in microseconds, from whenever the machine counts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Microseconds(pub u64);

/// How long to wait before trying again what failed without anyone's lie, in microseconds. It doubles, as after lies, with
/// each further call in a row that the store fails: where it is silent, all else waits for it.
const RETRY: u64 = 1_000_000;
/// How long a backend that has begun anew may take to follow our Closing, in microseconds.
const OUTWAIT: u64 = 2_000_000;
/// How long to wait before reconnecting after a backend's first lie, in microseconds; it doubles with each further one.
const BACKOFF: u64 = 1_000_000;
/// How often either doubles: the longest wait is about a minute.
const BACKOFF_DOUBLINGS: u32 = 6;
/// A connection that lasted so many microseconds makes earlier lies forgotten.
const TRUSTED_AFTER: u64 = 60_000_000;
/// Lines about what is wrong with the device's keys, however often the backend changes them.
const LINES: u32 = 8;
/// The period of that share, in microseconds. Lies have none: each makes the next connection wait longer.
const LINES_PERIOD: u64 = 60_000_000;
/// Steps of the handshake taken in one go: more than any way from one phase to another takes, so a backend that changes
/// its state all the time does not keep us.
const STEPS_MAX: usize = 8;

/// Without as many pages posted a backend might never pass the longest frame: 18 slots, and two of extra info.
const RECEIVE_MIN: u32 = 20;

/// How many pages an epoch takes at most. It goes on with fewer, down to 9 and 20: as many as the longest frame takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Pages cut into transmit blocks, two each.
    pub transmit: u16,
    /// Pages to receive into, at most 256.
    pub receive: u16,
}

impl Default for Sizes {
    /// A block and a page for each ring position: 1.5 MiB.
    fn default() -> Self {
        Self { transmit: 128, receive: 256 }
    }
}

/// What has become of the connection since the last time this was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is as it was.
    None,
    /// Frames pass; before, they did not.
    Up,
    /// Frames pass no more.
    Down,
    /// It has ended, and another one has begun.
    Renewed,
}

/// What a poll has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Polled {
    /// There is more to do now: poll again before sleeping.
    pub more: bool,
    /// The backend has finished frames: one that was refused as [`TransmitError::Full`] may pass.
    pub room: bool,
}

/// Why a step of the handshake failed.
enum ControlError<E> {
    /// The device's keys.
    Keys(KeyError<E>),
    /// No page, grant or event channel is left for the rings.
    Exhausted,
    /// Backends still map so many pages of earlier connections that no more are risked.
    Hoard,
}

impl<E> From<KeyError<E>> for ControlError<E> {
    fn from(error: KeyError<E>) -> Self {
        Self::Keys(error)
    }
}

impl<E: fmt::Display> fmt::Display for ControlError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => error.fmt(f),
            Self::Exhausted => f.write_str("no page, grant or event channel is left for the rings"),
            Self::Hoard => f.write_str("backends still map too many pages of earlier connections"),
        }
    }
}

/// One network interface.
pub struct Device<P: Platform> {
    platform: P,
    /// The frontend directory, such as `device/vif/0`.
    front: String,
    sizes: Sizes,
    phase: Phase,
    identity: Option<Identity>,
    /// The connection is over, and the next may be another device's in the same place.
    stale: bool,
    epoch: Option<Epoch<P>>,
    quarantine: Quarantine<P>,
    counters: NetCounters,
    /// The backend lied in this epoch, and the store does not know yet.
    lied: bool,
    /// When to try again what failed, or what is put off.
    retry: Option<Microseconds>,
    /// Times in a row that the store failed.
    failures: u32,
    /// Lies without a lasting connection between them.
    lies: u32,
    /// Before then no new connection is begun.
    not_before: Microseconds,
    opened: Microseconds,
    /// How long a backend has to follow our Closing.
    outwaited: Microseconds,
    /// What the last [`Device::control`] said: frames pass.
    said_up: bool,
    /// The watch on our own directory is set.
    watching: bool,
    stopping: bool,
    problem: Option<String>,
    lines: Quota,
}

/// A ring's page and its grant.
type Ring = (&'static RingPage, GrantRef);

/// One connection to a backend.
struct Epoch<P: Platform> {
    tx: Tx<P>,
    rx: Rx<P>,
    features: FeatureSet,
    ports: Ports,
}

impl<P: Platform> Device<P> {
    /// The interface whose frontend directory is `front`, such as `device/vif/0`. Nothing happens before
    /// [`Self::control`].
    pub fn new(platform: P, front: &str, sizes: Sizes) -> Self {
        let pages = usize::from(sizes.transmit).saturating_add(usize::from(sizes.receive)).saturating_add(2);
        Self {
            platform,
            front: front.to_owned(),
            sizes,
            phase: Phase::Absent,
            identity: None,
            stale: false,
            epoch: None,
            quarantine: Quarantine::new(pages),
            counters: NetCounters::default(),
            lied: false,
            retry: None,
            failures: 0,
            lies: 0,
            not_before: Microseconds(0),
            opened: Microseconds(0),
            outwaited: Microseconds(0),
            said_up: false,
            watching: false,
            stopping: false,
            problem: None,
            lines: Quota::new(LINES, LINES_PERIOD, 0),
        }
    }

    /// Where the handshake is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the toolstack says of the device, once it was read.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What the backend does for us in this connection.
    pub fn features(&self) -> Option<FeatureSet> {
        self.epoch.as_ref().map(|epoch| epoch.features)
    }

    /// The event channels of this connection.
    pub fn ports(&self) -> Option<Ports> {
        self.epoch.as_ref().map(|epoch| epoch.ports)
    }

    /// The counters.
    pub fn counters(&self) -> &NetCounters {
        &self.counters
    }

    /// The machine below.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// The machine below, to look at.
    pub fn machine(&self) -> &P {
        &self.platform
    }

    /// Pages that the backend may write frames into.
    pub fn posted(&self) -> u32 {
        self.epoch.as_ref().map_or(0, |epoch| epoch.rx.posted())
    }

    /// Too few pages are with the backend for the longest frame, or for any: the next [`Self::poll`] tries for more, and no
    /// event may come before.
    pub fn is_starved(&self) -> bool {
        self.is_up() && self.posted() < RECEIVE_MIN
    }

    /// Blocks and references in flight.
    pub fn in_flight(&self) -> usize {
        self.epoch.as_ref().map_or(0, |epoch| epoch.tx.in_flight())
    }

    /// Pages that a backend does not let go.
    pub fn quarantined(&self) -> usize {
        self.quarantine.len()
    }

    /// Why there is no connection, or why the last one ended, where the fault is not ours: said on the console once,
    /// unless too much was said of late, and kept until it is cured.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// When [`Self::control`] wants to be called though no watch fired: the past for at once.
    pub fn deadline(&self) -> Option<Microseconds> {
        if self.lied && self.retry.is_none() { Some(Microseconds(0)) } else { self.retry }
    }

    /// Brings the handshake as far as the store's keys let it: to be called at the start, when a watch fires, and at
    /// the deadline.
    pub fn control<S: Store>(&mut self, store: &mut S, now: Microseconds) -> Change {
        let connects = self.counters.connects;
        let advanced = self.advance(store, now);
        let failed = matches!(advanced, Err(ControlError::Keys(KeyError::Store(_))));
        let failures = if failed { self.failures } else { 0 };
        self.failures = failures.saturating_add(u32::from(failed)).min(BACKOFF_DOUBLINGS);
        match advanced {
            Ok(()) if self.is_up() => self.problem = None,
            Ok(()) => {}
            Err(error) => {
                self.retry = Some(now.after(RETRY << failures));
                let said = self.problem.replace(error.to_string());
                if said != self.problem && self.lines.take(now.0) {
                    log::error!("network: {error}");
                }
            }
        }
        if !self.is_up() && !self.quarantine.is_empty() && self.retry.is_none() {
            self.retry = Some(now.after(RETRY));
        }
        let up = self.is_up();
        match (core::mem::replace(&mut self.said_up, up), up) {
            (false, true) => Change::Up,
            (true, false) => Change::Down,
            (true, true) if connects != self.counters.connects => Change::Renewed,
            _ => Change::None,
        }
    }

    /// Takes what the backend has done: responses to what was sent, and up to `budget` slots of received frames, each
    /// whole frame being handed to `deliver` along with the way out. What `deliver` and others have sent since the last
    /// poll is shown to the backend.
    pub fn poll(
        &mut self,
        budget: u32,
        mut deliver: impl FnMut(Received<'_>, &mut Transmitter<'_, P>),
    ) -> Polled {
        let idle = Polled { more: false, room: false };
        if !self.is_up() {
            return idle;
        }
        let Some(epoch) = &mut self.epoch else { return idle };
        if !self.quarantine.is_empty() {
            self.quarantine.sweep(&mut self.platform);
        }
        match epoch.poll(&mut self.platform, &mut self.quarantine, &mut self.counters, budget, &mut deliver) {
            Ok(polled) => polled,
            Err(lie) => {
                let problem = format!("the backend broke the protocol: {lie}");
                log::error!("network: {problem}");
                self.problem = Some(problem);
                self.counters.lies.increment();
                self.lied = true;
                idle
            }
        }
    }

    /// The way out for frames.
    pub fn transmitter(&mut self) -> Transmitter<'_, P> {
        let up = self.is_up();
        Transmitter {
            tx: self.epoch.as_mut().filter(|_| up).map(|epoch| &mut epoch.tx),
            platform: &mut self.platform,
            counters: &mut self.counters,
        }
    }

    /// Closes the device for good, as before a shutdown: the backend is told, and once it has followed
    /// ([`Phase::Closed`]) all grants have ended.
    pub fn stop<S: Store>(&mut self, store: &mut S, now: Microseconds) -> Change {
        self.stopping = true;
        self.control(store, now)
    }

    /// The domain was restored: the backend is another, and the platform's grants and channels are gone, so that each
    /// can be ended. Ends the epoch; [`Self::control`] begins the next with whatever stands in the store.
    pub fn resume(&mut self) {
        self.quarantine.sweep(&mut self.platform);
        self.end_epoch();
        self.identity = None;
        self.watching = false;
        self.retry = None;
        self.problem = None;
        // Another backend has told no lies yet.
        (self.lies, self.not_before) = (0, Microseconds(0));
    }

    fn is_up(&self) -> bool {
        self.phase == Phase::Connected && !self.lied
    }

    fn advance<S: Store>(&mut self, store: &mut S, now: Microseconds) -> Result<(), ControlError<S::Error>> {
        self.retry = None;
        self.quarantine.sweep(&mut self.platform);
        for _ in 0..STEPS_MAX {
            let Some((backend, online)) = self.observe(store)? else { return Ok(()) };
            match self.step(backend, online) {
                Step::Stay => return Ok(()),
                Step::Initialise if self.stopping => return Ok(()),
                Step::Outwait if now < self.outwaited => {
                    self.retry = Some(self.outwaited);
                    return Ok(());
                }
                Step::Initialise | Step::Outwait if now < self.not_before => {
                    self.retry = Some(self.not_before);
                    return Ok(());
                }
                Step::Initialise | Step::Outwait if self.phase != Phase::Absent => {
                    self.end_epoch();
                    self.stale = true;
                }
                Step::Initialise | Step::Outwait => {
                    self.show(store, XenbusState::Initialising)?;
                    self.phase = Phase::Waiting;
                }
                Step::Connect => {
                    if let Err(error) = self.connect(store) {
                        self.end_epoch();
                        return Err(error);
                    }
                    self.phase = Phase::Connecting;
                }
                Step::Open => self.open(now),
                Step::Close => {
                    self.show(store, XenbusState::Closing)?;
                    self.close(now);
                }
                Step::Shut => {
                    self.end_epoch();
                    self.show(store, XenbusState::Closed)?;
                    self.phase = Phase::Closed;
                }
            }
        }
        // The backend runs in circles: others have their turn first.
        self.retry = Some(now);
        Ok(())
    }

    fn step(&self, backend: XenbusState, online: bool) -> Step {
        let engaged = matches!(self.phase, Phase::Waiting | Phase::Connecting | Phase::Connected);
        if engaged && (self.lied || self.stopping) {
            return Step::Close;
        }
        match self.phase.step(backend, online) {
            // It will not follow: it has no connection to close.
            Step::Outwait if self.stopping => Step::Shut,
            step => step,
        }
    }

    /// The backend's state, and whether its device is meant to be there; `None` where there is no device.
    fn observe<S: Store>(
        &mut self,
        store: &mut S,
    ) -> Result<Option<(XenbusState, bool)>, ControlError<S::Error>> {
        if !self.watching {
            store.watch(&format!("{}/backend", self.front)).map_err(KeyError::Store)?;
            self.watching = true;
        }
        let backend = store.read(&format!("{}/backend", self.front)).map_err(KeyError::Store)?;
        let moved = backend.as_ref() != self.identity.as_ref().map(|identity| &identity.backend);
        if moved || self.stale {
            // Unplugged, plugged in again somewhere else, or perhaps in the same place.
            self.end_epoch();
            if moved {
                self.forget(store)?;
            }
            let identity = Identity::read(store, &self.front)?;
            let path = |identity: &Option<Identity>| identity.as_ref().map(|known| known.backend.clone());
            if path(&identity) != path(&self.identity) {
                self.forget(store)?;
            }
            if let Some(new) = &identity {
                store.watch(&format!("{}/state", new.backend)).map_err(KeyError::Store)?;
            }
            // Only now: a device that is known is watched.
            (self.identity, self.stale) = (identity, false);
        }
        let Some(Identity { backend, .. }) = &self.identity else { return Ok(None) };
        if self.phase == Phase::Closed {
            // Whether the device may start again is heeded in this phase alone.
            store.watch(&format!("{backend}/online")).map_err(KeyError::Store)?;
        }
        let keys = ["state", "online"].map(|key| format!("{backend}/{key}"));
        let [state, online] = Key::read_all(store, keys)?;
        let state = state.parse(XenbusState::parse)?.unwrap_or(XenbusState::Unknown);
        Ok(Some((state, online.parse(keys::flag)?.unwrap_or_default())))
    }

    /// The device is not what it was, and its backend is not watched any more.
    fn forget<S: Store>(&mut self, store: &mut S) -> Result<(), ControlError<S::Error>> {
        if let Some(old) = self.identity.take() {
            let ended = ["state", "online"].map(|key| store.unwatch(&format!("{}/{key}", old.backend)));
            ended.into_iter().collect::<Result<(), _>>().map_err(KeyError::Store)?;
        }
        Ok(())
    }

    /// Shows our state.
    fn show<S: Store>(&self, store: &mut S, state: XenbusState) -> Result<(), ControlError<S::Error>> {
        store.write(&[self.entry("state", state.value())]).map_err(KeyError::Store)?;
        Ok(())
    }

    /// Begins an epoch and tells the backend of it.
    fn connect<S: Store>(&mut self, store: &mut S) -> Result<(), ControlError<S::Error>> {
        if self.quarantine.is_full() {
            return Err(ControlError::Hoard);
        }
        let Some(Identity { backend, domain, mtu, .. }) = self.identity.clone() else { return Ok(()) };
        let offer = Offer::read(store, &backend)?;
        let features = FeatureSet::from(offer);
        self.platform.begin(domain);
        let Some((ports, tx_ring, rx_ring)) = self.rings(offer.split_channels) else {
            self.platform.end();
            return Err(ControlError::Exhausted);
        };
        let epoch = self.epoch.insert(Epoch {
            tx: Tx::new(&mut self.platform, tx_ring, self.sizes.transmit, features, mtu),
            rx: Rx::new(&mut self.platform, &mut self.counters, rx_ring, self.sizes.receive),
            features,
            ports,
        });
        if epoch.tx.blocks() < NR_SLOTS_MIN || epoch.rx.posted() < RECEIVE_MIN {
            return Err(ControlError::Exhausted);
        }
        // No event: the backend has not bound the channels.
        epoch.rx.show();
        let (tx_grant, rx_grant) = (epoch.tx.grant(), epoch.rx.grant());
        let mut entries = Vec::from([
            self.entry("tx-ring-ref", &tx_grant.to_string()),
            self.entry("rx-ring-ref", &rx_grant.to_string()),
            self.entry("request-rx-copy", "1"),
            self.entry("feature-rx-notify", "1"),
            self.entry("feature-sg", "1"),
            self.entry("feature-gso-tcpv4", "1"),
        ]);
        // The keys of the other kind go: netback prefers the split ones wherever it finds them.
        if offer.split_channels {
            entries.push(self.entry("event-channel-tx", &ports.transmit.to_string()));
            entries.push(self.entry("event-channel-rx", &ports.receive.to_string()));
            entries.push(self.removed("event-channel"));
        } else {
            entries.push(self.entry("event-channel", &ports.transmit.to_string()));
            entries.push(self.removed("event-channel-tx"));
            entries.push(self.removed("event-channel-rx"));
        }
        entries.push(self.entry("state", XenbusState::Connected.value()));
        store.write(&entries).map_err(KeyError::Store)?;
        Ok(())
    }

    /// Event channels and two rings, or nothing.
    fn rings(&mut self, split: bool) -> Option<(Ports, Ring, Ring)> {
        let ports = self.platform.open_channels(split)?;
        let tx = self.platform.allocate_ring()?;
        let Some(rx) = self.platform.allocate_ring() else {
            let (page, grant) = tx;
            self.quarantine.end(&mut self.platform, Held::Ring(grant, page));
            return None;
        };
        Some((ports, tx, rx))
    }

    fn entry(&self, key: &str, value: &str) -> (String, Option<String>) {
        (format!("{}/{key}", self.front), Some(value.to_owned()))
    }

    fn removed(&self, key: &str) -> (String, Option<String>) {
        (format!("{}/{key}", self.front), None)
    }

    fn open(&mut self, now: Microseconds) {
        self.phase = Phase::Connected;
        self.opened = now;
        self.counters.connects.increment();
        // The backend may have looked at the rings before it could be told of anything.
        self.platform.notify(Channel::Transmit);
        self.platform.notify(Channel::Receive);
    }

    /// What follows a Closing of ours.
    fn close(&mut self, now: Microseconds) {
        self.phase = Phase::Closing;
        self.outwaited = now.after(OUTWAIT);
        if core::mem::take(&mut self.lied) {
            if now >= self.opened.after(TRUSTED_AFTER) {
                self.lies = 0;
            }
            self.not_before = now.after(BACKOFF << self.lies);
            self.lies = self.lies.saturating_add(1).min(BACKOFF_DOUBLINGS);
        }
    }

    /// Ends every grant and channel of the epoch, if there is one. Until the store shows another state of ours, ours is
    /// whatever stands there: a key, or a whole connection, may have been written though its answer was lost.
    fn end_epoch(&mut self) {
        self.lied = false;
        let phase = core::mem::replace(&mut self.phase, Phase::Absent);
        let Some(Epoch { tx, rx, .. }) = self.epoch.take() else { return };
        if phase == Phase::Connected {
            self.counters.disconnects.increment();
        }
        tx.end(&mut self.platform, &mut self.quarantine);
        rx.end(&mut self.platform, &mut self.quarantine);
        self.platform.end();
    }
}

impl<P: Platform> Epoch<P> {
    fn poll(
        &mut self,
        platform: &mut P,
        quarantine: &mut Quarantine<P>,
        counters: &mut NetCounters,
        budget: u32,
        deliver: &mut impl FnMut(Received<'_>, &mut Transmitter<'_, P>),
    ) -> Result<Polled, Lie> {
        let Self { tx, rx, .. } = self;
        let room = tx.reap(platform, quarantine, counters)?;
        let mut more = rx.poll(platform, quarantine, counters, budget, |platform, counters, frame| {
            deliver(frame, &mut Transmitter { tx: Some(tx), platform, counters });
        })?;
        rx.flush(platform, counters);
        tx.flush(platform, counters);
        if !more {
            more = rx.ask_event()? | tx.ask_event()?;
        }
        Ok(Polled { more, room })
    }
}

/// The way out for frames, as long as it is borrowed from the device.
pub struct Transmitter<'d, P: Platform> {
    tx: Option<&'d mut Tx<P>>,
    platform: &'d mut P,
    counters: &'d mut NetCounters,
}

impl<P: Platform> Transmitter<'_, P> {
    /// What the backend does for us; `None` while there is no connection.
    pub fn features(&self) -> Option<FeatureSet> {
        self.tx.as_ref().map(|tx| tx.features())
    }

    /// The largest IP packet, in bytes, that goes out as one frame on the wire; `None` while there is no connection.
    pub fn mtu(&self) -> Option<u16> {
        self.tx.as_ref().map(|tx| tx.mtu())
    }

    /// How many bytes of `payload`, counted from its start, one frame can carry.
    pub fn fit<'a>(&self, payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone) -> usize {
        match &self.tx {
            Some(tx) => tx.fit(self.platform, payload),
            None => payload.fold(0, |sum, slice| sum.saturating_add(slice.bytes().len())),
        }
    }

    /// Queues one frame, whole or not at all: `header` is at least the Ethernet header, and no checksum sequence
    /// follows `payload`. The backend sees the frame at the next flush.
    pub fn transmit<'a>(
        &mut self,
        header: &[u8],
        payload: impl Iterator<Item = Slice<'a, P::Lender<'a>>> + Clone,
        offload: Offload,
    ) -> Result<(), TransmitError> {
        let Some(tx) = &mut self.tx else {
            self.counters.tx_down.increment();
            return Err(TransmitError::Down);
        };
        tx.transmit(self.platform, self.counters, header, payload, offload)
    }

    /// Shows the backend what was queued: once for a batch, since it may cost a hypercall. Where a frame was refused as
    /// [`TransmitError::Full`], an event is asked for too; true when what it would tell has happened already: poll
    /// again before sleeping.
    #[must_use = "after true no event comes"]
    pub fn flush(&mut self) -> bool {
        let Some(tx) = &mut self.tx else { return false };
        tx.flush(self.platform, self.counters);
        // A lie is for the poll to find.
        tx.ask_event().unwrap_or(true)
    }
}

impl Microseconds {
    fn after(self, microseconds: u64) -> Self {
        Self(self.0.saturating_add(microseconds))
    }
}
