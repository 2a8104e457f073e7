//! The other end of the rings, built of small acts: a test puts them together in honest or dishonest order.

use super::{BackRing, Machine, SimStore};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use xen::netif::{
    Extra, ExtraInfo, RX_WORDS, RxRequest, RxResponse, TX_WORDS, TxRequest, TxResponse, rxf, status, txf,
};

/// One slot of a packet, as the ring had it; the bytes have not been looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    pub gref: u32,
    pub offset: u16,
    pub id: u16,
    /// The slot's own bytes, in the first one too.
    pub size: u16,
}

/// A packet taken from the transmit ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    pub fragments: Vec<Fragment>,
    pub checksum_blank: bool,
    /// Segment size and netif GSO type.
    pub gso: Option<(u16, u8)>,
    pub total: u16,
}

/// A backend.
pub struct Backend {
    pub machine: Machine,
    pub tx: BackRing<TX_WORDS>,
    pub rx: BackRing<RX_WORDS>,
    rings: [u32; 2],
    /// Receive requests taken and not answered.
    pub pages: VecDeque<RxRequest>,
    /// Events that the driver asked for.
    pub transmit_events: usize,
    pub receive_events: usize,
}

impl Backend {
    /// Maps the rings that the driver's keys name and shows Connected.
    pub fn connect(machine: &Machine, store: &SimStore) -> Self {
        let rings = [store.front_number("tx-ring-ref"), store.front_number("rx-ring-ref")];
        let mut world = machine.world();
        let [tx, rx] = rings.map(|grant| world.ring(grant).expect("a ring"));
        rings.iter().for_each(|grant| world.map(*grant));
        drop(world);
        store.set_back("state", "4");
        Self {
            machine: machine.clone(),
            tx: BackRing::new(tx),
            rx: BackRing::new(rx),
            rings,
            pages: VecDeque::new(),
            transmit_events: 0,
            receive_events: 0,
        }
    }

    /// Unmaps the rings and shows Closing.
    pub fn disconnect(&mut self, store: &SimStore) {
        self.unmap();
        store.set_back("state", "5");
    }

    pub fn unmap(&mut self) {
        let mut world = self.machine.world();
        self.rings.iter().for_each(|grant| world.unmap(*grant));
    }

    /// Takes the next whole packet from the transmit ring.
    pub fn take_packet(&mut self) -> Option<Packet> {
        let first = TxRequest::decode(self.tx.take()?);
        let mut packet = Packet {
            fragments: Vec::new(),
            checksum_blank: first.flags & txf::CSUM_BLANK != 0,
            gso: None,
            total: first.size,
        };
        let mut more = first.flags & txf::EXTRA_INFO != 0;
        while more {
            let [a, b, _] = self.tx.take().expect("an extra-info slot");
            let info = ExtraInfo::decode([a, b]);
            let Extra::Gso { size, kind } = info.extra else { panic!("{info:?}") };
            packet.gso = Some((size, kind));
            more = info.more;
        }
        let fragment =
            |slot: TxRequest| Fragment { gref: slot.gref, offset: slot.offset, id: slot.id, size: slot.size };
        packet.fragments.push(fragment(first));
        let mut flags = first.flags;
        let mut others = 0;
        while flags & txf::MORE_DATA != 0 {
            let next = TxRequest::decode(self.tx.take().expect("a further slot"));
            others += next.size;
            packet.fragments.push(fragment(next));
            flags = next.flags;
        }
        packet.fragments[0].size = first.size - others;
        Some(packet)
    }

    /// Reads a slot's bytes, now.
    pub fn read(&mut self, fragment: Fragment) -> Vec<u8> {
        assert!(
            usize::from(fragment.offset) + usize::from(fragment.size) <= 4096,
            "{fragment:?} leaves its page"
        );
        let read = self.machine.world().read(fragment.gref, fragment.offset.into(), fragment.size.into());
        read.unwrap_or_else(|| panic!("{fragment:?} is not granted"))
    }

    /// Reads a whole packet's bytes, now.
    pub fn read_packet(&mut self, packet: &Packet) -> Vec<u8> {
        packet.fragments.iter().flat_map(|fragment| self.read(*fragment)).collect()
    }

    pub fn respond_tx(&mut self, id: u16, status: i16) {
        self.tx.respond(&[TxResponse { id, status }.encode()]);
    }

    /// Answers every slot of a packet.
    pub fn finish(&mut self, packet: &Packet) {
        for fragment in &packet.fragments {
            self.respond_tx(fragment.id, status::OKAY);
        }
        if packet.gso.is_some() {
            self.respond_tx(0xffff, status::NULL);
        }
    }

    pub fn push_tx(&mut self) {
        self.transmit_events += usize::from(self.tx.push());
    }

    /// The honest way: takes, reads and answers all that is in the transmit ring.
    pub fn transmit(&mut self) -> Vec<(Packet, Vec<u8>)> {
        let mut packets = Vec::new();
        loop {
            while let Some(packet) = self.take_packet() {
                let bytes = self.read_packet(&packet);
                self.finish(&packet);
                packets.push((packet, bytes));
            }
            self.push_tx();
            if !self.tx.final_check() {
                return packets;
            }
        }
    }

    /// Takes what pages the driver posted.
    pub fn take_pages(&mut self) {
        while let Some(words) = self.rx.take() {
            self.pages.push_back(RxRequest::decode(words));
        }
        self.rx.final_check();
    }

    /// Copies bytes into the next posted page and answers it.
    pub fn receive_slot(&mut self, offset: u16, bytes: &[u8], flags: u16) {
        let page = self.pages.pop_front().expect("a posted page");
        assert!(self.machine.world().write(page.gref, offset.into(), bytes));
        self.respond_rx(RxResponse { id: page.id, offset, flags, status: bytes.len() as i16 });
    }

    pub fn respond_rx(&mut self, response: RxResponse) {
        self.rx.respond(&response.encode());
    }

    /// An extra-info slot, in the next posted page's position.
    pub fn receive_extra(&mut self, info: ExtraInfo) {
        self.pages.pop_front().expect("a posted page");
        self.rx.respond(&info.encode());
    }

    pub fn push_rx(&mut self) {
        self.receive_events += usize::from(self.rx.push());
    }

    /// The honest way: one frame, in slots of a page, with the first slot's flags.
    pub fn receive(&mut self, frame: &[u8], flags: u16) {
        self.take_pages();
        let slots: Vec<_> = frame.chunks(4096).collect();
        for (n, slot) in slots.iter().enumerate() {
            let more = if n + 1 < slots.len() { rxf::MORE_DATA } else { 0 };
            self.receive_slot(0, slot, more | if n == 0 { flags } else { 0 });
        }
        self.push_rx();
    }
}
