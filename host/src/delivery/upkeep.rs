//! What a delivery does with an instance besides handing batches over: flushing it, saving its state, closing it.

use tokio::time::sleep;

use super::sandbox::{Opener, Sandbox};
use super::slot::Slot;
use super::trouble::{Halt, Remedy, remedy};
use crate::plugin::{CallError, Fault, Flushed, Saved};

/// Tries to close an instance that breaks over it.
const CLOSES: u32 = 5;

impl<O: Opener> Slot<O> {
    pub(super) fn flush_is_due(&self) -> bool {
        self.is_open() && self.flushes.has_changed().unwrap_or(false)
    }

    /// Lets the plugin send what is due, where it is.
    pub(super) async fn flush_if_due(&mut self) {
        if !self.flush_is_due() {
            return;
        }
        self.flushes.mark_unchanged();
        let trouble = match self.flush().await {
            Err(error) => {
                self.backoff.failed();
                Some(error.to_string())
            }
            Ok(Flushed { pending: 1.., reason, .. }) if !reason.is_empty() => Some(reason),
            Ok(_) => None,
        };
        let before = std::mem::replace(&mut self.flush_trouble, trouble);
        match &self.flush_trouble {
            Some(reason) => self.status.waiting(reason),
            None => {
                if let Some(reason) = before {
                    self.backoff.reset();
                    self.status.is_over(&reason);
                }
            }
        }
    }

    /// Its backend took records; that it sends what is due may still be in trouble.
    pub(super) fn goes_on(&self) {
        match &self.flush_trouble {
            Some(reason) => self.status.waiting(reason),
            None => self.status.running(),
        }
    }

    async fn flush(&mut self) -> Result<Flushed, CallError> {
        let flushed = self.call(|sandbox| async move { sandbox.flush().await }).await?;
        self.note(&flushed);
        Ok(flushed)
    }

    /// Keeps a snapshot in place of the batches that led to it, and gives it where it has one. `applied` is the offset
    /// behind the last record that is answered for.
    pub(super) async fn save(&mut self, applied: u64) -> Result<Option<Saved>, Halt> {
        if !self.is_open() {
            return Ok(None);
        }
        match self.snapshot().await {
            Ok(Some(saved)) => {
                self.status.took_snapshot(saved.state.len());
                self.kept.save(saved.clone(), applied).map(|()| Some(saved))
            }
            Ok(None) => Err(Halt::NoSnapshot),
            // Another call lost it: that says nothing about snapshots.
            Err(CallError::Fault(Fault::Gone)) => Ok(None),
            Err(error) => {
                self.backoff.failed();
                self.kept.save_failed(&error)?;
                Ok(None)
            }
        }
    }

    /// Lets the plugin send the last, as often as it takes: while the backend is away there is no bound but the patience
    /// of who waits for it; where the plugin breaks there is.
    pub(super) async fn close(&mut self) -> Result<(), Halt> {
        self.hide();
        if !self.is_open() && self.kept.is_empty() {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            let Err(error) = self.try_close().await? else { return Ok(()) };
            if matches!(remedy(&error), Remedy::Doubt | Remedy::Lost | Remedy::Suspect { .. } | Remedy::Reject { .. }) {
                failures += 1;
            }
            if failures == CLOSES {
                return Err(Halt::Unclosed { tries: failures, last: error });
            }
            self.pause_after(&error).await;
        }
    }

    async fn try_close(&mut self) -> Result<Result<(), CallError>, Halt> {
        if let Err(error) = self.try_open().await? {
            return Ok(Err(error));
        }
        Ok(self.send_the_last().await)
    }

    /// What it holds back, before it is let go.
    pub(super) async fn send_held(&mut self) {
        while self.pending > 0 && self.is_open() {
            match self.flush().await {
                Ok(Flushed { pending: 0, .. }) => return,
                Ok(flushed) => sleep(self.backoff.pause(flushed.retry_after)).await,
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    async fn send_the_last(&mut self) -> Result<(), CallError> {
        loop {
            let before = self.pending;
            let flushed = self.flush().await?;
            if flushed.pending == 0 {
                break;
            }
            if flushed.pending < before {
                self.backoff.reset();
            }
            sleep(self.backoff.pause(flushed.retry_after)).await;
        }
        let flushed = self.call(|sandbox| async move { sandbox.close().await }).await?;
        self.note(&flushed);
        Ok(())
    }

    /// What the plugin still holds, and what it gave up.
    fn note(&mut self, flushed: &Flushed) {
        self.status.pending(self.pending, flushed.pending);
        self.pending = flushed.pending;
        let (epoch, behind) = &self.handed;
        let (known, unknown): (Vec<_>, Vec<_>) =
            flushed.rejected.iter().partition(|late| late.epoch == *epoch && late.offset < *behind);
        for late in known {
            let reason = late.to_string();
            self.status.reject_late(late, &reason);
            self.ledger.file_late(late, &reason);
        }
        if let Some(first) = unknown.first() {
            let (publisher, offset, epoch) = (self.status.name(), first.offset, &first.epoch);
            tracing::warn!(publisher, count = unknown.len(), offset, epoch, "the plugin gives up records it never had");
        }
    }
}
