//! Random conversations over bad links: whatever happens on the way, both sides read what the other wrote, and nothing is
//! left behind. The seed of each is printed; `TCP_SEED=n` runs that one alone, `TCP_SEEDS=n` so
//! many, `TCP_TRACE=1` prints every packet.

use crate::client::{Client, Manner, State};
use crate::network::{Link, Narrow, Network, Struck};
use crate::server::Request;
use netstack::Duration;
use netstack::random::Random;
use netstack::tcp::Limits;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len() as u64) as usize]
}

fn link(random: &mut Random) -> Link {
    Link {
        loss: pick(random, &[0, 0, 10, 50, 100, 200]),
        repeat: pick(random, &[0, 0, 20, 100]),
        damage: pick(random, &[0, 0, 20]),
        reorder: pick(random, &[0, 0, 100, 500]),
        jitter: millis(pick(random, &[1, 10, 100])),
        delay: Duration::from_micros(pick(random, &[20, 500, 5_000, 50_000, 250_000])),
        room: pick(random, &[usize::MAX, usize::MAX, 1, 3, 40]),
        burst: pick(random, &[(0, 0), (0, 0), (5, 3), (2, 20)]),
        outages: pick(random, &[None, None, Some(millis(4_300)), Some(millis(17_000))]),
        narrow: None,
    }
}

/// A path that is narrower than the server's link, now and then.
fn narrow(random: &mut Random) -> Option<Narrow> {
    let mtus = pick(random, &[[1_500, 1_300, 600], [1_400, 576, 1_500], [300, 1_500, 700]]);
    let span = millis(pick(random, &[300, 5_000]));
    pick(random, &[None, None, Some(Narrow { mtus, span, reports: true })])
}

fn manner(random: &mut Random) -> Manner {
    let nap = pick(random, &[0, 0, 0, 1, 50]);
    let buffer = pick(random, &[1 << 20, 1 << 20, 65_535, 20_000, 3_000, 700]);
    // A shift that leaves something of the buffer to tell.
    let coarsest = if buffer > 1 << 19 { 14 } else { 4 };
    Manner {
        mss: pick(random, &[1_460, 1_460, 536, 100, 8_960]),
        window_scale: pick(random, &[Some(7.min(coarsest)), Some(0), None, Some(coarsest)]),
        timestamps: pick(random, &[true, true, false]),
        sack: pick(random, &[true, true, false]),
        buffer,
        bite: if nap == 0 { usize::MAX } else { pick(random, &[usize::MAX, 1_000, 20_000]) },
        nap: millis(nap),
        delays: pick(random, &[true, false]),
    }
}

fn requests(random: &mut Random, slow: bool) -> Vec<Request> {
    let count = 1 + random.below(5);
    let longest = if slow { 30_000 } else { pick(random, &[500, 30_000, 300_000]) };
    let mut requests: Vec<_> = (0..count)
        .map(|_| {
            let longest_body = pick(random, &[1, 100, 20_000]);
            Request {
                start: random.below(1_000_000) as u32,
                length: random.below(longest) as u32,
                body: random.below(longest_body) as u32,
                close: false,
            }
        })
        .collect();
    if random.below(2) == 0 {
        requests.last_mut().unwrap().close = true;
    }
    requests
}

fn converse(seed: u64) -> Struck {
    println!("seed {seed}");
    let mut random = Random::new(&[seed as u8; 32]);
    random.reseed(&core::array::from_fn(|at| (seed >> (at % 8 * 8)) as u8));
    // On links that lose one packet in five, a hundred seconds of bad luck happen.
    let span = Duration::from_secs(1_000);
    let limits = Limits { unanswered_span: span, fin_wait_span: span, ..Limits::default() };
    let mut network = Network::new(seed, link(&mut random), limits);
    network.nic.gso = pick(&mut random, &[None, None, Some(65_000), Some(9_000)]);
    network.nic.mtu = pick(&mut random, &[1_500, 1_500, 9_000, 576, 300, 150]);
    network.link.narrow = narrow(&mut random);
    network.nic.fit = pick(&mut random, &[usize::MAX, usize::MAX, 4_000, 100]);
    network.server.backlog = pick(&mut random, &[None, None, Some(0), Some(5_000)]);
    let mut expected = Vec::new();
    for number in 0..1 + random.below(3) {
        let manner = manner(&mut random);
        let mut client = Client::new(40_000 + number as u16, random.half(), manner);
        let slow = manner.buffer < 10_000 || manner.mss < 500 || manner.nap != Duration::ZERO;
        let requests = requests(&mut random, slow || network.link.loss > 50 || network.nic.fit < 1_000);
        client.say = requests.iter().flat_map(Request::bytes).collect();
        // Half of them close at once, the others when they have heard everything; either side may be first.
        client.close = random.below(2) == 0;
        expected.push(requests.iter().flat_map(|request| request.response()).copied().collect::<Vec<u8>>());
        client.open(network.now);
        network.clients.push(client);
    }
    println!("{:?}", network.link);
    network.run(Duration::from_secs(7_200), |network| {
        network.clients.iter().zip(&expected).all(|(client, expected)| client.heard.len() >= expected.len())
    });
    for (client, expected) in network.clients.iter_mut().zip(&expected) {
        assert!(client.heard == *expected, "what was heard is not what was said");
        client.close = true;
        client.send(network.now);
    }
    // A server that has closed hears no more than its FIN-WAIT-2 allows, so a client may find itself reset.
    network.run(Duration::from_secs(7_200), |network| {
        network.tcp.is_empty()
            && network
                .clients
                .iter()
                .all(|client| client.state == State::Reset || (client.at_end() && client.is_heard()))
    });
    for (client, expected) in network.clients.iter().zip(&expected) {
        assert!(client.heard == *expected, "something was heard after the end");
    }
    assert_eq!(network.server.accepted, network.server.closed);
    let time_wait = network.tcp.lengths().2;
    assert!(time_wait <= network.clients.len());
    if time_wait > 0 {
        network.run(Duration::from_secs(7_200), |network| network.tcp.lengths() == (0, 0, 0));
    }
    network.struck
}

