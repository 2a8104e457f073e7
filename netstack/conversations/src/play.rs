//! Plays a script with a host.

use crate::frame::{self, Content, Payload, Seen};
use crate::inject::{self, Setting};
use crate::script::{Action, Body, Event, Line, Packet, Script, Side, Span};
use crate::{HOST, HOST_STATION, PEER, PEER_STATION, ROUTER, expect};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

/// When something happened, as well as is known: who looks on may have been kept from looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// No sooner.
    pub from: Duration,
    /// No later.
    pub to: Duration,
}

impl Moment {
    /// Just then.
    pub fn at(time: Duration) -> Self {
        Self { from: time, to: time }
    }
}

/// What is being tested.
pub trait Host {
    /// Which of the two it is.
    const SIDE: Side;
    /// How much later than at once an answer may come.
    const SLACK: Duration;
    /// How much earlier or later a timer may expire.
    const TICK: Duration;

    /// The time since the conversation began.
    fn now(&self) -> Duration;

    /// What the service does as soon as it learns of the frame that comes next.
    fn prepare(&mut self, port: u16, actions: Vec<Action>);

    /// Gives it a frame.
    fn give(&mut self, frame: &[u8]) -> Result<(), String>;

    /// Its next frame, with the time at which it came; `None` where there is none until then.
    fn take(&mut self, until: Duration) -> Result<Option<(Moment, Vec<u8>)>, String>;

    /// The service of the connection with the peer's port does something, or says what has become of it.
    fn app(&mut self, port: u16, action: &Action) -> Result<(), String>;
}

/// What is known of a connection.
#[derive(Debug)]
pub struct Flow {
    /// The peer's port.
    pub port: u16,
    /// The peer's initial sequence number.
    pub peer_isn: u32,
    /// The host's, once it is known.
    pub host_isn: Option<u32>,
    /// The window field that the peer sent last.
    pub window: u16,
    /// The peer's SYN had timestamps.
    pub offered: bool,
    /// Both SYNs had.
    pub stamped: bool,
    /// What the peer's clock showed when the conversation began.
    pub stamp_base: u32,
    /// The host's last TSval.
    pub stamp: u32,
}

impl Flow {
    fn new(port: u16) -> Self {
        Self {
            port,
            peer_isn: 1_000_000,
            host_isn: None,
            window: 65_535,
            offered: false,
            stamped: false,
            stamp_base: 0,
            stamp: 0,
        }
    }

    /// The peer's sequence number of a relative one.
    pub fn peer_number(&self, relative: i64) -> u32 {
        self.peer_isn.wrapping_add(relative as u32)
    }

    /// The host's.
    pub fn host_number(&self, relative: i64) -> u32 {
        self.host_isn.unwrap_or(0).wrapping_add(relative as u32)
    }
}

/// Plays it. The error is the conversation up to what differs.
pub fn play<H: Host>(script: &Script, host: &mut H) -> Result<(), String> {
    play_as(script, H::SIDE, host)
}

/// The same with the lines for `side`, which may be the other one's.
pub fn play_as<H: Host>(script: &Script, side: Side, host: &mut H) -> Result<(), String> {
    let mut player = Player {
        host,
        flows: HashMap::new(),
        port: 5_000,
        last: Moment::at(Duration::ZERO),
        told: Duration::ZERO,
        late: None,
        host_packet: Vec::new(),
        peer_packet: Vec::new(),
        about_arp: script.is_about_arp(),
        log: format!("{}: {}\n", script.name, script.rule),
    };
    let lines: Vec<&Line> =
        script.lines.iter().filter(|line| line.only.is_none_or(|only| only == side)).collect();
    for (at, line) in lines.iter().enumerate() {
        let rest = lines.get(at + 1..).unwrap_or_default();
        if let Err(error) = player.line(line, rest) {
            let _ = writeln!(
                player.log,
                "{:>12} line {}: {}\n{:>12} {error}",
                "WRONG", line.number, line.text, ""
            );
            return Err(player.log);
        }
    }
    match player.unexpected() {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("{}{:>12} at the end: {error}\n", player.log, "WRONG")),
    }
}

struct Player<'a, H> {
    host: &'a mut H,
    flows: HashMap<u16, Flow>,
    port: u16,
    /// When the last line happened.
    last: Moment,
    /// When it would have, had everything gone by the script's earliest times: the peer's clock.
    told: Duration,
    /// A frame that may have come after the time in which there was to be none.
    late: Option<(Moment, Seen)>,
    /// The last IP packets.
    host_packet: Vec<u8>,
    peer_packet: Vec<u8>,
    about_arp: bool,
    log: String,
}

