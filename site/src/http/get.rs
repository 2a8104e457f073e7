//! GET and HEAD of a page (RFC 9110, sections 9.3.1 and 9.3.2): what is selected, whether it is wanted, and how much of it.

use super::conditional::{self, Outcome, Validators};
use super::negotiation;
use super::range::{self, Selection};
use super::request::{Method, Request};
use super::response::{Content, Response, Status};
use super::section::Choice;
use crate::page::Page;
use crate::representation::Representation;

/// Why a page is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The client accepts none of its representations: 406.
    NotAcceptable,
    /// A precondition does not hold: 412.
    PreconditionFailed,
    /// There is nothing of the range that was asked for, of so many bytes: 416.
    RangeNotSatisfiable(usize),
}

/// The response.
///
/// `now` is in seconds since 1970. A page of a later time counts as one of now (section 8.8.2.1).
pub fn response<'a>(page: &'static Page, request: &Request<'a>, now: u64) -> Result<Response<'a>, Refusal> {
    let section = &request.section;
    if !section.chooses() {
        return Ok(whole(&page.identity, page, now));
    }
    let selected = negotiation::select(page, section).ok_or(Refusal::NotAcceptable)?;
    let of = Validators { etag: selected.etag(), modified: page.modified.min(now) };
    match conditional::evaluate(section, of, now) {
        Outcome::Proceed => {}
        Outcome::NotModified => {
            return Ok(Response { status: Status::NotModified, content: Content::NotModified(selected) });
        }
        Outcome::Failed => return Err(Refusal::PreconditionFailed),
    }
    let range = match section.value(Choice::Range) {
        Some(range) if request.method == Method::Get && conditional::allows_range(section, of, now) => range,
        _ => return Ok(whole(selected, page, now)),
    };
    let length = selected.body.len();
    let content = match range::select(range, length) {
        Selection::One(span) => Content::Part(selected, span),
        Selection::Several if is_boundary(selected.etag()) => Content::Parts(selected, range),
        Selection::Several | Selection::Whole => return Ok(whole(selected, page, now)),
        Selection::Unsatisfiable => return Err(Refusal::RangeNotSatisfiable(length)),
    };
    Ok(Response { status: Status::PartialContent, content })
}

fn whole(selected: &'static Representation, page: &'static Page, now: u64) -> Response<'static> {
    let content = match page.modified <= now {
        true => Content::Whole(selected),
        false => Content::Future(selected),
    };
    Response { status: Status::Ok, content }
}

/// Whether an entity tag can stand between the parts of a response (RFC 2046, section 5.1.1), without quotes there.
fn is_boundary(etag: &[u8]) -> bool {
    (3..=72).contains(&etag.len())
        && etag.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).is_some_and(|tag| {
            tag.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'))
        })
}
