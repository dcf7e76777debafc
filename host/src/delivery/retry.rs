//! When to try again: exponential pauses with full jitter
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), and the backend's own wish.
//!
//! The budget is one of age ([`Retry::give_up_after`]) and not a count: how often a backend was asked says nothing
//! about how long it has been away.

use std::time::Duration;

use crate::config::Retry;

/// No backend makes us wait longer than this.
const LONGEST_WISH: Duration = Duration::from_mins(5);
/// No pause is longer, whatever the config says: times beyond what a clock can add up are of no use.
const LONGEST_PAUSE: Duration = Duration::from_hours(365 * 24);

/// The pauses of one publisher.
#[derive(Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(super) fn new(settings: &Retry, random: fastrand::Rng) -> Self {
        let bounded = |pause: Duration| pause.min(LONGEST_PAUSE);
        Self { initial: bounded(settings.initial), max: bounded(settings.max), failures: 0, random }
    }

    /// Something failed that nobody waits for now.
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How long what failed before still weighs: nothing where all went well.
    pub(super) fn rest(&mut self) -> Duration {
        let Some(before) = self.failures.checked_sub(1) else { return Duration::ZERO };
        self.bound(before).mul_f64(self.random.f64())
    }

    /// Something went well: the next pause is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now. Where the backend said how long, never less, and a little more by chance, so that not
    /// all who were told the same come back at once.
    pub(super) fn pause(&mut self, wish: Option<Duration>) -> Duration {
        let bound = self.bound(self.failures);
        self.failed();
        match wish {
            Some(wish) => wish.min(LONGEST_WISH) + self.initial.mul_f64(self.random.f64()),
            None => bound.mul_f64(self.random.f64()),
        }
    }

    /// As long as it gets: for what only a person can put right.
    pub(super) fn long_pause(&mut self) -> Duration {
        self.failed();
        self.max.mul_f64(0.5 + self.random.f64() / 2.0)
    }

    fn bound(&self, failures: u32) -> Duration {
        self.initial.saturating_mul(1 << failures.min(16)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, LONGEST_PAUSE, LONGEST_WISH};
    use crate::config::Retry;

    fn backoff(seed: u64) -> Backoff {
        let settings = Retry { initial: Duration::from_millis(100), max: Duration::from_secs(10), give_up_after: None };
        Backoff::new(&settings, fastrand::Rng::with_seed(seed))
    }

    #[test]
    fn pauses_grow_to_the_bound_and_start_anew() {
        for seed in 0..200 {
            let mut backoff = backoff(seed);
            for failures in 0..40_u32 {
                let bound = Duration::from_millis(100 * (1 << failures.min(16))).min(Duration::from_secs(10));
                assert!(backoff.pause(None) <= bound);
            }
            backoff.reset();
            assert_eq!(backoff.rest(), Duration::ZERO);
            assert!(backoff.pause(None) <= Duration::from_millis(100));
            assert!(backoff.rest() <= Duration::from_millis(100));
        }
    }

    #[test]
    fn pauses_spread_over_the_whole_range() {
        let first: Vec<Duration> = (0..200).map(|seed| backoff(seed).pause(None)).collect();
        assert!(first.iter().any(|pause| *pause < Duration::from_millis(20)));
        assert!(first.iter().any(|pause| *pause > Duration::from_millis(80)));
    }

    #[test]
    fn the_backends_wish_is_kept_within_reason() {
        let second = Duration::from_secs(1);
        let pause = backoff(7).pause(Some(second));
        assert!((second..=second + Duration::from_millis(100)).contains(&pause));
        assert!(backoff(7).pause(Some(Duration::from_hours(24))) <= LONGEST_WISH + Duration::from_millis(100));
        assert!(backoff(7).long_pause() >= Duration::from_secs(5));
    }

    #[test]
    fn the_longest_times_that_a_config_can_say_are_no_trouble() {
        let settings = Retry { initial: Duration::MAX, max: Duration::MAX, give_up_after: None };
        let mut backoff = Backoff::new(&settings, fastrand::Rng::with_seed(7));
        for _ in 0..40 {
            assert!(backoff.pause(None) <= LONGEST_PAUSE);
            assert!(backoff.pause(Some(Duration::MAX)) >= LONGEST_WISH);
            assert!(backoff.long_pause() <= LONGEST_PAUSE);
        }
    }
}
