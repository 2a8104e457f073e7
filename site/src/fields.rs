//! The header fields that a page's owner decides on.

use alloc::vec::Vec;

/// Fields and their values, each name once, in the order in which they were first set. Names are the same in any case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Fields {
    /// What every page has, unless its site says otherwise.
    pub fn new(cache_control: &[u8]) -> Self {
        let mut fields = Self::default();
        fields.set(b"X-Content-Type-Options", b"nosniff");
        fields.set(b"Referrer-Policy", b"strict-origin-when-cross-origin");
        fields.set(b"Cache-Control", cache_control);
        fields
    }

    /// The value of a field.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Sets a field, whatever its value was.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        match self.fields.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some(field) => *field = (Vec::from(name), Vec::from(value)),
            None => self.fields.push((Vec::from(name), Vec::from(value))),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (&name[..], &value[..]))
    }
}
