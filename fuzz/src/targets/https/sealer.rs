//! Records of any kind under a client's keys, which rustls's client would not write.

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::crypto::cipher::{Tls12AeadAlgorithm, Tls13AeadAlgorithm};
use rustls::{ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion};
use tls::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};

/// What comes after an honest handshake.
pub struct Sealer {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
    old: bool,
}

impl Sealer {
    /// Goes on where this client was. `None` where it has no keys yet.
    pub fn new(client: ClientConnection) -> Option<Self> {
        let old = client.protocol_version()? == ProtocolVersion::TLSv1_2;
        let (sequence, secrets) = client.dangerous_extract_secrets().ok()?.tx;
        let encrypter = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } if old => {
                Tls12AeadAlgorithm::encrypter(&AES_128_GCM, key, &iv.as_ref()[..4], &iv.as_ref()[4..])
            }
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } if old => {
                Tls12AeadAlgorithm::encrypter(&AES_256_GCM, key, &iv.as_ref()[..4], &iv.as_ref()[4..])
            }
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } if old => {
                Tls12AeadAlgorithm::encrypter(&CHACHA20_POLY1305, key, iv.as_ref(), &[])
            }
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => {
                Tls13AeadAlgorithm::encrypter(&AES_128_GCM, key, iv)
            }
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => {
                Tls13AeadAlgorithm::encrypter(&AES_256_GCM, key, iv)
            }
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                Tls13AeadAlgorithm::encrypter(&CHACHA20_POLY1305, key, iv)
            }
            _ => return None,
        };
        Some(Self { encrypter, sequence, old })
    }

    /// A record, with so many bytes of padding where there is such a thing (RFC 8446, section 5.4).
    pub fn seal(&mut self, kind: u8, body: &[u8], padding: usize) -> Vec<u8> {
        let mut text = body.to_vec();
        let mut kind = kind;
        if padding > 0 && !self.old {
            // The true type stands before the padding; the last byte is taken for the type by who writes it.
            text.push(kind);
            text.resize(text.len() + padding - 1, 0);
            kind = 0;
        }
        let message = OutboundPlainMessage {
            typ: ContentType::from(kind),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(&text),
        };
        let sealed = self.encrypter.encrypt(message, self.sequence).expect("a record");
        self.sequence += 1;
        sealed.encode()
    }
}
