//! Vectors of RFC 7748 and RFC 5903, ML-KEM against another implementation, and shares that have to be refused.

use super::*;
use libcrux_ml_kem::mlkem768;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().unwrap()
}

fn random() -> &'static Random {
    let random = Random::leak();
    random.seed(&[3; 32]).unwrap();
    random
}

/// RFC 7748, section 6.1.
#[test]
fn x25519_of_the_rfc() {
    let secret: [u8; 32] = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let secret = StaticSecret::from(secret);
    let public = PublicKey::from(&secret);
    let active = Box::new(ActiveX25519 { secret, public });
    let ours: [u8; 32] = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_eq!(active.pub_key(), ours);
    let theirs: [u8; 32] = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared: [u8; 32] = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(active.complete(&theirs).unwrap().secret_bytes(), shared);
}

/// RFC 5903, section 8.1.
#[test]
fn p256_of_the_rfc() {
    let secret: [u8; 32] = hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433");
    let ours: [u8; 65] = hex("04 DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180
         5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3");
    let theirs: [u8; 65] = hex("04 D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63
         56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB");
    let shared: [u8; 32] = hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE");
    let active = Box::new(active_p256(&secret).unwrap());
    assert_eq!(active.pub_key(), ours);
    assert_eq!(active.complete(&theirs).unwrap().secret_bytes(), shared);
}

/// The client's part by another implementation.
#[test]
fn x25519_ml_kem_768_with_libcrux() {
    let group = X25519MlKem768(random());
    let pair = mlkem768::generate_key_pair([5; 64]);
    let x25519 = X25519(random()).start().unwrap();
    let share = joined(pair.public_key().as_slice(), x25519.pub_key());
    let done = group.start_and_complete(&share).unwrap();
    assert_eq!((share.len(), done.pub_key.len(), done.secret.secret_bytes().len()), (1216, 1120, 64));
    let (ciphertext, theirs) = done.pub_key.split_at(1088);
    let ciphertext: [u8; 1088] = ciphertext.try_into().unwrap();
    let shared = mlkem768::decapsulate(pair.private_key(), &ciphertext.into());
    let both = joined(&shared, x25519.complete(theirs).unwrap().secret_bytes());
    assert_eq!(done.secret.secret_bytes(), both);
}

/// Both parts by us, as a client's would be.
#[test]
fn x25519_ml_kem_768_with_itself() {
    let group = X25519MlKem768(random());
    let active = group.start().unwrap();
    let done = group.start_and_complete(active.pub_key()).unwrap();
    assert_eq!(active.complete(&done.pub_key).unwrap().secret_bytes(), done.secret.secret_bytes());
    assert!(group.usable_for_version(ProtocolVersion::TLSv1_3));
    assert!(!group.usable_for_version(ProtocolVersion::TLSv1_2));
}

#[test]
fn shares_that_are_refused() {
    let random = random();
    let refused = |group: &dyn SupportedKxGroup, share: &[u8]| {
        assert_eq!(group.start().unwrap().complete(share).err(), Some(INVALID), "{group:?} {}", share.len());
    };
    refused(&X25519(random), &[9; 31]);
    refused(&X25519(random), &[9; 33]);
    // Zero, and a point of order 8 (RFC 7748, section 7): the shared secret would be zero.
    refused(&X25519(random), &[0; 32]);
    let eighth: [u8; 32] = hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    refused(&X25519(random), &eighth);

    let active = P256(random).start().unwrap();
    let good = active.pub_key().to_vec();
    let mut off_the_curve = good.clone();
    off_the_curve[64] ^= 1;
    refused(&P256(random), &off_the_curve);
    refused(&P256(random), &good[..64]);
    refused(&P256(random), &[0]);
    refused(&P256(random), &[]);
    let mut compressed = good[..33].to_vec();
    compressed[0] = 2 + (good[64] & 1);
    refused(&P256(random), &compressed);

    let hybrid = X25519MlKem768(random);
    let share = hybrid.start().unwrap().pub_key().to_vec();
    for bad in [&share[..1215], &share[..1184], &share[..3], &[]] {
        assert_eq!(hybrid.start_and_complete(bad).err(), Some(INVALID));
    }
    // FIPS 203, section 7.2: a coefficient of 4,095 is not reduced modulo 3,329.
    let mut unreduced = share.clone();
    unreduced[..3].fill(0xff);
    assert_eq!(hybrid.start_and_complete(&unreduced).err(), Some(INVALID));
    let mut zero = share;
    zero[1184..].fill(0);
    assert_eq!(hybrid.start_and_complete(&zero).err(), Some(INVALID));
}

#[test]
fn nothing_starts_without_a_seed() {
    let random = Random::leak();
    let groups: [&dyn SupportedKxGroup; 3] = [&X25519(random), &P256(random), &X25519MlKem768(random)];
    for group in groups {
        assert_eq!(group.start().err(), Some(Error::FailedToGetRandomBytes));
    }
}
