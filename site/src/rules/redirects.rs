//! `_redirects`: a rule a line, `FROM [NAME=VALUE...] TO [STATUS[!]]`, the first that matches counts.
//!
//! As at Netlify, a file comes before a rule unless the status ends in `!`; the status is 301 where none is given; a `/` at
//! the end of a path makes no difference; and the query goes along unless the target has one. Conditions (`Country=`,
//! `Language=`, `Role=`, `Cookie=`), rules for hosts and rewrites to other hosts are refused. A rewrite leads to a file and
//! never to another rule.

use super::pattern::{Captures, Pattern};
use super::template::{Part, Template};
use super::{Complaint, Complaints, EXACT_LIMIT, Fault, PATTERN_LIMIT, lines};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The name of the file.
pub const FILE: &str = "_redirects";

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    from: Pattern,
    /// Parameters that the query has to have.
    query: Vec<Parameter>,
    /// Where it leads; nothing for a 404 or 410 with the server's own page.
    pub to: Option<Template>,
    /// 200 for a rewrite, 301, 302, 303, 307, 308, 404 or 410.
    pub status: u16,
    /// Whether it comes before a file.
    pub is_forced: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Parameter {
    name: Vec<u8>,
    /// `None` for a placeholder.
    value: Option<Vec<u8>>,
}

/// The rules of a file.
#[derive(Default, Debug)]
pub struct Redirects {
    rules: Vec<Redirect>,
    /// Of rules for exact paths: the hash of the path, and the rule's number. Sorted.
    exact: Vec<(u64, u32)>,
    /// The numbers of the others, in order.
    patterns: Vec<u32>,
    has_forced: bool,
}

impl Redirects {
    /// The rules of a file; of each line that is none, `report` is told.
    pub fn parse(text: &[u8], report: &mut dyn FnMut(Complaint)) -> Self {
        let mut this = Self::default();
        let mut complaints = Complaints { file: FILE, report };
        for (number, line) in lines(text) {
            match Redirect::parse(line).and_then(|rule| this.add(rule)) {
                Ok(()) => {}
                Err(fault) => complaints.add(number, fault),
            }
        }
        this.exact.sort_unstable();
        this
    }

    fn add(&mut self, rule: Redirect) -> Result<(), Fault> {
        let number = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        match rule.from.exact() {
            Some(_) if self.exact.len() >= EXACT_LIMIT => return Err(Fault::TooMany(EXACT_LIMIT)),
            Some(path) => self.exact.push((hash(trim(path).iter().copied()), number)),
            None if self.patterns.len() >= PATTERN_LIMIT => return Err(Fault::TooMany(PATTERN_LIMIT)),
            None => self.patterns.push(number),
        }
        self.has_forced |= rule.is_forced;
        self.rules.push(rule);
        Ok(())
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule comes before files.
    pub fn has_forced(&self) -> bool {
        self.has_forced
    }

    /// The first rule for a path (percent-encoded, without its leading `/`) and a query (with its `?`, or empty); of
    /// those that come before a file, if `is_forced`.
    pub fn find<'a>(
        &self,
        path: &'a [u8],
        query: &'a [u8],
        is_forced: bool,
    ) -> Option<(&Redirect, Captures<'a>)> {
        let matching = |number: &u32| {
            let rule = self.rules.get(usize::try_from(*number).ok()?)?;
            let captures = rule.matches(path, query).filter(|_| rule.is_forced || !is_forced)?;
            Some((*number, rule, captures))
        };
        let hash = hash(decoded(trim(path)));
        let start = self.exact.partition_point(|(other, _)| *other < hash);
        let exact = self.exact.get(start..).unwrap_or_default().iter();
        let exact = exact.take_while(|(other, _)| *other == hash).find_map(|(_, number)| matching(number));
        let pattern = self.patterns.iter().find_map(matching);
        let first = match (exact, pattern) {
            (Some(one), Some(other)) => Some(if one.0 < other.0 { one } else { other }),
            (one, other) => one.or(other),
        };
        first.map(|(_, rule, captures)| (rule, captures))
    }
}

