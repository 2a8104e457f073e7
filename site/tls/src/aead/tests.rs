//! Vectors of NIST's and RFC 8439's for each cipher, and the records of RFC 8448's trace.

#![allow(clippy::arithmetic_side_effects)]

use super::*;
use alloc::vec::Vec;
use rustls::crypto::cipher::OutboundChunks;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn keyed<C: Cipher>(key: &str, iv: &str) -> Keyed<C> {
    Keyed::new(&hex(key), Iv::copy(&hex(iv)))
}

/// Seals, compares, opens again, and opens nothing that was changed.
fn vector<C: Cipher>(key: &str, nonce: &str, aad: &str, text: &[u8], sealed: &str, tag: &str) {
    let keyed = keyed::<C>(key, nonce);
    let nonce: [u8; 12] = hex(nonce).try_into().unwrap();
    let aad = hex(aad);
    let mut bytes = text.to_vec();
    let made = keyed.seal(nonce, &aad, &mut bytes).unwrap();
    assert_eq!(bytes, hex(sealed));
    assert_eq!(made.as_ref(), hex(tag));
    bytes.extend_from_slice(made.as_ref());
    let good = bytes.clone();
    assert_eq!(keyed.open(nonce, &aad, &mut bytes), Ok(text.len()));
    assert_eq!(&bytes[..text.len()], text);
    for at in [0, text.len(), good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(keyed.open(nonce, &aad, &mut bad), Err(Error::DecryptError));
    }
    assert_eq!(keyed.open(nonce, &[], &mut good.clone()), Err(Error::DecryptError));
    assert_eq!(keyed.open(nonce, &aad, &mut good[..15].to_vec()), Err(Error::DecryptError));
}

const GCM_TEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 4.
#[test]
fn aes_128_gcm() {
    vector::<Aes128Gcm>(
        "feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        &hex(GCM_TEXT),
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
         21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        "5bc94fbc3221a5db94fae95ae7121a47",
    );
}

/// The same, test case 16.
#[test]
fn aes_256_gcm() {
    vector::<Aes256Gcm>(
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        &hex(GCM_TEXT),
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
         8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    );
}

/// RFC 8439, section 2.8.2.
#[test]
fn chacha20_poly1305() {
    vector::<ChaCha20Poly1305>(
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
         3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
         92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
         3ff4def08e4b7a9de576d26586cec64b6116",
        "1ae10b594f09e26a7e902ecbd0600691",
    );
}

/// RFC 8448, section 3: "server send application_data record", the second under its key.
#[test]
fn a_record_of_tls_1_3() {
    let text: Vec<u8> = (0..50).collect();
    let record = "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36
        e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67
        c2 95 5d";
    let key = "9f02283b6c9c07efc26bb9f2ac92e356";
    let iv = "cf782b88dd83549aadf1e984";
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_3,
        payload: OutboundChunks::Single(&text),
    };
    let mut sender = Tls13(keyed::<Aes128Gcm>(key, iv));
    assert_eq!(sender.encrypted_payload_len(50), 67);
    assert_eq!(sender.encrypt(message, 1).unwrap().encode(), hex(record));

    let mut body = hex(record)[5..].to_vec();
    let sealed = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut body);
    let opened = Tls13(keyed::<Aes128Gcm>(key, iv)).decrypt(sealed, 1).unwrap();
    assert_eq!((opened.typ, opened.payload), (ContentType::ApplicationData, text.as_slice()));
}

/// TLS 1.2's forms, laid out by hand: RFC 5288, section 3, and RFC 7905, section 2.
#[test]
fn records_of_tls_1_2() {
    let message = || OutboundPlainMessage {
        typ: ContentType::Handshake,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(b"abc"),
    };
    // seq, type, version, length.
    let aad = [0, 0, 0, 0, 0, 0, 0, 7, 22, 3, 3, 0, 3];

    let key = "000102030405060708090a0b0c0d0e0f";
    let iv = "a0a1a2a3b0b1b2b3b4b5b6b7";
    let record = Tls12(keyed::<Aes128Gcm>(key, iv)).encrypt(message(), 7).unwrap().encode();
    assert_eq!(record[..13], hex("16 03 03 00 1b b0b1b2b3b4b5b6b0"));
    let nonce: [u8; 12] = hex("a0a1a2a3b0b1b2b3b4b5b6b0").try_into().unwrap();
    assert_eq!(keyed::<Aes128Gcm>(key, iv).open(nonce, &aad, &mut record[13..].to_vec()), Ok(3));
    let mut body = record[5..].to_vec();
    let sealed = InboundOpaqueMessage::new(ContentType::Handshake, ProtocolVersion::TLSv1_2, &mut body);
    assert_eq!(Tls12(keyed::<Aes128Gcm>(key, iv)).decrypt(sealed, 7).unwrap().payload, b"abc");

    let key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
    let record = Tls12(keyed::<ChaCha20Poly1305>(key, iv)).encrypt(message(), 7).unwrap().encode();
    assert_eq!(record[..5], hex("16 03 03 00 13"));
    assert_eq!(keyed::<ChaCha20Poly1305>(key, iv).open(nonce, &aad, &mut record[5..].to_vec()), Ok(3));
}

#[test]
fn a_record_of_tls_1_2_that_is_too_short_or_too_long() {
    let mut short = hex("0001020304050607 000102030405060708090a0b0c0d0e");
    let sealed =
        InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut short);
    let mut tls12 = Tls12(keyed::<Aes128Gcm>("000102030405060708090a0b0c0d0e0f", "a0a1a2a3b0b1b2b3b4b5b6b7"));
    assert_eq!(tls12.decrypt(sealed, 0).unwrap_err(), Error::DecryptError);

    let long = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(&[0; 16_385]),
    };
    let mut body = tls12.encrypt(long, 0).unwrap().encode()[5..].to_vec();
    let sealed = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut body);
    assert_eq!(tls12.decrypt(sealed, 0).unwrap_err(), Error::PeerSentOversizedRecord);
}
