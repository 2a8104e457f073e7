//! From a file to a script.

use crate::script::{Action, Body, Bound, Choice, Event, FLAGS, Line, Linux, Mark, Packet, Quote};
use crate::script::{Script, Side, Span, Tcp};
use crate::{HOST, PEER};
use std::net::Ipv4Addr;
use std::time::Duration;

type Result<T> = std::result::Result<T, String>;

/// Parses a script. The error says which line, and what is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Script> {
    let mut script = Script {
        name: name.to_owned(),
        rule: String::new(),
        source: String::new(),
        linux: Linux::Same,
        mutants: Vec::new(),
        sysctls: Vec::new(),
        mtu: 1500,
        lines: Vec::new(),
    };
    let mut judged = false;
    for (number, full) in (1..).zip(text.lines()) {
        let line = full.split_once(" #").map_or(full, |(line, _)| line).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |error: String| format!("{name}: line {number}: {error}: {line}");
        if let Some((key, value)) = full.split_once(": ").filter(|(key, _)| is_key(key)) {
            judged |= key == "linux";
            head(&mut script, key, value.trim()).map_err(at)?;
        } else {
            body(&mut script, number, line).map_err(at)?;
        }
    }
    if script.rule.is_empty() || script.source.is_empty() || !judged || script.lines.is_empty() {
        return Err(format!("{name}: a script has a rule, a source, what Linux does, and lines"));
    }
    Ok(script)
}

fn is_key(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn head(script: &mut Script, key: &str, value: &str) -> Result<()> {
    match key {
        "rule" => script.rule = value.to_owned(),
        "source" => script.source = value.to_owned(),
        "linux" => {
            script.linux = match value.split_once(", ") {
                None if value == "same" => Linux::Same,
                Some(("differs", why)) => Linux::Differs(why.to_owned()),
                Some(("not applicable", why)) => Linux::NotApplicable(why.to_owned()),
                _ => return Err("same, or `differs, WHY`, or `not applicable, WHY`".into()),
            }
        }
        "mutant" => script.mutants.push(value.to_owned()),
        "sysctl" => {
            let (name, value) = value.split_once('=').ok_or("KEY=VALUE")?;
            script.sysctls.push((name.to_owned(), value.to_owned()));
        }
        "mtu" => script.mtu = number(value)?,
        _ => return Err(format!("no such key: {key}")),
    }
    Ok(())
}

fn body(script: &mut Script, number: usize, text: &str) -> Result<()> {
    let (only, rest) = match text.split_once('|') {
        Some(("ours", rest)) => (Some(Side::Ours), rest.trim()),
        Some(("linux", rest)) => (Some(Side::Linux), rest.trim()),
        _ => (None, text),
    };
    let (first, after) = word(rest);
    let (span, rest) = match first.as_bytes().first() {
        Some(byte) if byte.is_ascii_digit() => (Some(span(first)?), after),
        _ => (None, rest),
    };
    let (who, what) = word(rest);
    if who == "open" {
        // The three steps of a handshake, by what is special about the first.
        let window = what.split("win ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let last = window.map_or("peer . 1 ack 1".into(), |window| format!("peer . 1 ack 1 win {window}"));
        for step in [&format!("peer S 0 {what}"), "host S. 0 ack 1", &last, "app accepts"] {
            body(script, number, step)?;
        }
        return Ok(());
    }
    let mut add = |span, event| {
        script.lines.push(Line { number, text: rest.to_owned(), only, span, event });
    };
    match who {
        "peer" => add(span, Event::Peer(packet(what)?)),
        "host" if what == "nothing" => add(span, Event::Nothing(Duration::ZERO)),
        "host" => match what.strip_prefix("nothing for ") {
            Some(time) => add(span, Event::Nothing(duration(time)?)),
            None => add(span, Event::Host(packet(what)?)),
        },
        "app" => add(span, Event::App(action(what)?)),
        "port" => add(span, Event::Port(self::number(what)?)),
        "isn" => add(span, Event::Isn(self::number(what)?)),
        "renew" => add(span, Event::Renew),
        _ => return Err("peer, host, app, open, port, isn or renew".into()),
    }
    Ok(())
}

fn word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim_start())
}

fn number<T: TryFrom<u64>>(text: &str) -> Result<T> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| format!("not a number that fits: {text:?}"))
}

fn signed(text: &str) -> Result<i64> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

fn duration(text: &str) -> Result<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let value = number(digits)?;
    match unit {
        "ms" => Ok(Duration::from_millis(value)),
        "s" => Ok(Duration::from_secs(value)),
        "min" => Ok(Duration::from_secs(value * 60)),
        _ => Err(format!("a time has ms, s or min: {text:?}")),
    }
}

