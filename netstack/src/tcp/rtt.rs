//! Round-trip time and retransmission time-out (RFC 6298).

use crate::Duration;

/// RFC 6298 (2.1): "the sender SHOULD set RTO <- 1 second".
const INITIAL: u32 = 1_000_000;
/// RFC 6298 (5.7): "If the timer expires awaiting the ACK of a SYN segment and the TCP implementation is using an RTO less
/// than 3 seconds, the RTO MUST be re-initialized to 3 seconds when data transmission begins".
const AFTER_LOST_HANDSHAKE: u32 = 3_000_000;
/// Section (2.4) asks for a minimum of one second, "at this time", for the coarse clocks of 2000. Every large sender uses
/// less; this one, as Linux does, puts the floor under the variance, so that a peer's delayed ACK stays within it.
const VARIANCE_FLOOR: u64 = 200_000;
/// RFC 6298 (2.5): "A maximum value MAY be placed on RTO provided it is at least 60 seconds".
const MAXIMUM: u64 = 60_000_000;

/// The longest that a peer delays an acknowledgment, as RFC 8985 section 7.2 supposes.
const DELAYED_ACK: Duration = Duration::from_millis(200);
/// Two ticks of the timer wheel.
const PROBE_SLACK: Duration = Duration::from_millis(2);

/// What is known of the path's round-trip time; all in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtt {
    /// Smoothed; 0 before the first measurement.
    smoothed: u32,
    /// Before the first measurement, the time-out.
    variance: u32,
    least: u32,
}

impl Rtt {
    pub(super) const fn new() -> Self {
        Self { smoothed: 0, variance: INITIAL, least: u32::MAX }
    }

    /// The same where the SYN-ACK's timer expired.
    pub(super) const fn after_lost_handshake() -> Self {
        Self { variance: AFTER_LOST_HANDSHAKE, ..Self::new() }
    }

    /// A measurement. Karn: none may come from a segment that was sent twice, unless timestamps tell which it was.
    pub(super) fn measured(&mut self, span: Duration) {
        let sample = u32::try_from(span.micros()).unwrap_or(u32::MAX).clamp(1, 60_000_000);
        self.least = self.least.min(sample);
        if self.smoothed == 0 {
            // (2.2) "SRTT <- R, RTTVAR <- R/2".
            (self.smoothed, self.variance) = (sample, sample / 2);
            return;
        }
        // (2.3) "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|, SRTT <- (1 - alpha) * SRTT + alpha * R'".
        let error = self.smoothed.abs_diff(sample);
        self.variance = (self.variance.saturating_mul(3).saturating_add(error)) / 4;
        self.smoothed = (self.smoothed.saturating_mul(7).saturating_add(sample) / 8).max(1);
    }

    /// The time-out before any backing off.
    pub(super) fn timeout(&self) -> Duration {
        if self.smoothed == 0 {
            return Duration::from_micros(u64::from(self.variance));
        }
        let variance = u64::from(self.variance).saturating_mul(4).max(VARIANCE_FLOOR);
        Duration::from_micros(u64::from(self.smoothed).saturating_add(variance).min(MAXIMUM))
    }

    /// The time-out after it has expired `times` times in a row: (5.5) "RTO <- RTO * 2".
    pub(super) fn backed_off(&self, times: u8) -> Duration {
        let factor = 1_u64 << times.min(20);
        Duration::from_micros(self.timeout().micros().saturating_mul(factor).min(MAXIMUM))
    }

    /// RFC 8985 section 7.2: when to probe for a lost tail, `None` where the retransmission timer is not later. A single
    /// segment may wait for a delayed acknowledgment.
    pub(super) fn probe_timeout(&self, single: bool) -> Option<Duration> {
        let slack = if single { DELAYED_ACK } else { PROBE_SLACK };
        let span = Duration::from_micros(u64::from(self.smoothed).saturating_mul(2)) + slack;
        (self.smoothed != 0 && span < self.timeout()).then_some(span)
    }

    /// The smoothed time, once there is one.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        (self.smoothed != 0).then(|| Duration::from_micros(u64::from(self.smoothed)))
    }

    /// The least time seen, once there is one.
    pub(super) fn least(&self) -> Option<Duration> {
        self.smoothed().map(|_| Duration::from_micros(u64::from(self.least)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_second_before_the_first_measurement() {
        assert_eq!(Rtt::new().timeout(), millis(1_000));
        assert_eq!(Rtt::new().backed_off(1), millis(2_000));
        let mut late = Rtt::after_lost_handshake();
        assert_eq!(late.timeout(), millis(3_000));
        late.measured(millis(100));
        assert_eq!(late.timeout(), millis(300));
    }

    #[test]
    fn first_and_second_measurement_by_hand() {
        let mut rtt = Rtt::new();
        rtt.measured(millis(800));
        assert_eq!(rtt.timeout(), millis(800 + 4 * 400));
        rtt.measured(millis(400));
        // RTTVAR = 3/4 * 400 + 1/4 * 400, SRTT = 7/8 * 800 + 1/8 * 400.
        assert_eq!(rtt.timeout(), millis(750 + 4 * 400));
        assert_eq!(rtt.least(), Some(millis(400)));
    }

    #[test]
    fn floor_and_ceiling() {
        let mut rtt = Rtt::new();
        for _ in 0..100 {
            rtt.measured(millis(10));
        }
        assert_eq!(rtt.timeout(), millis(210));
        assert_eq!(rtt.backed_off(3), millis(1_680));
        assert_eq!(rtt.backed_off(255), millis(60_000));
    }
}
