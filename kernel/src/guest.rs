//! The guest at work: one loop, which takes frames, runs timers, hears the toolstack, and sleeps.

mod drain;
#[cfg(feature = "tls")]
pub mod https;
mod report;
mod resume;

use crate::allotment::Allotment;
use crate::control::{self, Control, Order, Shown, Topics};
use crate::events::Events;
use crate::grants::Grants;
use crate::nic::{self, Nic};
use crate::pv::Errno;
use crate::pv::hypercall::Shutdown;
use crate::recorder::Flight;
use crate::registers::Registers;
use crate::service::{Service, http, http_mut};
use crate::site::Source;
use crate::status::{self, State};
use crate::suspend::Suspend;
use crate::time::{self, Clock};
use crate::watchdog::Watchdog;
use crate::xenstore::Store;
use crate::{console, memory, panic, pv, recorder};
use alloc::boxed::Box;
use drain::Drain;
use netfront::device::{Change, Microseconds, Sizes};
use netfront::handshake::Phase;
use netstack::addressing::{Addressing, Prefix};
use netstack::stack::Event;
use netstack::tcp::Limits;
use netstack::wire::ethernet;
use netstack::{Duration, Instant, Service as _, Stack, stack};
pub use report::LoopCounters;
use report::Published;
use site::WallClock;
use xen::cmdline::Address;
use xen::quota::Quota;
use xen::sleep::{Sleeps, Verdict};
use xen::xenstore::Error;

/// The frontend directory of the one interface that the guest has.
const VIF: &str = "device/vif/0";

/// Receive slots taken before timers and the store have their turn.
const BUDGET: u32 = 64;

/// How long the toolstack's request waits to be read again, or watched, where the store failed: twice as long each
/// time, since a silent store holds the whole loop up until its time-out.
const CONTROL_AGAIN: Duration = Duration::from_secs(1);
/// The longest that it waits.
const CONTROL_AGAIN_MAX: Duration = Duration::from_secs(64);

/// When what the toolstack may ask of a running guest is watched: each watch is a way to dom0 and back, and no boot
/// waits for it.
const LISTEN_CLOSELY: Instant = Instant::from_micros(2_000_000);

/// How often the time of day is read anew: dom0 sets it now and then, and no counter keeps it for months.
const WALL_CLOCK_AGAIN: Duration = Duration::from_secs(60);

/// How soon pages to receive into are tried for again where there are too few.
const RECEIVE_AGAIN: Duration = Duration::from_secs(1);

/// Sleeps that fail one after the other before the guest gives up: without sleep it only burns its processor.
const POLL_FAILURES: u32 = 1000;

/// Lines about the interface in a period, however often its backend comes and goes.
const NETWORK_LINES: u32 = 12;
/// That period.
const NETWORK_LINES_PERIOD: Duration = Duration::from_secs(60);

/// How long the guest waits for its first lease before it shows what it has seen of the network.
const LEASE_PATIENCE: Duration = Duration::from_secs(30);

/// How long open connections have to end once the guest is told to stop.
const CONNECTIONS_END: Duration = Duration::from_secs(5);
/// How long the backend then has to let go.
const BACKEND_ENDS: Duration = Duration::from_secs(2);

/// All that runs.
pub struct Guest {
    /// Event channels and sleep.
    pub events: Events,
    /// The stack's clock.
    pub clock: Clock,
    /// The connection to xenstore.
    pub store: Store,
    /// The toolstack's requests.
    pub control: Control,
    /// The network interface.
    pub device: netfront::device::Device<Grants>,
    /// The web server.
    pub server: Service,
    /// What HTTPS is served with.
    #[cfg(feature = "tls")]
    pub https: crate::https::Https,
    /// Where its site came from.
    pub source: Source,
    /// What the toolstack allots.
    pub allotment: Allotment,
    /// The timer that ends a guest that hangs.
    pub watchdog: Watchdog,
    /// What a save takes; `None` where there was no memory for it.
    pub suspend: Option<Suspend>,
    /// Where the address comes from, and what the server of addresses is told.
    pub config: stack::Config,
    /// For the stack.
    pub seed: [u8; 32],
    /// What the loop has done.
    pub counters: LoopCounters,
}

