//! New inputs out of old ones, from a seed: the same seed, the same inputs.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }
}

/// Numbers at which lengths and indices go wrong.
const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0x20, 0x10];

/// One to eight changes to an input; half of the time a piece of another one, `other`, comes in first.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], longest: usize, random: &mut Random) {
    if !other.is_empty() && random.below(2) == 0 {
        let from = random.below(other.len());
        let to = from + random.below(other.len() - from) + 1;
        let at = random.below(input.len() + 1);
        let cut = at + random.below(input.len() - at + 1);
        input.splice(at..cut, other[from..to].iter().copied());
    }
    for _ in 0..=random.below(8) {
        change(input, random);
    }
    input.truncate(longest);
}

fn change(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let length = random.below(8) + 1;
    match random.below(6) {
        0 => {
            let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            input.splice(at..at, bytes);
        }
        1 => {
            let end = (at + length).min(input.len());
            input.drain(at..end);
        }
        2 => {
            let end = (at + length * 4).min(input.len());
            let run = input[at..end].to_vec();
            input.splice(at..at, run);
        }
        choice => {
            let Some(byte) = input.get_mut(at) else { return };
            *byte = match choice {
                3 => *byte ^ 1 << random.below(8),
                4 => EDGES[random.below(EDGES.len())],
                _ => byte.wrapping_add(random.below(9) as u8).wrapping_sub(4),
            };
        }
    }
}
