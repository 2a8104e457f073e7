//! The loop: frames, timers, and the signal that ends it.

use crate::arguments::Arguments;
use netstack::stack::Event;
use netstack::{Duration, Instant, Stack};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use site::{Config, Server, Site, WallClock};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};
use tap::{Buffer, Tap, signals};

/// Frames that are taken before timers have their turn.
const BATCH: usize = 256;
/// How long open connections have to end once the program is told to.
const STOPPING: Duration = Duration::from_secs(10);

/// Serves until SIGINT or SIGTERM; then ends the connections and prints what was counted. SIGUSR1 shows how things stand.
pub fn run(mut tap: Tap, site: Site, arguments: Arguments) -> io::Result<()> {
    let (end, ask) = (signals::end()?, signals::ask()?);
    let clock = Clock::start();
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut server = Server::new(site, Config::default(), clock.wall());
    let mut stack = Stack::with_limits(arguments.config, arguments.mac, &seed, arguments.limits);
    let mut buffer = Buffer::default();
    let mut stop: Option<Instant> = None;
    loop {
        let mut frames = 0_usize;
        tap.turn();
        while frames < BATCH
            && let Some((frame, checksum)) = tap.receive(&mut buffer)?
        {
            stack.receive(frame, checksum, clock.now(), &mut tap, &mut server);
            frames = frames.saturating_add(1);
        }
        stack.poll(clock.now(), &mut tap, &mut server);
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
        let wait = match frames {
            BATCH => Some(Duration::ZERO),
            _ => deadline.map(|deadline| deadline.since(clock.now())),
        };
        let told = wait_for(&tap, &end, &ask, wait)?;
        if told.ask && (&ask).read(&mut [0; 64]).is_ok() {
            print_counters(&stack, &server);
            for (name, value) in stack.gauges() {
                println!("gauge {name}={value}");
            }
            println!("that is all");
        }
        if told.end && stop.is_none() {
            let now = clock.now();
            stop = Some(now + STOPPING);
            stack.stop(now, &mut tap, &mut server);
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

/// Which signals have come.
#[derive(Default)]
struct Told {
    end: bool,
    ask: bool,
}

/// Waits for a frame, for room, for a signal, or for `wait`.
fn wait_for(tap: &Tap, end: &UnixStream, ask: &UnixStream, wait: Option<Duration>) -> io::Result<Told> {
    let wait = wait.map(|wait| Timespec {
        tv_sec: i64::try_from(wait.secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(wait.micros() % 1_000_000).unwrap_or(0).saturating_mul(1_000),
    });
    let mut ready = [tap.poll_fd(), PollFd::new(end, PollFlags::IN), PollFd::new(ask, PollFlags::IN)];
    match poll(&mut ready, wait.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [_, end, ask] = &ready;
    Ok(Told { end: !end.revents().is_empty(), ask: !ask.revents().is_empty() })
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
