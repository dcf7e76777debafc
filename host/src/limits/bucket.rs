//! How often something may happen: so many at once, and then so many a second.

use std::time::Instant;

/// Full at first; each [`take`](Self::take) takes one, and time fills it again.
#[derive(Debug)]
pub(crate) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(capacity: u32, per_second: f64) -> Self {
        Self { capacity: capacity.into(), per_second, level: capacity.into(), filled: None }
    }

    /// Whether it may happen now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = self.filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        self.filled = Some(now);
        self.level = (self.level + passed * self.per_second).min(self.capacity);
        if self.level < 1.0 {
            return false;
        }
        self.level -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, 2.0);
        let burst: Vec<_> = (0..5).map(|_| bucket.take(start)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        assert!(bucket.take(start + Duration::from_millis(500)));
        assert!(!bucket.take(start + Duration::from_millis(500)));
        let later = start + Duration::from_hours(1);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 3, "it never holds more than its capacity");
    }
}
