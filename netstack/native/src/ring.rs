//! Reads and writes of a tap in batches (io_uring): what a turn sends, what has come and the wait for more are one system
//! call. With `ioctl` and `heap`, the only unsafe code here.
//!
//! One read stays posted and fills a buffer with each frame that comes; each frame to send has a slot of its own. What the
//! kernel was given comes back by its completion, never otherwise: a slot is free or in flight; a buffer is the kernel's,
//! or waits in `arrived`, or is lent as a [`Received`].

use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use netstack::{Duration, Instant};
use rustix::event::PollFlags;
use rustix::fd::AsRawFd;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Frames that may lie read and not yet taken: a power of two.
const BUFFERS: u16 = 128;
/// Frames that may be on their way out.
const SLOTS: u16 = 64;
/// The longest frame with its header, and up to a stride that spreads the frames' beginnings over the sets of a cache.
pub(crate) const ROOM: usize = 65_664;
/// The most parts of a frame that lie apart: the kernel takes so many without an allocation.
const PARTS: usize = 8;
/// A part that lies elsewhere is shorter than this: copied.
const COPIED: usize = 1_024;
/// The buffers' group.
const GROUP: u16 = 0;
/// The tap among the registered files.
const TAP: Fixed = Fixed(0);

/// What a completion is of: one of these, or the slot of that number.
const READ: u64 = 1 << 32;
const SIGNAL: u64 = 2 << 32;
const TIMER: u64 = 3 << 32;
/// Timers that may run.
const TIMERS: usize = 16;

/// One entry of a ring of buffers (linux/io_uring.h, `struct io_uring_buf`). The first one's `tail` is the ring's.
#[repr(C)]
#[derive(Default)]
struct Entry {
    address: AtomicU64,
    length: AtomicU32,
    buffer: AtomicU16,
    tail: AtomicU16,
}

const _: () = assert!(size_of::<Entry>() == 16);

/// Where the kernel finds buffers (`struct io_uring_buf_ring`), in a page of its own.
#[repr(C, align(4096))]
struct Entries([Entry; BUFFERS as usize]);

/// A part of a frame (`struct iovec`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Part {
    base: *const u8,
    length: usize,
}

/// Room that stays for good, since the kernel may write to it until the program has ended.
#[derive(Clone, Copy)]
struct Rooms(*mut u8);

impl Rooms {
    fn new(count: u16) -> Self {
        Self(Vec::leak(vec![0; ROOM.saturating_mul(usize::from(count))]).as_mut_ptr())
    }

    /// Where a room begins.
    fn base(self, number: u16) -> *mut u8 {
        self.0.wrapping_add(ROOM.saturating_mul(usize::from(number)))
    }
}

/// Bytes that have come: give them back to [`Ring::release`].
#[must_use]
pub(crate) struct Received {
    buffer: u16,
    pub(crate) bytes: &'static [u8],
}

/// The ring of one tap.
pub(crate) struct Ring {
    ring: IoUring,
    /// A read is posted.
    reading: bool,
    signals: Fd,
    /// A signal is waited for.
    listening: bool,
    buffers: Rooms,
    entries: &'static Entries,
    /// How many buffers the kernel has been given, ever.
    given: u16,
    arrived: VecDeque<(u16, usize)>,
    slots: Rooms,
    parts: &'static mut [[Part; PARTS]],
    free: Vec<u16>,
    in_flight: usize,
    /// When the timers that run end, the earliest last. To set one and to stop it are dear, so none is ever stopped.
    timers: Vec<Instant>,
    /// What the last one was set to.
    time: Box<Timespec>,
    signalled: bool,
    failed: Option<io::Error>,
}

