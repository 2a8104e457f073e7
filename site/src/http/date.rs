//! IMF-fixdate (RFC 9110, section 5.6.7).

use netstack::service::Inline;

/// The last second of the year 9999: the format has four digits.
const LAST: u64 = 253_402_300_799;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT` for the seconds since 1970, at most those of the year 9999.
#[expect(clippy::arithmetic_side_effects, reason = "seconds are at most LAST, and each term is below 2^40")]
pub fn imf_fixdate(seconds: u64) -> Inline {
    let seconds = seconds.min(LAST);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);

    let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = text.get_mut(at..at.saturating_add(bytes.len())) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, name(&DAYS, days % 7));
    put(5, &digits(day));
    put(8, name(&MONTHS, month - 1));
    put(12, &digits(year / 100));
    put(14, &digits(year % 100));
    put(17, &digits(second / 3_600));
    put(20, &digits(second / 60 % 60));
    put(23, &digits(second % 60));
    inline(&text)
}

#[expect(clippy::expect_used, reason = "29 bytes are fewer than the 30 that an Inline holds")]
fn inline(text: &[u8; 29]) -> Inline {
    Inline::new(text).expect("a date fits")
}

/// Year, month (1 to 12) and day (1 to 31) of the day that is so many after 1970-01-01.
///
/// Counted in years that begin on 1 March, so that the leap day is the last, from 0000-03-01 on.
#[expect(clippy::arithmetic_side_effects, reason = "days are those of the year 9999 at most")]
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

fn name<'a, const N: usize>(names: &[&'a [u8; 3]; N], index: u64) -> &'a [u8] {
    usize::try_from(index).ok().and_then(|index| names.get(index)).map_or(&[], |name| name.as_slice())
}

/// Two decimal digits of a number below 100.
#[expect(clippy::arithmetic_side_effects, reason = "a digit is at most 9")]
fn digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn text(seconds: u64) -> String {
        String::from_utf8(imf_fixdate(seconds).bytes().to_vec()).unwrap()
    }

    #[test]
    fn dates_are_those_of_date_1() {
        // From `date -u -d @N`; the second is the example of RFC 9110.
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(text(seconds), date);
        }
    }
}
