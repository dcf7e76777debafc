//! How long a leg is left alone after it failed: as long as its backend asks, else pauses that double.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
/// No pause is longer, and no wish to wait is kept longer; it is also the pause where a person has to act.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// A backend's wish is kept up to here.
const LONGEST_WISH: Duration = Duration::from_mins(5);

/// The rest of one leg. Times are those of a clock that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: Duration,
    failures: u32,
    reason: String,
}

impl Rest {
    /// The leg failed, for this reason, and its backend may have said how long to wait. Says whether that is news.
    pub(crate) fn failed(&mut self, now: Duration, wish_ms: Option<u64>, reason: String) -> bool {
        let pause = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        let pause = wish_ms.map_or(pause, |wish| Duration::from_millis(wish).min(LONGEST_WISH));
        self.until = now + pause.max(Duration::from_millis(1));
        self.failures = self.failures.saturating_add(1);
        let is_news = self.reason != reason;
        self.reason = reason;
        is_news
    }

    /// The leg works. Says whether it did not before.
    pub(crate) fn over(&mut self) -> bool {
        let before = std::mem::take(self);
        before.failures > 0
    }

    /// It is tried now, whatever it wished.
    pub(crate) fn break_off(&mut self) {
        self.until = Duration::ZERO;
    }

    /// What is left of it.
    pub(crate) fn left(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// What the leg said last; empty where it works.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_anew_when_the_leg_works() {
        let mut rest = Rest::default();
        let now = Duration::from_secs(7);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            rest.failed(now, None, "away".into());
            pauses.push(rest.left(now).unwrap().as_millis());
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert!(rest.over());
        assert_eq!(rest.left(now), None);
        rest.failed(now, Some(5000), "busy".into());
        assert_eq!(rest.left(now + Duration::from_secs(4)), Some(Duration::from_secs(1)));
        rest.break_off();
        assert_eq!(rest.left(now), None);
    }
}
