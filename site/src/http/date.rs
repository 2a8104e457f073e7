//! Dates (RFC 9110, section 5.6.7): written as IMF-fixdate, read in all three forms.

use netstack::service::Inline;

/// The last second of the year 9999: the format has four digits.
const LAST: u64 = 253_402_300_799;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Bytes of a date.
pub const LENGTH: usize = 29;

/// The date, and the end of a head behind it.
pub fn end_of_head(seconds: u64) -> Inline {
    let mut text = [0; LENGTH + 4];
    for (to, from) in text.iter_mut().zip(imf_fixdate(seconds).bytes().iter().chain(b"\r\n\r\n")) {
        *to = *from;
    }
    inline(&text)
}

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

#[expect(clippy::expect_used, reason = "with the end of a head it has 33 bytes, and an Inline holds 38")]
fn inline(text: &[u8]) -> Inline {
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

/// The seconds since 1970 of an `HTTP-date` in any of its three forms; 0 for what lies before. `None` for what is none, and
/// for a day or an hour that there is not. Case matters; that the weekday is the date's is not asked.
///
/// A year of two digits that would be more than 50 years after `now` is the last one with these digits.
pub fn parse(text: &[u8], now: u64) -> Option<u64> {
    match text.len() {
        24 => asctime(text),
        29 => fixdate(text),
        _ => rfc850(text, now),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn fixdate(text: &[u8]) -> Option<u64> {
    let (day, rest) = text.split_first_chunk::<3>()?;
    let (date, time) = rest.strip_prefix(b", ")?.split_first_chunk::<11>()?;
    let [d, e, b' ', month @ .., b' ', y, z, u, v] = date else { return None };
    index(&DAYS, day)?;
    let century = number(*y, *z)?.checked_mul(100)?;
    let year = century.checked_add(number(*u, *v)?)?;
    let time = clock(time.strip_prefix(b" ")?.strip_suffix(b" GMT")?)?;
    seconds(year, index(&MONTHS, month)?, number(*d, *e)?, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], now: u64) -> Option<u64> {
    const LONG_DAYS: [&[u8]; 7] =
        [b"Thursday", b"Friday", b"Saturday", b"Sunday", b"Monday", b"Tuesday", b"Wednesday"];
    let comma = text.iter().position(|byte| *byte == b',')?;
    let (day, rest) = text.split_at_checked(comma)?;
    let (date, time) = rest.strip_prefix(b", ")?.split_first_chunk::<9>()?;
    let [d, e, b'-', month @ .., b'-', y, z] = date else { return None };
    LONG_DAYS.iter().find(|name| **name == day)?;
    let time = clock(time.strip_prefix(b" ")?.strip_suffix(b" GMT")?)?;
    let (month, day) = (index(&MONTHS, month)?, number(*d, *e)?);
    // At most 50 years from now on, and within the century before that.
    let last = civil(now.min(LAST) / 86_400).0.checked_add(50)?;
    let year = last.checked_sub(last.checked_sub(number(*y, *z)?)? % 100)?;
    seconds(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<u64> {
    let (day, rest) = text.split_first_chunk::<3>()?;
    let (date, rest) = rest.split_first_chunk::<8>()?;
    let (time, year) = rest.split_first_chunk::<8>()?;
    let [b' ', month @ .., b' ', d, e, b' '] = date else { return None };
    let [b' ', y, z, u, v] = year else { return None };
    index(&DAYS, day)?;
    let century = number(*y, *z)?.checked_mul(100)?;
    let day = number(if *d == b' ' { b'0' } else { *d }, *e)?;
    seconds(century.checked_add(number(*u, *v)?)?, index(&MONTHS, month)?, day, clock(time)?)
}

/// `08:49:37` in seconds; 60 is a leap second.
fn clock(text: &[u8]) -> Option<u64> {
    let [h, i, b':', m, n, b':', s, t] = text else { return None };
    let (hour, minute, second) = (number(*h, *i)?, number(*m, *n)?, number(*s, *t)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)
}

/// The seconds since 1970 of a second of a day; the month is counted from 0.
#[expect(clippy::arithmetic_side_effects, reason = "a year has at most four digits, and is not before 1970")]
fn seconds(year: u64, month: u64, day: u64, second: u64) -> Option<u64> {
    if year < 1970 {
        // The calendar repeats itself every 400 years.
        return seconds(year + 2_000, month, day, second).map(|_| 0);
    }
    // As in `civil`: years that begin on 1 March, so the leap day is the last.
    let (from_march, year) = if month < 2 { (month + 10, year - 1) } else { (month - 2, year) };
    let day_of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    // A day that the month does not have is one of the next.
    (civil(days).2 == day).then_some(days * 86_400 + second)
}

/// Where a name is in a list.
fn index(names: &[&[u8; 3]], name: &[u8]) -> Option<u64> {
    names.iter().position(|one| one.as_slice() == name).map(|at| at as u64)
}

/// A number of two digits.
fn number(tens: u8, ones: u8) -> Option<u64> {
    let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit <= 9).map(u64::from);
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
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
    use proptest::prelude::*;

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

    /// Some day of 2026, in seconds.
    const NOW: u64 = 1_795_348_800;

    #[test]
    fn the_three_forms_are_read() {
        // The examples of RFC 9110; `date -u -d DATE +%s` for the others.
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Wed Nov 16 08:49:37 1994", 784_975_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thursday, 01-Jan-70 00:00:00 GMT", 3_155_760_000),
            ("Wed, 31 Dec 1969 23:59:59 GMT", 0),
            ("Tue Feb 29 00:00:00 0000", 0),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Thu Feb 29 00:00:00 2024", 1_709_164_800),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
            // The weekday is another's.
            ("Fri, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            // 50 years from 2026 on at most.
            ("Tuesday, 31-Dec-76 23:59:59 GMT", 3_376_684_799),
            ("Saturday, 01-Jan-77 00:00:00 GMT", 220_924_800),
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov 1994 8:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Thu, 29 Feb 2023 08:49:37 GMT",
            "Mon, 29 Feb 2100 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Tue, 29 Feb 1900 23:59:59 GMT",
            "Xyz, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday 06-Nov-94 08:49:37 GMT",
            "Sun Nov 06 08:49:37 94",
            "Sun Nov  6 08:49:37 1994 ",
            "Sun Nov   08:49:37 1994",
            "784111777",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..=LAST, now in 0..=LAST, noise in any::<[u8; 31]>()) {
            prop_assert_eq!(parse(text(seconds).as_bytes(), now), Some(seconds));
            // Nor does anything else break it.
            for length in [24, 29, 30, 31] {
                let _ = parse(&noise[..length], now);
            }
        }
    }
}
