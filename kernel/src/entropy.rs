//! Randomness from what the machine has: the processor's generator where Xen shows one and the tests of its health pass
//! ([`xen::entropy`]), the jitter of the time stamp counter, the clock, and the domain's uuid.
//!
//! The generator is not taken at its word alone: everything is mixed, and what is known of one source takes nothing from
//! the others.

use crate::pv::cpuid::cpuid;
use crate::pv::hypercall;
use crate::time;
use crate::uptime::ticks;
use core::arch::x86_64::{_rdrand64_step, _rdseed64_step};
use core::fmt;
use netstack::random::Random;
use xen::entropy::{Health, WORDS, words};

/// Samples of the counter's jitter, each across a hypercall.
const SAMPLES: usize = 256;

/// What the processor offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// RDSEED: entropy itself.
    Rdseed,
    /// RDRAND: a generator over entropy.
    Rdrand,
    /// Neither, or one that is broken: what is left can be guessed at by a neighbour on the same host.
    Weak,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rdseed => "RDSEED",
            Self::Rdrand => "RDRAND",
            Self::Weak => "no hardware source",
        })
    }
}

/// A seed, and the best source in it. `extra` is mixed in: the domain's uuid and whatever else tells domains apart.
/// `also` is given all that the seed is made of, for who wants to make more of it.
pub fn gather(extra: &[u8], mut also: impl FnMut(&[u8])) -> ([u8; 32], Source) {
    let (seconds, nanoseconds) = time::unix();
    let mut pool = Pool { random: Random::new(&[0; 32]), also: &mut also };
    pool.mix([time::system_time(), ticks(), seconds, u64::from(nanoseconds)]);
    for part in extra.chunks(size_of::<[u64; 4]>()) {
        pool.mix_bytes(part);
    }
    let sample = || {
        let before = ticks();
        // The way into Xen and back takes a time that caches and neighbours decide.
        hypercall::xen_version();
        ticks() ^ before.rotate_left(32)
    };
    for _ in 0..SAMPLES / 4 {
        pool.mix([sample(), sample(), sample(), sample()]);
    }
    let (words, source) = hardware();
    for part in words.as_chunks::<4>().0 {
        pool.mix(*part);
    }
    (pool.random.seed(), source)
}

/// Says on the console where randomness comes from.
pub fn report(source: Source) {
    match source {
        Source::Weak => log::warn!("entropy: no RDSEED and no RDRAND: random numbers are weak"),
        good => log::info!("entropy: {good}"),
    }
}

/// Everything so far, mixed.
struct Pool<'a> {
    random: Random,
    also: &'a mut dyn FnMut(&[u8]),
}

impl Pool<'_> {
    fn mix(&mut self, words: [u64; 4]) {
        self.mix_bytes(&bytes(words));
    }

    /// Mixes at most 32 bytes.
    fn mix_bytes(&mut self, from: &[u8]) {
        let mut block = [0; 32];
        block.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        (self.also)(&block);
        self.random.reseed(&block);
    }
}

fn bytes(words: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (part, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *part = word.to_le_bytes();
    }
    bytes
}

/// Words from the best generator that works; zeros where there is none.
fn hardware() -> ([u64; WORDS], Source) {
    let rdseed = has_rdseed().then(|| {
        // SAFETY: CPUID shows the instruction.
        words(&mut Health::new(), || unsafe { rdseed() })
    });
    match rdseed {
        Some(Ok(words)) => return (words, Source::Rdseed),
        Some(Err(broken)) => log::warn!("entropy: RDSEED: {broken}"),
        None => {}
    }
    let rdrand = has_rdrand().then(|| {
        // SAFETY: CPUID shows the instruction.
        words(&mut Health::new(), || unsafe { rdrand() })
    });
    match rdrand {
        Some(Ok(words)) => return (words, Source::Rdrand),
        Some(Err(broken)) => log::warn!("entropy: RDRAND: {broken}"),
        None => {}
    }
    ([0; WORDS], Source::Weak)
}

/// CPUID leaf 1, ECX bit 30.
fn has_rdrand() -> bool {
    cpuid(1, 0).ecx & (1 << 30) != 0
}

/// CPUID leaf 7, EBX bit 18.
fn has_rdseed() -> bool {
    cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & (1 << 18) != 0
}

#[target_feature(enable = "rdrand")]
fn rdrand() -> Option<u64> {
    let mut value = 0;
    (_rdrand64_step(&mut value) == 1).then_some(value)
}

#[target_feature(enable = "rdseed")]
fn rdseed() -> Option<u64> {
    let mut value = 0;
    (_rdseed64_step(&mut value) == 1).then_some(value)
}
