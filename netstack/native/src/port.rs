//! Where a server on a tap gets its frames: in batches where the kernel has io_uring, else with a system call for each.

use crate::ring::{self, Filling, Ring};
use crate::tap::{Buffer, HEADER, Tap, header, parse};
use netstack::device::{Capabilities, Frame, Offload, ReceiveChecksum, Slice, TransmitError};
use netstack::{Device, Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

/// Frames that are sent before those that came have their turn: each calls for an acknowledgment, or half of one, and a tap
/// keeps 1,000 packets, then drops what is sent to it.
const BURST: usize = 256;
/// And bytes: who reads them on the same processor still finds them in its cache.
const BURST_BYTES: usize = 512 << 10;
/// Long enough for a client to read what a turn sends.
const GIVEN_WAY: std::time::Duration = std::time::Duration::from_millis(2);
/// How long nobody is given way to who took longer.
const STAYS: std::time::Duration = std::time::Duration::from_millis(500);
/// A frame that fits a half page is copied, as under Xen: to gather it would cost the kernel more.
const COPIED: usize = 2_048;

/// A tap, and the stream that can be read once a signal has come.
pub struct Port {
    tap: Tap,
    signals: UnixStream,
    way: Way,
    /// Frames and bytes that may still be sent in this turn.
    burst: usize,
    burst_bytes: usize,
    /// It does not give way until then.
    stays_until: Option<std::time::Instant>,
    /// There is more to be sent.
    blocked: bool,
}

/// How frames get to the kernel and back.
enum Way {
    Batches(Box<Ring>),
    Calls { received: Option<Buffer>, sent: Buffer },
}

/// A frame that has come. Give it back to [`Port::release`].
#[must_use]
pub struct Received(Source);

enum Source {
    Batch(ring::Received),
    Call(Buffer),
}

impl Received {
    /// The frame, and what is known of its checksum.
    pub fn frame(&self) -> (&[u8], ReceiveChecksum) {
        match &self.0 {
            Source::Batch(received) => parse(received.bytes),
            Source::Call(buffer) => buffer.frame(),
        }
    }
}

impl Port {
    /// Attaches to the tap `name`, which is made if it is not there.
    pub fn open(name: &str, offload: bool, signals: UnixStream) -> io::Result<Self> {
        let tap = Tap::open(name, offload)?;
        signals.set_nonblocking(true)?;
        let way = match Ring::new(tap.file(), &signals) {
            Ok(ring) => Way::Batches(Box::new(ring)),
            Err(error) => {
                log::info!("no io_uring here, so each frame costs a system call: {error}");
                Way::Calls { received: Some(Buffer::default()), sent: Buffer::default() }
            }
        };
        Ok(Self {
            tap,
            signals,
            way,
            burst: BURST,
            burst_bytes: BURST_BYTES,
            stays_until: None,
            blocked: false,
        })
    }

    /// Frames that came are about to be taken: after that there is room for some more of ours.
    pub fn turn(&mut self) {
        (self.burst, self.burst_bytes, self.blocked) = (BURST, BURST_BYTES, false);
    }

    /// The next frame, or `None` where none waits.
    pub fn receive(&mut self) -> io::Result<Option<Received>> {
        match &mut self.way {
            Way::Batches(ring) => Ok(ring.receive()?.map(|received| Received(Source::Batch(received)))),
            Way::Calls { received, .. } => {
                let Some(mut buffer) = received.take() else { return Ok(None) };
                if self.tap.read(&mut buffer)? {
                    return Ok(Some(Received(Source::Call(buffer))));
                }
                *received = Some(buffer);
                Ok(None)
            }
        }
    }

    /// The frame has been looked at.
    pub fn release(&mut self, frame: Received) {
        match (&mut self.way, frame.0) {
            (Way::Batches(ring), Source::Batch(frame)) => ring.release(frame),
            (Way::Calls { received, .. }, Source::Call(buffer)) => *received = Some(buffer),
            // A frame of another port.
            (Way::Batches(_), Source::Call(_)) | (Way::Calls { .. }, Source::Batch(_)) => {}
        }
    }

    /// Whether there is room for one more frame of ours in this turn.
    pub fn has_room(&mut self) -> bool {
        self.blocked = self.burst == 0 || self.burst_bytes == 0;
        !self.blocked
    }

    /// Whether something did not find room.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn count(&mut self, bytes: usize) {
        self.burst = self.burst.saturating_sub(1);
        self.burst_bytes = self.burst_bytes.saturating_sub(bytes);
    }

    /// Sends a frame of `length` bytes that `fill` writes; it gives what the device has to finish, and the length of the
    /// headers. `false` where there was no room.
    pub fn send_with(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) -> (Offload, usize)) -> bool {
        let whole = |room: &mut [u8]| {
            let Some((start, frame)) = room.split_first_chunk_mut::<HEADER>() else { return };
            let (offload, headers) = fill(frame);
            *start = header(headers, offload);
        };
        self.count(length);
        match &mut self.way {
            Way::Batches(ring) => ring.send(|filling| whole(filling.room(length.saturating_add(HEADER)))),
            Way::Calls { sent, .. } => {
                let room = sent.room(length);
                whole(room);
                self.tap.write(&[io::IoSlice::new(room)]).is_ok()
            }
        }
    }

    /// Sends what is queued, then waits for frames, for a signal, for room where it was missing, or until a time; it may end
    /// before. `true` where signals have come since the last time.
    pub fn wait(&mut self, now: Instant, until: Option<Instant>) -> io::Result<bool> {
        let until = if self.blocked { Some(now) } else { until };
        let told = match &mut self.way {
            Way::Batches(ring) => ring.wait(now, until)?,
            Way::Calls { .. } => {
                let wait = until.map(|until| until.since(now));
                wait_for([self.tap.poll_fd(), PollFd::new(&self.signals, PollFlags::IN)], wait)?
            }
        };
        if self.blocked {
            self.give_way();
        }
        Ok(told && matches!(self.signals.read(&mut [0; 64]), Ok(count) if count > 0))
    }
}