/// The stop, once it is asked for.
struct Stop {
    reason: Shutdown,
    /// When it goes on though something is still open.
    until: Instant,
    /// Connections have ended, and the device closes.
    closing: bool,
}

/// What comes of the loop's rounds.
struct Progress {
    /// There once the interface has been connected for the first time.
    stack: Option<Stack<Service>>,
    stop: Option<Stop>,
    drain: Drain,
    /// "listening" was said.
    listening: bool,
    phase: Phase,
    /// When the toolstack's request is read again: the last time the store failed.
    control_again: Option<Instant>,
    /// How long after a failure that is.
    control_delay: Duration,
    /// When the watches that could wait are made, or tried again.
    listen_again: Instant,
    /// When the time of day is read again.
    wall_clock_again: Instant,
    /// What went wrong last, so that what goes wrong for ever is said once.
    store_error: Option<Error>,
    sleeps: Sleeps<Errno>,
    network_lines: Quota,
    published: Published,
    flight: Flight,
    /// When the last packets are shown, unless there is an address.
    lease_until: Option<Instant>,
}

/// The interface's tables, within a quarter of the memory that is free.
pub fn sizes() -> Sizes {
    let share = u16::try_from(memory::free_pages() / 4 / 3).unwrap_or(u16::MAX);
    let most = Sizes::default();
    Sizes { transmit: most.transmit.min(share), receive: most.receive.min(share.saturating_mul(2)) }
}

/// The interface at the frontend directory.
pub fn device(grants: Grants) -> netfront::device::Device<Grants> {
    netfront::device::Device::new(grants, VIF, sizes())
}

/// The stack's configuration from the command line's. `name` goes to the DHCP server.
pub fn config(address: Address, name: Option<Box<str>>) -> stack::Config {
    match address {
        Address::Dhcp => stack::Config::Dhcp { name },
        Address::Static { address, prefix, gateway } => match Prefix::new(address, prefix) {
            Some(prefix) => stack::Config::Static(Addressing::new(prefix, gateway)),
            None => stack::Config::Dhcp { name },
        },
    }
}

/// The time of day at an instant of the stack's clock.
pub fn wall_clock(now: Instant) -> WallClock {
    let (seconds, nanoseconds) = time::unix();
    let micros = seconds.saturating_mul(1_000_000).saturating_add(u64::from(nanoseconds / 1_000));
    WallClock { unix_micros: micros, at: now }
}

impl Guest {
    /// Serves until the toolstack ends it.
    pub fn run(mut self) -> ! {
        let now = self.clock.now();
        let mut progress = Progress {
            stack: None,
            stop: None,
            drain: Drain::No,
            listening: false,
            phase: Phase::Absent,
            control_again: (!self.control.is_open()).then_some(now),
            control_delay: CONTROL_AGAIN,
            listen_again: LISTEN_CLOSELY,
            wall_clock_again: now,
            store_error: None,
            sleeps: Sleeps::new(POLL_FAILURES),
            network_lines: Quota::new(NETWORK_LINES, NETWORK_LINES_PERIOD.micros(), now.micros()),
            published: Published::new(),
            flight: Flight::new(),
            lease_until: None,
        };
        status::state(&mut self.store, State::Booting);
        self.connect(now, &mut progress);
        if self.device.identity().is_none() {
            log::warn!(
                "network: no interface; add vif = [ \"bridge=xenbr0\" ] to the domain's configuration"
            );
        }
        loop {
            let now = self.clock.now();
            self.counters.rounds.increment();
            let heard = self.hear(now, &mut progress);
            // A suspend, or a slow store, lies between the two; and time does not go back to before it.
            let now = if heard { self.clock.now() } else { now };
            if now >= progress.wall_clock_again {
                http_mut(&mut self.server).set_wall_clock(wall_clock(now));
                #[cfg(feature = "tls")]
                self.https.tick();
                progress.wall_clock_again = now + WALL_CLOCK_AGAIN;
            }
            let exchanged = self.exchange(now, &mut progress);
            self.tell(&mut progress);
            self.listen_closely(now, &mut progress);
            self.drained(&mut progress);
            self.allotment.step();
            self.publish(now, &mut progress);
            self.stop(now, &mut progress);
            Self::show_flight(now, &mut progress);
            self.watchdog.feed(now);
            if console::port().is_some_and(|port| self.events.take(port)) {
                console::ignore_input();
            }
            console::flush();
            // A call to the store that waited for its answer may have taken an event in.
            if !heard && !exchanged && !self.store.has_fired() && !self.allotment.is_busy() {
                self.sleep(&mut progress);
            }
        }
    }

