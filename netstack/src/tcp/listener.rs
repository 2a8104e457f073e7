//! LISTEN and SYN-RECEIVED (RFC 9293 sections 3.10.7.2 and 3.10.7.4).

use super::congestion::Congestion;
use super::connection::{CHALLENGE_INTERVAL, Clock, Core};
use super::cookies;
use super::options::{Agreed, shift_for};
use super::recv::Receive;
use super::rtt::Rtt;
use super::send::Send;
use super::seq::SeqNum;
use super::shared::Context;
use crate::egress::Egress;
use crate::wire::tcp::{Flags, Options, Segment, Timestamps};
use crate::{Duration, Instant};

/// How often a SYN-ACK is sent again, at 1, 2, 4, 8 and 16 seconds.
const RETRIES: u8 = 5;

/// A connection whose SYN has been answered.
#[derive(Debug)]
pub(super) struct HalfOpen {
    iss: SeqNum,
    irs: SeqNum,
    agreed: Agreed,
    clock: Clock,
    /// When the SYN-ACK was sent; unknown where the SYN has come again, or a cookie back.
    sent: Option<Instant>,
    retries: u8,
    /// What is expected is said again no sooner.
    challenge_from: Instant,
    pub(super) deadline: Instant,
}

/// What a segment is to a half-open connection.
pub(super) enum Handshake {
    /// Nothing.
    Ignored,
    /// It belongs to no connection that can be: a reset is due.
    Refused,
    /// The peer wants it no more.
    Reset,
    /// The SYN has come again.
    Again,
    /// The peer begins anew.
    Anew,
    /// It completes the handshake.
    Completed,
}

impl HalfOpen {
    /// By the peer's SYN. Our numbers start no earlier than at `floor`.
    pub(super) fn new<E: Egress + ?Sized>(
        segment: &Segment<'_>,
        floor: Option<SeqNum>,
        context: &Context<'_, E>,
    ) -> Self {
        let (now, tuple) = (context.now, &context.tuple);
        let secrets = &context.shared.secrets;
        let iss = secrets.initial_sequence(tuple, now);
        let recent = segment.options.timestamps.map_or(0, |timestamps| timestamps.value);
        Self {
            iss: floor.map_or(iss, |floor| iss.later(floor)),
            irs: SeqNum::new(segment.header.sequence),
            agreed: Agreed::from_syn(
                tuple.remote,
                segment.header.flags,
                &segment.options,
                context.shared.limits.receive,
            ),
            clock: Clock { offset: secrets.timestamp_offset(tuple), recent, recent_at: now },
            sent: Some(now),
            retries: 0,
            challenge_from: Instant::ZERO,
            deadline: now + Duration::from_secs(1),
        }
    }

    /// Answers with a cookie and is forgotten.
    pub(super) fn answer_with_cookie<E: Egress + ?Sized>(mut self, context: &mut Context<'_, E>) {
        let (now, tuple) = (context.now, &context.tuple);
        self.iss = cookies::make(&context.shared.secrets, tuple, self.irs, self.agreed.peer_mss, now);
        let value = cookies::timestamp(self.clock.value(now), &self.agreed);
        if !self.agreed.timestamps {
            (self.agreed.scaling, self.agreed.sack, self.agreed.ecn) = (false, false, false);
        }
        self.answer_at(value, context);
    }

    /// The half-open connection that a cookie of ours tells of, if `segment` brings one back.
    pub(super) fn from_cookie<E: Egress + ?Sized>(
        segment: &Segment<'_>,
        context: &Context<'_, E>,
    ) -> Option<Self> {
        let (now, tuple, secrets) = (context.now, &context.tuple, &context.shared.secrets);
        let irs = SeqNum::new(segment.header.sequence).minus(1);
        let iss = SeqNum::new(segment.header.acknowledgment).minus(1);
        let peer_mss = cookies::open(secrets, tuple, irs, iss, now)?;
        let timestamps = segment.options.timestamps;
        let echo = timestamps.map(|timestamps| timestamps.echo);
        let offset = secrets.timestamp_offset(tuple);
        let recent = timestamps.map_or(0, |timestamps| timestamps.value);
        Some(Self {
            iss,
            irs,
            agreed: cookies::agreed(peer_mss, echo, shift_for(context.shared.limits.receive)),
            clock: Clock { offset, recent, recent_at: now },
            sent: None,
            retries: 0,
            challenge_from: Instant::ZERO,
            deadline: now,
        })
    }

    /// Whether an ICMP error that quotes `sequence` is about our SYN-ACK.
    pub(super) fn quotes(&self, sequence: SeqNum) -> bool {
        sequence == self.iss
    }

    fn window<E: ?Sized>(context: &Context<'_, E>) -> u16 {
        // RFC 7323 section 2.2: "The window field in a segment where the SYN bit is set MUST NOT be scaled".
        u16::try_from(context.shared.limits.receive).unwrap_or(u16::MAX)
    }

    /// Sends the SYN-ACK. Where it is lost, or the device full, the timer or the peer's next SYN calls for it again.
    pub(super) fn answer<E: Egress + ?Sized>(&self, context: &mut Context<'_, E>) {
        self.answer_at(self.clock.value(context.now), context);
    }

    /// The same; `value` is our timestamp.
    fn answer_at<E: Egress + ?Sized>(&self, value: u32, context: &mut Context<'_, E>) {
        let agreed = &self.agreed;
        let options = Options {
            maximum_segment_size: Some(context.path_mss),
            window_scale: agreed.scaling.then_some(agreed.receive_shift),
            sack_permitted: agreed.sack,
            timestamps: agreed.timestamps.then_some(Timestamps { value, echo: self.clock.recent }),
            ..Options::default()
        };
        // RFC 3168 section 6.1.1: an "ECN-setup SYN-ACK packet" has ECE alone.
        let flags = Flags::SYN.with(Flags::ACK).with_if(agreed.ecn, Flags::ECE);
        let window = Self::window(context);
        let _ = context.reply(flags, self.iss.get(), self.irs.plus(1).get(), window, &options);
    }