#[test]
fn whatever_happens_on_the_way() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    if let Some(seed) = number("TCP_SEED") {
        converse(seed);
        return;
    }
    let all: Vec<Struck> = (0..number("TCP_SEEDS").unwrap_or(300)).map(converse).collect();
    // Each of them has been there, often, and in many conversations.
    let of = |fault: Count| all.iter().map(fault).filter(|count| *count > 0).count() * 20 > all.len();
    assert!(of(|struck| struck.lost), "loss");
    assert!(of(|struck| struck.in_bursts), "bursts");
    assert!(of(|struck| struck.in_outages), "outages");
    assert!(of(|struck| struck.repeated), "duplication");
    assert!(of(|struck| struck.damaged), "corruption");
    assert!(of(|struck| struck.reordered), "reordering");
    assert!(of(|struck| struck.too_big), "narrow paths");
}

/// One client asks for the 4 MiB, over a link of 50 ms each way.
fn download(link: Link) -> Network {
    let mut network = Network::new(1, link, Limits::default());
    let mut client = Client::new(40_000, 5, Manner { buffer: 8 << 20, ..Manner::default() });
    let request = Request { start: 0, length: 4 << 20, body: 0, close: true };
    client.say = request.bytes();
    client.open(network.now);
    network.clients.push(client);
    network.run(Duration::from_secs(60), |network| network.clients[0].heard.len() == 4 << 20);
    assert!(network.clients[0].heard == request.response());
    network
}

/// How often a fault has struck.
type Count = fn(&Struck) -> usize;

/// One fault at a time, on a round trip of 1 and of 500 ms.
#[test]
fn each_fault_alone() {
    let clean = |delay| Link::clean(Duration::from_micros(delay));
    let narrow = |mtus, reports| Some(Narrow { mtus, span: millis(2_000), reports });
    for delay in [500, 250_000] {
        let faults: [(Link, Count); 9] = [
            (Link { loss: 10, ..clean(delay) }, |struck| struck.lost),
            (Link { loss: 200, ..clean(delay) }, |struck| struck.lost),
            (Link { reorder: 300, jitter: millis(30), ..clean(delay) }, |struck| struck.reordered),
            (Link { repeat: 300, ..clean(delay) }, |struck| struck.repeated),
            (Link { damage: 50, ..clean(delay) }, |struck| struck.damaged),
            (Link { burst: (3, 30), ..clean(delay) }, |struck| struck.in_bursts),
            (Link { outages: Some(millis(3_700)), ..clean(delay) }, |struck| struck.in_outages),
            (Link { narrow: narrow([1_400, 600, 300], true), ..clean(delay) }, |struck| struck.too_big),
            // Routers that say nothing: a black hole (RFC 2923 section 2.1).
            (Link { narrow: narrow([1_400, 576, 1_000], false), ..clean(delay) }, |struck| struck.too_big),
        ];
        for (link, fault) in faults {
            println!("{link:?}");
            let limits = Limits { unanswered_span: Duration::from_secs(1_000), ..Limits::default() };
            let mut network = Network::new(7, link, limits);
            // It reads slowly, so that each fault has its time.
            let manner = Manner { buffer: 30_000, bite: 10_000, nap: millis(50), ..Manner::default() };
            let mut client = Client::new(40_000, 5, manner);
            let request = Request { start: 0, length: 900_000, body: 20_000, close: true };
            client.say = request.bytes();
            client.open(network.now);
            network.clients.push(client);
            network.run(Duration::from_secs(3_600), |network| network.clients[0].heard.len() == 900_000);
            assert!(network.clients[0].heard == request.response());
            assert!(fault(&network.struck) > 0, "{:?}", network.struck);
        }
    }
}

fn counter(network: &Network, name: &str) -> u64 {
    network.tcp.counters().iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn a_clean_link_carries_each_byte_once_and_opens_up() {
    let network = download(Link::clean(millis(50)));
    for name in ["tcp_retransmitted", "tcp_timeout", "tcp_fast_recovery", "tcp_window_probe"] {
        assert_eq!(counter(&network, name), 0, "{name}");
    }
    // Ten segments in the first of its round trips, twice as many in each one after: nine of them, and the handshake.
    assert!(network.now.micros() / 1_000 < 1_000 + 12 * 100, "{:?}", network.now);
}

#[test]
fn losses_are_repaired_without_the_timer() {
    let network = download(Link { loss: 10, ..Link::clean(millis(50)) });
    let (lost, again) = (network.sent as u64 / 100, counter(&network, "tcp_retransmitted"));
    // One packet in a hundred each way: what is lost is sent again, and little else.
    assert!(again < lost * 2, "{again} sent again for some {lost} lost: {}", network.describe());
    assert!(counter(&network, "tcp_timeout") <= 2, "{}", network.describe());
}
