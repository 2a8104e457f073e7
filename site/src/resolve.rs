//! What a request's target leads to: a page, or a rule of the site's `_redirects`.

use crate::catalogue::{Found, Site};
use crate::http::target::Path;
use crate::page::Page;
use crate::rules::template::Part;
use crate::rules::{Complaint, Headers, Redirect, Redirects};
use alloc::vec::Vec;

/// The rules of a site.
#[derive(Default)]
pub struct Rules {
    /// `_redirects`, if it has a rule. There for good: responses point into it.
    pub redirects: Option<&'static Redirects>,
    /// `_headers`.
    pub headers: Headers,
    complaints: Vec<Complaint>,
    complained: usize,
    /// Where the target of a rewrite is put together.
    target: Vec<u8>,
}

impl Rules {
    /// Complaints that are kept; the others are counted.
    const COMPLAINTS: usize = 16;

    pub(crate) fn complain(&mut self, complaint: Complaint) {
        self.complained = self.complained.saturating_add(1);
        if self.complaints.len() < Self::COMPLAINTS {
            self.complaints.push(complaint);
        }
    }

    pub(crate) fn complaints(&self) -> (&[Complaint], usize) {
        (&self.complaints, self.complained)
    }
}

/// What a target leads to.
#[derive(Clone, Copy, Debug)]
pub enum Resolved {
    /// What its path names, or is rewritten to.
    Found(Found),
    /// A redirect.
    Moved(&'static Redirect),
    /// A rule says that there is nothing, and with which page: 404.
    Missing(Option<&'static Page>),
    /// The same: 410.
    Gone(Option<&'static Page>),
}

impl Site {
    /// What a path and a query (with its `?`, or empty) lead to. A file comes before a rule that is not forced; a rewrite
    /// leads to a file, never to another rule.
    pub fn resolve(&mut self, path: &Path<'_>, query: &[u8]) -> Resolved {
        let Some(redirects) = self.rules.redirects else { return Resolved::Found(self.find(path)) };
        if redirects.has_forced()
            && let Some((rule, _)) = redirects.find(path.encoded(), query, true)
        {
            return self.follow(rule, path, query);
        }
        match self.find(path) {
            Found::Nothing => match redirects.find(path.encoded(), query, false) {
                Some((rule, _)) => self.follow(rule, path, query),
                None => Resolved::Found(Found::Nothing),
            },
            found => Resolved::Found(found),
        }
    }

    fn follow(&mut self, rule: &'static Redirect, path: &Path<'_>, query: &[u8]) -> Resolved {
        match rule.status {
            200 => match self.target(rule, path, query) {
                Some(page) => Resolved::Found(Found::Page(page)),
                None => Resolved::Found(Found::Nothing),
            },
            404 => Resolved::Missing(self.target(rule, path, query)),
            410 => Resolved::Gone(self.target(rule, path, query)),
            _ => Resolved::Moved(rule),
        }
    }

    /// The page that a rule leads to.
    fn target(&mut self, rule: &'static Redirect, path: &Path<'_>, query: &[u8]) -> Option<&'static Page> {
        let mut target = core::mem::take(&mut self.rules.target);
        target.clear();
        rule.fill(path.encoded(), query, |part| match part {
            Part::Fixed(bytes) | Part::Filled(bytes) => target.extend_from_slice(bytes),
        });
        let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
        let found = Path::parse(target.get(..end).unwrap_or_default()).ok().map(|path| self.find(&path));
        self.rules.target = target;
        match found {
            Some(Found::Page(page) | Found::Folder(page)) => Some(page),
            Some(Found::Nothing) | None => None,
        }
    }
}
