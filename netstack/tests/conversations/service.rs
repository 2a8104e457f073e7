//! The service that does what a script says.

use conversations::{Action, host_byte, peer_byte};
use netstack::{Chunk, Instant, Service, Stream};
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

/// A connection as its service sees it.
#[derive(Default)]
pub struct Story {
    /// What it has to do as soon as it is called.
    pub orders: VecDeque<Action>,
    /// Orders that have been followed and not been asked for yet.
    pub done: u32,
    /// Bytes read and not asked for yet.
    pub read: u32,
    /// The next byte to come.
    pub next: u32,
    /// The next byte to send.
    pub sent: u32,
    pub holds: bool,
    pub wrong: bool,
    pub ended: bool,
    pub accepted: bool,
    pub gone: bool,
}

pub type Shared = Rc<RefCell<Story>>;

/// All connections by the peer's port.
#[derive(Default)]
pub struct Stage {
    pub stories: HashMap<u16, Shared>,
    /// Orders for who comes next.
    pub orders: HashMap<u16, VecDeque<Action>>,
    /// When services want to be called.
    pub calls: Vec<Instant>,
}

impl Stage {
    fn act(&self, story: &mut Story, stream: &mut dyn Stream) {
        while let Some(order) = story.orders.pop_front() {
            story.done += 1;
            match order {
                Action::Sends(count) => {
                    let bytes: Box<[u8]> = (1..=count).map(|at| host_byte(story.sent + at)).collect();
                    story.sent += count;
                    stream.send(Chunk::Owned(bytes)).expect("room for a chunk");
                }
                Action::Closes => stream.close(),
                Action::Resets => stream.reset(),
                _ => unreachable!("no order"),
            }
        }
        stream.set_deadline(self.calls.iter().find(|call| **call >= stream.now()).copied());
    }
}

impl Service for Stage {
    type Connection = Shared;

    fn listens(&self, port: u16) -> bool {
        port == conversations::PORT
    }

    fn accept(&mut self, peer: SocketAddr, _: SocketAddr, stream: &mut dyn Stream) -> Shared {
        let orders = self.orders.remove(&peer.port()).unwrap_or_default();
        let mut story = Story { orders, next: 1, accepted: true, ..Story::default() };
        self.act(&mut story, stream);
        let story = Rc::new(RefCell::new(story));
        self.stories.insert(peer.port(), story.clone());
        story
    }

    fn receive(&mut self, story: &mut Shared, bytes: &[u8], end: bool, stream: &mut dyn Stream) -> usize {
        let mut story = story.borrow_mut();
        self.act(&mut story, stream);
        if story.holds {
            return 0;
        }
        story.ended |= end;
        for byte in bytes {
            story.wrong |= *byte != peer_byte(story.next);
            story.next = story.next.wrapping_add(1);
        }
        story.read += bytes.len() as u32;
        bytes.len()
    }

    fn acknowledged(&mut self, story: &mut Shared, stream: &mut dyn Stream) {
        self.act(&mut story.borrow_mut(), stream);
    }

    fn deadline(&mut self, story: &mut Shared, stream: &mut dyn Stream) {
        self.act(&mut story.borrow_mut(), stream);
        let later = self.calls.iter().find(|call| **call > stream.now());
        stream.set_deadline(later.copied());
    }

    fn stopping(&mut self, _: &mut Shared, _: &mut dyn Stream) {}

    fn closed(&mut self, story: Shared) {
        story.borrow_mut().gone = true;
    }
}
