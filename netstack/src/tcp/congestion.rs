//! The congestion window: slow start and CUBIC (RFC 9438), in bytes.
//!
//! Who finds a loss is `flight`, and how recovery spends the window is `recovery`: this is only how large it is.

use crate::{Duration, Instant};
use core::num::NonZeroU32;

/// How much of the path one connection may fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Congestion {
    window: u32,
    threshold: u32,
    /// The window before the last reduction; 0 before the first.
    w_max: u32,
    epoch: Option<Epoch>,
}

/// A stay in congestion avoidance, from its first acknowledgment.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// The window's plateau, in bytes.
    origin: u32,
    /// Milliseconds from the start to the plateau, and one: an epoch takes no more room than its fields.
    k: NonZeroU32,
    /// The window that Reno would have by now, in 1,024ths of a byte.
    reno: u64,
    /// Milliseconds from the start to the last acknowledgment.
    seen: u32,
}

/// RFC 9438 section 4.6: beta_cubic is 0.7.
const fn reduced(bytes: u32) -> u32 {
    (bytes / 10).saturating_mul(7)
}

impl Congestion {
    /// RFC 6928 section 2: "min (10*MSS, max (2*MSS, 14600))"; one segment where the SYN-ACK was lost (RFC 5681 section
    /// 3.1).
    pub(super) fn new(mss: u32, handshake_lost: bool) -> Self {
        let window = if handshake_lost { mss } else { initial(mss) };
        Self { window, threshold: u32::MAX, w_max: 0, epoch: None }
    }

    pub(super) fn window(&self) -> u32 {
        self.window
    }

    pub(super) fn threshold(&self) -> u32 {
        self.threshold
    }

    /// In recovery it is proportional rate reduction that sets the window.
    pub(super) fn set_window(&mut self, window: u32, mss: u32) {
        self.window = window.max(mss);
    }

    /// `bytes` were acknowledged outside recovery, on a connection that had filled its window.
    pub(super) fn acknowledged(&mut self, bytes: u32, mss: u32, now: Instant, rtt: Duration) {
        if self.window < self.threshold {
            // RFC 5681 section 3.1, by bytes (RFC 3465): splitting acknowledgments gains a peer nothing.
            self.window = self.window.saturating_add(bytes).min(self.threshold.max(initial(mss)));
        } else {
            self.avoid(bytes, mss, now, rtt);
        }
    }

    /// Section 4.6: "ssthresh = FlightSize * beta_cubic, max with 2 segments"; 4.7: fast convergence.
    ///
    /// Bytes in flight beyond the window are reported ones, in their place recovery has sent new ones: right after one
    /// recovery they are up to twice what the path has carried, and a second loss must not widen the window.
    pub(super) fn lost(&mut self, in_flight: u32, mss: u32) {
        let in_flight = in_flight.min(self.window);
        self.w_max = if self.window < self.w_max {
            // W_max * (1 + beta_cubic) / 2.
            (self.window / 20).saturating_mul(17)
        } else {
            self.window
        };
        self.threshold = reduced(in_flight.max(mss)).max(mss.saturating_mul(2));
        self.epoch = None;
    }

    /// Whether no loss has ended slow start yet.
    pub(super) fn is_first_slow_start(&self) -> bool {
        self.threshold == u32::MAX
    }

    /// RFC 9406 section 4.2: "ssthresh = cwnd".
    pub(super) fn end_slow_start(&mut self) {
        self.threshold = self.window;
    }

    /// RFC 4015 section 3.2: what stood `before` holds again, with `pipe` bytes under way.
    pub(super) fn restore(&mut self, before: &Self, pipe: u32, mss: u32) {
        let window = before.window.min(pipe.saturating_add(initial(mss))).max(self.window);
        let threshold = before.threshold.max(before.window);
        *self = Self { window, threshold, ..*before };
    }

    /// Section 4.8: as for a loss, and back to one segment (RFC 5681 section 3.1, the loss window).
    pub(super) fn timed_out(&mut self, in_flight: u32, mss: u32) {
        self.lost(in_flight, mss);
        self.window = mss;
    }

    /// RFC 5681 section 4.1: after a time-out's worth of silence the window is no larger than at the start.
    pub(super) fn restart(&mut self, mss: u32) {
        self.window = self.window.min(initial(mss));
        self.epoch = None;
    }

    /// RFC 9438 section 5.8: time in which the window was not what held the sender back "MUST NOT" count in the cubic function,
    /// else the window would leap when there is more to send.
    pub(super) fn unused(&mut self, now: Instant) {
        if let Some(epoch) = self.epoch.as_mut() {
            epoch.start =
                epoch.start + (now.since(epoch.start) - Duration::from_millis(u64::from(epoch.seen)));
        }
    }

