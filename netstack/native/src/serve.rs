//! The loop: frames, timers, and the signal that ends it.

use crate::arguments::Arguments;
use crate::heap;
use netstack::stack::Event;
use netstack::{Duration, Instant, Stack};
use site::{Config, Server, Site, WallClock};
use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};
use tap::Port;
use tap::signals::Signals;

/// Frames that are taken before timers have their turn.
const BATCH: usize = 256;
/// How long open connections have to end once the program is told to.
const STOPPING: Duration = Duration::from_secs(10);

/// Serves until SIGINT or SIGTERM; then ends the connections and prints what was counted. SIGUSR1 shows how things stand.
pub fn run(mut port: Port, signals: &Signals, site: Site, arguments: Arguments) -> io::Result<()> {
    let clock = Clock::start();
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut server = Server::new(site, Config::default(), clock.wall());
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
            for (name, value) in stack.gauges() {
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
fn print_counters(stack: &Stack<Server>, server: &Server) {
    let counters = stack.counters().chain(server.counters().iter());
    for (name, value) in counters.filter(|(_, value)| *value > 0) {
        println!("counter {name}={value}");
    }
}

/// The stack's clock: microseconds since the program began.
struct Clock(std::time::Instant);

impl Clock {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> WallClock {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallClock { unix_micros: u64::try_from(unix.as_micros()).unwrap_or(u64::MAX), at: self.now() }
    }
}