    /// What the store's watches tell. True when something was done, which may have taken in further events.
    fn hear(&mut self, now: Instant, progress: &mut Progress) -> bool {
        if self.events.take(self.store.port())
            && let Err(error) = self.store.pump()
        {
            progress.complain(error);
        }
        let mut keys_changed = self.device.deadline().is_some_and(|at| at <= Microseconds(now.micros()));
        let asked_again = progress.control_again.is_some_and(|at| at <= now);
        let mut topics = if asked_again { Topics::ALL } else { Topics::default() };
        let mut heard = keys_changed || asked_again;
        while let Some(watch) = self.store.fired() {
            heard = true;
            keys_changed |= !self.control.hears(watch, &mut topics);
        }
        if !topics.is_empty() {
            self.heed(topics, now, progress);
        }
        if keys_changed {
            let now = self.clock.now();
            self.connect(now, progress);
        }
        heard
    }

    /// Reads what the toolstack asks for. No further event comes for it, so where the store fails it is read again later.
    fn heed(&mut self, topics: Topics, now: Instant, progress: &mut Progress) {
        progress.control_again = None;
        match self.request(topics, progress) {
            Ok(order) => {
                progress.store_error = None;
                progress.control_delay = CONTROL_AGAIN;
                match order {
                    Some(Order::End(reason)) => self.begin_stop(reason, now, progress),
                    Some(Order::Suspend) => self.suspend(progress),
                    None => {}
                }
            }
            Err(error) => {
                // The call may have taken its time.
                progress.control_again = Some(self.clock.now() + progress.control_delay);
                progress.control_delay = progress.control_delay.times(2).min(CONTROL_AGAIN_MAX);
                progress.complain(error);
            }
        }
    }

    /// What the toolstack orders; all else that it asks for is done here. Watches for it first where that could not be
    /// done before.
    fn request(&mut self, topics: Topics, progress: &mut Progress) -> Result<Option<Order>, Error> {
        let Self { store, allotment, control, .. } = self;
        control.open(store)?;
        if topics.memory {
            allotment.read_memory(store)?;
        }
        if topics.processors {
            allotment.read_processors(store)?;
        }
        if topics.sysrq {
            match control::sysrq(store)? {
                Shown::Nothing => {}
                Shown::Tables => {
                    self.print_counters(progress.stack.as_ref());
                    self.print_tables(progress.stack.as_ref());
                }
                Shown::Packets => progress.flight.dump(self.clock.now()),
            }
        }
        if topics.drain && control::drain(&mut self.store)? {
            self.drain(progress);
        }
        #[cfg(feature = "tls")]
        if topics.certificate {
            self.take_certificate(progress)?;
        }
        #[cfg(feature = "tls")]
        if topics.challenges {
            self.take_challenges()?;
        }
        if topics.orders { control::order(&mut self.store) } else { Ok(None) }
    }

    /// Watches what can wait until the guest has had its time to begin serving.
    fn listen_closely(&mut self, now: Instant, progress: &mut Progress) {
        if self.control.is_whole() || now < progress.listen_again {
            return;
        }
        if let Err(error) = self.control.complete(&mut self.store) {
            progress.complain(error);
            progress.listen_again = self.clock.now() + CONTROL_AGAIN_MAX;
        }
    }