impl Port {
    /// Lets those run who wait for this processor: the frames may be for them. Where it takes long, the processor has others
    /// to run too, and each time would be at the cost of a whole slice: then not for a while.
    fn give_way(&mut self) {
        let start = std::time::Instant::now();
        if self.stays_until.is_some_and(|until| start < until) {
            return;
        }
        std::thread::yield_now();
        if start.elapsed() > GIVEN_WAY {
            self.stays_until = start.checked_add(STAYS);
        }
    }
}

impl Device for Port {
    fn capabilities(&self) -> Capabilities {
        self.tap.capabilities()
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        self.tap.fit(payload)
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        if !self.has_room() {
            return Err(TransmitError::Full);
        }
        self.count(length(frame));
        let sent = match &mut self.way {
            Way::Batches(ring) => {
                let sent = ring.send(|filling| gather(frame, filling));
                if sent { Ok(()) } else { Err(TransmitError::Full) }
            }
            Way::Calls { .. } => self.tap.transmit(frame),
        };
        self.blocked |= sent == Err(TransmitError::Full);
        sent
    }
}

/// A frame's bytes.
fn length(frame: &Frame<'_>) -> usize {
    frame.payload.iter().fold(frame.header.len(), |sum, slice| sum.saturating_add(slice.bytes().len()))
}

/// Puts a frame together.
fn gather(frame: &Frame<'_>, filling: &mut Filling<'_>) {
    let length = length(frame);
    filling.copy(&header(frame.header.len(), frame.offload));
    filling.copy(frame.header);
    for slice in frame.payload {
        match slice {
            Slice::Static(bytes) if length > COPIED => filling.refer(bytes),
            slice => filling.copy(slice.bytes()),
        }
    }
}

/// Waits for one of these, or for so long. `true` where the last one is ready.
fn wait_for(mut ready: [PollFd<'_>; 2], wait: Option<Duration>) -> io::Result<bool> {
    let wait = wait.map(|wait| Timespec {
        tv_sec: i64::try_from(wait.secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(wait.micros() % 1_000_000).unwrap_or(0).saturating_mul(1_000),
    });
    match poll(&mut ready, wait.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [_, last] = &ready;
    Ok(!last.revents().is_empty())
}