fn span(text: &str) -> Result<Span> {
    match text.split_once("..") {
        None => duration(text).map(|time| Span { least: time, most: time }),
        Some((least, most)) => {
            let unit = most.trim_start_matches(|c: char| c.is_ascii_digit());
            let least = if least.ends_with(|c: char| c.is_ascii_digit()) {
                duration(&format!("{least}{unit}"))?
            } else {
                duration(least)?
            };
            Ok(Span { least, most: duration(most)? })
        }
    }
}

fn action(text: &str) -> Result<Action> {
    let (verb, what) = word(text);
    Ok(match (verb, what) {
        ("accepts", "") => Action::Accepts,
        ("accepts", "nothing") => Action::AcceptsNothing,
        ("sends", count) => Action::Sends(number(count)?),
        ("reads", "nothing") => Action::Reads(0),
        ("reads", count) => Action::Reads(number(count)?),
        ("closes", "") => Action::Closes,
        ("resets", "") => Action::Resets,
        ("holds", "") => Action::Holds,
        ("resumes", "") => Action::Resumes,
        ("ended", "") => Action::Ended,
        ("gone", "") => Action::Gone,
        ("lives", "") => Action::Lives,
        _ => return Err("accepts, sends, reads, closes, resets, holds, resumes, ended, gone or lives".into()),
    })
}

fn packet(text: &str) -> Result<Packet> {
    let (text, marks) = match text.split_once('{') {
        Some((text, marks)) => (text.trim(), marks.strip_suffix('}').ok_or("a } is missing")?),
        None => (text, ""),
    };
    let marks = marks.split(',').map(str::trim).filter(|mark| !mark.is_empty()).map(mark);
    let (kind, rest) = word(text);
    let body = match kind {
        "icmp" => icmp(rest)?,
        "udp" => {
            let [ports, length] = words(rest)?;
            let (source, destination) = ports.split_once('>').ok_or("FROM>TO")?;
            let (source, destination) = (number(source)?, number(destination)?);
            Body::Udp { source, destination, length: number(length)? }
        }
        "arp" => {
            let [operation, sender, target] = words(rest)?;
            let operation = match operation {
                "request" => 1,
                "reply" => 2,
                other => number(other)?,
            };
            Body::Arp { operation, sender: address(sender)?, target: address(target)? }
        }
        "protocol" => {
            let [protocol, length] = words(rest)?;
            Body::Protocol { number: number(protocol)?, length: number(length)? }
        }
        "raw" => Body::Raw(hex(rest)?),
        _ => Body::Tcp(tcp(kind, rest)?),
    };
    Ok(Packet { marks: marks.collect::<Result<_>>()?, body })
}

fn words<const N: usize>(text: &str) -> Result<[&str; N]> {
    let words: Vec<_> = text.split_whitespace().collect();
    words.try_into().map_err(|words: Vec<_>| format!("{N} words, not {}", words.len()))
}

fn icmp(text: &str) -> Result<Body> {
    let (kind, rest) = word(text);
    match kind {
        "echo" | "echo-reply" => {
            let [id, seq, length] = words(rest)?;
            let (id, seq, length) = (number(id)?, number(seq)?, number(length)?);
            Ok(Body::Echo { reply: kind == "echo-reply", id, seq, length })
        }
        "raw" => hex(rest).map(Body::Icmp),
        _ => {
            let (what, quote) = text.split_once("quoting ").ok_or("what does it quote?")?;
            let mut what = what.split_whitespace();
            let (kind, code) = match what.next().unwrap_or_default() {
                "net-unreachable" => (3, 0),
                "host-unreachable" => (3, 1),
                "protocol-unreachable" => (3, 2),
                "port-unreachable" => (3, 3),
                "too-big" => (3, 4),
                "source-route-failed" => (3, 5),
                "prohibited" => (3, 13),
                "quench" => (4, 0),
                "redirect" => (5, 1),
                "time-exceeded" => (11, 0),
                "reassembly-exceeded" => (11, 1),
                "parameter-problem" => (12, 0),
                other => return Err(format!("no such ICMP message: {other}")),
            };
            let mtu = match (what.next(), what.next()) {
                (Some("mtu"), Some(mtu)) => number(mtu)?,
                (None, None) => 0,
                _ => return Err("mtu N".into()),
            };
            let quote = match quote.trim() {
                "last" => Quote::Last,
                seq => Quote::Segment(signed(seq)?),
            };
            Ok(Body::Error { kind, code, mtu, quote })
        }
    }
}

fn address(text: &str) -> Result<Ipv4Addr> {
    match text {
        "host" => Ok(HOST),
        "peer" => Ok(PEER),
        "none" => Ok(Ipv4Addr::UNSPECIFIED),
        "all" => Ok(Ipv4Addr::BROADCAST),
        _ => text.parse().map_err(|_| format!("not an address: {text}")),
    }
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16))
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| format!("not hexadecimal: {text}"))
}

