//! What a script says.

use std::net::Ipv4Addr;
use std::time::Duration;

/// One conversation: one rule.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file's path below the folder of scripts, without its extension.
    pub name: String,
    /// The rule in a sentence.
    pub rule: String,
    /// The RFC and its section.
    pub source: String,
    /// What Linux does with it.
    pub linux: Linux,
    /// Changes to the stack that the script must notice, by their names in `mutants.txt`.
    pub mutants: Vec<String>,
    /// `key=value` below /proc/sys, for Linux alone.
    pub sysctls: Vec<(String, String)>,
    /// Largest IP packet of the link, in bytes.
    pub mtu: u16,
    /// The conversation.
    pub lines: Vec<Line>,
}

impl Script {
    /// How long it takes at least.
    pub fn lasts(&self) -> Duration {
        let line = |line: &Line| match line.event {
            Event::Nothing(time) => time,
            _ => line.span.map_or(Duration::ZERO, |span| span.least),
        };
        self.lines.iter().map(line).sum()
    }

    /// Whether it has ARP packets: in all others the peer's station is known.
    pub fn is_about_arp(&self) -> bool {
        self.lines.iter().any(|line| match &line.event {
            Event::Peer(packet) | Event::Host(packet) => matches!(packet.body, Body::Arp { .. }),
            _ => false,
        })
    }
}

/// What Linux does with a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Linux {
    /// The same as the script says.
    Same,
    /// Something else, and why that is so.
    Differs(String),
    /// The script cannot be played with it, and why.
    NotApplicable(String),
}

/// Who is being tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// This project's stack.
    Ours,
    /// Linux.
    Linux,
}

/// One line of a conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number in the file.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// It is there for one side alone.
    pub only: Option<Side>,
    /// When it happens, counted from the line before it.
    pub span: Option<Span>,
    /// What happens.
    pub event: Event,
}

/// The earliest and the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// No sooner.
    pub least: Duration,
    /// No later.
    pub most: Duration,
}

/// What happens.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The peer sends.
    Peer(Packet),
    /// The host must send just that.
    Host(Packet),
    /// The host must send nothing for so long.
    Nothing(Duration),
    /// The service does something, or must have seen something.
    App(Action),
    /// The lines that follow are about another connection: the peer's port.
    Port(u16),
    /// The peer's initial sequence number.
    Isn(u32),
    /// The connection's numbers are forgotten: a new one between the same ports follows.
    Renew,
}

/// What the service does, or must have seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// The connection must have been established.
    Accepts,
    /// No connection must have been established.
    AcceptsNothing,
    /// Queues so many bytes.
    Sends(u32),
    /// So many bytes must have come since the last time, and the right ones.
    Reads(u32),
    /// Sends no more after what is queued.
    Closes,
    /// Ends the connection at once.
    Resets,
    /// Reads no more.
    Holds,
    /// Reads again.
    Resumes,
    /// The peer's end must have been seen.
    Ended,
    /// The connection must be gone.
    Gone,
    /// The connection must be there still.
    Lives,
}

/// A packet to send or to expect.
#[derive(Clone, PartialEq, Debug)]
pub struct Packet {
    /// What is special about its IP header and its frame.
    pub marks: Vec<Mark>,
    /// What is in it.
    pub body: Body,
}

/// What is special about a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mark {
    /// The TOS byte.
    Tos(u8),
    /// The time to live.
    Ttl(u8),
    /// The identification.
    Id(u16),
    /// Don't fragment.
    Df,
    /// More fragments.
    Mf,
    /// The evil bit, reserved.
    Reserved,
    /// The fragment's place, in bytes.
    Offset(u16),
    /// Only these bytes of the IP payload, as a fragment.
    Part(usize, usize),
    /// IP options.
    Options(Vec<u8>),
    /// Bytes behind the end of the packet.
    Trailing(usize),
    /// The frame ends so many bytes early.
    Cut(usize),
    /// The packet's length as its header says it.
    Length(u16),
    /// The header's length in words as its header says it.
    Words(u8),
    /// The IP version.
    Version(u8),
    /// The IP header's checksum is wrong.
    BadHeader,
    /// The transport's checksum is wrong.
    BadSum,
    /// The transport's checksum is absent (UDP).
    NoSum,
    /// The TCP header's length in words as its header says it.
    DataOffset(u8),
    /// The length field of a UDP header.
    UdpLength(u16),
    /// The port that a TCP segment goes to.
    DestinationPort(u16),
    /// The port that a segment of the host's comes from.
    SourcePort(u16),
    /// The source address.
    From(Ipv4Addr),
    /// The destination address.
    To(Ipv4Addr),
    /// The frame's destination.
    Station([u8; 6]),
    /// The frame's source.
    Source([u8; 6]),
}

/// What is in a packet.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// A segment.
    Tcp(Tcp),
    /// An echo request, or the reply to one.
    Echo {
        /// It is a reply.
        reply: bool,
        /// The identifier.
        id: u16,
        /// The sequence number.
        seq: u16,
        /// Bytes of data.
        length: usize,
    },
    /// An ICMP error.
    Error {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// The second half of the second word: the next hop's MTU.
        mtu: u16,
        /// What it quotes.
        quote: Quote,
    },
    /// An ICMP message in hexadecimal digits, without its checksum.
    Icmp(Vec<u8>),
    /// A datagram.
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
        /// Bytes of data.
        length: usize,
    },
    /// An ARP packet.
    Arp {
        /// 1 asks, 2 tells.
        operation: u16,
        /// The sender's address.
        sender: Ipv4Addr,
        /// The target's address.
        target: Ipv4Addr,
    },
    /// Another protocol.
    Protocol {
        /// Its number.
        number: u8,
        /// Bytes of payload.
        length: usize,
    },
    /// A whole frame behind its addresses, type first.
    Raw(Vec<u8>),
}

/// What an ICMP error quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quote {
    /// The last packet that came from the other side.
    Last,
    /// A segment of the host's with this sequence number.
    Segment(i64),
}

/// A segment. Numbers are relative to the initial ones.
#[derive(Clone, PartialEq, Debug)]
pub struct Tcp {
    /// The control bits.
    pub flags: u8,
    /// The sequence number.
    pub seq: i64,
    /// Bytes of data.
    pub length: u32,
    /// The acknowledgment number, where one is given.
    pub ack: Option<i64>,
    /// The window field.
    pub window: Option<Bound>,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options, where they matter.
    pub options: Option<Vec<Choice>>,
}

/// A number to be met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// This one.
    Is(u32),
    /// A greater one.
    Above(u32),
    /// A smaller one.
    Below(u32),
    /// Whatever.
    Any,
    /// What the other side said last.
    Last,
}

impl Bound {
    /// Whether `value` meets it.
    pub fn admits(self, value: u32) -> bool {
        match self {
            Self::Is(number) => value == number,
            Self::Above(number) => value > number,
            Self::Below(number) => value < number,
            Self::Any | Self::Last => true,
        }
    }
}

/// A TCP option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Maximum segment size.
    Mss(Bound),
    /// Window scale.
    Scale(Bound),
    /// SACK permitted.
    SackPermitted,
    /// Timestamps: value and echo.
    Stamps(Bound, Bound),
    /// Blocks.
    Sack(Vec<(i64, i64)>),
    /// No operation.
    Nop,
    /// End of the list.
    End,
    /// Bytes.
    Raw(Vec<u8>),
}

/// The flags of the TCP header and their letters.
pub const FLAGS: [(char, u8); 8] =
    [('S', 2), ('F', 1), ('R', 4), ('P', 8), ('.', 16), ('U', 32), ('E', 64), ('W', 128)];