    fn avoid(&mut self, bytes: u32, mss: u32, now: Instant, rtt: Duration) {
        let (window, w_max) = (self.window, self.w_max);
        let epoch = self.epoch.get_or_insert_with(|| {
            // Section 4.2: K = cubic root of ((W_max - cwnd_epoch) / C), C 0.4 segments per cubic second.
            let rise = u64::from(w_max.saturating_sub(window));
            let k = cubic_root(rise.saturating_mul(2_500_000_000).checked_div(u64::from(mss)).unwrap_or(0));
            let k = NonZeroU32::MIN.saturating_add(k);
            Epoch { start: now, origin: w_max.max(window), k, reno: u64::from(window) << 10, seen: 0 }
        });
        epoch.seen = u32::try_from(now.since(epoch.start).millis()).unwrap_or(u32::MAX);
        // Section 4.3: alpha_cubic is 3 * (1 - beta) / (1 + beta), 9/17, until the window is back at W_max, then 1.
        let share = u64::from(bytes).saturating_mul(u64::from(mss)) << 10;
        let share = share.checked_div(u64::from(window)).unwrap_or(0);
        let reno_again = epoch.reno >> 10 >= u64::from(w_max);
        epoch.reno = epoch.reno.saturating_add(if reno_again { share } else { share.saturating_mul(9) / 17 });

        // W_cubic(t + RTT) = C * (t - K)^3 + W_max, held between cwnd and 1.5 * cwnd.
        let elapsed = i128::from((now.since(epoch.start) + rtt).millis().min(1_000_000));
        let distance = elapsed.wrapping_add(1).wrapping_sub(i128::from(epoch.k.get()));
        let cube = distance.wrapping_mul(distance).wrapping_mul(distance);
        let offset = cube.wrapping_mul(i128::from(mss)) / 2_500_000_000;
        let target = i128::from(epoch.origin).wrapping_add(offset);
        let ceiling = window.saturating_add(window / 2);
        let target = u32::try_from(target.max(0)).unwrap_or(u32::MAX).clamp(window, ceiling);
        let gap = u64::from(target.saturating_sub(window));
        let step = gap.saturating_mul(u64::from(bytes)).checked_div(u64::from(window)).unwrap_or(0);
        let cubic = window.saturating_add(u32::try_from(step).unwrap_or(u32::MAX));
        let reno = u32::try_from(epoch.reno >> 10).unwrap_or(u32::MAX);
        self.window = cubic.max(reno);
    }
}

fn initial(mss: u32) -> u32 {
    mss.saturating_mul(10).min(mss.saturating_mul(2).max(14_600))
}

/// The integer cubic root, a bit at a time.
fn cubic_root(n: u64) -> u32 {
    let mut root = 0_u64;
    for bit in (0..21).rev() {
        let candidate = root | 1_u64 << bit;
        if candidate.saturating_mul(candidate).saturating_mul(candidate) <= n {
            root = candidate;
        }
    }
    u32::try_from(root).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;

    const MSS: u32 = 1_460;

    #[test]
    fn initial_windows_by_hand() {
        assert_eq!(Congestion::new(1_460, false).window(), 14_600);
        assert_eq!(Congestion::new(536, false).window(), 5_360);
        assert_eq!(Congestion::new(8_960, false).window(), 17_920);
        assert_eq!(Congestion::new(1_460, true).window(), 1_460);
    }

    #[test]
    fn slow_start_doubles_each_round_trip() {
        let mut congestion = Congestion::new(MSS, false);
        for _ in 0..10 {
            congestion.acknowledged(MSS, MSS, Instant::ZERO, Duration::ZERO);
        }
        assert_eq!(congestion.window(), 29_200);
    }

    #[test]
    fn a_loss_takes_three_tenths() {
        let mut congestion = Congestion::new(MSS, false);
        congestion.set_window(100_000, MSS);
        congestion.lost(100_000, MSS);
        assert_eq!(congestion.threshold(), 70_000);
        congestion.timed_out(1_000, MSS);
        assert_eq!((congestion.threshold(), congestion.window()), (2_920, 1_460));
    }

    #[test]
    fn what_recovery_has_sent_counts_for_no_larger_window() {
        let mut congestion = Congestion::new(MSS, false);
        congestion.set_window(100_000, MSS);
        congestion.lost(190_000, MSS);
        assert_eq!(congestion.threshold(), 70_000);
    }

    #[test]
    fn the_window_is_back_at_its_plateau_after_k() {
        let mut congestion = Congestion::new(MSS, false);
        congestion.set_window(1_000 * MSS, MSS);
        congestion.lost(1_000 * MSS, MSS);
        congestion.set_window(congestion.threshold(), MSS);
        // K = cubic root of (300 / 0.4), 9.086 s. Round trips of 100 ms.
        let mut now = Instant::ZERO;
        let mut round = |congestion: &mut Congestion, millis: u64| {
            for _ in 0..millis / 100 {
                now = now + Duration::from_millis(100);
                for _ in 0..100 {
                    let bytes = congestion.window() / 100;
                    congestion.acknowledged(bytes, MSS, now, Duration::from_millis(100));
                }
            }
            congestion.window() / MSS
        };
        let at = round(&mut congestion, 4_500);
        // W(4.5 s) is about 1000 - 0.4 * 4.5^3: concave.
        assert!((950..975).contains(&at), "{at}");
        let at = round(&mut congestion, 4_500);
        assert!((995..1_005).contains(&at), "{at}");
        let at = round(&mut congestion, 9_000);
        assert!((1_200..1_340).contains(&at), "{at}");
    }

    #[test]
    fn time_without_enough_to_send_widens_nothing() {
        let grown = |unused: bool| {
            let mut congestion = Congestion::new(MSS, false);
            congestion.set_window(100 * MSS, MSS);
            congestion.lost(100 * MSS, MSS);
            congestion.set_window(congestion.threshold(), MSS);
            let rtt = Duration::from_millis(100);
            let at = |millis| Instant::ZERO + Duration::from_millis(millis);
            congestion.acknowledged(MSS, MSS, at(0), rtt);
            // A minute in which the application sends a little now and then.
            for millis in (100..60_000).step_by(100).filter(|_| unused) {
                congestion.unused(at(millis));
            }
            let before = congestion.window();
            congestion.acknowledged(before, MSS, at(60_000), rtt);
            congestion.window() - before
        };
        assert!(grown(false) > 30 * MSS, "{}", grown(false));
        assert!(grown(true) < 5 * MSS, "{}", grown(true));
    }

    #[test]
    fn cubic_roots() {
        for (n, root) in [(0, 0), (1, 1), (7, 1), (8, 2), (27_000_000_000, 3_000), (26_999_999_999, 2_999)] {
            assert_eq!(cubic_root(n), root);
        }
    }
}
