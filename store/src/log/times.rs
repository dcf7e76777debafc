//! How long syncs take: a histogram that anybody may read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets but the last, in seconds.
const BOUNDS: [f64; 11] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Counts by duration.
#[derive(Debug, Default)]
pub struct Times {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Times {
    /// Upper bounds in seconds and how many took at most so long, the last without a bound.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let mut total = 0;
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        bounds
            .zip(&self.counts)
            .map(|(bound, count)| {
                total += count.load(Ordering::Relaxed);
                (bound, total)
            })
            .collect()
    }

    /// All of them, in seconds.
    pub fn sum(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }

    pub(super) fn add(&self, time: Duration) {
        let bucket = BOUNDS.iter().position(|&bound| time.as_secs_f64() <= bound).unwrap_or(BOUNDS.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_all_that_took_at_most_so_long() {
        let times = Times::default();
        for ms in [1, 3, 3, 4_000] {
            times.add(Duration::from_millis(ms));
        }
        let buckets = times.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[3]), ((0.0005, 0), (0.001, 1), (0.005, 3)));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 4)));
        assert!((times.sum() - 4.007).abs() < 1e-9);
    }
}
