//! The header fields that a page's owner decides on.

use crate::rules::headers::Change;
use alloc::vec::Vec;

/// Fields and their values, in the order in which they were first set; each name once, `Set-Cookie` apart. Names are the
/// same in any case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Field {
    name: Vec<u8>,
    value: Vec<u8>,
    /// Nobody has set it.
    is_default: bool,
}

impl Fields {
    /// What every page has, unless its site says otherwise.
    pub fn new(cache_control: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in [
            (&b"X-Content-Type-Options"[..], &b"nosniff"[..]),
            (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
            (b"Cache-Control", cache_control),
        ] {
            fields.fields.push(Field { name: name.to_vec(), value: value.to_vec(), is_default: true });
        }
        fields
    }

    /// The value of a field.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(&field.value)
    }

    /// Does what a rule of the site says.
    pub fn change(&mut self, change: Change<'_>) {
        match change {
            Change::Add(name, value) => self.add(name, value),
            Change::Remove(name) => self.fields.retain(|field| !field.name.eq_ignore_ascii_case(name)),
        }
    }

    /// Sets a field in the place of its default, or gives it a further value.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let is_list = !name.eq_ignore_ascii_case(b"Set-Cookie");
        match self.fields.iter_mut().find(|field| is_list && field.name.eq_ignore_ascii_case(name)) {
            Some(field) if field.is_default => {
                *field = Field { name: name.to_vec(), value: value.to_vec(), is_default: false };
            }
            Some(field) => {
                field.value.extend_from_slice(b", ");
                field.value.extend_from_slice(value);
            }
            None => self.fields.push(Field { name: name.to_vec(), value: value.to_vec(), is_default: false }),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (&field.name[..], &field.value[..]))
    }
}
