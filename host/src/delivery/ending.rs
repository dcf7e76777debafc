//! How a delivery ends: what is answered for lasts, and the plugin has sent the last.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{sleep, timeout};

use super::leg::{KEEP_AGAIN, Leg};
use super::sandbox::Opener;
use super::saving::SNAPSHOT_AFTER;
use super::slot::Slot;
use super::trouble::Halt;

/// One whose delivery is told to end is waited for so long.
const LAST_COMMIT: Duration = Duration::from_secs(2);

impl<O: Opener> Leg<O> {
    pub(super) async fn finish(&mut self) -> Result<(), Halt> {
        if self.profile.stateful {
            self.save_the_last().await?;
        } else {
            self.commit_the_last().await;
        }
        if self.profile.stateful && !self.status.is_caught_up() {
            // What it would send is less than was seen before.
            return Ok(());
        }
        self.close_all().await?;
        if self.profile.stateful && self.left.is_empty() && !self.save().await? {
            tracing::warn!(publisher = self.status.name(), "its state after the end could not be saved");
        }
        if !self.profile.stateful {
            // What it gave up at its end.
            self.keep_what_is_answered().await;
        }
        if self.left.is_empty() && self.answered >= self.repeats_to {
            self.ended_well().await;
        }
        Ok(())
    }

    async fn close_all(&mut self) -> Result<(), Halt> {
        let mut closing: FuturesUnordered<_> = self.idle.iter_mut().map(Slot::close).collect();
        let mut outcome = Ok(());
        while let Some(closed) = closing.next().await {
            outcome = outcome.and(closed);
        }
        outcome
    }

    /// Nothing was handed over that the cursor does not tell of. Where that cannot be kept, the next start takes it that
    /// there may be.
    async fn ended_well(&self) {
        if let Ok(Err(error)) = timeout(LAST_COMMIT, self.ledger.end()).await {
            self.status.not_kept(&error.to_string());
        }
    }

    /// All is answered for: the cursor is to follow before anything is ended. Told to end in the middle of a batch, a
    /// state is made again from the last snapshot.
    async fn save_the_last(&mut self) -> Result<(), Halt> {
        while self.left.is_empty() && self.saving.due_at().is_some() && !self.save().await? {
            sleep(SNAPSHOT_AFTER).await;
            for slot in &mut self.idle {
                slot.revive().await?;
            }
        }
        Ok(())
    }

    /// As often as it takes: whoever waits for the end has a patience of his own.
    async fn commit_the_last(&mut self) {
        while self.ledger.is_durable() && self.keeping.is_behind(self.answered) {
            let outcome = self.ledger.commit(self.answered, None).await;
            let failed = outcome.is_err();
            self.committed(self.answered, outcome);
            if failed {
                sleep(KEEP_AGAIN).await;
            }
        }
    }

    async fn save(&mut self) -> Result<bool, Halt> {
        let Some(slot) = self.idle.first_mut() else { return Ok(true) };
        let Some(saved) = slot.save(self.answered).await? else { return Ok(false) };
        let cursor = self.saved();
        let outcome = self.ledger.commit(cursor, Some(saved)).await;
        let kept = outcome.is_ok();
        self.committed(cursor, outcome);
        Ok(kept)
    }

    /// One try: what is not kept is done again after the next start. The cursor of a state stays where that is.
    pub(super) async fn keep_what_is_answered(&mut self) {
        self.keep_cursor(if self.profile.stateful { self.keeping.kept() } else { self.answered }).await;
    }

    pub(super) async fn keep_cursor(&mut self, cursor: u64) {
        if !self.ledger.is_durable() {
            return;
        }
        if let Ok(outcome) = timeout(LAST_COMMIT, self.ledger.commit(cursor, None)).await {
            self.committed(cursor, outcome);
        }
    }
}