impl<H: Host> Player<'_, H> {
    fn line(&mut self, line: &Line, rest: &[&Line]) -> Result<(), String> {
        let span = line.span.unwrap_or(Span { least: Duration::ZERO, most: Duration::ZERO });
        self.told += span.least;
        match &line.event {
            Event::Host(packet) => {
                let slack = if line.span.is_some() { H::SLACK + H::TICK } else { H::SLACK };
                let until = self.last.to + span.most + slack;
                let (time, seen) = self.next(until, Some(packet))?.ok_or("it did not come")?;
                let shown = expect::show(&seen, self.flow());
                let flow = self.flows.entry(self.port).or_insert_with(|| Flow::new(self.port));
                expect::compare(packet, &seen, flow, H::SIDE, &self.peer_packet)
                    .map_err(|error| format!("{error}: {shown}"))?;
                let after = time.to.saturating_sub(self.last.from);
                if after + H::TICK < span.least || time.from > until {
                    return Err(format!("it came after {} ms: {shown}", after.as_millis()));
                }
                self.note(&seen);
                self.happened(time, line);
            }
            Event::Nothing(time) => {
                let until =
                    self.last.to + *time + if time.is_zero() { H::SLACK / 10 } else { Duration::ZERO };
                if let Some((at, seen)) = self.next(until, None)? {
                    if at.to <= until {
                        let shown = expect::show(&seen, self.flow());
                        let after = at.to.saturating_sub(self.last.from);
                        return Err(format!("after {} ms: {shown}", after.as_millis()));
                    }
                    self.late = Some((at, seen));
                }
                self.told += *time;
                self.happened(Moment { from: self.last.from + *time, to: self.last.to + *time }, line);
            }
            Event::Peer(packet) => {
                self.wait(span)?;
                let actions =
                    rest.iter().take_while(|line| line.span.is_none()).map_while(|line| match &line.event {
                        Event::App(action) => Some(action.clone()),
                        _ => None,
                    });
                let port = self.port;
                self.host.prepare(port, actions.collect());
                let millis = self.told.as_millis() as u32;
                let flow = self.flows.entry(port).or_insert_with(|| Flow::new(port));
                let mut setting = Setting { flow, millis, last: &self.host_packet };
                let frame = inject::frame(packet, &mut setting);
                self.peer_packet = frame.get(14..).unwrap_or_default().to_vec();
                let from = self.host.now();
                self.host.give(&frame)?;
                self.happened(Moment { from, to: self.host.now() }, line);
            }
            Event::App(action) => {
                if line.span.is_some() {
                    self.wait(span)?;
                }
                let from = self.host.now();
                self.host.app(self.port, action)?;
                self.happened(Moment { from, to: self.host.now() }, line);
            }
            Event::Port(port) => self.port = *port,
            Event::Isn(isn) => self.flow().peer_isn = *isn,
            Event::Renew => {
                self.flows.remove(&self.port);
            }
        }
        Ok(())
    }

    fn flow(&mut self) -> &mut Flow {
        self.flows.entry(self.port).or_insert_with(|| Flow::new(self.port))
    }

    fn happened(&mut self, time: Moment, line: &Line) {
        self.last = time;
        let _ = writeln!(self.log, "{:>9.3} ms {}", time.to.as_secs_f64() * 1e3, line.text);
    }

    /// Lets the time before a line pass; nothing may come meanwhile.
    fn wait(&mut self, span: Span) -> Result<(), String> {
        let until = self.last.to + span.least;
        match self.next(until, None)? {
            Some((_, seen)) => Err(format!("before that came {}", expect::show(&seen, self.flow()))),
            None => Ok(()),
        }
    }

    /// Nothing may be left, but for what came after the last line's time.
    fn unexpected(&mut self) -> Result<(), String> {
        if self.late.is_some() {
            return Ok(());
        }
        self.wait(Span { least: Duration::ZERO, most: Duration::ZERO })
    }

    /// The next frame that is worth a look.
    fn next(&mut self, until: Duration, expected: Option<&Packet>) -> Result<Option<(Moment, Seen)>, String> {
        if let Some((time, seen)) = self.late.take() {
            if !self.is_early(&seen, expected) {
                return Ok(Some((time, seen)));
            }
            self.note(&seen);
        }
        loop {
            let Some((time, bytes)) = self.host.take(until)? else { return Ok(None) };
            let seen = frame::parse(&bytes).map_err(|error| format!("a frame with {error}"))?;
            match &seen.content {
                Content::Other(_) => (),
                Content::Arp { operation: 1, target, .. }
                    if !self.about_arp && [PEER, ROUTER].contains(target) =>
                {
                    self.host.give(&answer(*target))?;
                }
                _ if self.is_early(&seen, expected) => self.note(&seen),
                _ => return Ok(Some((time, seen))),
            }
        }
    }

    /// Linux may acknowledge a request before its service has answered it; that is no difference worth a line.
    fn is_early(&self, seen: &Seen, expected: Option<&Packet>) -> bool {
        let Some(Body::Tcp(tcp)) = expected.map(|packet| &packet.body) else { return false };
        let Content::Ip(_, Payload::Tcp(segment)) = &seen.content else { return false };
        let Some(flow) = self.flows.get(&self.port) else { return false };
        let later = tcp.length > 0 || tcp.flags & 1 != 0;
        H::SIDE == Side::Linux
            && later
            && segment.flags == 16
            && segment.data.is_empty()
            && segment.destination == flow.port
            && segment.seq == flow.host_number(tcp.seq)
            && tcp.ack.is_some_and(|ack| segment.ack == flow.peer_number(ack))
    }

    /// Remembers what later lines refer to.
    fn note(&mut self, seen: &Seen) {
        if let Content::Ip(_, payload) = &seen.content {
            self.host_packet.clone_from(&seen.bytes);
            if let Payload::Tcp(segment) = payload
                && let Some((value, _)) = segment.stamps()
            {
                self.flow().stamp = value;
            }
        }
    }
}

/// The answer to the host's question for `address`.
fn answer(address: Ipv4Addr) -> Vec<u8> {
    let mut frame =
        [&HOST_STATION[..], &PEER_STATION, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &PEER_STATION].concat();
    frame.extend(address.octets());
    frame.extend(HOST_STATION);
    frame.extend(HOST.octets());
    frame
}
