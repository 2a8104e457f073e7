//! The log on its way to the console: bounded, in order, fit for any terminal.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use std::fmt::Write;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::SeqCst};
use xen::console::history::{History, Passed};
use xen::console::line::Line;
use xen::ring::{Consumer, Producer};

/// An output ring of 2,048 bytes, with both its ends.
struct Output {
    bytes: &'static [AtomicU8],
    produced: &'static AtomicU32,
    consumed: &'static AtomicU32,
}

impl Output {
    fn new(start: u32) -> Self {
        Self {
            bytes: Box::leak((0..2048).map(|_| AtomicU8::new(0)).collect()),
            produced: Box::leak(Box::new(AtomicU32::new(start))),
            consumed: Box::leak(Box::new(AtomicU32::new(start))),
        }
    }

    fn printer(&self) -> Producer<'static> {
        Producer::attach(self.bytes, self.produced, self.consumed)
    }

    /// What the daemon reads at once.
    fn read(&self, most: usize) -> Vec<u8> {
        let mut into = vec![0; most];
        let read = Consumer::attach(self.bytes, self.produced, self.consumed).read(&mut into).unwrap();
        into.truncate(read);
        into
    }
}

fn write(history: &History, text: &str) {
    text.bytes().for_each(|byte| history.push(byte));
}

#[test]
fn what_is_written_comes_out_in_order() {
    for start in [0, 77, u32::MAX - 100] {
        let (history, output) = (History::new(), Output::new(start));
        let (mut meant, mut seen) = (Vec::new(), Vec::new());
        for number in 0..2000 {
            let line = format!("line {number}\n");
            write(&history, &line);
            meant.extend(line.bytes());
            let passed = history.pass(&mut output.printer());
            assert_eq!((passed.lost, passed.left), (0, false));
            seen.extend(output.read(300));
        }
        assert_eq!(seen, meant);
        assert_eq!(history.pass(&mut output.printer()), Passed::default());
    }
}

/// A daemon that does not read: 8,192 bytes wait, the oldest of them are lost, and what is lost is counted.
#[test]
fn what_waits_is_bounded_and_the_oldest_is_lost() {
    let (history, output) = (History::new(), Output::new(0));
    let text: String = (0..5000).map(|number| format!("{number:04}")).collect();
    write(&history, &text[..4096]);
    assert_eq!(history.pass(&mut output.printer()), Passed { any: true, left: true, lost: 0 });
    assert!(history.has_room());
    write(&history, &text[4096..6145]);
    assert!(!history.has_room(), "4,097 bytes wait");
    write(&history, &text[6145..]);
    assert_eq!(
        history.pass(&mut output.printer()),
        Passed { any: false, left: true, lost: 20_000 - 2048 - 8192 }
    );
    let mut seen = Vec::new();
    loop {
        let read = output.read(100);
        if read.is_empty() {
            break;
        }
        seen.extend(read);
        assert_eq!(history.pass(&mut output.printer()).lost, 0, "counted once");
    }
    assert_eq!(seen[..2048], text.as_bytes()[..2048]);
    assert_eq!(seen[2048..], text.as_bytes()[20_000 - 8192..]);
}

/// MSA03's kin: whatever the daemon says of its index, nothing is said twice, and nothing goes but what was written.
#[test]
fn a_daemon_whose_index_is_a_lie_gets_nothing() {
    let (history, output) = (History::new(), Output::new(10));
    write(&history, "once");
    for lie in [11, 10 + 2049, 10_u32.wrapping_sub(2049), 0x8000_0000] {
        output.consumed.store(lie, SeqCst);
        assert_eq!(history.pass(&mut output.printer()), Passed { any: false, left: true, lost: 0 }, "{lie}");
    }
    output.consumed.store(10, SeqCst);
    assert_eq!(history.pass(&mut output.printer()), Passed { any: true, left: false, lost: 0 });
    assert_eq!(output.read(100), b"once");
}

#[test]
fn a_line_is_cut_and_made_fit_for_a_terminal() {
    let (history, output) = (History::new(), Output::new(0));
    let mut line = Line::new(&history, 12);
    write!(line, "a\x1b[2J\u{9b}é\tb and more that is cut").unwrap();
    line.end();
    history.pass(&mut output.printer());
    assert_eq!(output.read(100), b"a?[2J?????b \r\n");
}

#[test]
fn the_last_lines_are_the_last() {
    let history = History::new();
    for number in 0..3000 {
        write(&history, &format!("line {number}\r\n"));
    }
    let end = history.end();
    write(&history, "the report itself\r\n");
    for most in [0, 1, 3] {
        let mut shown = Vec::new();
        history.last_lines(end, most, |line| shown.push(line.to_owned()));
        let last: Vec<_> = (3000 - most..3000).map(|number| format!("line {number}")).collect();
        assert_eq!(shown, last);
    }
    // More than there are: what is left of the oldest begins in its midst.
    let mut shown = Vec::new();
    history.last_lines(end, 10_000, |line| shown.push(line.to_owned()));
    assert_eq!(shown.last().unwrap(), "line 2999");
    assert!(shown.len() > 700 && shown.iter().skip(1).all(|line| line.starts_with("line ")));
}