impl Ring {
    /// A ring for an open tap, which it reads at once, and for a stream that can be read when a signal has come. An error
    /// where the kernel has not all of it (Linux 6.7), or does not let us.
    pub(crate) fn new(tap: &impl AsRawFd, signals: &impl AsRawFd) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(u32::from(BUFFERS.saturating_add(SLOTS)).saturating_mul(2))
            .build(u32::from(SLOTS).saturating_mul(2))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::ReadMulti::CODE) {
            return Err(ErrorKind::Unsupported.into());
        }
        ring.submitter().register_files(&[tap.as_raw_fd()])?;
        // It saves a look-up; older kernels do without.
        let _ = ring.submitter().register_ring_fd();
        let entries: &'static Entries =
            Box::leak(Box::new(Entries(std::array::from_fn(|_| Entry::default()))));
        // SAFETY: the ring of buffers is `BUFFERS` entries in a page of its own, leaked: it stays valid for good. It is made
        // of atomics, so that the kernel may read it at any time.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                std::ptr::from_ref(entries).addr() as u64,
                BUFFERS,
                GROUP,
                0,
            )
        }?;
        let parts = vec![[Part { base: std::ptr::null(), length: 0 }; PARTS]; usize::from(SLOTS)];
        let mut this = Self {
            ring,
            reading: false,
            signals: Fd(signals.as_raw_fd()),
            listening: false,
            buffers: Rooms::new(BUFFERS),
            entries,
            given: 0,
            arrived: VecDeque::with_capacity(usize::from(BUFFERS)),
            slots: Rooms::new(SLOTS),
            parts: parts.leak(),
            free: (0..SLOTS).rev().collect(),
            in_flight: 0,
            timers: Vec::with_capacity(TIMERS),
            time: Box::default(),
            signalled: false,
            failed: None,
        };
        for buffer in 0..BUFFERS {
            this.give(buffer);
        }
        Ok(this)
    }

    /// The next frame with its header.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Received>> {
        let Some((buffer, length)) = self.arrived.pop_front() else {
            return self.failed.take().map_or(Ok(None), Err);
        };
        let base = self.buffers.base(buffer);
        // SAFETY: the kernel has said that it wrote `length` bytes, at most `ROOM`, into this buffer of `ROOM` bytes, and
        // it does nothing more with it until `release` gives it back; no other `Received` has it, since it arrived once.
        let bytes = unsafe { std::slice::from_raw_parts(base, length.min(ROOM)) };
        Ok(Some(Received { buffer, bytes }))
    }

    /// Gives the kernel a buffer again.
    pub(crate) fn release(&mut self, received: Received) {
        let Received { buffer, bytes: _ } = received;
        self.give(buffer);
    }

    /// Queues a frame, with its header, that `fill` puts together. `false` where there is no room.
    pub(crate) fn send(&mut self, fill: impl FnOnce(&mut Filling<'_>)) -> bool {
        if self.free.is_empty() {
            self.flush();
        }
        let Some(slot) = self.free.pop() else { return false };
        let base = self.slots.base(slot);
        // SAFETY: the slot is free, so the kernel does not read it, and nobody else has a reference to its `ROOM` bytes: they
        // are made here only, and end with this function.
        let bytes = unsafe { std::slice::from_raw_parts_mut(base, ROOM) };
        let Some(parts) = self.parts.get_mut(usize::from(slot)) else { return false };
        let mut filling = Filling { bytes, used: 0, closed: 0, parts, count: 0 };
        fill(&mut filling);
        let entry = filling.entry();
        self.in_flight = self.in_flight.saturating_add(1);
        self.push(&entry.user_data(u64::from(slot)));
        true
    }

    /// Sends what is queued, and waits until something has come, or until a time: for ever, where it is `None`. It may end
    /// before. `true` where a signal has come, once; then the stream is to be read before the next wait.
    pub(crate) fn wait(&mut self, now: Instant, until: Option<Instant>) -> io::Result<bool> {
        if !self.reading {
            self.read();
        }
        if !self.listening {
            self.listen();
        }
        self.reap();
        let stay = self.arrived.is_empty() && until.is_none_or(|until| until > now);
        let want = self.in_flight.saturating_add(usize::from(stay));
        let mut arguments = SubmitArgs::new();
        let span;
        if stay && let Some(until) = until
            // One that is early enough runs, and is let run.
            && self.timers.last().is_none_or(|next| *next > until)
        {
            span = timespec(until.since(now));
            if self.timers.len() < TIMERS {
                self.set_timer(span, until);
            } else {
                arguments = arguments.timespec(&span);
            }
        }
        self.entered(self.ring.submitter().submit_with_args(want, &arguments));
        self.reap();
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut self.signalled)),
        }
    }

    /// Starts a timer.
    fn set_timer(&mut self, span: Timespec, until: Instant) {
        *self.time = span;
        self.timers.push(until);
        let timer = opcode::Timeout::new(&raw const *self.time).build();
        self.push(&timer.user_data(TIMER));
    }

    /// Sends what is queued.
    fn flush(&mut self) {
        self.entered(self.ring.submit());
        self.reap();
    }

    fn entered(&mut self, result: io::Result<usize>) {
        let Err(error) = result else { return };
        // Nothing came in time; a signal did; there are completions to be taken first.
        let passing = [Errno::TIME, Errno::INTR, Errno::BUSY, Errno::AGAIN];
        if !Errno::from_io_error(&error).is_some_and(|error| passing.contains(&error)) {
            self.failed = Some(error);
        }
    }

    /// Takes what the kernel has completed.
    fn reap(&mut self) {
        for entry in self.ring.completion() {
            match entry.user_data() {
                READ => {
                    self.reading = cqueue::more(entry.flags());
                    match (usize::try_from(entry.result()), cqueue::buffer_select(entry.flags())) {
                        (Ok(length), Some(buffer)) => self.arrived.push_back((buffer, length)),
                        _ if self.reading => (),
                        // Out of buffers: it is posted again once there are some.
                        _ if entry.result() == -105 => (),
                        _ => {
                            self.failed = Some(io::Error::from_raw_os_error(entry.result().saturating_neg()));
                        }
                    }
                }
                SIGNAL => (self.signalled, self.listening) = (true, false),
                TIMER => {
                    self.timers.pop();
                }
                slot => {
                    // A frame that was not taken is a frame that was lost.
                    self.in_flight = self.in_flight.saturating_sub(1);
                    self.free.extend(u16::try_from(slot));
                }
            }
        }
    }

    /// Posts the read.
    fn read(&mut self) {
        // A length of 0 is that of the buffer. The crate forgets that the file is a registered one.
        let read = opcode::ReadMulti::new(TAP, 0, GROUP).build().flags(squeue::Flags::FIXED_FILE);
        self.push(&read.user_data(READ));
        self.reading = true;
    }

    /// Looks whether there is something to be read of a signal, once.
    fn listen(&mut self) {
        let poll = opcode::PollAdd::new(self.signals, u32::from(PollFlags::IN.bits())).build();
        self.push(&poll.user_data(SIGNAL));
        self.listening = true;
    }

    /// Lends the kernel a buffer.
    fn give(&mut self, buffer: u16) {
        let [first, ..] = &self.entries.0;
        let at = usize::from(self.given % BUFFERS);
        if let Some(entry) = self.entries.0.get(at) {
            entry.address.store(self.buffers.base(buffer).addr() as u64, Ordering::Relaxed);
            entry.length.store(ROOM as u32, Ordering::Relaxed);
            entry.buffer.store(buffer, Ordering::Relaxed);
        }
        self.given = self.given.wrapping_add(1);
        // After the entry, which the kernel reads once it has seen this.
        first.tail.store(self.given, Ordering::Release);
    }

    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: the poll and the read point at nothing. A timer points at `time`, which stays in place as long as the
            // ring, and is read when the timer is submitted. A write's parts, and the room they
            // point into, are leaked and the slot's own: nobody touches them until its completion has made it free; what else
            // a write points at is static.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return;
            }
            self.flush();
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    let nanos = span.micros().wrapping_rem(1_000_000).saturating_mul(1_000);
    Timespec::new().sec(span.secs()).nsec(u32::try_from(nanos).unwrap_or_default())
}

