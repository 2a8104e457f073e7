//! The flight recorder: every frame in and out is noted, and the last ones go to the console when they are asked for.

use crate::service::Service;
use crate::{console, panic, time};
use core::cell::UnsafeCell;
use netstack::{Instant, Stack};
use xen::recorder::line::{END, LONGEST_LINE};
use xen::recorder::watch::Watch;
use xen::recorder::{Recorder, Verdict};

/// Lines of a crash's dump that are written before the console's daemon has to have read them.
const AT_ONCE: usize = 16;

/// Frames that may come and go, where an exchange has many of them, before the counters are looked at for what became of them.
const UNSEEN: usize = 96;
/// So many are many.
const MANY: usize = 16;

/// Whether frames are kept; without, nothing of it is done for any.
const KEPT: bool = cfg!(not(feature = "blind"));

static RECORDER: Shared = Shared(UnsafeCell::new(Recorder::new()));

struct Shared(UnsafeCell<Recorder>);

// SAFETY: there is one processor, and nothing is re-entered on it; see `with`.
unsafe impl Sync for Shared {}

/// Does something with the recorder, which does nothing with it in turn.
#[inline(always)]
fn with<R>(act: impl FnOnce(&mut Recorder) -> R) -> R {
    // SAFETY: all calls are in this file. None acts within another one, since none of the recorder's own functions comes back
    // here, and there are no interrupts; but a crash comes at any time, and reads it. Then who was here is below on the stack
    // of the one processor, and a crash does not go back there: from then on the report alone has a way to the recorder. That is
    // made of numbers, any of which does, and of strings that live for ever, written before the mark that says so.
    act(unsafe { &mut *RECORDER.0.get() })
}

/// Has the last frames shown after a crash's report.
pub fn open() {
    panic::on_crash(report);
}

/// Frames are of this moment from now on.
pub fn begin(now: Instant) {
    if KEPT {
        with(|recorder| recorder.begin(now.micros()));
    }
}

/// Keeps a frame that came.
#[inline(always)]
pub fn received(frame: &[u8]) {
    if KEPT {
        with(|recorder| recorder.received(frame));
    }
}

/// Keeps a frame that goes out.
#[inline(always)]
pub fn sent<'a>(header: &'a [u8], payload: impl Iterator<Item = &'a [u8]>) {
    if KEPT {
        with(|recorder| recorder.sent(header, payload));
    }
}

/// Says why the frame that was to go out just now did not.
pub fn not_sent(why: &'static str) {
    with(|recorder| recorder.judge_sent(why));
}

/// Finds out what became of the frames that came in, and writes a dump as the console takes it.
pub struct Flight {
    watch: Watch,
    /// The first frame that was not yet looked at.
    since: usize,
    /// The first of the exchange.
    first: usize,
    dump: Option<Dump>,
}

/// The next frame to write, and the one to end before.
#[derive(Clone, Copy)]
struct Dump {
    next: usize,
    end: usize,
}

impl Flight {
    /// Nothing has come.
    pub const fn new() -> Self {
        Self { watch: Watch::new(), since: 0, first: 0, dump: None }
    }

    /// An exchange begins.
    pub fn begin(&mut self, now: Instant) {
        begin(now);
        self.first = with(|recorder| recorder.next());
    }

    /// Whether what comes is to be looked at frame by frame, each when the stack has taken it: something has moved of late.
    #[inline(always)]
    pub fn is_careful(&self) -> bool {
        KEPT && self.watch.is_careful()
    }

    /// All that waited have been taken.
    pub fn all_taken(&mut self, stack: &Stack<Service>) {
        let next = with(|recorder| recorder.next());
        let (came, unseen) = (next.wrapping_sub(self.first), next.wrapping_sub(self.since));
        if KEPT && (came < MANY || unseen >= UNSEEN) {
            self.look(stack);
        }
    }

    /// The stack's timers have run: what they counted is no frame's.
    pub fn settle(&mut self, stack: &Stack<Service>) {
        if KEPT && self.since >= self.first {
            let _ = self.moved(stack);
            self.since = with(|recorder| recorder.next());
        }
    }

    /// Finds out whether the frames since the last look were taken without complaint.
    #[inline(never)]
    pub fn look(&mut self, stack: &Stack<Service>) {
        if let Some(verdict) = self.moved(stack) {
            with(|recorder| recorder.judge_received(verdict, self.since));
        }
        self.since = with(|recorder| recorder.next());
    }

    fn moved(&mut self, stack: &Stack<Service>) -> Verdict {
        if self.watch.is_still(stack.incidents()) {
            return None;
        }
        self.watch.moved(stack.counters(), &Stack::<Service>::USUAL)
    }

    /// Begins a dump of what is held now, unless one is being written.
    pub fn dump(&mut self, now: Instant) {
        if self.dump.is_some() {
            return;
        }
        self.dump = with(|recorder| {
            let dump = Dump { next: recorder.first(), end: recorder.next() };
            let unix = unix_micros();
            console::write(
                LONGEST_LINE,
                format_args!("{}", recorder.begin_line(dump.next, now.micros(), unix)),
            );
            Some(dump)
        });
    }

    /// Goes on with it as far as the console has room. The console's daemon wakes the guest when there is more.
    pub fn write(&mut self) {
        let Some(Dump { next, end }) = &mut self.dump else { return };
        while *next < *end {
            console::flush();
            if !console::has_room() {
                return;
            }
            // One that was overwritten meanwhile has no line.
            with(|recorder| {
                recorder.line(*next).map(|line| console::write(LONGEST_LINE, format_args!("{line}")))
            });
            *next = next.saturating_add(1);
        }
        console::write(LONGEST_LINE, format_args!("{END}"));
        self.dump = None;
    }
}

impl Default for Flight {
    fn default() -> Self {
        Self::new()
    }
}

/// The time of day, in microseconds since 1970.
fn unix_micros() -> u64 {
    let (seconds, nanoseconds) = time::unix();
    seconds.saturating_mul(1_000_000).saturating_add(u64::from(nanoseconds / 1_000))
}

/// Shows the last frames after a crash, as long as there is somebody who reads them.
fn report() {
    with(|recorder| {
        let first = recorder.first();
        let begin = recorder.begin_line(first, recorder.now(), unix_micros());
        console::write(LONGEST_LINE, format_args!("{begin}"));
        for number in first..recorder.next() {
            if let Some(line) = recorder.line(number) {
                console::write(LONGEST_LINE, format_args!("{line}"));
            }
            if number % AT_ONCE == 0 && !console::drain() {
                return;
            }
        }
        console::write(LONGEST_LINE, format_args!("{END}"));
        console::drain();
    });
}