    /// Brings the interface's handshake on.
    fn connect(&mut self, now: Instant, progress: &mut Progress) {
        let had_identity = self.device.identity().is_some();
        let change = self.device.control(&mut self.store, Microseconds(now.micros()));
        if let (false, Some(identity)) = (had_identity, self.device.identity())
            && progress.network_lines.take(now.micros())
        {
            log::info!("network: {VIF}, {}, backend in domain {}", identity.mac, identity.domain);
        }
        let phase = self.device.phase();
        if phase != progress.phase || change == Change::Renewed {
            progress.phase = phase;
            match self.device.features().filter(|_| phase == Phase::Connected) {
                Some(features) if progress.network_lines.take(now.micros()) => {
                    log::info!("network: connected, offloads: {features}");
                }
                Some(_) => {}
                None => log::debug!("network: {phase:?}"),
            }
        }
        match (change, &mut progress.stack) {
            (Change::None, _) => {}
            (_, Some(stack)) => {
                let mac = self.device.identity().map(|identity| ethernet::Address(identity.mac.0));
                recorder::begin(now);
                let nic = &mut Nic { transmitter: &mut self.device.transmitter() };
                if let Some(mac) = mac.filter(|_| change != Change::Down) {
                    stack.set_hardware(mac, now, nic, &mut self.server);
                }
                stack.link(change != Change::Down, now, nic, &mut self.server);
            }
            (Change::Up, None) if progress.stop.is_none() => {
                progress.stack = self.open_stack();
                progress.lease_until = Some(now + LEASE_PATIENCE);
            }
            (_, None) => {}
        }
    }

    fn open_stack(&mut self) -> Option<Stack<Service>> {
        let mac = self.device.identity()?.mac;
        if matches!(self.config, stack::Config::Dhcp { .. }) {
            log::info!("dhcp: asking for an address");
        }
        let free = memory::free_pages().saturating_mul(pv::PAGE_SIZE);
        let free = free.saturating_sub(http(&self.server).site().to_come());
        let limits = Limits::for_guest(free);
        #[cfg(feature = "tls")]
        let limits = Limits { connections: limits.connections.min(https::connections(free)), ..limits };
        log::debug!("tcp: at most {} connections", limits.connections);
        Some(Stack::with_limits(self.config.clone(), ethernet::Address(mac.0), &self.seed, limits))
    }

    /// Frames in, timers, frames out. True when there is more to do before sleeping.
    fn exchange(&mut self, now: Instant, progress: &mut Progress) -> bool {
        let Self { device, server, events, counters, .. } = self;
        // Even where nobody is there for them: an event that is left would end every sleep.
        if let Some(ports) = device.ports() {
            let taken = [ports.transmit, ports.receive].map(|port| u64::from(events.take(port)));
            counters.network_events.add(taken.iter().sum());
        }
        let Progress { stack: Some(stack), flight, .. } = progress else { return false };
        flight.begin(now);
        let careful = flight.is_careful();
        let allocations = memory::allocations();
        let polled = device.poll(BUDGET, |received, transmitter| {
            recorder::received(received.bytes);
            let checksum = nic::checksum(received.checksum);
            stack.receive(received.bytes, checksum, now, &mut Nic { transmitter }, server);
            if careful {
                flight.look(stack);
            }
        });
        flight.all_taken(stack);
        let mut transmitter = device.transmitter();
        stack.poll(now, &mut Nic { transmitter: &mut transmitter }, server);
        flight.settle(stack);
        let asked = transmitter.flush();
        counters.network_allocations.add(memory::allocations().wrapping_sub(allocations));
        polled.more || asked
    }

    /// Shows the last packets where they were asked for, and where no lease has come for long, once.
    fn show_flight(now: Instant, progress: &mut Progress) {
        if progress.listening {
            progress.lease_until = None;
        }
        if progress.lease_until.is_some_and(|until| now >= until) {
            progress.lease_until = None;
            log::warn!(
                "network: no address in {} s; the last packets follow",
                LEASE_PATIENCE.micros() / 1_000_000
            );
            progress.flight.dump(now);
        }
        progress.flight.write();
    }

