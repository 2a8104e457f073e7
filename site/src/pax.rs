//! The records of a pax extended header (IEEE Std 1003.1, `pax`, "pax Extended Header").

/// Goes through records of the form `LENGTH KEY=VALUE\n`, where the length is decimal and counts the whole record.
pub struct Records<'a> {
    rest: &'a [u8],
}

/// A key and its value.
pub type Record<'a> = (&'a [u8], &'a [u8]);

/// Where a record is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl<'a> Records<'a> {
    /// The records of an extended header's data.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let digits = self.rest.iter().position(|byte| *byte == b' ')?;
        let length = decimal(self.rest.get(..digits)?)?;
        let (record, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        let (content, end) = record
            .get(digits.checked_add(1)?..)?
            .split_at_checked(record.len().checked_sub(digits)?.checked_sub(2)?)?;
        let equals = content.iter().position(|byte| *byte == b'=')?;
        let (key, value) = content.split_at_checked(equals)?;
        if end != b"\n" || key.is_empty() {
            return None;
        }
        self.rest = rest;
        Some((key, value.get(1..)?))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    /// After a malformed record there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(Malformed))
    }
}

/// A number of decimal digits only.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn records(data: &[u8]) -> Vec<Result<Record<'_>, Malformed>> {
        Records::new(data).collect()
    }

    #[test]
    fn records_are_split_by_their_length() {
        // 25 counts its own digits, the space and the newline.
        assert_eq!(records(b"25 ctime=1084839148.1212\n"), [Ok((&b"ctime"[..], &b"1084839148.1212"[..]))]);
        assert_eq!(records(b"11 a=1\n=2=\n5 b=\n"), [Ok((&b"a"[..], &b"1\n=2="[..])), Ok((b"b", b""))]);
        assert_eq!(records(b""), []);
    }

    #[test]
    fn malformed_records_end_the_list() {
        for data in [
            &b"7 a=1\n"[..],
            b"5 a=1\n",
            b"6 aa1\n",
            b"6 =11\n",
            b" a=1\n",
            b"-6 a=1\n",
            b"99999999999999999999 a=1\n",
            b"0 a=1\n",
            b"1 a=1\n",
            b"2 a=1\n",
            b"6",
            b"x",
        ] {
            assert_eq!(records(data), [Err(Malformed)], "{}", data.escape_ascii());
        }
        assert_eq!(records(b"6 a=1\n7 b=1\n"), [Ok((&b"a"[..], &b"1"[..])), Err(Malformed)]);
    }
}
