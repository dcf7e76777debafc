//! When a cursor is committed: a while after it has moved, one commit at a time, and after a failure not at once.

use std::time::Duration;

use tokio::time::Instant;

/// A cursor that has moved is committed so soon: what is done in between is done again after a crash.
const COMMIT_AFTER: Duration = Duration::from_millis(100);
/// And after a commit that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// How far the cursor is that lasts.
#[derive(Debug)]
pub(super) struct Keeping {
    kept: u64,
    due_at: Option<Instant>,
    under_way: bool,
}

impl Keeping {
    /// A cursor that lasts already.
    pub(super) fn new(kept: u64) -> Self {
        Self { kept, due_at: None, under_way: false }
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    pub(super) fn is_behind(&self, cursor: u64) -> bool {
        self.kept < cursor
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// None while one is under way.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at.filter(|_| !self.under_way)
    }

    pub(super) fn moved(&mut self, cursor: u64, lasts: bool) {
        if lasts && self.is_behind(cursor) {
            self.due_at.get_or_insert_with(|| Instant::now() + COMMIT_AFTER);
        }
    }

    /// Something waits for the next commit.
    pub(super) fn hurry(&mut self) {
        self.due_at = Some(Instant::now());
    }

    /// What belongs to the cursor that is kept is to be kept as well.
    pub(super) fn has_more(&mut self) {
        self.due_at.get_or_insert_with(|| Instant::now() + COMMIT_AFTER);
    }

    pub(super) fn begin(&mut self) {
        self.under_way = true;
        self.due_at = None;
    }

    pub(super) fn done(&mut self, cursor: u64) {
        self.under_way = false;
        self.kept = self.kept.max(cursor);
    }

    /// The cursor of a state comes again with its snapshot.
    pub(super) fn failed(&mut self, is_of_a_state: bool) {
        self.under_way = false;
        self.due_at = (!is_of_a_state).then(|| Instant::now() + AGAIN);
    }
}
