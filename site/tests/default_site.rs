//! The default site, walked as a reader would: from its first page along every link.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a failure is the test's failure")]

mod peer;

use site::{Config, Server, Site};
use site_pack::{Stamp, pack};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn server() -> Server {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("content");
    let tar = pack(&folder, Stamp::Epoch(0)).unwrap();
    Server::new(Site::open(tar.leak()).unwrap(), Config::default(), peer::CLOCK)
}

/// The values of an attribute, wherever it stands.
fn values<'a>(text: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    text.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_link_leads_to_a_page_and_every_page_is_linked() {
    let mut server = server();
    let mut seen = BTreeMap::new();
    let mut fragments = BTreeSet::new();
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        if seen.contains_key(&path) {
            continue;
        }
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (answer, _) = peer::exchange(&mut server, request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        if path.ends_with('/') || path.ends_with(".xml") {
            for link in ["href", "src"].iter().flat_map(|attribute| values(body, attribute)) {
                let (to, fragment) = link.split_once('#').unwrap_or((link, ""));
                let to = if to.is_empty() { &path } else { to };
                if to.starts_with("https://") {
                    continue;
                }
                assert!(to.starts_with('/'), "{path} links to {link}");
                ahead.push(to.to_owned());
                if !fragment.is_empty() {
                    fragments.insert((to.to_owned(), fragment.to_owned()));
                }
            }
        }
        seen.insert(path, body.to_owned());
    }
    for (path, fragment) in fragments {
        assert!(values(seen.get(&path).unwrap(), "id").contains(&fragment.as_str()), "{path}#{fragment}");
    }
    // Nothing links to what is asked for by its name.
    let unlinked = ["404.html", "robots.txt"];
    assert_eq!(seen.len() + unlinked.len(), server.site().pages());
}

#[test]
fn no_page_runs_a_script_or_asks_another_host_for_anything() {
    let mut server = server();
    for path in [
        "/",
        "/boot/",
        "/request/",
        "/half-a-page/",
        "/tcp/",
        "/failures/",
        "/your-site/",
        "/words/",
        "/colophon/",
        "/404.html",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (answer, _) = peer::exchange(&mut server, request.as_bytes());
        assert!(!answer.contains("<script") && !answer.contains(" src=\"http"), "{path}");
    }
}
