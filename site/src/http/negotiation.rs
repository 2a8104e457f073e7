//! The choice between the representations of a page by Accept-Encoding (RFC 9110, section 12.5.3).

use super::field;
use super::section::{Choice, Section};
use crate::page::Page;
use crate::representation::{Coding, Representation};
use core::cmp::Reverse;

/// The representation that the client likes best; among equals the shortest. `None` where it has ruled out all of them.
///
/// Without the field it is the file as it is: a client that says nothing may know no coding.
pub fn select(page: &'static Page, section: &Section<'_>) -> Option<&'static Representation> {
    if !section.has(Choice::AcceptEncoding) || (page.encoded.is_empty() && !has_weights(section)) {
        return Some(&page.identity);
    }
    let weights = Weights::read(section);
    let weighed = page.representations().filter_map(|one| Some((weights.of(one.coding)?, one)));
    weighed.max_by_key(|(weight, one)| (*weight, Reverse(one.body.len()))).map(|(_, one)| one)
}

/// Without a weight nothing is ruled out.
fn has_weights(section: &Section<'_>) -> bool {
    section.values(Choice::AcceptEncoding).any(|value| value.contains(&b';'))
}

/// Weights in thousandths; 0 rules out.
#[derive(Default)]
struct Weights {
    gzip: Option<u16>,
    brotli: Option<u16>,
    zstd: Option<u16>,
    identity: Option<u16>,
    /// `*`: what is not named.
    other: Option<u16>,
}

impl Weights {
    /// Of a coding that is named twice the later weight counts; an element with a malformed weight does not.
    fn read(section: &Section<'_>) -> Self {
        let mut weights = Self::default();
        for element in section.values(Choice::AcceptEncoding).flat_map(field::list) {
            let (name, parameter) = match element.iter().position(|byte| *byte == b';') {
                Some(end) => element.split_at_checked(end).unwrap_or_default(),
                None => (element, &[][..]),
            };
            let Some(weight) = weight(parameter) else { continue };
            let name = field::trim(name);
            let place = match name.len() {
                1 if name == b"*" => &mut weights.other,
                2 if name.eq_ignore_ascii_case(b"br") => &mut weights.brotli,
                4 if name.eq_ignore_ascii_case(b"gzip") => &mut weights.gzip,
                4 if name.eq_ignore_ascii_case(b"zstd") => &mut weights.zstd,
                // An old name of gzip (section 8.4.1.3).
                6 if name.eq_ignore_ascii_case(b"x-gzip") => &mut weights.gzip,
                8 if name.eq_ignore_ascii_case(b"identity") => &mut weights.identity,
                _ => continue,
            };
            *place = Some(weight);
        }
        weights
    }

    /// The weight of a coding that is acceptable; 0 for a file as it is that nothing speaks for or against.
    fn of(&self, coding: Coding) -> Option<u16> {
        let (named, unnamed) = match coding {
            Coding::Identity => (self.identity, Some(0)),
            Coding::Gzip => (self.gzip, None),
            Coding::Brotli => (self.brotli, None),
            Coding::Zstd => (self.zstd, None),
        };
        match named.or(self.other) {
            Some(weight) => (weight > 0).then_some(weight),
            None => unnamed,
        }
    }
}

/// `OWS ";" OWS "q=" qvalue` in thousandths; 1,000 where there is none (section 12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    if parameter.is_empty() {
        return Some(1_000);
    }
    let value = match field::trim(parameter.strip_prefix(b";")?) {
        [b'q' | b'Q', b'=', value @ ..] => value,
        _ => return None,
    };
    let (whole, decimals) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1_000,
        _ => return None,
    };
    for (decimal, worth) in decimals.iter().zip([100_u16, 10, 1]) {
        let digit = decimal.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        thousandths = u16::from(digit).checked_mul(worth)?.checked_add(thousandths)?;
    }
    (thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_three_decimals_at_most() {
        for (parameter, thousandths) in [
            ("", Some(1_000)),
            (";q=1", Some(1_000)),
            ("; Q=1.", Some(1_000)),
            (";q=1.000", Some(1_000)),
            (";\tq=0.5 ", Some(500)),
            (";q=0.05", Some(50)),
            (";q=0.001", Some(1)),
            (";q=0", Some(0)),
            (";q=0.000", Some(0)),
            (";q=1.001", None),
            (";q=2", None),
            (";q=0.0001", None),
            (";q=.5", None),
            (";q=-0", None),
            (";q=", None),
            (";q", None),
            (";q =1", None),
            (";level=1", None),
            (";q=1;level=1", None),
        ] {
            assert_eq!(weight(parameter.as_bytes()), thousandths, "{parameter}");
        }
    }
}
