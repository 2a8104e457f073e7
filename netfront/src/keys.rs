//! The values of the device's keys. A value that is not one is an error that names the key and shows the value.

use crate::features::Offer;
use crate::platform::DomId;
use crate::store::Store;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why the device's keys cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyError<E> {
    /// The store refused.
    Store(E),
    /// A key that has to be there is not.
    Missing {
        /// Its path.
        key: String,
    },
    /// A key's value is not what such a key holds.
    Malformed {
        /// Its path.
        key: String,
        /// Its value.
        value: String,
    },
    /// The backend only flips pages (`feature-rx-copy` is not 1): nothing that halfpage speaks.
    NoCopy,
}

impl<E: fmt::Display> fmt::Display for KeyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "xenstore: {error}"),
            Self::Missing { key } => write!(f, "xenstore has no {key}"),
            Self::Malformed { key, value } => write!(f, "xenstore's {key} is {value:?}"),
            Self::NoCopy => f.write_str("the backend does not copy (feature-rx-copy)"),
        }
    }
}

/// A hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, g]) = self;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What the toolstack says of the device, in its frontend directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The backend's directory.
    pub backend: String,
    /// The domain it is in.
    pub domain: DomId,
    /// The device's address.
    pub mac: Mac,
    /// The largest IP packet in bytes; 1500 when absent.
    pub mtu: u16,
}

/// The least MTU there is (RFC 791, section 3.2).
const MTU_MIN: u16 = 68;
/// The largest MTU of a frame that still has room for its Ethernet header in 16 bits.
const MTU_MAX: u16 = u16::MAX - 14;
/// The MTU where no key says another (xen/io/netif.h).
const MTU_DEFAULT: u16 = 1500;

impl Identity {
    /// Reads the frontend directory; `None` where there is no device (any more).
    pub fn read<S: Store>(store: &mut S, front: &str) -> Result<Option<Self>, KeyError<S::Error>> {
        let [backend, domain, address, mtu] = Key::read_all(
            store,
            ["backend", "backend-id", "mac", "mtu"].map(|key| format!("{front}/{key}")),
        )?;
        let Some(backend) = backend.value else { return Ok(None) };
        let mtu = mtu.parse(|value| decimal(value).filter(|mtu: &u32| *mtu >= u32::from(MTU_MIN)))?;
        let mtu = mtu.map_or(MTU_DEFAULT, |mtu| u16::try_from(mtu).unwrap_or(MTU_MAX).min(MTU_MAX));
        Ok(Some(Self { backend, domain: DomId(domain.required(decimal)?), mac: address.required(mac)?, mtu }))
    }
}

impl Offer {
    /// Reads the backend's feature keys. Absent ones count as xen/io/netif.h says.
    pub fn read<S: Store>(store: &mut S, backend: &str) -> Result<Self, KeyError<S::Error>> {
        let keys = ["rx-copy", "no-csum-offload", "sg", "gso-tcpv4", "split-event-channels"];
        let [copy, no_checksum, scatter_gather, gso_v4, split_channels] =
            Key::read_all(store, keys.map(|key| format!("{backend}/feature-{key}")))?;
        let is_set = |key: Key| key.parse(flag).map(Option::unwrap_or_default);
        if !is_set(copy)? {
            return Err(KeyError::NoCopy);
        }
        Ok(Self {
            checksum: !is_set(no_checksum)?,
            scatter_gather: is_set(scatter_gather)?,
            gso_v4: is_set(gso_v4)?,
            split_channels: is_set(split_channels)?,
        })
    }
}

/// A key and its value, where it has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    path: String,
    /// The value; `None` where there is no such key.
    pub value: Option<String>,
}

impl Key {
    /// Reads keys, all for the wait of one.
    pub fn read_all<S: Store, const N: usize>(
        store: &mut S,
        paths: [String; N],
    ) -> Result<[Self; N], KeyError<S::Error>> {
        let mut values =
            store.read_all(paths.each_ref().map(String::as_str)).map_err(KeyError::Store)?.into_iter();
        Ok(paths.map(|path| Self { path, value: values.next().flatten() }))
    }

    /// The value as `parse` understands it, or `None` where there is no such key.
    pub fn parse<E, T>(self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, KeyError<E>> {
        let Some(value) = self.value else { return Ok(None) };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(KeyError::Malformed { key: self.path, value }),
        }
    }

    /// The value of a key that has to be there, as `parse` understands it.
    fn required<E, T>(self, parse: impl Fn(&str) -> Option<T>) -> Result<T, KeyError<E>> {
        let key = self.path.clone();
        self.parse(parse)?.ok_or(KeyError::Missing { key })
    }
}

/// A number in decimal digits and nothing else.
fn decimal<T: core::str::FromStr>(value: &str) -> Option<T> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

/// A switch: a number, on unless it is 0.
pub fn flag(value: &str) -> Option<bool> {
    decimal(value).map(|number: u32| number != 0)
}

/// Six bytes in hexadecimal with colons between, and a station's address: not a group's, not all zero.
fn mac(value: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = value.split(':');
    for byte in &mut mac {
        let part = parts.next()?;
        let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits)?;
    }
    let [first, ..] = mac;
    (parts.next().is_none() && first & 1 == 0 && mac != [0; 6]).then_some(Mac(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_six_bytes_and_a_stations() {
        assert_eq!(mac("00:16:3e:0a:Bb:ff"), Some(Mac([0x00, 0x16, 0x3e, 0x0a, 0xbb, 0xff])));
        assert_eq!(format!("{}", Mac([0, 0x16, 0x3e, 1, 0xab, 0xff])), "00:16:3e:01:ab:ff");
        let bad = [
            "",
            "00:16:3e:0a:bb",
            "00:16:3e:0a:bb:ff:00",
            "00:16:3e:0a:bb:f",
            "00:16:3e:0a:bb:0ff",
            "00:16:3e:0a:bb:+f",
            "00:16:3e:0a:bb:gg",
            "00-16-3e-0a-bb-ff",
            "01:16:3e:0a:bb:ff",
            "00:00:00:00:00:00",
        ];
        for value in bad {
            assert_eq!(mac(value), None, "{value:?}");
        }
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(decimal::<u16>("65535"), Some(65_535));
        for value in ["", "65536", "+1", "-1", " 1", "1 ", "0x1", "1\0"] {
            assert_eq!(decimal::<u16>(value), None, "{value:?}");
        }
        assert_eq!(flag("0"), Some(false));
        assert_eq!(flag("1"), Some(true));
        assert_eq!(flag("yes"), None);
    }
}
