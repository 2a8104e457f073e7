//! What a link does to packets, as words of a command line.

use netstack::Duration;

/// The faults of a link, the same in both directions. Probabilities are from 0 to 1.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Determines every fault together with the direction and the number of the packet.
    pub seed: u64,
    /// One way.
    pub delay: Duration,
    /// Up to so much more, evenly spread; packets keep their order.
    pub jitter: Duration,
    /// A packet is lost.
    pub loss: f64,
    /// A burst of losses begins.
    pub burst: f64,
    /// Packets in a burst.
    pub burst_length: u64,
    /// A packet is held back.
    pub reorder: f64,
    /// For how long.
    pub reorder_delay: Duration,
    /// A packet comes twice.
    pub duplicate: f64,
    /// One bit of a packet behind its Ethernet header is turned.
    pub corrupt: f64,
    /// From one outage's start to the next, 0 for none; the first comes after one such time.
    pub outage_every: Duration,
    /// How long an outage is: what is offered meanwhile is lost.
    pub outage: Duration,
    /// Bits a second, 0 for no limit.
    pub rate: u64,
    /// Bytes that wait for the rate; a packet that finds no room is dropped (drop-tail).
    pub queue: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 1,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: 0.0,
            burst_length: 0,
            reorder: 0.0,
            reorder_delay: Duration::from_millis(5),
            duplicate: 0.0,
            corrupt: 0.0,
            outage_every: Duration::ZERO,
            outage: Duration::ZERO,
            rate: 0,
            queue: 125_000,
        }
    }
}

impl Faults {
    /// What [`Faults::set`] understands.
    pub const USAGE: &str = "\
  --seed N              determines every fault
  --delay MS            one way
  --jitter MS           up to so much more; packets keep their order
  --loss P              probabilities are from 0 to 1
  --burst P,PACKETS     losses in a row
  --reorder P,MS        held back
  --duplicate P
  --corrupt P           one bit turned
  --outage EVERY,MS     both in milliseconds
  --rate BITS           a second, with a drop-tail queue
  --queue BYTES         of that queue (default: 125000)";

    /// Takes one option; `Ok(false)` where it is none of these.
    pub fn set(&mut self, option: &str, value: &str) -> Result<bool, String> {
        let (first, second) = value.split_once(',').unwrap_or((value, ""));
        match option {
            "--seed" => self.seed = number(value)?,
            "--delay" => self.delay = millis(value)?,
            "--jitter" => self.jitter = millis(value)?,
            "--loss" => self.loss = probability(value)?,
            "--burst" => (self.burst, self.burst_length) = (probability(first)?, number(second)?),
            "--reorder" => (self.reorder, self.reorder_delay) = (probability(first)?, millis(second)?),
            "--duplicate" => self.duplicate = probability(value)?,
            "--corrupt" => self.corrupt = probability(value)?,
            "--outage" => (self.outage_every, self.outage) = (millis(first)?, millis(second)?),
            "--rate" => self.rate = number(value)?,
            "--queue" => self.queue = number(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn probability(text: &str) -> Result<f64, String> {
    let value: f64 = number(text)?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("{text}: not from 0 to 1")) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an `as` from f64 saturates")]
fn millis(text: &str) -> Result<Duration, String> {
    let value: f64 = number(text)?;
    Ok(Duration::from_micros((value * 1000.0).round() as u64))
}
