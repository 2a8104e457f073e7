//! The pages of errors, where the site brings none.

use crate::http::response::Status;
use crate::page::Page;
use alloc::boxed::Box;

/// The page, its style inlined: a client that got an error may not get a second response.
const PAGE: &str = include_str!("../errors/error.html");
const STYLE: &str = include_str!("../errors/error.css");

/// The error pages that were asked for.
#[derive(Default)]
pub struct ErrorPages {
    pages: [Option<&'static Page>; Self::STATUSES.len()],
}

impl ErrorPages {
    /// The statuses that have a page.
    const STATUSES: [Status; 9] = [
        Status::BadRequest,
        Status::NotFound,
        Status::MethodNotAllowed,
        Status::RequestTimeout,
        Status::UriTooLong,
        Status::ExpectationFailed,
        Status::RequestHeaderFieldsTooLarge,
        Status::NotImplemented,
        Status::HttpVersionNotSupported,
    ];

    /// The page of a status, made when it is first asked for and kept for good; the first one for a status without.
    pub fn page(&mut self, status: Status) -> &'static Page {
        let index = Self::STATUSES.iter().position(|known| *known == status).unwrap_or_default();
        let Some(kept) = self.pages.get_mut(index) else { return render(status) };
        kept.get_or_insert_with(|| render(status))
    }
}

fn render(status: Status) -> &'static Page {
    let body = PAGE
        .replace("{code}", status.code())
        .replace("{reason}", status.reason())
        .replace("{explanation}", explanation(status))
        .replace("{style}", STYLE);
    Page::of_server(Box::leak(body.into_bytes().into_boxed_slice()))
}

fn explanation(status: Status) -> &'static str {
    match status {
        Status::NotFound => {
            "There is no page at this address. It may have moved, or the link may be mistyped."
        }
        Status::MethodNotAllowed => "The pages here can be read, and nothing else.",
        Status::RequestTimeout => "The request did not arrive in time.",
        Status::UriTooLong => "The address is longer than any page here has.",
        Status::RequestHeaderFieldsTooLarge => "The request's header is too long.",
        Status::NotImplemented => "The request asks for something that this server does not know.",
        Status::HttpVersionNotSupported => "This server speaks HTTP/1.1 and HTTP/1.0.",
        Status::ExpectationFailed => "The request expects something that this server does not know.",
        _ => "The request cannot be understood.",
    }
}
