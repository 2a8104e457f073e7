//! What TCP takes from the heap: nothing for a request and its response, and little for a connection that waits.

#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use netstack::device::Slice;
use netstack::egress::{Ecn, Egress, Path, SendError};
use netstack::service::Inline;
use netstack::tcp::{Limits, Tcp};
use netstack::wire::tcp::{Flags, Header, Options, Timestamps};
use netstack::{Chunk, Instant, Service, Stream};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting for each thread, in blocks of the kernel's heap (`kernel/src/memory/heap.rs`).
struct Counting;

/// The sizes of its blocks; what is longer takes what it asks for. A free block stays one of its size.
const BLOCKS: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

fn class(layout: Layout) -> Option<usize> {
    BLOCKS.iter().position(|size| *size >= layout.size())
}

fn block(layout: Layout) -> usize {
    class(layout).map_or(layout.size(), |class| BLOCKS[class])
}

/// Takes note of `count` blocks more, which may be less than none, and of what the heap has come to.
fn note(layout: Layout, count: isize) {
    let size = block(layout);
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add_signed(count * size as isize)));
    let grown = match class(layout) {
        None => count * size as isize,
        Some(class) => {
            let mut free = FREE.get();
            free[class] -= count;
            let carved = (-free[class]).max(0);
            free[class] = free[class].max(0);
            FREE.set(free);
            carved * size as isize
        }
    };
    TAKEN.set(TAKEN.get().wrapping_add_signed(grown));
    MOST.set(MOST.get().max(TAKEN.get()));
}

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
    /// Free blocks of each size.
    static FREE: Cell<[isize; 14]> = const { Cell::new([0; 14]) };
    /// What the heap has taken from the memory: blocks of each size, used or free, and all that is longer.
    static TAKEN: Cell<usize> = const { Cell::new(1 << 40) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// The most that the heap came to while `act` ran, above what there was before.
fn most(act: impl FnOnce()) -> usize {
    FREE.set([0; 14]);
    let before = TAKEN.get();
    MOST.set(before);
    act();
    MOST.get() - before
}

// SAFETY: everything is the system allocator's; the counters are plain cells without destructors, and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        note(layout, 1);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout, -1);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
static PAGE: [u8; 100_000] = [b'x'; 100_000];

/// Answers everything with a head in pieces and a page, and MUCH with as much as may be queued.
struct Pages;

impl Service for Pages {
    /// As much as a server of pages keeps.
    type Connection = [u64; 8];

    fn listens(&self, _port: u16) -> bool {
        true
    }

    fn accept(&mut self, _: SocketAddr, _: SocketAddr, stream: &mut dyn Stream) -> [u64; 8] {
        stream.set_deadline(Some(stream.now()));
        stream.set_deadline(None);
        [0; 8]
    }

    fn receive(&mut self, _: &mut [u64; 8], bytes: &[u8], end: bool, stream: &mut dyn Stream) -> usize {
        if end {
            stream.close();
            return bytes.len();
        }
        if bytes.starts_with(b"MUCH") {
            while stream.send(Chunk::Inline(Inline::new(&[b'y'; 30]).unwrap())).is_ok() {}
            return bytes.len();
        }
        // A head that never ends.
        if bytes.starts_with(b"_") {
            return 0;
        }
        if stream.room() < 4 {
            return bytes.len();
        }
        stream.send(Chunk::Static(b"HTTP/1.1 200 OK\r\nDate: ")).unwrap();
        stream.send(Chunk::Inline(Inline::new(b"Sun, 22 Nov 2026 06:26:40 GMT").unwrap())).unwrap();
        stream.send(Chunk::Static(b"\r\nContent-Length: 5000\r\n\r\n")).unwrap();
        stream.send(Chunk::Static(&PAGE[..5_000])).unwrap();
        bytes.len()
    }

    fn acknowledged(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn deadline(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn stopping(&mut self, _: &mut [u64; 8], _: &mut dyn Stream) {}
    fn closed(&mut self, _: [u64; 8]) {}
}

/// Keeps the last header, and counts bytes: of those that live for ever, and of those that a device would copy.
#[derive(Default)]
struct Sink {
    sequence: u32,
    by_reference: usize,
    copied: usize,
    headers: usize,
}

impl Egress for Sink {
    fn path(&self, _: IpAddr) -> Path {
        Path { mtu: 1_500, gso: Some(65_535) }
    }

    fn fit(&self, payload: &[Slice<'_>]) -> usize {
        payload.iter().map(|slice| slice.bytes().len()).sum()
    }

    fn send(
        &mut self,
        _: IpAddr,
        _: IpAddr,
        header: &mut [u8],
        payload: &[Slice<'_>],
        _: Option<u16>,
        _: Ecn,
    ) -> Result<(), SendError> {
        self.sequence = u32::from_be_bytes(header[4..8].try_into().unwrap());
        self.headers += 1;
        for slice in payload {
            match slice {
                Slice::Static(bytes) => self.by_reference += bytes.len(),
                other => self.copied += other.bytes().len(),
            }
        }
        Ok(())
    }

    fn packet_too_big(&mut self, _: IpAddr, _: u16) {}
}

struct Bench {
    tcp: Tcp<Pages>,
    sink: Sink,
    now: Instant,
    packet: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        Self { tcp: Tcp::new([9; 32]), sink: Sink::default(), now, packet: Vec::with_capacity(200) }
    }

    fn give(&mut self, remote: u32, flags: Flags, sequence: u32, ack: u32, payload: &[u8]) {
        self.now = Instant::from_micros(self.now.micros() + 10);
        let header = Header {
            source: 40_000,
            destination: 80,
            sequence,
            acknowledgment: ack,
            flags,
            window: 65_535,
            urgent: 0,
        };
        let options = Options {
            timestamps: Some(Timestamps { value: (self.now.micros() / 1_000) as u32, echo: 0 }),
            sack_permitted: flags.has(Flags::SYN),
            ..Options::default()
        };
        self.packet.clear();
        self.packet.extend_from_slice(header.emit(&options).bytes());
        self.packet.extend_from_slice(payload);
        let remote = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + remote));
        self.tcp.receive(LOCAL, remote, Ecn::NotCapable, &self.packet, self.now, &mut Pages, &mut self.sink);
    }

    /// What is left of a crowd goes by its time-outs.
    fn rest(&mut self) {
        self.now = Instant::from_micros(self.now.micros() + 20_000_000);
        self.tcp.reset(self.now, &mut Pages, &mut self.sink);
        assert_eq!(self.tcp.lengths().1, 0);
    }

    fn counter(&self, name: &str) -> u64 {
        self.tcp.counters().iter().find(|(other, _)| *other == name).unwrap().1
    }

    /// A handshake; the next numbers to send and to acknowledge.
    fn open(&mut self, remote: u32) -> (u32, u32) {
        self.give(remote, Flags::SYN, 100, 0, &[]);
        let expected = self.sink.sequence.wrapping_add(1);
        self.give(remote, Flags::ACK, 101, expected, &[]);
        (101, expected)
    }

    fn request(&mut self, remote: u32, (next, expected): (u32, u32)) -> (u32, u32) {
        let before = self.sink.by_reference + self.sink.copied;
        self.give(remote, Flags::PSH.with(Flags::ACK), next, expected, b"GET / HTTP/1.1\r\n\r\n");
        let sent = self.sink.by_reference + self.sink.copied - before;
        let numbers = (next + 18, expected.wrapping_add(sent as u32));
        self.give(remote, Flags::ACK, numbers.0, numbers.1, &[]);
        numbers
    }
}

#[test]
fn a_request_and_its_response_allocate_nothing() {
    let mut bench = Bench::new();
    let mut numbers = bench.open(1);
    for _ in 0..100 {
        numbers = bench.request(1, numbers);
    }
    let (allocations, headers) = (ALLOCATIONS.get(), bench.sink.headers);
    (bench.sink.copied, bench.sink.by_reference) = (0, 0);
    for _ in 0..1_000 {
        numbers = bench.request(1, numbers);
    }
    assert_eq!(ALLOCATIONS.get(), allocations);
    // One packet each, whose acknowledgment of the request rides along; of it the date alone is not by reference.
    assert_eq!(bench.sink.headers - headers, 1_000);
    assert_eq!(bench.sink.copied, 29 * 1_000);
    assert_eq!(bench.sink.by_reference, (23 + 26 + 5_000) * 1_000);
}

#[test]
fn an_idle_connection_takes_less_than_512_bytes() {
    let mut bench = Bench::new();
    let serve = |bench: &mut Bench, remotes: core::ops::Range<u32>| {
        for remote in remotes {
            let numbers = bench.open(remote);
            bench.request(remote, numbers);
        }
        BYTES.get()
    };
    let ten = serve(&mut bench, 0..10_000);
    let twenty = serve(&mut bench, 10_000..20_000);
    let each = twenty.wrapping_sub(ten) / 10_000;
    assert_eq!(bench.tcp.lengths(), (0, 20_000, 0));
    println!("{each} bytes each, 64 of them the service's");
    assert!(each < 512, "{each} bytes");
    let hundred = serve(&mut bench, 20_000..100_000);
    assert_eq!(bench.tcp.lengths(), (0, 100_000, 0));
    println!("{hundred} bytes for 100,000 connections");
    assert!(hundred < 64 << 20, "{hundred} bytes");
}

/// Peers that ask for more than they take, leave holes, or only open, as fast as they can, against limits for `memory` bytes.
fn besiege(memory: usize, peers: u32) -> Bench {
    let mut bench = Bench::new();
    bench.tcp = Tcp::with_limits([9; 32], Limits::for_memory(memory));
    for remote in 1_000_000..1_002_000 {
        bench.give(remote, Flags::SYN, 100, 0, &[]);
    }
    // Nothing of what is sent is ever acknowledged, and a hole stays in front of what comes.
    for remote in 0..peers {
        let (next, expected) = bench.open(remote);
        if remote % 3 == 0 {
            continue;
        }
        bench.give(remote, Flags::PSH.with(Flags::ACK), next, expected, b"MUCH");
        for range in 0..20 {
            bench.give(remote, Flags::ACK, next + 104 + 10 * range, expected, b"z");
        }
        bench.now = Instant::from_micros(bench.now.micros() + 10_000);
    }
    bench
}

#[test]
fn limits_for_memory_hold_within_that_memory() {
    for (memory, peers, held) in
        [(1 << 20, 4_000, 1_000), (4 << 20, 12_000, 4_000), (16 << 20, 36_000, 12_000)]
    {
        let taken = most(|| {
            let bench = besiege(memory, peers);
            assert!(bench.tcp.lengths().1 >= held, "{:?}", bench.tcp.lengths());
        });
        println!("{taken} bytes of {memory} at most");
        assert!(taken < memory, "{taken} bytes of {memory}");
    }
}

/// A free block serves blocks of its size alone: peers that fill one size after the other with all that the budgets give do
/// not bring the heap to its end.
#[test]
fn one_size_after_the_other_stays_within_the_memory() {
    for mebibytes in [8, 64] {
        let limits = Limits::for_guest(free(mebibytes));
        let taken = most(|| {
            let mut bench = Bench::new();
            bench.tcp = Tcp::with_limits([9; 32], limits);
            let mut remote = limits.connections as u32;
            for remote in 0..remote {
                bench.open(remote);
            }
            bench.rest();
            // Requests that never end, of ever more bytes; each crowd resets its connections.
            for length in [100, 600, 1_200, 3_000, 9_000, 40_000] {
                let crowd = limits.receive_all / (length + 400) + 10;
                let all: Vec<_> = (0..crowd.min(limits.connections - 10) as u32)
                    .map(|_| {
                        remote += 1;
                        let (next, expected) = bench.open(remote);
                        for piece in 0..length.div_ceil(1_000) as u32 {
                            let bytes = [b'_'; 1_000];
                            let bytes = &bytes[..length.min(1_000)];
                            bench.give(remote, Flags::ACK, next + piece * 1_000, expected, bytes);
                        }
                        (remote, next)
                    })
                    .collect();
                for (remote, next) in all {
                    bench.give(remote, Flags::RST, next + length.div_ceil(1_000) as u32 * 1_000, 0, &[]);
                }
                bench.rest();
            }
            // Responses that nobody takes: short queues, then long ones, then long flights.
            for (text, times) in [(&b"GET"[..], 1), (b"GET", 3), (b"MUCH", 1), (b"GET", 30)] {
                let crowd = (limits.sending / 900).min(limits.connections - 10) as u32;
                let first = remote + 1;
                for _ in 0..crowd {
                    remote += 1;
                    let (next, expected) = bench.open(remote);
                    for time in 0..times {
                        let next = next + time * text.len() as u32;
                        bench.give(remote, Flags::PSH.with(Flags::ACK), next, expected, text);
                    }
                }
                for remote in first..=remote {
                    for next in 0..=times {
                        bench.give(remote, Flags::RST, 101 + next * text.len() as u32, 0, &[]);
                    }
                }
                bench.rest();
            }
        });
        println!("{taken} of {} bytes at {mebibytes} MiB", free(mebibytes));
        assert!(taken < free(mebibytes) / 8 * 7, "{taken} of {} bytes", free(mebibytes));
    }
}

/// What a guest has when its stack opens: its memory less image, page tables, rings.
fn free(mebibytes: usize) -> usize {
    (mebibytes << 20) - (3 << 20)
}

/// memory=128: 100,000 connections are open, each has been served; and beside them half-open ones, and ones that have ended.
#[test]
fn a_hundred_thousand_connections_fit_128_mebibytes() {
    let limits = Limits::for_guest(free(128));
    let taken = most(|| {
        let mut bench = Bench::new();
        bench.tcp = Tcp::with_limits([9; 32], limits);
        for remote in 0..100_000 {
            let numbers = bench.open(remote);
            bench.request(remote, numbers);
        }
        for remote in 1_000_000..1_002_000 {
            bench.give(remote, Flags::SYN, 100, 0, &[]);
        }
        assert_eq!(bench.tcp.lengths(), (1_024, 100_000, 0));
        assert_eq!(bench.counter("tcp_idle_evicted"), 0);
    });
    println!("{taken} bytes for 100,000 connections and 1,024 half-open ones");
    // All that may come beside them.
    let budgets = limits.sending + limits.receive_all + limits.time_wait * 192;
    println!("{} of {} bytes at most", taken + budgets, free(128));
    assert!(taken + budgets < free(128) / 8 * 7);
}

/// memory=64 has room for 10,000, and memory=8 for 2,000.
#[test]
fn smaller_guests_hold_thousands() {
    assert!(Limits::for_guest(free(64)).connections >= 10_000);
    assert!(Limits::for_guest(free(8)).connections >= 2_000);
}

/// Of 70,000 connections one after the other, half closed by the peer and half reset, nothing is left.
#[test]
fn seventy_thousand_connections_leave_no_byte_behind() {
    let mut bench = Bench::new();
    let mut serve = |count: u32| {
        for number in 0..count {
            let remote = number % 1_000;
            let (next, expected) = bench.open(remote);
            let (next, expected) = bench.request(remote, (next, expected));
            let end = if number % 2 == 0 { Flags::RST } else { Flags::FIN.with(Flags::ACK) };
            bench.give(remote, end, next, expected, &[]);
            if number % 2 == 1 {
                bench.give(remote, Flags::ACK, next + 1, expected.wrapping_add(1), &[]);
            }
        }
        assert_eq!(bench.tcp.lengths(), (0, 0, 0));
        BYTES.get()
    };
    let before = serve(1_000);
    assert_eq!(serve(70_000), before);
}
