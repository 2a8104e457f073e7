//! Keys of RFC 6979 (appendix A.2), written as RFC 5915 says and in ways that it does not.

use super::*;
use alloc::vec;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm,
};

static SEEDED: Random = Random::new();
static UNSEEDED: Random = Random::new();

const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// A.2.5.
const SECRET_256: &str = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
const PUBLIC_256: &str = "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
                          7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
/// A.2.6.
const SECRET_384: &str = "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8\
                          96D5724E4C70A825F872C9EA60D2EDF5";
const PUBLIC_384: &str = "04EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64\
                          DEF8F0EA9055866064A254515480BC13\
                          8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1\
                          288B231C3AE0D4FE7344FD2533264720";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn tagged(tag: u8, inner: &[u8]) -> Vec<u8> {
    let length = u8::try_from(inner.len()).unwrap();
    let head: &[u8] = if length < 128 { &[tag, length] } else { &[tag, 0x81, length] };
    [head, inner].concat()
}

/// An ECPrivateKey, with its two optional fields where they are given.
fn written(secret: &[u8], curve: Option<&[u8]>, public: Option<&[u8]>) -> Vec<u8> {
    let mut inner = vec![0x02, 1, 1];
    inner.extend(tagged(0x04, secret));
    inner.extend(curve.map(|oid| tagged(0xa0, &tagged(0x06, oid))).unwrap_or_default());
    let bits = |point: &[u8]| tagged(0xa1, &tagged(0x03, &[&[0], point].concat()));
    inner.extend(public.map(bits).unwrap_or_default());
    tagged(0x30, &inner)
}

fn read(der: &[u8]) -> Result<EcdsaKey, KeyError> {
    SEEDED.seed(&[9; 32]).unwrap();
    EcdsaKey::read(der, None, &SEEDED)
}

fn refused(der: &[u8]) -> KeyError {
    read(der).err().unwrap()
}

fn signed(key: &EcdsaKey) -> Result<Vec<u8>, Error> {
    key.signature(key.curve.schemes[0], b"sample")
}

#[test]
fn keys_of_the_rfc_have_its_public_halves_and_sign() {
    let both: [(_, _, _, &dyn VerificationAlgorithm); 2] = [
        (SECRET_256, PUBLIC_256, SECP256R1, &ECDSA_P256_SHA256_ASN1),
        (SECRET_384, PUBLIC_384, SECP384R1, &ECDSA_P384_SHA384_ASN1),
    ];
    for (secret, public, curve, verification) in both {
        let (secret, public) = (hex(secret), hex(public));
        for (curve, half) in
            [(Some(curve), Some(&*public)), (Some(curve), None), (None, Some(&*public)), (None, None)]
        {
            let key = read(&written(&secret, curve, half)).unwrap();
            assert_eq!(key.pair.public_key().as_ref(), public);
            let (one, other) = (signed(&key).unwrap(), signed(&key).unwrap());
            assert_ne!(one, other, "a nonce of its own for each");
            for signature in [one, other] {
                UnparsedPublicKey::new(verification, &public).verify(b"sample", &signature).unwrap();
            }
        }
    }
}

#[test]
fn a_public_half_may_be_compressed_but_not_another_s() {
    for (secret, public, curve) in [(SECRET_256, PUBLIC_256, SECP256R1), (SECRET_384, PUBLIC_384, SECP384R1)]
    {
        let (secret, public) = (hex(secret), hex(public));
        let mut short = public[..=secret.len()].to_vec();
        short[0] = 2 + (public[public.len() - 1] & 1);
        read(&written(&secret, Some(curve), Some(&short))).unwrap();
        let mut others = Vec::from([short.clone(), short.clone(), public.clone(), public.clone()]);
        others[0][0] ^= 1;
        others[1][9] ^= 1;
        others[2][9] ^= 1;
        *others[3].last_mut().unwrap() ^= 1;
        others.extend([public[1..].to_vec(), short[1..].to_vec(), vec![]]);
        for other in others {
            assert_eq!(refused(&written(&secret, Some(curve), Some(&other))), KeyError::Malformed);
        }
    }
}

#[test]
fn leading_zeros_may_be_missing() {
    let mut secret = hex(SECRET_256);
    secret[..3].fill(0);
    let key = read(&written(&secret, None, None)).unwrap();
    let short = read(&written(&secret[3..], Some(SECP256R1), None)).unwrap();
    assert_eq!(short.pair.public_key().as_ref(), key.pair.public_key().as_ref());
    // Then nothing tells the curve.
    assert_eq!(refused(&written(&secret[3..], None, None)), KeyError::Malformed);
    let long = [&[0], &*secret].concat();
    assert_eq!(refused(&written(&long, Some(SECP256R1), None)), KeyError::Malformed);
}

#[test]
fn keys_outside_the_group() {
    // The group's order: FIPS 186-4, appendix D.1.2.3.
    let order = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    for secret in [order, vec![0xff; 32], vec![0; 32], vec![0; 48]] {
        assert_eq!(refused(&written(&secret, None, None)), KeyError::Malformed);
    }
    assert_eq!(refused(&written(&[], Some(SECP256R1), None)), KeyError::Malformed);
}

#[test]
fn the_curve_is_the_one_that_the_wrapping_names() {
    let secret = hex(SECRET_256);
    let named = |der: &[u8], name: &str| {
        EcdsaKey::read(der, Some(ObjectIdentifier::new_unwrap(name)), &SEEDED).map(|key| key.curve.schemes[0])
    };
    let p256 = Ok(SignatureScheme::ECDSA_NISTP256_SHA256);
    assert_eq!(named(&written(&secret, None, None), "1.2.840.10045.3.1.7"), p256);
    assert_eq!(named(&written(&secret, Some(SECP256R1), None), "1.2.840.10045.3.1.7"), p256);
    assert_eq!(named(&written(&secret, Some(SECP256R1), None), "1.3.132.0.34"), Err(KeyError::Malformed));
    let p521 = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    assert_eq!(named(&written(&secret, None, None), "1.3.132.0.35"), Err(KeyError::Unsupported(p521)));
    assert_eq!(
        refused(&written(&secret, Some(&[0x2b, 0x81, 4, 0, 0x23]), None)),
        KeyError::Unsupported(p521)
    );
}

#[test]
fn nothing_is_signed_without_a_seed() {
    let key = EcdsaKey::read(&written(&hex(SECRET_256), None, None), None, &UNSEEDED).unwrap();
    assert_eq!(signed(&key).err(), Some(Error::FailedToGetRandomBytes));
}
