//! Conversations: packets that a peer sends to a host, and what the host must answer, in files that read as a trace.
//!
//! ```text
//! rule: an acknowledgment to a listening port is reset, with its number
//! source: RFC 9293 section 3.10.7.2
//! linux: same
//!
//!         peer  .  1 ack 99
//!         host  R  99
//! ```
//!
//! A file has one rule. Its head says the rule, where the rule is from, what Linux does with it (`same`, `differs, WHY`,
//! `not applicable, WHY`), and which changes of the stack it must notice (`mutant: NAME`, see `mutants.txt`, or
//! `mutant: none, WHY`); `mtu: N` sets the link's, `sysctl: KEY=VALUE` is for Linux. Then each line is something that the
//! peer sends, that the host must send (and nothing else before it), or that the service does. In front may stand when it
//! happens, counted from the line before: `40ms`, or `200..260ms` for what the host sends. `ours|` and `linux|` in front of
//! all mark what only one of the two does. The peer's clock, for its timestamps, goes by the earliest of these times.
//!
//! Each script is played once with Linux, too, however busy the machine is: so what the peer says has to leave the host's
//! timers room for 100 ms and more, be it by a longer round trip in the handshake.
//!
//! - `peer FLAGS SEQ[:END] [ack N] [win N] [urg N] [<OPTIONS>] [{MARKS}]`, and the same with `host`. FLAGS are `SFRPUEW` and
//!   `.` for ACK, `-` for none. Numbers are relative to the initial ones; data is `SEQ:END`, and both players know
//!   which bytes stand there. What the peer says after timestamps were agreed has them by itself, unless it has options
//!   (`<>` for none). What is not written on a `host` line is not compared, but for its flags and its data.
//! - `peer icmp …`, `udp FROM>TO BYTES`, `arp request|reply SENDER TARGET`, `protocol N BYTES`, `raw HEX`.
//! - `host nothing`, `host nothing for 200ms`.
//! - `open [win N] [<OPTIONS>]` is the handshake.
//! - `app accepts`, `sends N`, `reads N`, `closes` (its half), `resets`, `holds` (reads no more), `resumes`; and what must
//!   have become of the connection: `ended` (the peer's FIN has come), `gone`, `lives`.
//! - `port N` turns to another connection, `renew` forgets the numbers of this one, `isn N` is where the peer's begin.

mod expect;
mod frame;
mod inject;
mod parse;
mod play;
mod script;

pub use parse::parse;
pub use play::{Host, Moment, play, play_as};
pub use script::{Action, Line, Linux, Script, Side};

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// The host's address, in a network of 24 bits.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The peer's address.
pub const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 20);
/// The router to everywhere: the peer's station, too.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The port of the service.
pub const PORT: u16 = 80;
/// The host's station.
pub const HOST_STATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x10];
/// The peer's station.
pub const PEER_STATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x20];

/// The byte of the host's stream at a relative sequence number.
pub fn host_byte(at: u32) -> u8 {
    (at.wrapping_mul(0x9e37_79b1) >> 23) as u8
}

/// The byte of the peer's stream at a relative sequence number.
pub fn peer_byte(at: u32) -> u8 {
    (at.wrapping_mul(0x85eb_ca6b) >> 21) as u8
}

/// All scripts below a folder, by name. Panics where a file cannot be read or understood.
pub fn load(folder: &Path) -> Vec<Script> {
    let mut scripts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "trace") {
                let text =
                    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let name = path.strip_prefix(folder).expect("below").with_extension("");
                match parse(&name.to_string_lossy(), &text) {
                    Ok(script) => scripts.push(script),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}
