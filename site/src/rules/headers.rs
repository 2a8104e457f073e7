//! `_headers`: a path on a line of its own, then its fields, `NAME: VALUE` or `! NAME` to take one away.
//!
//! All rules that match a page count, in their order. A field takes the place of the server's own default; set twice, its
//! values are joined by a comma, `Set-Cookie` apart. A rule matches a page by each of its URLs: `/about.html` and `/about`,
//! `/posts/index.html` and `/posts/`.

use super::pattern::Pattern;
use super::{Complaint, Complaints, FIELDS_LIMIT, Fault, PATTERN_LIMIT, lines};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The name of the file.
pub const FILE: &str = "_headers";

/// Fields that frame a message, belong to the connection, or say what only the server knows.
const FORBIDDEN: [&str; 28] = [
    "accept-ranges",
    "age",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "content-location",
];

/// What is done to the fields of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// The field gets this value, beside those that other rules gave it.
    Add(&'a [u8], &'a [u8]),
    /// The field goes.
    Remove(&'a [u8]),
}

/// The rules of a file.
#[derive(Default, Debug)]
pub struct Headers {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    path: Pattern,
    /// Names, and values or nothing for one that goes.
    fields: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Headers {
    /// The rules of a file; of each line that is none, `report` is told. The fields below a path that is none are left out
    /// with it.
    pub fn parse(text: &[u8], report: &mut dyn FnMut(Complaint)) -> Self {
        let mut complaints = Complaints { file: FILE, report };
        let mut rules: Vec<Rule> = Vec::new();
        // Whether the fields that follow belong to a rule: not yet; yes; or no, since its path was refused.
        let mut place = Place::Start;
        let mut bytes = 0_usize;
        for (number, line) in lines(text) {
            let parsed = match Line::parse(line) {
                Ok(Line::Path(_)) if rules.len() >= PATTERN_LIMIT => {
                    place = Place::Refused;
                    Err(Fault::TooMany(PATTERN_LIMIT))
                }
                Ok(Line::Path(path)) => {
                    place = Place::Rule;
                    rules.push(Rule { path, fields: Vec::new() });
                    Ok(())
                }
                Ok(Line::Field(..)) if place == Place::Refused => Ok(()),
                Ok(Line::Field(name, value)) => {
                    let length = name.len().saturating_add(value.as_ref().map_or(0, Vec::len));
                    let after = bytes.saturating_add(length);
                    match rules.last_mut() {
                        None => Err(Fault::NoPath),
                        Some(_) if after > FIELDS_LIMIT => Err(Fault::TooLong(FIELDS_LIMIT)),
                        Some(rule) => {
                            bytes = after;
                            rule.fields.push((name, value));
                            Ok(())
                        }
                    }
                }
                Err(fault @ (Fault::Path(_) | Fault::Host(_) | Fault::Splat(_) | Fault::Placeholders(_))) => {
                    place = Place::Refused;
                    Err(fault)
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = parsed {
                complaints.add(number, fault);
            }
        }
        Self { rules }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules do to a page that has these URL paths, each percent-encoded and without its leading `/`.
    pub fn changes<'a>(&'a self, paths: &'a [Vec<u8>]) -> impl Iterator<Item = Change<'a>> {
        let matching =
            self.rules.iter().filter(|rule| paths.iter().any(|path| rule.path.matches(path).is_some()));
        matching.flat_map(|rule| &rule.fields).map(|(name, value)| match value {
            Some(value) => Change::Add(name, value),
            None => Change::Remove(name),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Rule,
    Refused,
}

enum Line {
    Path(Pattern),
    Field(Vec<u8>, Option<Vec<u8>>),
}

impl Line {
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        let line = core::str::from_utf8(line).map_err(|_| Fault::Text)?.trim();
        if line.starts_with('/') || line.starts_with("http://") || line.starts_with("https://") {
            let path = line.split_whitespace().next().unwrap_or_default();
            return match line.len() == path.len() {
                true => Pattern::parse(path).map(|(path, _)| Self::Path(path)),
                false => Err(Fault::Path(line.to_string())),
            };
        }
        if let Some(name) = line.strip_prefix('!') {
            return Ok(Self::Field(field_name(name.trim(), line)?, None));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| Fault::Field(line.to_string()))?;
        let name = field_name(name.trim_end(), line)?;
        let value = value.trim().as_bytes();
        if value.is_empty() || !value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) {
            return Err(Fault::Value(String::from_utf8_lossy(&name).into_owned()));
        }
        Ok(Self::Field(name, Some(value.to_vec())))
    }
}

/// A `token` (RFC 9110, section 5.6.2) that a site may set.
fn field_name(name: &str, line: &str) -> Result<Vec<u8>, Fault> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Fault::Field(line.to_string()));
    }
    if FORBIDDEN.iter().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(Fault::Forbidden(name.to_string()));
    }
    Ok(name.as_bytes().to_vec())
}
