//! TIME-WAIT (RFC 9293 section 3.3.2): both sides have closed, and what is still on its way must find its grave.

use super::connection::{Clock, Core, segment_length};
use super::seq::SeqNum;
use super::shared::Context;
use crate::egress::Egress;
use crate::wire::tcp::{Flags, Options, Segment, Timestamps};
use crate::{Duration, Instant};

/// Answers to what has no data are this far apart.
const ANSWER_INTERVAL: Duration = Duration::from_millis(500);

/// What is left of a connection.
#[derive(Debug)]
pub(super) struct TimeWait {
    send_next: SeqNum,
    receive_next: SeqNum,
    clock: Clock,
    timestamps: bool,
    answered: Option<Instant>,
    pub(super) until: Instant,
}

/// What a segment is to TIME-WAIT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Disposition {
    /// Nothing.
    Ignored,
    /// The peer's FIN has come again: it has been answered, and the time begins anew.
    Again,
    /// A new connection may take the place, with sequence numbers from here on.
    Reuse(SeqNum),
}

impl TimeWait {
    pub(super) fn new(core: &Core, until: Instant) -> Self {
        Self {
            send_next: core.send.nxt,
            receive_next: core.receive.next,
            clock: core.clock,
            timestamps: core.agreed.timestamps,
            answered: None,
            until,
        }
    }

    pub(super) fn arrives<E: Egress + ?Sized>(
        &mut self,
        segment: &Segment<'_>,
        context: &mut Context<'_, E>,
    ) -> Disposition {
        let now = context.now;
        let (flags, sequence) = (segment.header.flags, SeqNum::new(segment.header.sequence));
        let timestamps = segment.options.timestamps.filter(|_| self.timestamps);
        if flags.has(Flags::RST) {
            // RFC 1337 section 3, fix F1: "Ignore RST segments in TIME-WAIT state".
            context.shared.counters.tcp_time_wait_reset_ignored.count();
            return Disposition::Ignored;
        }
        if flags.has(Flags::SYN) && !flags.has(Flags::ACK) {
            // RFC 6191 section 2: a later timestamp, or without one a later sequence number, tells a new connection.
            let newer = match timestamps {
                Some(timestamps) if timestamps.value != self.clock.recent => {
                    SeqNum::new(timestamps.value).after(SeqNum::new(self.clock.recent))
                }
                _ => sequence.after(self.receive_next),
            };
            if newer {
                context.shared.counters.tcp_time_wait_reused.count();
                // RFC 1122 section 4.2.2.13 (c): an initial sequence number larger than the largest used before.
                return Disposition::Reuse(self.send_next.plus(65_536));
            }
        }
        let length = segment_length(segment);
        let fin_again = flags.has(Flags::FIN) && sequence.plus(length) == self.receive_next;
        let recent = self.answered.is_some_and(|at| now.since(at) < ANSWER_INTERVAL);
        // What expects an answer gets one; an acknowledgment of an acknowledgment does not.
        let plain = length == 0 && sequence == self.receive_next;
        if plain || (recent && length == 0) {
            return Disposition::Ignored;
        }
        self.answered = Some(now);
        let options = Options {
            timestamps: self
                .timestamps
                .then(|| Timestamps { value: self.clock.value(now), echo: self.clock.recent }),
            ..Options::default()
        };
        // Where the device is full the peer asks again.
        let _ = context.reply(Flags::ACK, self.send_next.get(), self.receive_next.get(), 0, &options);
        if fin_again { Disposition::Again } else { Disposition::Ignored }
    }
}
