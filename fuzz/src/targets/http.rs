//! HTTP requests, and whole connections through the server.

mod client;
mod framing;
mod responses;

use crate::choices::Choices;
use client::Client;
use netstack::{Duration, Instant};
use site::http::head;
use site::http::request::{Method, Request};
use site::http::section::Choice;
use site::{Config, Server, Site, WallClock};
use site_pack::{Archive, Stamp};
use std::cell::RefCell;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A request's head: its end is found wherever the search begins again; what is read of it holds.
pub fn request(input: &[u8]) {
    let length = head::length(input, 0);
    let naive = (0..input.len()).find_map(|at| {
        [&b"\n\n"[..], b"\n\r\n"].iter().find(|end| input[at..].starts_with(end)).map(|end| at + end.len())
    });
    assert_eq!(length, naive);
    for searched in [1, 2, 3, 7, 60].into_iter().filter(|searched| *searched < length.unwrap_or(input.len()))
    {
        assert_eq!(head::length(input, searched), length);
    }
    let closed = [input, b"\r\n\r\n"].concat();
    for bytes in [&input[..length.unwrap_or(input.len())], &closed] {
        match Request::parse(bytes) {
            Ok((request, rest)) => {
                let head = &bytes[..bytes.len() - rest.len()];
                assert_eq!(head::length(head, 0), Some(head.len()), "two opinions on where the head ends");
                let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
                assert!(line.iter().all(|byte| (0x21..0x7f).contains(byte) || *byte == b' '), "{line:?}");
                assert!(line.iter().filter(|byte| **byte == b' ').count() == 2);
                assert!(request.method != Method::Get || line.starts_with(b"GET "));
                assert!(request.method != Method::Head || line.starts_with(b"HEAD "));
                assert!(request.target.query.is_empty() || request.target.query[0] == b'?');
                assert!(request.target.path.bytes().count() < head.len());
                let fields = request.section.fields();
                assert!(fields.into_iter().all(|field| field.is_ok()));
                let hosts = fields.values(b"host").count();
                assert!(hosts == 1 || (hosts == 0 && request.is_1_0));
                for (choice, name) in CHOICES {
                    assert!(fields.values(name).eq(request.section.values(choice)), "{choice:?}");
                }
                // As much of it as you like is no whole head.
                for length in [0, 1, head.len() / 2, head.len() - 2, head.len() - 1] {
                    assert!(Request::parse(&head[..length]).is_err());
                }
            }
            Err(rejection) => drop(format!("{rejection:?} {:?}", rejection.status())),
        }
    }
}

const CHOICES: [(Choice, &[u8]); 7] = [
    (Choice::AcceptEncoding, b"accept-encoding"),
    (Choice::IfMatch, b"if-match"),
    (Choice::IfModifiedSince, b"if-modified-since"),
    (Choice::IfNoneMatch, b"if-none-match"),
    (Choice::IfRange, b"if-range"),
    (Choice::IfUnmodifiedSince, b"if-unmodified-since"),
    (Choice::Range, b"range"),
];

thread_local! {
    /// Two servers of one site: pages are made once and stay.
    static SERVERS: RefCell<[Server; 2]> = RefCell::new([server(), server()]);
}

fn server() -> Server {
    let mut archive = Archive::new(Stamp::Epoch(784_111_777));
    let long: Vec<u8> = (0..70_000_u32).map(|at| (at % 251) as u8).collect();
    let files: [(&str, &[u8]); 8] = [
        ("index.html", b"<p>home"),
        ("about/index.html", b"<p>about"),
        ("a b%/index.html", b"<p>odd"),
        ("big.bin", &long),
        ("empty.css", b""),
        ("empty.css.gz", b"\x1f\x8b\x08 of nothing\0\0\0\0"),
        ("404.html", b"<p>none"),
        (".well-known/security.txt", b"Contact: nobody"),
    ];
    for (name, body) in files {
        archive.add(name, body, UNIX_EPOCH).expect("a member");
    }
    let tar = archive.finish(Path::new("fuzz")).expect("a tar").leak();
    let clock = WallClock { unix_micros: 784_111_777_000_000, at: Instant::ZERO };
    Server::new(Site::open(tar).expect("a site"), Config::default(), clock)
}

/// A connection: the first bytes say how it is cut, the rest is what the client sends.
///
/// Cut in any way, acknowledged at any time, the answer is the same as to all of it at once; it is a row of sound
/// responses; and the server asks no more of its stream than there is.
pub fn connection(input: &[u8]) {
    let mut choices = Choices::new(input);
    let plan = choices.array::<12>();
    let bytes = choices.rest();
    let mut plan = Choices::new(&plan);
    let ends = plan.yes();
    SERVERS.with_borrow_mut(|[one, other]| {
        let mut whole = Client::new(one);
        whole.send(bytes);
        whole.acknowledge();
        if ends {
            whole.end();
        }
        whole.acknowledge();

        let mut cut = Client::new(other);
        let mut rest = bytes;
        let mut turn = 0;
        while !rest.is_empty() {
            turn += 1;
            let most = match plan.byte() {
                0 if turn < 600 => 1,
                0 => rest.len(),
                length @ 1..=0xf0 => usize::from(length),
                length => usize::from(length) * 16,
            };
            let (now, later) = rest.split_at(most.min(rest.len()));
            rest = later;
            cut.send(now);
            match plan.byte() % 4 {
                0 => {}
                1 => cut.acknowledge_some(usize::from(plan.byte()) * 64),
                2 => cut.acknowledge(),
                _ => cut.pass(Duration::from_micros(u64::from(plan.byte()))),
            }
        }
        cut.acknowledge();
        if ends {
            cut.end();
        }
        cut.acknowledge();

        assert_eq!(whole.text(), cut.text());
        assert_eq!(whole.outcome(), cut.outcome());
        let answers = responses::check(whole.sent());
        assert!(answers <= framing::requests(bytes), "what is in a request was taken for one");
        // Whatever came, in the end it is over.
        cut.pass(Duration::from_secs(600));
        assert!(cut.is_over(), "a connection that nobody ends");
    });
}
