//! The pages of errors, where the site brings none.

use crate::http::response::Status;
use crate::page::Page;

/// Status codes with their pages, as build/errors.rs makes them of errors/.
const PAGES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/errors.rs"));

/// The error pages that were asked for.
#[derive(Default)]
pub struct ErrorPages {
    pages: [Option<&'static Page>; PAGES.len()],
}

impl ErrorPages {
    /// The page of a status, made when it is first asked for and kept for good; the first one for a status without.
    pub fn page(&mut self, status: Status) -> &'static Page {
        let index = PAGES.iter().position(|(code, _)| *code == status.code()).unwrap_or_default();
        let page = || Page::of_server(PAGES.get(index).map_or(&[], |(_, page)| page.as_bytes()));
        match self.pages.get_mut(index) {
            Some(kept) => kept.get_or_insert_with(page),
            None => page(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn every_error_has_its_page() {
        let reasons = [
            ("400", "Bad Request"),
            ("404", "Not Found"),
            ("405", "Method Not Allowed"),
            ("406", "Not Acceptable"),
            ("408", "Request Timeout"),
            ("410", "Gone"),
            ("412", "Precondition Failed"),
            ("414", "URI Too Long"),
            ("416", "Range Not Satisfiable"),
            ("417", "Expectation Failed"),
            ("421", "Misdirected Request"),
            ("431", "Request Header Fields Too Large"),
            ("501", "Not Implemented"),
            ("505", "HTTP Version Not Supported"),
        ];
        assert_eq!(PAGES.len(), reasons.len());
        for ((code, page), (expected, reason)) in PAGES.iter().zip(reasons) {
            assert_eq!(*code, expected);
            assert!(page.contains(&format!("<title>{code} {reason}</title>")), "{page}");
        }
    }
}
