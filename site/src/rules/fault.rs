//! What can be wrong with a line.

use alloc::string::String;
use core::fmt;

/// A line that is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// The file's name.
    pub file: &'static str,
    /// The line's number, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.fault)
    }
}

/// Why a line is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not UTF-8, or holds a control character.
    Text,
    /// A path that does not start with `/`, or is percent-encoded wrongly.
    Path(String),
    /// A rule for a host of its own.
    Host(String),
    /// More than one `*`, or one before a `:name`.
    Splat(String),
    /// More placeholders than [`super::pattern::PLACEHOLDERS`].
    Placeholders(String),
    /// A redirect without a target.
    NoTarget,
    /// A target that is neither a path nor an `http` URL with a fixed host.
    Target(String),
    /// A target that names a placeholder which the rule does not have.
    Unbound(String),
    /// A rewrite to another host: that would be a proxy.
    Proxy(String),
    /// A status that is none of 200, 301, 302, 303, 307, 308, 404 and 410.
    Status(String),
    /// A condition that depends on more than the request's target.
    Condition(String),
    /// More than the rule has.
    Rest(String),
    /// A redirect to itself.
    Loop,
    /// There are too many rules.
    TooMany(usize),
    /// A field before the first path.
    NoPath,
    /// A line that is no field.
    Field(String),
    /// A field that the server sets, or that belongs to the connection.
    Forbidden(String),
    /// A value with bytes that a field cannot have.
    Value(String),
    /// The fields are too long altogether.
    TooLong(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("the line is no text"),
            Self::Path(text) => write!(f, "\"{text}\" is no path"),
            Self::Host(text) => write!(f, "\"{text}\": rules for a host are not supported, only paths"),
            Self::Splat(text) => write!(f, "\"{text}\": only one \"*\", and no placeholder after it"),
            Self::Placeholders(text) => write!(f, "\"{text}\" has more than 8 placeholders"),
            Self::NoTarget => f.write_str("there is no target"),
            Self::Target(text) => write!(f, "\"{text}\" is neither a path nor an http URL"),
            Self::Unbound(text) => write!(f, "\"{text}\" is not in the rule's path or query"),
            Self::Proxy(text) => write!(f, "\"{text}\": no requests are passed on to another host"),
            Self::Status(text) => {
                write!(f, "\"{text}\" is none of the statuses 200, 301, 302, 303, 307, 308, 404, 410")
            }
            Self::Condition(text) => write!(f, "\"{text}\": conditions are not supported"),
            Self::Rest(text) => write!(f, "\"{text}\" is more than a rule has"),
            Self::Loop => f.write_str("the rule leads to itself"),
            Self::TooMany(limit) => write!(f, "there are more than {limit} such rules"),
            Self::NoPath => f.write_str("a field stands before the first path"),
            Self::Field(text) => write!(f, "\"{text}\" is neither a path nor a field"),
            Self::Forbidden(name) => write!(f, "{name} is not for a site to set"),
            Self::Value(name) => write!(f, "the value of {name} holds what a field cannot"),
            Self::TooLong(limit) => write!(f, "all fields together are longer than {limit} bytes"),
        }
    }
}