impl Redirect {
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        let line = core::str::from_utf8(line).map_err(|_| Fault::Text)?;
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        if words.iter().any(|word| word.chars().any(char::is_control)) {
            return Err(Fault::Text);
        }
        let (from, mut rest) = words.split_first().ok_or(Fault::NoTarget)?;
        let (path, (from, mut names)) = (*from, Pattern::parse(from)?);
        let mut query = Vec::new();
        while let [word, after @ ..] = rest
            && !word.starts_with('/')
            && !word.contains("://")
            && let Some((name, value)) = word.split_once('=')
        {
            let value = match value.strip_prefix(':') {
                Some(placeholder) => {
                    names.push(placeholder.to_string());
                    None
                }
                None => Some(value.as_bytes().to_vec()),
            };
            query.push(Parameter { name: name.as_bytes().to_vec(), value });
            rest = after;
        }
        if names.len() > super::pattern::PLACEHOLDERS {
            return Err(Fault::Placeholders(path.to_string()));
        }
        let (to, rest) = match rest {
            [] => return Err(Fault::NoTarget),
            [word, after @ ..] if word.starts_with('/') || word.contains("://") => (Some(*word), after),
            [word, ..] if matches!(status(word), Some((404 | 410, _))) => (None, rest),
            [word, ..] if status(word).is_some() => return Err(Fault::NoTarget),
            [word, ..] => return Err(Fault::Target((*word).to_string())),
        };
        let to = to.map(|to| Template::parse(to, &names)).transpose()?;
        let (status, is_forced) = match rest {
            [] => (301, false),
            [word, ..] if word.contains('=') => return Err(Fault::Condition((*word).to_string())),
            [word, ..] => status(word).ok_or_else(|| Fault::Status((*word).to_string()))?,
        };
        match rest.get(1..).unwrap_or_default() {
            [] => {}
            [word, ..] if word.contains('=') => return Err(Fault::Condition((*word).to_string())),
            [word, ..] => return Err(Fault::Rest((*word).to_string())),
        }
        let rule = Self { from, query, to, status, is_forced };
        rule.check()?;
        Ok(rule)
    }

    /// What can only be told of the whole rule.
    fn check(&self) -> Result<(), Fault> {
        let Some(to) = &self.to else { return Ok(()) };
        if matches!(self.status, 200 | 404 | 410) {
            return match to.is_local() {
                true => Ok(()),
                false => Err(Fault::Proxy(text(to.fixed().unwrap_or_default()))),
            };
        }
        let path = to.fixed().filter(|_| to.is_local() && self.query.is_empty());
        let path =
            path.and_then(|path| path.split(|byte| matches!(byte, b'?' | b'#')).next()?.strip_prefix(b"/"));
        let comes_back = path.is_some_and(|path| self.from.matches(path).is_some());
        // A rule without `!` may lead to a file that it would match as well.
        if comes_back && (self.is_forced || self.from.exact().is_some()) {
            return Err(Fault::Loop);
        }
        Ok(())
    }

    fn matches<'a>(&self, path: &'a [u8], query: &'a [u8]) -> Option<Captures<'a>> {
        let found = self.from.matches(path)?;
        if self.query.is_empty() {
            return Some(found);
        }
        let query = query.strip_prefix(b"?").unwrap_or_default();
        let mut captures = found;
        for parameter in &self.query {
            let value = query.split(|byte| *byte == b'&').find_map(|pair| {
                let name = pair.strip_prefix(parameter.name.as_slice())?;
                if name.is_empty() { Some(name) } else { name.strip_prefix(b"=") }
            })?;
            match &parameter.value {
                None => captures.push(value),
                Some(expected) if expected == value => {}
                Some(_) => return None,
            }
        }
        Some(captures)
    }

    /// Gives the parts of where it leads for a path and a query that it matches.
    pub fn fill<'s, 'a>(&'s self, path: &'a [u8], query: &'a [u8], mut put: impl FnMut(Part<'s, 'a>)) {
        let (Some(to), Some(captures)) = (&self.to, self.matches(path, query)) else { return };
        to.fill(&captures, &mut put);
        if self.query.is_empty() && !to.has_query() {
            put(Part::Filled(query));
        }
    }

    /// Whether it is a rule for some queries only.
    pub fn needs_query(&self) -> bool {
        !self.query.is_empty()
    }

    /// How many bytes of the request are in there.
    pub fn filled(&self, path: &[u8], query: &[u8]) -> usize {
        let mut filled = 0_usize;
        self.fill(path, query, |part| {
            if let Part::Filled(bytes) = part {
                filled = filled.saturating_add(bytes.len());
            }
        });
        filled
    }
}

/// A status, and whether a `!` follows it.
fn status(word: &str) -> Option<(u16, bool)> {
    let digits = word.strip_suffix('!').unwrap_or(word);
    let status = digits.parse().ok().filter(|_| digits.len() == 3)?;
    matches!(status, 200 | 301 | 302 | 303 | 307 | 308 | 404 | 410).then_some((status, digits != word))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path without a `/` at its end.
fn trim(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// The bytes of a percent-encoded path.
fn decoded(path: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = path;
    core::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => (super::pattern::byte(*high, *low).unwrap_or_default(), after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

/// FNV-1a. The keys are the site's own; a request only looks.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
