//! Joins two taps by a link with faults. It makes the taps here and says `ready`; whoever started it moves each to where
//! its peer is. On SIGINT or SIGTERM it prints what became of the packets.

use halfpage_bench::faults::Faults;
use halfpage_bench::link::Link;
use netstack::device::{Frame, Offload};
use netstack::{Device, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::{env, io};
use tap::{Buffer, Tap, signals};

/// Frames taken from one tap before the other has its turn.
const BATCH: usize = 64;

fn main() -> ExitCode {
    let (names, faults) = match arguments(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("lossy-link: {error}\nusage: lossy-link TAP TAP [options]\n{}", Faults::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&names, &faults) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lossy-link: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<([String; 2], Faults), String> {
    let mut names = Vec::new();
    let mut faults = Faults::default();
    while let Some(word) = words.next() {
        if word.starts_with("--") {
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            if !faults.set(&word, &value).map_err(|error| format!("{word}: {error}"))? {
                return Err(format!("{word}: not understood"));
            }
        } else {
            names.push(word);
        }
    }
    let names = names.try_into().map_err(|_| "two taps are needed")?;
    Ok((names, faults))
}

fn run([a, b]: &[String; 2], faults: &Faults) -> io::Result<()> {
    let signals = signals::end()?;
    let (mut a, mut b) = (Tap::open(a, false)?, Tap::open(b, false)?);
    let (mut there, mut back) = (Link::new(faults.clone(), 0), Link::new(faults.clone(), 1));
    let mut buffer = Buffer::default();
    let start = std::time::Instant::now();
    let now = || Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    println!("ready, seed {}", faults.seed);
    loop {
        let more = take(&a, &mut there, &mut buffer, now())? | take(&b, &mut back, &mut buffer, now())?;
        give(&mut there, &mut b, now());
        give(&mut back, &mut a, now());
        let due = there.next_due().into_iter().chain(back.next_due()).min();
        let wait = if more { Some(0) } else { due.map(|due| due.since(now()).micros()) };
        if wait_for([&a, &b], &signals, wait)? {
            break;
        }
    }
    println!("there {:?}\nback {:?}", there.counters(), back.counters());
    Ok(())
}

/// Takes what the tap has; `true` where there may be more.
fn take(tap: &Tap, link: &mut Link, buffer: &mut Buffer, now: Instant) -> io::Result<bool> {
    for _ in 0..BATCH {
        if !tap.read(buffer)? {
            return Ok(false);
        }
        link.offer(buffer.frame().0, now);
    }
    Ok(true)
}

/// Gives the tap what is due. A tap that is down or full loses it, as a wire would.
fn give(link: &mut Link, tap: &mut Tap, now: Instant) {
    while let Some(frame) = link.take(now) {
        let _ = tap.transmit(&Frame { header: &frame, payload: &[], offload: Offload::default() });
    }
}

/// Waits for a frame, for a signal, or for so many microseconds. `true` where a signal came.
fn wait_for([a, b]: [&Tap; 2], signals: &UnixStream, micros: Option<u64>) -> io::Result<bool> {
    let wait = micros.map(|micros| Timespec {
        tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(micros % 1_000_000).unwrap_or(0).saturating_mul(1_000),
    });
    let mut ready = [a.poll_fd(), b.poll_fd(), PollFd::new(signals, PollFlags::IN)];
    match poll(&mut ready, wait.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [_, _, signals] = &ready;
    Ok(!signals.revents().is_empty())
}
