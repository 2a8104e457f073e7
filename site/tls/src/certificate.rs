//! What a server has to know of a certificate (X.509 version 3, RFC 5280).

use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;
use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{DateTime, Decode, Reader, SliceReader, Tag};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::EndEntityCert;

/// A certificate that has been read.
pub struct Certificate<'a> {
    parsed: EndEntityCert<'a>,
    not_before: DateTime,
    not_after: DateTime,
}

/// Why some DER is no certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateError {
    /// It is not what RFC 5280 describes, or not of version 3.
    Malformed(webpki::Error),
    /// Its dates cannot be read.
    Validity(der::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "{error:?}"),
            Self::Validity(error) => write!(f, "its dates: {error}"),
        }
    }
}

/// A time at which a certificate is not valid, with the date that is in the way, as RFC 3339 writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotValid {
    /// It was valid until then.
    Expired(String),
    /// It is valid from then on.
    NotYet(String),
}

impl<'a> Certificate<'a> {
    /// Reads one.
    pub fn parse(der: &'a CertificateDer<'a>) -> Result<Self, CertificateError> {
        let parsed = EndEntityCert::try_from(der).map_err(CertificateError::Malformed)?;
        let (not_before, not_after) = validity(der).map_err(CertificateError::Validity)?;
        Ok(Self { parsed, not_before, not_after })
    }

    /// The public key.
    pub fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        self.parsed.subject_public_key_info()
    }

    /// The DNS names of subjectAltName (section 4.2.1.6), wildcards among them: the subject's own name has been for
    /// nothing since RFC 6125.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.parsed.valid_dns_names()
    }

    /// Whether it is valid so long after 1970.
    pub fn check_validity(&self, now: Duration) -> Result<(), NotValid> {
        if now < self.not_before.unix_duration() {
            Err(NotValid::NotYet(self.not_before.to_string()))
        } else if now > self.not_after.unix_duration() {
            Err(NotValid::Expired(self.not_after.to_string()))
        } else {
            Ok(())
        }
    }

    /// The last moment at which it is valid, since 1970.
    pub fn not_after(&self) -> Duration {
        self.not_after.unix_duration()
    }
}

/// Section 4.1.2.5. It stands behind version, serialNumber, signature and issuer; version 3 is never left out.
fn validity(der: &[u8]) -> der::Result<(DateTime, DateTime)> {
    let certificate = AnyRef::from_der(der)?;
    let tbs = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;
    let mut fields = SliceReader::new(tbs.value())?;
    for _ in 0..4 {
        AnyRef::decode(&mut fields)?;
    }
    let validity = AnyRef::decode(&mut fields)?;
    let mut dates = SliceReader::new(validity.value())?;
    Ok((date(&mut dates)?, date(&mut dates)?))
}

fn date<'a>(reader: &mut impl Reader<'a>) -> der::Result<DateTime> {
    Ok(match Tag::peek(reader)? {
        Tag::UtcTime => UtcTime::decode(reader)?.to_date_time(),
        _ => GeneralizedTime::decode(reader)?.to_date_time(),
    })
}
