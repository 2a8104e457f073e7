//! How much of its memory the domain gives back when the toolstack asks (`memory/target`), and takes again.
//!
//! It gives only what its budgets leave, since every table's bound was set by the memory that was there at the boot; and
//! it takes no more than it had then.

use core::fmt;

/// KiB in a page.
const PAGE_KIB: usize = 4;

/// Where the domain's memory stands, and where it is to go. All numbers are pages.
#[derive(Clone, Copy, Debug)]
pub struct Balloon {
    /// What the domain had at the boot.
    most: usize,
    /// What it keeps whatever is asked.
    least: usize,
    current: usize,
    target: usize,
    /// What was asked last.
    asked: Option<usize>,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Give back so many pages.
    Give(usize),
    /// Take so many.
    Take(usize),
}

/// What becomes of a request, in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    asked: usize,
    target: usize,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [asked, target] = [self.asked, self.target].map(|pages| pages.saturating_mul(PAGE_KIB));
        write!(f, "the toolstack wants {asked} KiB, ")?;
        match target {
            target if target > asked => write!(f, "this guest keeps {target} KiB"),
            target if target < asked => {
                write!(f, "this guest had {target} KiB at its boot and takes no more")
            }
            _ => f.write_str("as it shall be"),
        }
    }
}

impl Balloon {
    /// A domain that has `pages` and keeps `least` of them.
    pub const fn new(pages: usize, least: usize) -> Self {
        let least = if least < pages { least } else { pages };
        Self { most: pages, least, current: pages, target: pages, asked: None }
    }

    /// What the toolstack wants, in KiB. The answer is worth a line: it is given once for what was asked for, and not
    /// where nothing is to change.
    pub fn ask(&mut self, kib: u64) -> Option<Answer> {
        let asked = usize::try_from(kib).unwrap_or(usize::MAX) / PAGE_KIB;
        let before = self.asked.replace(asked).unwrap_or(self.most);
        self.target = asked.clamp(self.least, self.most);
        (asked != before).then_some(Answer { asked, target: self.target })
    }

    /// What to do next, at most so many pages at once.
    pub fn step(&self, at_once: usize) -> Step {
        match self.current.checked_sub(self.target) {
            Some(0) => Step::Rest,
            Some(more) => Step::Give(more.min(at_once)),
            None => Step::Take(self.target.saturating_sub(self.current).min(at_once)),
        }
    }

    /// So many pages were given back. None means that no more go: it stays at that.
    pub const fn gave(&mut self, pages: usize) {
        self.current = self.current.saturating_sub(pages);
        if pages == 0 {
            self.target = self.current;
        }
    }

    /// So many pages were taken. None means that no more come: it stays at that.
    pub const fn took(&mut self, pages: usize) {
        self.current = self.current.saturating_add(pages);
        if pages == 0 {
            self.target = self.current;
        }
    }

    /// Pages that were given back and not taken again.
    pub const fn given(&self) -> usize {
        self.most.saturating_sub(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::{Balloon, Step};
    use alloc::string::ToString;

    #[test]
    fn it_gives_what_it_can_and_takes_what_it_had() {
        let mut balloon = Balloon::new(1000, 400);
        assert_eq!(balloon.ask(4000), None, "as it is");
        assert_eq!(balloon.step(256), Step::Rest);
        let answer = balloon.ask(2000).unwrap().to_string();
        assert_eq!(answer, "the toolstack wants 2000 KiB, as it shall be");
        assert_eq!(balloon.ask(2000), None, "said once");
        assert_eq!(balloon.step(256), Step::Give(256));
        balloon.gave(256);
        assert_eq!(balloon.step(256), Step::Give(244));
        balloon.gave(244);
        assert_eq!((balloon.step(256), balloon.given()), (Step::Rest, 500));
        let answer = balloon.ask(40).unwrap().to_string();
        assert_eq!(answer, "the toolstack wants 40 KiB, this guest keeps 1600 KiB");
        assert_eq!(balloon.step(256), Step::Give(100));
        let answer = balloon.ask(8000).unwrap().to_string();
        let words = "the toolstack wants 8000 KiB, this guest had 4000 KiB at its boot and takes no more";
        assert_eq!(answer, words);
        assert_eq!(balloon.step(256), Step::Take(256));
        balloon.took(500);
        assert_eq!((balloon.step(256), balloon.given()), (Step::Rest, 0));
    }

    #[test]
    fn where_nothing_goes_it_rests() {
        let mut balloon = Balloon::new(100, 0);
        balloon.ask(0);
        balloon.gave(10);
        balloon.gave(0);
        assert_eq!((balloon.step(9), balloon.given()), (Step::Rest, 10));
        balloon.ask(u64::MAX);
        assert_eq!(balloon.step(9), Step::Take(9));
        balloon.took(3);
        balloon.took(0);
        assert_eq!((balloon.step(9), balloon.given()), (Step::Rest, 7));
    }

    #[test]
    fn one_that_needs_all_keeps_all() {
        let mut balloon = Balloon::new(2048, 5000);
        assert!(balloon.ask(4096).is_some());
        assert_eq!(balloon.step(256), Step::Rest);
    }
}
