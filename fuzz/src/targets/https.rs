//! The record layer through the whole server: anything at all before a handshake, and after one anything that a client with
//! the keys, or somebody without them, can send.

mod cheap;
mod client;
mod sealer;
mod world;

use crate::choices::Choices;
use crate::depth;
use client::Client;
use netstack::Duration;
use std::cell::RefCell;
use world::{KEPT, Manner, PAGES, REQUESTS, RUNS, World};

/// Content types (RFC 8446, section 5.1), and one that there is not.
const KINDS: [u8; 5] = [20, 21, 22, 23, 24];
/// Messages of a handshake (RFC 8446, section 4), and one that there is not.
const MESSAGES: [u8; 12] = [0, 1, 2, 4, 5, 8, 11, 13, 15, 16, 20, 24];
/// Extensions (RFC 8446, section 4.2): a server's name, fragments, groups, signatures, protocols, padding, extended master
/// secret, tickets, keys shared before, early data, versions, cookie, ways to share keys, shares; and one that there is not.
const EXTENSIONS: [u16; 15] = [0, 1, 10, 13, 16, 21, 23, 35, 41, 42, 43, 44, 45, 51, 0xfafa];

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// A connection: the input is what the two sides, and one between them, do in turn.
pub fn connection(input: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        let mut choices = Choices::new(input);
        let shakes = !choices.yes();
        let segment = usize::from(choices.byte()).max(1) * 16;
        let (manner, config) = world.begin(input, &mut choices);
        let World { server, pool, .. } = world;
        if manner == Manner::Resumed {
            let mut first = Client::new(server, config.clone(), 4_096);
            first.shake_hands();
            assert!(first.is_sound(), "an honest handshake: {}", first.state());
            first.finish();
        }
        let mut client = Client::new(server, config, segment);
        if shakes {
            client.shake_hands();
            assert!(client.is_sound(), "an honest handshake: {}", client.state());
            assert_eq!(client.is_resumed(), manner == Manner::Resumed);
            depth::reached();
        }
        // What was asked of an honest client's connection, and has to be answered in order.
        let mut asked = Vec::new();
        while !choices.is_empty() {
            step(&mut client, &mut choices, &mut asked);
            assert!(client.kept() <= KEPT + 48_000, "what is kept has no bound");
        }
        client.settle();
        if shakes && client.is_sound() {
            answered(client.text(), &asked);
        }
        // Whatever came, in the end it is over, and nothing is left of it.
        client.pass(Duration::from_secs(600));
        assert!(client.is_over(), "a connection that nobody ends");
        client.finish();
        assert_eq!((server.kept(), pool.free()), (0, (RUNS, PAGES)));
    });
}

/// Every request has its answer, in order and whole.
fn answered(text: &[u8], asked: &[&[u8]]) {
    let mut rest = text;
    for (number, end) in asked.iter().enumerate() {
        let answer = first(rest);
        let (body, later) =
            answer.unwrap_or_else(|| panic!("request {number} has no answer in {}", text.escape_ascii()));
        assert!(body.ends_with(end), "request {number} has another's answer");
        rest = later;
    }
    assert!(rest.is_empty(), "nobody asked for {}", rest.escape_ascii());
}

/// The body of the first response, and what follows.
fn first(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = (0..text.len()).find(|at| matches!(text[*at..], [b'\r', b'\n', b'\r', b'\n', ..]))? + 4;
    let fields = std::str::from_utf8(&text[..head]).ok()?;
    let length = fields.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    text[head..].split_at_checked(length.parse().ok()?)
}

fn step(client: &mut Client<'_>, choices: &mut Choices<'_>, asked: &mut Vec<&'static [u8]>) {
    match choices.byte() % 20 {
        0..3 => {
            let request = choices.of(&REQUESTS);
            if client.write(request.0) {
                asked.push(request.1);
            }
        }
        3 => {
            // What is no request, in a record that is one.
            let length = usize::from(choices.byte());
            client.write(choices.bytes(length));
            client.spoil();
        }
        4 => {
            let length = usize::from(choices.word() % 600);
            client.inject(choices.bytes(length));
        }
        5 => client.forge(choices.byte(), choices.word(), choices.byte()),
        6 => client.flip(choices.word(), choices.byte()),
        7 => client.replay(),
        8 => client.drop_some(choices.word()),
        9 => client.update_keys(),
        10 => client.close(),
        11 => client.pass(Duration::from_millis(u64::from(choices.byte()) * 20)),
        12 => client.push(),
        13 => client.acknowledge(usize::from(choices.word())),
        14 => client.end(),
        15 => {
            let (at, less) = (choices.word(), usize::from(choices.byte() % 40));
            let length = usize::from(choices.byte() % 40);
            client.edit(at, less, choices.bytes(length));
        }
        16 => {
            let kind = choices.of(&EXTENSIONS);
            let length = usize::from(choices.byte() % 80);
            client.extend(kind, choices.bytes(length));
        }
        17 => {
            // A record, or many alike.
            let (kind, many) = (choices.of(&KINDS), choices.yes());
            let (length, padding) = (usize::from(choices.byte() % 64), usize::from(choices.byte() % 32));
            let body = choices.bytes(length);
            client.seal(kind, &vec![body; if many { 40 } else { 1 }], padding);
        }
        18 => {
            // A long one.
            let (kind, length, byte) = (choices.of(&KINDS), choices.word() % 18_600, choices.byte());
            client.seal(kind, &[&vec![byte; length.into()]], 0);
        }
        _ => {
            // A message, whole or in several records.
            let (kind, pieces) = (choices.of(&MESSAGES), usize::from(choices.byte() % 4));
            let (claimed, length) = (choices.word(), usize::from(choices.byte() % 64));
            let body = choices.bytes(length);
            let [.., high, low] = if claimed > 0xff00 { body.len() } else { claimed.into() }.to_be_bytes();
            let message = [&[kind, 0, high, low], body].concat();
            let bodies: Vec<_> = message.chunks(message.len() / (pieces + 1) + 1).collect();
            client.seal(22, &bodies, 0);
        }
    }
}