/// A frame being written into its room.
pub(crate) struct Filling<'a> {
    bytes: &'a mut [u8],
    /// How many bytes are written.
    used: usize,
    /// How many of them are in parts.
    closed: usize,
    parts: &'a mut [Part; PARTS],
    count: usize,
}

impl Filling<'_> {
    /// Adds bytes.
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.used..end) {
            room.copy_from_slice(bytes);
            self.used = end;
        }
    }

    /// Adds bytes that stay where they are, unless they are few.
    pub(crate) fn refer(&mut self, bytes: &'static [u8]) {
        if bytes.len() < COPIED || self.count.saturating_add(3) > PARTS {
            return self.copy(bytes);
        }
        self.close();
        self.part(bytes.as_ptr(), bytes.len());
    }

    /// Room for so many bytes, to be written.
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        let from = self.used;
        self.used = from.saturating_add(length).min(self.bytes.len());
        self.bytes.get_mut(from..self.used).unwrap_or_default()
    }

    /// What has been written since the last static bytes is a part.
    fn close(&mut self) {
        let length = self.used.saturating_sub(self.closed);
        if length > 0 {
            self.part(self.bytes.as_ptr().wrapping_add(self.closed), length);
            self.closed = self.used;
        }
    }

    fn part(&mut self, base: *const u8, length: usize) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = Part { base, length };
            self.count = self.count.saturating_add(1);
        }
    }

    /// The write of it all.
    fn entry(mut self) -> squeue::Entry {
        self.close();
        let length = |length| u32::try_from(length).unwrap_or_default();
        match &self.parts[..] {
            [only, ..] if self.count == 1 => opcode::Write::new(TAP, only.base, length(only.length)).build(),
            parts => opcode::Writev::new(TAP, parts.as_ptr().cast(), length(self.count)).build(),
        }
    }
}

#[cfg(test)]
mod tests;
