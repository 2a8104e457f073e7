//! Linux as the host of a conversation: its TCP, with a service that does what the script says.

use crate::namespace;
use crate::tap::Tap;
use conversations::{Action, HOST, Host, Moment, PORT, Script, Side, host_byte, peer_byte};
use rustix::net::sockopt;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How often to look for a frame at least: by so much its time is uncertain, more only where this process does not get to
/// look. What is late to look must not take what Linux does for late, nor for early.
const GLANCE: Duration = Duration::from_millis(5);

/// A connection as its service sees it.
struct Story {
    stream: Option<TcpStream>,
    read: u32,
    next: u32,
    sent: u32,
    holds: bool,
    wrong: bool,
    ended: bool,
    broken: bool,
    accepted: bool,
}

/// Linux in a namespace of this thread.
pub struct RealTime {
    tap: Tap,
    listener: TcpListener,
    stories: HashMap<u16, Story>,
    began: Instant,
    /// When there was no frame.
    empty: Duration,
}

impl RealTime {
    /// A namespace for this thread, with a service.
    pub fn new(script: &Script) -> Result<Self, String> {
        namespace::leave()
            .map_err(|error| format!("no network namespace: {error}: CAP_SYS_ADMIN is missing"))?;
        let tap = Tap::new()
            .map_err(|error| format!("no tap: {error}: CAP_NET_ADMIN or /dev/net/tun is missing"))?;
        namespace::configure(script.mtu, script.is_about_arp(), &script.sysctls)?;
        let listener = TcpListener::bind((HOST, PORT)).map_err(|error| format!("the service: {error}"))?;
        listener.set_nonblocking(true).map_err(|error| format!("the service: {error}"))?;
        // What Linux says when a link comes up is no part of a conversation.
        while tap.receive().map_err(|error| error.to_string())?.is_some() {}
        Ok(Self { tap, listener, stories: HashMap::new(), began: Instant::now(), empty: Duration::ZERO })
    }

    fn service(&mut self) {
        while let Ok((stream, address)) = self.listener.accept() {
            let ready = stream.set_nonblocking(true).is_ok()
                && sockopt::set_tcp_nodelay(&stream, true).is_ok()
                && sockopt::set_socket_send_buffer_size(&stream, 4 << 20).is_ok()
                // RFC 6093 section 4: urgent data is data.
                && sockopt::set_socket_oobinline(&stream, true).is_ok()
                // Acknowledgments wait for the response, as they do on a connection that has gone on for a while.
                && sockopt::set_tcp_quickack(&stream, false).is_ok();
            assert!(ready, "the options of a socket");
            let story = Story {
                stream: Some(stream),
                read: 0,
                next: 1,
                sent: 0,
                holds: false,
                wrong: false,
                ended: false,
                broken: false,
                accepted: true,
            };
            self.stories.insert(address.port(), story);
        }
        self.stories.values_mut().for_each(Story::read_on);
    }

    fn story(&mut self, port: u16) -> Result<&mut Story, String> {
        self.service();
        self.stories.get_mut(&port).ok_or_else(|| "there is no connection".into())
    }
}

impl Story {
    fn read_on(&mut self) {
        let mut buffer = [0; 65_536];
        while !self.holds && !self.broken && !self.ended {
            let Some(stream) = &mut self.stream else { return };
            match stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    for byte in &buffer[..count] {
                        self.wrong |= *byte != peer_byte(self.next);
                        self.next = self.next.wrapping_add(1);
                    }
                    self.read += count as u32;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.broken = true,
            }
        }
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let stream = self.stream.as_mut().ok_or("the connection is gone")?;
        match action {
            Action::Sends(count) => {
                let bytes: Vec<u8> = (1..=*count).map(|at| host_byte(self.sent + at)).collect();
                self.sent += count;
                stream.write_all(&bytes).map_err(|error| format!("send: {error}"))
            }
            Action::Closes => stream.shutdown(Shutdown::Write).map_err(|error| format!("shutdown: {error}")),
            Action::Resets => {
                sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))
                    .map_err(|error| format!("SO_LINGER: {error}"))?;
                self.stream = None;
                self.broken = true;
                Ok(())
            }
            Action::Holds => {
                self.holds = true;
                Ok(())
            }
            Action::Resumes => {
                self.holds = false;
                self.read_on();
                Ok(())
            }
            _ => unreachable!("no order"),
        }
    }

    /// Linux has no connection any more: its socket has no peer, or has met an error.
    fn is_gone(&self) -> bool {
        self.broken || self.stream.as_ref().is_none_or(|stream| stream.peer_addr().is_err())
    }
}

impl Host for RealTime {
    const SIDE: Side = Side::Linux;
    const SLACK: Duration = Duration::from_millis(200);
    const TICK: Duration = Duration::from_millis(10);

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn prepare(&mut self, _: u16, _: Vec<Action>) {}

    fn give(&mut self, frame: &[u8]) -> Result<(), String> {
        self.tap.send(frame).map_err(|error| format!("the tap: {error}"))
    }

    fn take(&mut self, until: Duration) -> Result<Option<(Moment, Vec<u8>)>, String> {
        loop {
            self.service();
            let looked = self.now();
            if let Some(frame) = self.tap.receive().map_err(|error| format!("the tap: {error}"))? {
                return Ok(Some((Moment { from: self.empty, to: self.now() }, frame)));
            }
            self.empty = looked;
            let left = until.saturating_sub(looked);
            if left.is_zero() {
                return Ok(None);
            }
            self.tap.wait(left.min(GLANCE)).map_err(|error| format!("the tap: {error}"))?;
        }
    }

    fn app(&mut self, port: u16, action: &Action) -> Result<(), String> {
        let until = self.now() + Self::SLACK;
        if *action == Action::AcceptsNothing {
            return match self.story(port) {
                Ok(story) if story.accepted => Err("there is a connection".into()),
                _ => Ok(()),
            };
        }
        let orders = [Action::Closes, Action::Resets, Action::Holds, Action::Resumes].contains(action);
        if orders || matches!(action, Action::Sends(_)) {
            return self.story(port)?.act(action);
        }
        loop {
            let late = self.now() >= until;
            let told = match self.story(port) {
                Err(error) => Err(error),
                Ok(story) => match action {
                    Action::Accepts => {
                        if std::mem::take(&mut story.accepted) {
                            Ok(())
                        } else {
                            Err("not again".into())
                        }
                    }
                    Action::Reads(count) if story.read != *count || story.wrong => Err(format!(
                        "{} bytes were read{}",
                        story.read,
                        if story.wrong { ", wrong ones" } else { "" }
                    )),
                    Action::Reads(_) => {
                        story.read = 0;
                        Ok(())
                    }
                    Action::Ended if !story.ended => Err("it has not ended".into()),
                    Action::Gone if !story.is_gone() => Err("it lives".into()),
                    Action::Lives if story.is_gone() => Err("it is gone".into()),
                    _ => Ok(()),
                },
            };
            if told.is_ok() || late {
                return told;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
