//! What a peer must not be able to guess: initial sequence numbers, the start of the timestamp clock, and where in the
//! hash table a connection lies.

use super::demux::Tuple;
use super::seq::SeqNum;
use crate::Instant;
use crate::random::Random;
use crate::siphash;
use core::net::IpAddr;

/// Keys made at boot, one a purpose.
#[derive(Debug)]
pub(super) struct Secrets {
    sequence: siphash::Key,
    timestamps: siphash::Key,
    demux: siphash::Key,
    cookies: siphash::Key,
    random: Random,
}

impl Secrets {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let mut random = Random::new(seed);
        Self {
            sequence: random.key(),
            timestamps: random.key(),
            demux: random.key(),
            cookies: random.key(),
            random,
        }
    }

    /// New keys, but for the table's: its entries lie where the old one put them.
    pub(super) fn reseed(&mut self, seed: &[u8; 32]) {
        self.random.reseed(seed);
        self.sequence = self.random.key();
        self.timestamps = self.random.key();
        self.cookies = self.random.key();
    }

    /// RFC 6528 section 3: "ISN = M + F(localip, localport, remoteip, remoteport, secretkey)", M a clock that ticks
    /// every 4 microseconds.
    pub(super) fn initial_sequence(&self, tuple: &Tuple, now: Instant) -> SeqNum {
        SeqNum::new(half(self.sequence.hash(tuple.bytes().as_slice()))).plus(low(now.micros() / 4))
    }

    /// RFC 7323 section 5.4: "a random offset may be added to the timestamp clock on a per-connection basis".
    pub(super) fn timestamp_offset(&self, tuple: &Tuple) -> u32 {
        half(self.timestamps.hash(tuple.bytes().as_slice()))
    }

    /// The hash of a SYN cookie: of the peer's number, of what the cookie tells, and of when it was made.
    pub(super) fn cookie(&self, tuple: &Tuple, irs: SeqNum, told: u32, span: u64) -> u32 {
        let mut bytes = tuple.bytes();
        bytes.put(&irs.get().to_be_bytes());
        bytes.put(&told.to_be_bytes());
        bytes.put(&span.to_be_bytes());
        half(self.cookies.hash(bytes.as_slice()))
    }

    /// Where in the tables a connection lies.
    #[inline(always)]
    pub(super) fn bucket(&self, tuple: &Tuple) -> u32 {
        let ports = u64::from(tuple.local_port) << 16 | u64::from(tuple.remote_port);
        half(match (tuple.local, tuple.remote) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                self.demux.place([u64::from(local.to_bits()) << 32 | u64::from(remote.to_bits()), ports])
            }
            (local, remote) => {
                let [[l0, l1], [r0, r1]] = [local, remote].map(words);
                self.demux.place([l0, l1, r0, r1, ports])
            }
        })
    }
}

fn words(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    [low_half(bits >> 64), low_half(bits)]
}

/// The timestamp clock's time, before its offset: milliseconds, modulo 2^32 (RFC 7323 section 5.4: 1 ms to 1 s a tick).
pub(super) fn timestamp_clock(now: Instant) -> u32 {
    low(now.micros() / 1_000)
}

fn half(hash: u64) -> u32 {
    low(hash >> 32)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(word: u64) -> u32 {
    word as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low_half(bits: u128) -> u64 {
    bits as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn tuple(port: u16) -> Tuple {
        let local = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let remote = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        Tuple { local, local_port: 80, remote, remote_port: port }
    }

    #[test]
    fn sequence_numbers_move_with_the_clock_and_differ_between_connections_and_keys() {
        let secrets = Secrets::new(&[7; 32]);
        let first = secrets.initial_sequence(&tuple(1), Instant::ZERO);
        assert_eq!(secrets.initial_sequence(&tuple(1), Instant::from_micros(4_000)).since(first), 1_000);
        assert_ne!(secrets.initial_sequence(&tuple(2), Instant::ZERO), first);
        assert_ne!(Secrets::new(&[8; 32]).initial_sequence(&tuple(1), Instant::ZERO), first);
        assert_ne!(secrets.timestamp_offset(&tuple(1)), secrets.bucket(&tuple(1)));
    }

    #[test]
    fn fresh_entropy_changes_the_numbers_but_not_the_table() {
        let numbers = |secrets: &Secrets| {
            (secrets.initial_sequence(&tuple(1), Instant::ZERO), secrets.timestamp_offset(&tuple(1)))
        };
        let (old, mut once, mut again) =
            (Secrets::new(&[7; 32]), Secrets::new(&[7; 32]), Secrets::new(&[7; 32]));
        once.reseed(&[1; 32]);
        again.reseed(&[2; 32]);
        let all = [numbers(&old), numbers(&once), numbers(&again)];
        assert!(all[0].0 != all[1].0 && all[1].0 != all[2].0 && all[0].0 != all[2].0);
        assert!(all[0].1 != all[1].1 && all[1].1 != all[2].1 && all[0].1 != all[2].1);
        assert_eq!(old.bucket(&tuple(1)), once.bucket(&tuple(1)));
    }

    #[test]
    fn the_clock_survives_years() {
        // 50 days are more than 2^32 milliseconds: the clock wraps and goes on.
        let fifty_days = Instant::from_micros(50 * 86_400 * 1_000_000);
        assert_eq!(timestamp_clock(fifty_days), 25_032_704);
    }
}
