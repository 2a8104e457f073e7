//! The loop: frames, timers, and the signal that ends it.

use crate::arguments::Arguments;
use crate::heap;
use netstack::stack::Event;
use netstack::{Duration, Instant, Service, Stack};
use site::tls::TlsServer;
use site::{Server, WallClock};
use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};
use tap::Port;
use tap::signals::Signals;

/// Frames that are taken before timers have their turn.
const BATCH: usize = 256;
/// How long open connections have to end once the program is told to.
const STOPPING: Duration = Duration::from_secs(10);

/// A service that says what it counted and how things stand with it.
pub trait Served: Service {
    /// Each counter's name and value.
    fn counters(&self) -> Vec<(&'static str, u64)>;

    /// What it keeps.
    fn gauges(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }
}

impl Served for Server {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters().iter().collect()
    }
}

impl Served for TlsServer {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.http().counters().iter().chain(self.counters().iter()).collect()
    }

    fn gauges(&self) -> Vec<(&'static str, usize)> {
        vec![("tls_kept", self.kept())]
    }
}

/// Serves until SIGINT or SIGTERM; then ends the connections and prints what was counted. SIGUSR1 shows how things stand.
pub fn run<S: Served>(
    mut port: Port,
    signals: &Signals,
    mut server: S,
    clock: &Clock,
    arguments: Arguments,
) -> io::Result<()> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut stack = Stack::with_limits(arguments.config, arguments.mac, &seed, arguments.limits);
    let mut stop: Option<Instant> = None;
    loop {
        let mut frames = 0_usize;
        port.turn();
        let now = clock.now();
        while frames < BATCH
            && let Some(received) = port.receive()?
        {
            let (frame, checksum) = received.frame();
            stack.receive(frame, checksum, now, &mut port, &mut server);
            port.release(received);
            frames = frames.saturating_add(1);
        }
        stack.poll(now, &mut port, &mut server);
        while let Some(event) = stack.next_event() {
            match event {
                Event::AddressAcquired(given) => println!("listening on http://{}/", given.address()),
                Event::AddressLost => println!("the address is gone"),
            }
        }
        if stop.is_some_and(|stop| stack.is_stopped() || clock.now() >= stop) {
            break;
        }
        let deadline = stack.next_deadline().into_iter().chain(stop).min();
        let now = clock.now();
        if !port.wait(now, if frames == BATCH { Some(now) } else { deadline })? {
            continue;
        }
        if signals.asked() {
            print_counters(&stack, &server);
            for (name, value) in stack.gauges().chain(server.gauges()) {
                println!("gauge {name}={value}");
            }
            println!("gauge heap_bytes={}", heap::in_use());
            println!("that is all");
        }
        if signals.ended() && stop.is_none() {
            let now = clock.now();
            stop = Some(now + STOPPING);
            stack.stop(now, &mut port, &mut server);
        }
    }
    print_counters(&stack, &server);
    Ok(())
}

/// Every counter that counted.
fn print_counters<S: Served>(stack: &Stack<S>, server: &S) {
    let counters = stack.counters().chain(server.counters());
    for (name, value) in counters.filter(|(_, value)| *value > 0) {
        println!("counter {name}={value}");
    }
}

/// The stack's clock: microseconds since the program began.
pub struct Clock(std::time::Instant);

impl Clock {
    /// It begins now.
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The time of day.
    pub fn wall(&self) -> WallClock {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallClock { unix_micros: u64::try_from(unix.as_micros()).unwrap_or(u64::MAX), at: self.now() }
    }
}
