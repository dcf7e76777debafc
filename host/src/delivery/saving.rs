//! When a stateful plugin is asked for its state: a while after records went into it, or when they weigh much, and after
//! a failure not at once.

use std::time::Duration;

use tokio::time::Instant;

/// It is asked this long after the first record since the last snapshot, and after a snapshot that failed.
pub(super) const SNAPSHOT_AFTER: Duration = Duration::from_secs(1);
/// Or so many times as long as the last one took to be taken and kept: a large state is not to be all that it works on.
const TIMES_ITS_COST: u32 = 9;
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What is in no snapshot yet, and when the next one is due.
pub(super) struct Saving {
    /// Bytes of batches that may be in no snapshot.
    max_unsaved: usize,
    unsaved: usize,
    due_at: Option<Instant>,
    /// A snapshot that failed is not tried again before.
    not_before: Option<Instant>,
    /// From the first record to a snapshot.
    pause: Duration,
    /// When the one was begun that is under way.
    began_at: Option<Instant>,
}

impl Saving {
    pub(super) fn new(max_unsaved: usize) -> Self {
        Self { max_unsaved, unsaved: 0, due_at: None, not_before: None, pause: SNAPSHOT_AFTER, began_at: None }
    }

    /// From now on.
    pub(super) fn set_max_unsaved(&mut self, bytes: usize) {
        self.max_unsaved = bytes;
    }

    /// None where all is saved.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whether no more is to be taken before the next snapshot.
    pub(super) fn is_full(&self) -> bool {
        self.unsaved >= self.max_unsaved
    }

    /// A batch of so many bytes was answered for.
    pub(super) fn took(&mut self, bytes: usize, now: Instant) {
        self.unsaved = self.unsaved.saturating_add(bytes);
        let due_at = if self.unsaved >= self.max_unsaved { now } else { now + self.pause };
        let due_at = self.due_at.map_or(due_at, |before| before.min(due_at));
        self.due_at = Some(self.not_before.map_or(due_at, |earliest| earliest.max(due_at)));
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.not_before = Some(now + SNAPSHOT_AFTER);
        self.due_at = self.not_before;
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.began_at = Some(now);
    }

    pub(super) fn saved(&mut self) {
        *self = Self { pause: self.pause, began_at: self.began_at, ..Self::new(self.max_unsaved) };
    }

    /// The one that was begun lasts.
    pub(super) fn kept(&mut self, now: Instant) {
        if let Some(began_at) = self.began_at.take() {
            self.pause = (TIMES_ITS_COST * (now - began_at)).clamp(SNAPSHOT_AFTER, LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_a_while_or_when_much_is_unsaved_and_not_at_once_after_a_failure() {
        let now = Instant::now();
        let mut saving = Saving::new(100);
        assert_eq!(saving.due_at(), None);
        saving.took(10, now);
        saving.took(10, now + SNAPSHOT_AFTER / 2);
        assert_eq!(saving.due_at(), Some(now + SNAPSHOT_AFTER), "since the first");
        assert!(!saving.is_full());
        saving.took(80, now);
        assert_eq!((saving.due_at(), saving.is_full()), (Some(now), true));
        saving.failed(now);
        saving.took(usize::MAX, now);
        assert_eq!(saving.due_at(), Some(now + SNAPSHOT_AFTER));
        saving.saved();
        assert_eq!(saving.due_at(), None);
        saving.took(100, now);
        assert_eq!(saving.due_at(), Some(now));
    }

    #[test]
    fn a_snapshot_that_takes_long_comes_less_often() {
        let now = Instant::now();
        let mut saving = Saving::new(100);
        for (cost, pause) in [(1, 1_000), (500, 4_500), (60_000, 60_000), (1, 1_000)] {
            saving.begin(now);
            saving.saved();
            saving.kept(now + Duration::from_millis(cost));
            saving.took(10, now);
            assert_eq!(saving.due_at(), Some(now + Duration::from_millis(pause)), "{cost} ms");
        }
        saving.saved();
        saving.kept(now + Duration::from_secs(9));
        saving.took(10, now);
        assert_eq!(saving.due_at(), Some(now + SNAPSHOT_AFTER), "none was begun");
    }
}
