use super::*;
use alloc::vec;

fn filled(random: &Random, len: usize) -> alloc::vec::Vec<u8> {
    let mut bytes = vec![0; len];
    random.fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn it_refuses_until_it_is_seeded() {
    let random = Random::new();
    let mut bytes = [7; 4];
    assert!(random.fill(&mut bytes).is_err());
    assert_eq!(bytes, [7; 4]);
    assert_eq!(random.seed(&[1; 31]), Err(SeedTooShort(31)));
    assert!(random.fill(&mut bytes).is_err());
    random.seed(&[1; 32]).unwrap();
    assert!(random.fill(&mut bytes).is_ok());
    random.forget();
    assert!(random.fill(&mut bytes).is_err());
}

/// RFC 8439, appendix A.1, test vector 1: the key stream under a key and nonce of zeros, from block 0. Its first 32
/// bytes are the next key, and are never seen.
#[test]
fn the_stream_is_chacha20_behind_the_next_key() {
    let mut state = State::new();
    let mut bytes = [0; 32];
    state.fill(&mut bytes);
    let second_half = [
        0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a,
        0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
    ];
    assert_eq!(bytes, second_half);
    let first_half = [
        0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28, 0xbd,
        0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
    ];
    assert_eq!(state.key(), &first_half);
}

#[test]
fn what_was_handed_out_is_wiped() {
    let mut state = State::new();
    state.seed(&[1; 32]);
    let mut bytes = [0; 100];
    state.fill(&mut bytes);
    assert_eq!(state.block[KEY..KEY + 100], [0; 100]);
    assert_ne!(state.block[KEY + 100..], [0; POOL - 100]);
    let key = *state.key();
    state.fill(&mut [0; POOL]);
    assert_ne!(state.key(), &key);
    state.seed(&[1; 32]);
    assert_eq!(state.block[KEY..], [0; POOL]);
}

#[test]
fn seeds_add_up() {
    let [one, other, both] = [(); 3].map(|()| Random::new());
    one.seed(&[1; 32]).unwrap();
    other.seed(&[1; 32]).unwrap();
    both.seed(&[1; 32]).unwrap();
    both.seed(&[2; 40]).unwrap();
    let first = filled(&one, 1000);
    // However it is asked, the numbers are the same.
    let parts: alloc::vec::Vec<u8> = (0..10).flat_map(|_| filled(&other, 100)).collect();
    assert_eq!(first, parts);
    assert_ne!(first, filled(&one, 1000));
    assert_ne!(first, filled(&both, 1000));
}