    /// The timer: sends the SYN-ACK again, or says that it was the last time.
    pub(super) fn timer<E: Egress + ?Sized>(&mut self, context: &mut Context<'_, E>) -> bool {
        if self.deadline > context.now {
            return true;
        }
        if self.retries >= RETRIES {
            return false;
        }
        self.retries = self.retries.saturating_add(1);
        self.deadline = context.now + Duration::from_secs(1 << self.retries);
        self.answer(context);
        true
    }

    /// RFC 9293 section 3.10.7.4 for SYN-RECEIVED.
    pub(super) fn arrives<E: Egress + ?Sized>(
        &mut self,
        segment: &Segment<'_>,
        context: &mut Context<'_, E>,
    ) -> Handshake {
        let header = &segment.header;
        let (flags, sequence) = (header.flags, SeqNum::new(header.sequence));
        let next = self.irs.plus(1);
        if flags.has(Flags::RST) {
            if sequence == next {
                return Handshake::Reset;
            }
            // RFC 5961 section 3.2: elsewhere in the window "TCP endpoints MUST send an acknowledgment".
            if !Receive::new(next, u32::from(Self::window(context))).acceptable(sequence, 0) {
                return Handshake::Ignored;
            }
            context.shared.counters.tcp_reset_challenged.count();
            return self.challenge(0, context);
        }
        let length = super::connection::segment_length(segment);
        let acceptable = Receive::new(next, u32::from(Self::window(context))).acceptable(sequence, length);
        if flags.has(Flags::SYN) {
            if sequence == self.irs && !flags.has(Flags::ACK) {
                // The same SYN again, or one from a peer that has started anew with the same number.
                self.sent = None;
                // RFC 3168 section 6.1.1.1: a peer whose first SYN went unanswered tries without.
                self.agreed.ecn &= flags.has(Flags::ECE.with(Flags::CWR));
                self.clock.recent = segment.options.timestamps.map_or(self.clock.recent, |at| at.value);
                return Handshake::Again;
            }
            context.shared.counters.tcp_syn_unexpected.count();
            // Section 3.10.7.4, fourth: "If the connection was initiated with a passive OPEN, then return this connection to the
            // LISTEN state". Outside the window, a peer that has started anew resets what the acknowledgment is of, and its
            // next SYN finds the place free; silence would lock it out until the last retry.
            return if acceptable { Handshake::Anew } else { self.challenge(0, context) };
        }
        if !flags.has(Flags::ACK) {
            return Handshake::Ignored;
        }
        let old = segment.options.timestamps.is_some_and(|timestamps| {
            self.agreed.timestamps && self.clock.is_old(timestamps.value, context.now)
        });
        if old {
            context.shared.counters.tcp_paws.count();
            return self.challenge(length, context);
        }
        if !acceptable {
            context.shared.counters.tcp_out_of_window.count();
            return self.challenge(length, context);
        }
        // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state ... If the segment acknowledgment is not
        // acceptable, form a reset segment <SEQ=SEG.ACK><CTL=RST>".
        if header.acknowledgment != self.iss.plus(1).get() {
            context.shared.counters.tcp_ack_unacceptable.count();
            return Handshake::Refused;
        }
        Handshake::Completed
    }

    /// Section 3.10.7.4, first: "If an incoming segment is not acceptable, an acknowledgment should be sent in reply", and it
    /// is <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. Limited as on a connection: two ends that both answer would not stop.
    fn challenge<E: Egress + ?Sized>(&mut self, length: u32, context: &mut Context<'_, E>) -> Handshake {
        let now = context.now;
        if now < self.challenge_from && length == 0 {
            context.shared.counters.tcp_challenge_limited.count();
            return Handshake::Ignored;
        }
        self.challenge_from = now + CHALLENGE_INTERVAL;
        let stamps = Timestamps { value: self.clock.value(now), echo: self.clock.recent };
        let options = Options { timestamps: self.agreed.timestamps.then_some(stamps), ..Options::default() };
        let window = context.shared.limits.receive >> self.agreed.receive_shift;
        let window = u16::try_from(window).unwrap_or(u16::MAX);
        // Where the device is full the peer asks again.
        let _ = context.reply(Flags::ACK, self.iss.plus(1).get(), self.irs.plus(1).get(), window, &options);
        Handshake::Ignored
    }

    /// The connection that the handshake has made.
    pub(super) fn establish<E: Egress + ?Sized>(
        self,
        segment: &Segment<'_>,
        context: &Context<'_, E>,
    ) -> Core {
        let now = context.now;
        let mut rtt = if self.retries == 0 { Rtt::new() } else { Rtt::after_lost_handshake() };
        // Karn: what was sent twice measures nothing.
        if let (0, Some(sent)) = (self.retries, self.sent) {
            rtt.measured(now.since(sent));
        }
        let options = if self.agreed.timestamps { 12 } else { 0 };
        let mss = self.agreed.peer_mss.min(context.path_mss).saturating_sub(options);
        let congestion = Congestion::new(u32::from(mss), self.retries > 0);
        let mut send = Send::new(self.iss.plus(1), congestion, rtt, now);
        let header = &segment.header;
        let window = u32::from(header.window) << self.agreed.send_shift;
        send.first_window(SeqNum::new(header.sequence), SeqNum::new(header.acknowledgment), window);
        let receive = Receive::new(self.irs.plus(1), u32::from(Self::window(context)));
        Core::new(self.agreed, self.clock, send, receive, now)
    }
}
