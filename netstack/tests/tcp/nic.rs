//! The egress of the tests: it takes what TCP hands down, holds TCP to its promises, and cuts large segments as a device would.

use core::net::IpAddr;
use netstack::device::Slice;
use netstack::egress::{Ecn, Egress, Path, SendError};
use netstack::wire::checksum::Sum;
use netstack::wire::tcp::{Flags, Segment};

/// A device of one path.
pub struct Nic {
    pub mtu: u16,
    pub gso: Option<u32>,
    /// The most bytes that one packet carries.
    pub fit: usize,
    /// How many packets it takes before it is full.
    pub room: usize,
    /// TCP segments on the wire, with their checksums.
    pub out: Vec<Vec<u8>>,
    /// Packets handed down.
    pub packets: usize,
    /// What each of them said of congestion.
    pub marks: Vec<Ecn>,
}

impl Nic {
    pub fn new() -> Self {
        Self {
            mtu: 1_500,
            gso: None,
            fit: usize::MAX,
            room: usize::MAX,
            out: Vec::new(),
            packets: 0,
            marks: Vec::new(),
        }
    }
}

impl Egress for Nic {
    fn path(&self, _remote: IpAddr) -> Path {
        Path { mtu: self.mtu, gso: self.gso }
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        payload.iter().map(|slice| slice.bytes().len()).sum::<usize>().min(self.fit)
    }

    fn send(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        header: &mut [u8],
        payload: &[Slice<'_>],
        gso: Option<u16>,
        ecn: Ecn,
    ) -> Result<(), SendError> {
        assert_eq!(header[16..18], [0, 0], "the checksum is the egress's to fill");
        assert_eq!(header.len(), usize::from(header[12] >> 4) * 4);
        assert!(payload.iter().all(|slice| !slice.bytes().is_empty()));
        let data: Vec<u8> = payload.iter().flat_map(|slice| slice.bytes()).copied().collect();
        assert!(data.len() <= self.fit);
        let mtu = usize::from(self.mtu);
        match gso {
            None => assert!(20 + header.len() + data.len() <= mtu.max(68), "{} bytes", data.len()),
            Some(size) => {
                assert!(20 + header.len() + usize::from(size) <= mtu.max(68));
                assert!(20 + header.len() + data.len() <= self.gso.unwrap() as usize);
                assert!(data.len() > usize::from(size));
            }
        }
        if self.room == 0 {
            return Err(SendError::Full);
        }
        self.room -= 1;
        self.packets += 1;
        self.marks.push(ecn);
        let size = gso.map_or(data.len(), usize::from).max(1);
        let count = data.len().div_ceil(size).max(1);
        for number in 0..count {
            let part = &data[number * size..data.len().min((number + 1) * size)];
            let mut segment = header.to_vec();
            let sequence = u32::from_be_bytes(segment[4..8].try_into().unwrap());
            let sequence = sequence.wrapping_add((number * size) as u32);
            segment[4..8].copy_from_slice(&sequence.to_be_bytes());
            if number + 1 < count {
                segment[13] &= !(Flags::FIN.bits() | Flags::PSH.bits());
            }
            segment.extend_from_slice(part);
            seal(local, remote, &mut segment);
            self.out.push(segment);
        }
        Ok(())
    }

    fn packet_too_big(&mut self, _: IpAddr, mtu: u16) {
        self.mtu = self.mtu.min(mtu);
    }
}

/// Fills in the checksum.
pub fn seal(source: IpAddr, destination: IpAddr, segment: &mut [u8]) {
    segment[16..18].fill(0);
    let checksum = sum(source, destination, segment);
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
}

/// Whether the checksum is right.
pub fn verify(source: IpAddr, destination: IpAddr, segment: &[u8]) -> bool {
    sum(source, destination, segment) == 0
}

fn sum(source: IpAddr, destination: IpAddr, segment: &[u8]) -> u16 {
    Sum::pseudo_header(source, destination, 6, segment.len() as u32).bytes(segment).checksum()
}

/// A line as tcpdump would print it, for failed assertions.
pub fn trace(segment: &[u8]) -> String {
    match Segment::parse(segment) {
        Ok(Segment { header, options, payload }) => format!(
            "{}>{} {:?} seq {} ack {} win {} len {} {:?}",
            header.source,
            header.destination,
            header.flags,
            header.sequence,
            header.acknowledgment,
            header.window,
            payload.len(),
            options.sack.as_slice()
        ),
        Err(error) => error.to_string(),
    }
}
