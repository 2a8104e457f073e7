//! The stack as the host of a conversation.

use crate::service::{Shared, Stage};
use conversations::{Action, HOST, HOST_STATION, Host, Moment, PEER, PEER_STATION, ROUTER, Side};
use netstack::addressing::Addressing;
use netstack::device::{Capabilities, Frame, ReceiveChecksum, TransmitError};
use netstack::stack::Config;
use netstack::wire::ethernet::Address;
use netstack::{Device, Instant, Stack};
use std::collections::VecDeque;
use std::time::Duration;

/// When a conversation begins, for the stack.
const START: u64 = 1_000_000_000;
/// How long before that the stack was started, in microseconds.
const SETTLED: u64 = 60_000_000;
/// By how much a timer may be late.
const WHEEL: Duration = Duration::from_millis(5);

struct Link {
    mtu: u16,
    sent: VecDeque<Vec<u8>>,
}

impl Device for Link {
    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: self.mtu, checksum: false, gso_v4: None }
    }

    fn transmit(&mut self, frame: &Frame<'_>) -> Result<(), TransmitError> {
        let mut bytes = frame.header.to_vec();
        frame.payload.iter().for_each(|slice| bytes.extend(slice.bytes()));
        assert!(bytes.len() <= usize::from(self.mtu) + 14, "a frame of {} bytes", bytes.len());
        self.sent.push_back(bytes);
        Ok(())
    }
}

/// A stack in virtual time.
pub struct Virtual {
    stack: Stack<Stage>,
    link: Link,
    stage: Stage,
    now: Duration,
    /// The service should have been called then.
    call: Option<Duration>,
}

fn instant(time: Duration) -> Instant {
    Instant::from_micros(START + time.as_micros() as u64)
}

impl Virtual {
    /// A stack that knows the peer, and a service that will be called at these times.
    pub fn new(mtu: u16, calls: &[Duration]) -> Self {
        let prefix = format!("{HOST}/24").parse().expect("a prefix");
        let config = Config::Static(Addressing::new(prefix, Some(ROUTER)));
        let stage = Stage { calls: calls.iter().map(|call| instant(*call)).collect(), ..Stage::default() };
        let link = Link { mtu, sent: VecDeque::new() };
        let stack = Stack::new(config, Address(HOST_STATION), &[7; 32]);
        let mut host = Self { stack, link, stage, now: Duration::ZERO, call: None };
        // It claims its address before the conversation begins.
        let mut due = Some(Instant::from_micros(START - SETTLED));
        while let Some(time) = due.filter(|due| *due < instant(Duration::ZERO)) {
            host.stack.poll(time, &mut host.link, &mut host.stage);
            due = host.stack.next_deadline();
        }
        // The peer and the router ask for the host, and so become known.
        for address in [PEER, ROUTER] {
            let head = [&[0xff; 6][..], &PEER_STATION, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &PEER_STATION];
            let tail = [&address.octets()[..], &[0; 6], &HOST.octets()];
            host.deliver(&[head.concat(), tail.concat()].concat());
        }
        host.link.sent.clear();
        host
    }

    /// When the service should have been called, and was not.
    pub fn call(&self) -> Option<Duration> {
        self.call
    }

    fn deliver(&mut self, frame: &[u8]) {
        let now = instant(self.now);
        self.stack.receive(frame, ReceiveChecksum::Unverified, now, &mut self.link, &mut self.stage);
    }

    /// Goes to the next deadline, or to `until` where there is none before.
    fn step(&mut self, until: Duration) -> bool {
        let due = self.stack.next_deadline().filter(|due| *due <= instant(until));
        let Some(due) = due else {
            self.now = self.now.max(until);
            return false;
        };
        let micros = due.micros().saturating_sub(START);
        self.now = self.now.max(Duration::from_micros(micros));
        self.stack.poll(instant(self.now), &mut self.link, &mut self.stage);
        true
    }

    fn story(&self, port: u16) -> Result<&Shared, String> {
        self.stage.stories.get(&port).ok_or_else(|| "there is no connection".into())
    }

    /// The service acts now, which it can only where it is called.
    fn order(&mut self, port: u16, action: &Action) -> Result<(), String> {
        let story = self.story(port)?.clone();
        if story.borrow().gone {
            return Err("the connection is gone".into());
        }
        story.borrow_mut().orders.push_back(action.clone());
        let asked = self.now;
        while !story.borrow().orders.is_empty() {
            if !self.step(asked + WHEEL) {
                self.call = Some(asked);
                return Err("the service is not called".into());
            }
        }
        story.borrow_mut().done = 0;
        Ok(())
    }
}

impl Host for Virtual {
    const SIDE: Side = Side::Ours;
    const SLACK: Duration = Duration::ZERO;
    const TICK: Duration = Duration::from_millis(2);

    fn now(&self) -> Duration {
        self.now
    }

    fn prepare(&mut self, port: u16, actions: Vec<Action>) {
        let orders = actions
            .into_iter()
            .filter(|action| matches!(action, Action::Sends(_) | Action::Closes | Action::Resets))
            .collect();
        match self.stage.stories.get(&port).filter(|story| !story.borrow().gone) {
            Some(story) => (story.borrow_mut().orders, story.borrow_mut().done) = (orders, 0),
            None => {
                self.stage.orders.insert(port, orders);
            }
        }
    }

    fn give(&mut self, frame: &[u8]) -> Result<(), String> {
        self.deliver(frame);
        Ok(())
    }

    fn take(&mut self, until: Duration) -> Result<Option<(Moment, Vec<u8>)>, String> {
        while self.link.sent.is_empty() && self.step(until) {}
        Ok(self.link.sent.pop_front().map(|frame| (Moment::at(self.now), frame)))
    }

    fn app(&mut self, port: u16, action: &Action) -> Result<(), String> {
        if *action == Action::AcceptsNothing {
            return match self.story(port) {
                Ok(story) if story.borrow().accepted => Err("there is a connection".into()),
                _ => Ok(()),
            };
        }
        let story = self.story(port)?.clone();
        match action {
            Action::Sends(_) | Action::Closes | Action::Resets => {
                // Done already where the service was called for the frame before.
                let mut prepared = story.borrow_mut();
                if prepared.done > 0 {
                    prepared.done -= 1;
                    return Ok(());
                }
                prepared.orders.clear();
                drop(prepared);
                return self.order(port, action);
            }
            Action::Holds => story.borrow_mut().holds = true,
            Action::Resumes => story.borrow_mut().holds = false,
            _ => (),
        }
        let mut story = story.borrow_mut();
        let right = match action {
            Action::Accepts => std::mem::take(&mut story.accepted),
            Action::Reads(count) => {
                let read = std::mem::take(&mut story.read);
                if read != *count || story.wrong {
                    return Err(format!(
                        "{read} bytes were read{}",
                        if story.wrong { ", wrong ones" } else { "" }
                    ));
                }
                true
            }
            Action::Ended => story.ended,
            Action::Gone => story.gone,
            Action::Lives => !story.gone,
            _ => true,
        };
        if right { Ok(()) } else { Err("it is not so".into()) }
    }
}