fn station(text: &str) -> Result<[u8; 6]> {
    match text {
        "all" => Ok([0xff; 6]),
        _ => hex(&text.replace(':', ""))?.try_into().map_err(|_| format!("not six bytes: {text}")),
    }
}

fn mark(text: &str) -> Result<Mark> {
    let (name, value) = word(text);
    Ok(match name {
        "tos" => Mark::Tos(number(value)?),
        "ttl" => Mark::Ttl(number(value)?),
        "id" => Mark::Id(number(value)?),
        "df" => Mark::Df,
        "mf" => Mark::Mf,
        "reserved" => Mark::Reserved,
        "offset" => Mark::Offset(number(value)?),
        "part" => {
            let (from, to) = value.split_once("..").ok_or("FROM..TO")?;
            Mark::Part(number(from)?, number(to)?)
        }
        "options" => Mark::Options(hex(value)?),
        "trailing" => Mark::Trailing(number(value)?),
        "cut" => Mark::Cut(number(value)?),
        "length" => Mark::Length(number(value)?),
        "words" => Mark::Words(number(value)?),
        "version" => Mark::Version(number(value)?),
        "bad-header" => Mark::BadHeader,
        "bad-sum" => Mark::BadSum,
        "no-sum" => Mark::NoSum,
        "data-offset" => Mark::DataOffset(number(value)?),
        "udp-length" => Mark::UdpLength(number(value)?),
        "to-port" => Mark::DestinationPort(number(value)?),
        "from-port" => Mark::SourcePort(number(value)?),
        "from" => Mark::From(address(value)?),
        "to" => Mark::To(address(value)?),
        "station" => Mark::Station(station(value)?),
        "source" => Mark::Source(station(value)?),
        _ => return Err(format!("no such mark: {name}")),
    })
}

fn tcp(flags: &str, rest: &str) -> Result<Tcp> {
    let mut bits = 0;
    for letter in flags.chars().filter(|letter| *letter != '-') {
        bits |= FLAGS.iter().find(|flag| flag.0 == letter).ok_or(format!("no flag {letter}"))?.1;
    }
    let (rest, options) = match rest.split_once('<') {
        Some((rest, options)) => {
            let list = options.trim_end().strip_suffix('>').ok_or("a > is missing")?;
            let list = list.split(',').map(str::trim).filter(|option| !option.is_empty());
            (rest, Some(list.map(choice).collect::<Result<_>>()?))
        }
        None => (rest, None),
    };
    let (numbers, rest) = word(rest);
    let (seq, length) = match numbers.split_once(':') {
        Some((from, to)) => {
            let (from, to) = (signed(from)?, signed(to)?);
            (from, u32::try_from(to - from).map_err(|_| "backwards".to_owned())?)
        }
        None => (signed(numbers)?, 0),
    };
    let mut tcp = Tcp { flags: bits, seq, length, ack: None, window: None, urgent: 0, options };
    let mut rest = rest.split_whitespace();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or(format!("{name} what?"))?;
        match name {
            "ack" => tcp.ack = Some(signed(value)?),
            "win" => tcp.window = Some(bound(value)?),
            "urg" => tcp.urgent = number(value)?,
            _ => return Err(format!("no such field: {name}")),
        }
    }
    Ok(tcp)
}

fn bound(text: &str) -> Result<Bound> {
    Ok(match text {
        "any" => Bound::Any,
        "last" => Bound::Last,
        _ => match (text.strip_prefix("above:"), text.strip_prefix("below:")) {
            (Some(value), _) => Bound::Above(number(value)?),
            (_, Some(value)) => Bound::Below(number(value)?),
            _ => Bound::Is(number(text)?),
        },
    })
}

fn choice(text: &str) -> Result<Choice> {
    let (name, value) = word(text);
    Ok(match name {
        "mss" => Choice::Mss(bound(value)?),
        "ws" => Choice::Scale(bound(value)?),
        "sackok" => Choice::SackPermitted,
        "ts" => {
            let [value, echo] = words(value)?;
            Choice::Stamps(bound(value)?, bound(echo)?)
        }
        "sack" => {
            let block = |text: &str| {
                let (left, right) = text.split_once(':').ok_or("LEFT:RIGHT")?;
                Ok((signed(left)?, signed(right)?))
            };
            Choice::Sack(value.split_whitespace().map(block).collect::<Result<_>>()?)
        }
        "nop" => Choice::Nop,
        "eol" => Choice::End,
        "raw" => Choice::Raw(hex(value)?),
        _ => return Err(format!("no such option: {name}")),
    })
}
