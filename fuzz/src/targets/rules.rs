//! The site's `_redirects` and `_headers`.

use site::http::target::Path;
use site::rules::headers::{self, Change};
use site::rules::pattern::Pattern;
use site::rules::template::Part;
use site::rules::{
    Complaint, EXACT_LIMIT, FIELDS_LIMIT, Headers, PATTERN_LIMIT, Redirect, Redirects, redirects,
};

/// Rules and a target: `_redirects`, `_headers`, and what is asked for, each but the last with a NUL behind it.
///
/// A line is a rule or is complained of; the rule that counts is the first of its file that matches by itself, and one
/// matches if there is any way to match it; what it leads to is sound in a field of a response, as is what `_headers` adds.
pub fn rules(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (moves, fields, target) = (part(), part(), part());
    let moves_parsed = parsed(moves, redirects::FILE, Redirects::parse);
    let fields_parsed = parsed(fields, headers::FILE, Headers::parse);
    assert!(moves_parsed.len() <= EXACT_LIMIT + PATTERN_LIMIT && fields_parsed.len() <= PATTERN_LIMIT);
    let length = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(length);
    let Ok(path) = Path::parse(path) else { return };
    if query.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
        return;
    }
    matched(moves, path.encoded());
    asked(moves, &moves_parsed, path.encoded(), query);
    add(&fields_parsed, path.encoded());
}

/// Parses a file; each complaint names a line that says something.
fn parsed<T>(text: &[u8], file: &str, parse: impl Fn(&[u8], &mut dyn FnMut(Complaint)) -> T) -> T {
    let said: Vec<_> = lines(text).map(|(number, _)| number).collect();
    let mut last = 0;
    parse(text, &mut |complaint| {
        assert!(complaint.file == file && complaint.to_string().len() < text.len() + 200);
        assert!(complaint.line > last && said.contains(&complaint.line), "{complaint}");
        last = complaint.line;
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let says = |line: &[u8]| line.trim_ascii().first().is_some_and(|first| *first != b'#');
    (1..).zip(text.split(|byte| *byte == b'\n')).filter(move |(_, line)| says(line))
}

/// Looks for the rule for a path and a query.
fn asked(text: &[u8], rules: &Redirects, path: &[u8], query: &[u8]) {
    let mut alone = Vec::new();
    for (_, line) in lines(text) {
        let rule = Redirects::parse(line, &mut |_| {});
        if !rule.is_empty() {
            alone.push(rule);
        }
    }
    for is_forced in [false, true] {
        let found = rules.find(path, query, is_forced).map(|(rule, _)| rule);
        let first = alone.iter().find_map(|rule| rule.find(path, query, is_forced));
        if alone.len() <= PATTERN_LIMIT {
            assert_eq!(found, first.map(|(rule, _)| rule), "another rule counts");
        }
        if let Some(rule) = found {
            leads(rule, path, query);
        }
    }
}

/// A pattern matches a path if there is any way to; of two slashes in a row the last may be missing, or not.
fn matched(text: &[u8], path: &[u8]) {
    for (_, line) in lines(text) {
        let word = line.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let Some((pattern, _)) = core::str::from_utf8(word).ok().and_then(|word| Pattern::parse(word).ok())
        else {
            continue;
        };
        if !word.windows(2).any(|two| two == b"//") {
            assert_eq!(
                pattern.matches(path).is_some(),
                fits(word, path),
                "{} {}",
                word.escape_ascii(),
                path.escape_ascii()
            );
        }
    }
}

/// Where a rule leads: in a `Location`, or to a file of the site.
fn leads(rule: &Redirect, path: &[u8], query: &[u8]) {
    let (mut whole, mut filled) = (Vec::new(), 0);
    rule.fill(path, query, |part| match part {
        Part::Fixed(bytes) => whole.extend_from_slice(bytes),
        Part::Filled(bytes) => {
            filled += bytes.len();
            whole.extend_from_slice(bytes);
        }
    });
    assert_eq!(rule.filled(path, query), filled);
    assert!(whole.iter().all(u8::is_ascii_graphic), "{}", whole.escape_ascii());
    match &rule.to {
        None => assert!(matches!(rule.status, 404 | 410) && whole.is_empty()),
        Some(to) if to.is_local() => {
            assert!(whole.starts_with(b"/"), "{}", whole.escape_ascii());
            assert!(!whole.starts_with(b"//") && !whole.starts_with(b"/\\"), "{}", whole.escape_ascii());
        }
        Some(_) => {
            let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| whole.strip_prefix(*scheme));
            let host = rest.and_then(|rest| rest.split(|byte| b"/?#:".contains(byte)).next());
            assert!(host.is_some_and(|host| !host.is_empty()), "{}", whole.escape_ascii());
            assert!(matches!(rule.status, 301 | 302 | 303 | 307 | 308));
        }
    }
}

/// What is done to the fields of a page of this path.
fn add(rules: &Headers, path: &[u8]) {
    let paths = [path.to_vec()];
    let mut bytes = 0;
    for change in rules.changes(&paths) {
        let (name, value) = match change {
            Change::Add(name, value) => (name, value),
            Change::Remove(name) => (name, &b"-"[..]),
        };
        bytes += name.len();
        assert!(!name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':'));
        assert!(!value.is_empty() && value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)));
        for other in ["content-length", "transfer-encoding", "connection", "etag", "date"] {
            assert!(!name.eq_ignore_ascii_case(other.as_bytes()), "{other}");
        }
    }
    assert!(bytes <= FIELDS_LIMIT);
}

/// What a pattern is made of.
enum Token {
    Byte(u8),
    Part,
    Splat,
}

/// Whether a pattern fits a path in any way, by trying all. A `/` at the end of either makes no difference, unless
/// something stands behind the splat.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    let Some(pattern) = pattern.strip_prefix(b"/") else { return false };
    let path = decoded(path);
    let tokens = tokens(pattern);
    let ends_elsewhere = pattern.contains(&b'*') && !pattern.ends_with(b"*");
    let with = [&path[..], b"/"].concat();
    let without = path.strip_suffix(b"/").unwrap_or(&path);
    fits_as_it_is(&tokens, &path)
        || !ends_elsewhere && [&with, without].iter().any(|path| fits_as_it_is(&tokens, path))
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, part) in pattern.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            tokens.push(Token::Byte(b'/'));
        }
        let (name, splat) = match part.iter().position(|byte| *byte == b'*') {
            Some(at) => (&part[..at], Some(&part[at + 1..])),
            None => (part, None),
        };
        let is_name = name.len() > 1
            && name[0] == b':'
            && name[1].is_ascii_alphabetic()
            && name[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if is_name {
            tokens.push(Token::Part);
        } else {
            tokens.extend(decoded(name).into_iter().map(Token::Byte));
        }
        if let Some(after) = splat {
            tokens.push(Token::Splat);
            tokens.extend(decoded(after).into_iter().map(Token::Byte));
        }
    }
    tokens
}

fn fits_as_it_is(tokens: &[Token], path: &[u8]) -> bool {
    match tokens {
        [] => path.is_empty(),
        [Token::Byte(byte), after @ ..] => path.first() == Some(byte) && fits_as_it_is(after, &path[1..]),
        [Token::Part, after @ ..] => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            end > 0 && fits_as_it_is(after, &path[end..])
        }
        [Token::Splat, after @ ..] => (0..=path.len()).any(|at| fits_as_it_is(after, &path[at..])),
    }
}

/// Percent-decoded, once; an encoded `/` is NUL.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().and_then(|digits| core::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(if byte == b'/' { 0 } else { byte });
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}
