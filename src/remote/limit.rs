//! One rate limit over all blob bytes.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes that may pass at once after a pause: a tenth of a second's worth keeps the rate even at the scale of a TCP window.
const BURST: Duration = Duration::from_millis(100);

/// A shared token bucket, kept as the instant at which the bucket is paid off.
#[derive(Debug)]
pub(super) struct RateLimit {
    bytes_per_sec: NonZeroU64,
    paid_until: Mutex<Option<Instant>>,
}

impl RateLimit {
    pub(super) fn new(bytes_per_sec: NonZeroU64) -> Self {
        Self {
            bytes_per_sec,
            paid_until: Mutex::new(None),
        }
    }

    /// Waits until `bytes` more may pass.
    pub(super) async fn pass(&self, bytes: usize) {
        tokio::time::sleep_until(self.book(bytes, Instant::now())).await;
    }

    /// Books `bytes` and returns when they may pass.
    fn book(&self, bytes: usize, now: Instant) -> Instant {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rounding error of 1e-16 of a rate does not matter"
        )]
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_sec.get() as f64);
        let mut paid_until = self
            .paid_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let start = paid_until.map_or(earliest, |paid| paid.max(earliest));
        *paid_until = Some(start + cost);
        start + cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_after_the_burst() {
        let limit = RateLimit::new(NonZeroU64::new(1_000_000).unwrap());
        let begin = Instant::now();
        let last = (0..200).map(|_| limit.book(50_000, begin)).last().unwrap();
        let seconds = (last - begin).as_secs_f64();
        assert!((9.89..9.91).contains(&seconds), "{seconds}");
        // A pause is not saved up beyond the burst.
        let later = begin + Duration::from_mins(1);
        let after = limit.book(200_000, later) - later;
        assert_eq!(after, Duration::from_millis(100));
    }
}