    /// What has become of the address.
    fn tell(&mut self, progress: &mut Progress) {
        while let Some(event) = progress.stack.as_mut().and_then(Stack::next_event) {
            match event {
                Event::AddressAcquired(addressing) => {
                    let address = addressing.address();
                    status::address(&mut self.store, Some(address));
                    status::state(&mut self.store, Self::state(progress));
                    if progress.listening {
                        log::info!("network: the address is {address}");
                    } else {
                        if self.server.listens(80) {
                            log::info!("listening on http://{address}/");
                        }
                        #[cfg(feature = "tls")]
                        self.tell_https(address, progress);
                        progress.listening = true;
                    }
                }
                Event::AddressLost => {
                    status::address(&mut self.store, None);
                    // A guest that stops gives it back itself.
                    if progress.stop.is_none() {
                        log::warn!("network: the address is gone");
                        status::state(&mut self.store, State::Booting);
                    }
                }
            }
        }
    }

    fn begin_stop(&mut self, reason: Shutdown, now: Instant, progress: &mut Progress) {
        if progress.stop.is_some() {
            return;
        }
        status::state(&mut self.store, State::Stopping);
        if let Some(stack) = &mut progress.stack {
            let mut transmitter = self.device.transmitter();
            recorder::begin(now);
            stack.stop(now, &mut Nic { transmitter: &mut transmitter }, &mut self.server);
        }
        progress.stop = Some(Stop { reason, until: now + CONNECTIONS_END, closing: false });
    }

    /// Goes on with the stop as far as it can: connections end, then the device, then the domain.
    fn stop(&mut self, now: Instant, progress: &mut Progress) {
        let Some(stop) = &mut progress.stop else { return };
        let ended = progress.stack.as_ref().is_none_or(Stack::is_stopped);
        if !stop.closing && (ended || now >= stop.until) {
            stop.closing = true;
            stop.until = now + BACKEND_ENDS;
            self.device.stop(&mut self.store, Microseconds(now.micros()));
        }
        let closed = matches!(self.device.phase(), Phase::Absent | Phase::Closed);
        if stop.closing && (closed || now >= stop.until) {
            self.print_counters(progress.stack.as_ref());
            match stop.reason {
                Shutdown::Reboot => panic::reboot(),
                Shutdown::Poweroff | Shutdown::Crash => panic::poweroff(),
            }
        }
    }

    fn sleep(&mut self, progress: &mut Progress) {
        let device = self.device.deadline().map(|at| Instant::from_micros(at.0));
        let stack = progress.stack.as_ref().and_then(Stack::next_deadline);
        let stop = progress.stop.as_ref().map(|stop| stop.until);
        let publish = self.publish_deadline(progress);
        let closely = (!self.control.is_whole()).then_some(progress.listen_again);
        let watchdog = self.watchdog.deadline();
        let starved = self.device.is_starved().then(|| self.clock.now() + RECEIVE_AGAIN);
        let control = progress.control_again;
        let lease = progress.lease_until;
        let deadlines = [device, stack, stop, publish, closely, control, watchdog, starved, lease];
        let until = deadlines.into_iter().flatten().min();
        let until = until.map(|until| self.clock.system_time_at(until));
        let store = self.store.port();
        // A port may stand in the list twice.
        let console = console::port().unwrap_or(store);
        let result = match self.device.ports() {
            Some(network) => self.events.wait(&[store, console, network.transmit, network.receive], until),
            None => self.events.wait(&[store, console], until),
        };
        let error = result.err();
        let verdict = progress.sleeps.judge(error);
        let Some(error) = error else { return };
        match verdict {
            Verdict::Quiet => {}
            Verdict::Say => log::error!("events: no sleep: {error}"),
            Verdict::GiveUp => {
                let reason = format_args!("no sleep, {POLL_FAILURES} times in a row: {error}");
                panic::crash(reason, &Registers::here());
            }
        }
    }
}

impl Progress {
    /// Says what is wrong with the store, unless it was the last thing said of it.
    fn complain(&mut self, error: Error) {
        if self.store_error.replace(error) != Some(error) {
            log::error!("xenstore: {error}");
        }
    }
}
