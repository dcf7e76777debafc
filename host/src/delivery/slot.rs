//! One place for an instance: opens it, hands batches over until each record has an answer, replaces it when it breaks.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use metricast_records::{Batch, Record};
use tokio::sync::watch;
use tokio::time::sleep;

use super::retry::Backoff;
use super::sandbox::{Opener, Sandbox};
use super::status::Status;
use crate::clock;
use crate::config::Retry;
use crate::plugin::{CallError, Fault, Flushed, Profile, PublishError, Receipt, Saved};

/// How often one batch may break an instance before it is halved.
const WHOLE_TRIES: u32 = 2;

/// The plugin refuses its config: nothing that is done again will help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Halt(pub(super) PublishError);

impl Halt {
    /// Whether an error is one that does not pass.
    pub(super) fn is_due_to(error: &CallError) -> bool {
        matches!(error, CallError::Publish(PublishError::Misconfigured(_) | PublishError::StateIncompatible(_)))
    }
}

pub(super) struct Slot<O: Opener> {
    opener: Arc<O>,
    sandbox: Option<O::Sandbox>,
    kept: Kept,
    backoff: Backoff,
    give_up_after: Option<Duration>,
    status: Arc<Status>,
    /// Tells who scrapes which instance to ask; of the first slot only.
    current: Option<watch::Sender<Option<O::Sandbox>>>,
}

/// What a stateful instance is made again from.
#[derive(Default)]
struct Kept {
    saved: Option<Saved>,
    since: Vec<Arc<Batch>>,
}

/// A batch, or a part of one, that has no answer yet.
struct Piece {
    batch: Arc<Batch>,
    /// How many instances it has broken.
    faults: u32,
}

impl<O: Opener> Slot<O> {
    pub(super) fn new(opener: Arc<O>, retry: &Retry, status: Arc<Status>) -> Self {
        Self {
            opener,
            sandbox: None,
            kept: Kept::default(),
            backoff: Backoff::new(retry, fastrand::Rng::new()),
            give_up_after: retry.give_up_after,
            status,
            current: None,
        }
    }

    pub(super) fn telling(mut self, current: watch::Sender<Option<O::Sandbox>>) -> Self {
        self.current = Some(current);
        self
    }

    /// One try to open; with an instance that is there, nothing is done.
    pub(super) async fn try_open(&mut self) -> Result<Profile, CallError> {
        if let Some(sandbox) = &self.sandbox {
            return Ok(sandbox.profile());
        }
        let sandbox = self.opener.open(self.kept.saved.clone()).await?;
        for batch in &self.kept.since {
            sandbox.publish(Arc::clone(batch)).await?;
        }
        let profile = sandbox.profile();
        self.put(Some(sandbox));
        Ok(profile)
    }

    /// Opens, again and again with pauses.
    pub(super) async fn open(&mut self) -> Result<Profile, Halt> {
        loop {
            match self.try_open().await {
                Ok(profile) => return Ok(profile),
                Err(error) => self.pause_after(&error).await?,
            }
        }
    }

    /// Waits as long as an error asks for; halts on one that does not pass.
    pub(super) async fn pause_after(&mut self, error: &CallError) -> Result<(), Halt> {
        let pause = match error {
            CallError::Publish(error @ (PublishError::Misconfigured(_) | PublishError::StateIncompatible(_))) => {
                return Err(Halt(error.clone()));
            }
            CallError::Publish(PublishError::Unauthorized(_)) => self.backoff.long_pause(),
            CallError::Publish(PublishError::Unavailable { retry_after, .. }) => self.backoff.pause(*retry_after),
            _ => self.backoff.pause(None),
        };
        self.status.waiting(&error.to_string());
        sleep(pause).await;
        Ok(())
    }

    /// Hands a batch over, and what is left of it, until every record is accepted or rejected.
    pub(super) async fn deliver(&mut self, batch: Arc<Batch>) -> Result<(), Halt> {
        let bytes = batch.byte_len();
        let mut pieces = VecDeque::from([Piece { batch, faults: 0 }]);
        while let Some(piece) = pieces.pop_front() {
            if let Err(error) = self.try_open().await {
                self.pause_after(&error).await?;
                if let Some(batch) = self.within_age(piece.batch, &error.to_string()) {
                    pieces.push_front(Piece { batch, faults: piece.faults });
                }
                continue;
            }
            let answer = match &self.sandbox {
                Some(sandbox) => sandbox.publish(Arc::clone(&piece.batch)).await,
                None => Err(Fault::Gone.into()),
            };
            match answer {
                Ok(receipt) => self.settle(piece, receipt, &mut pieces).await,
                Err(error) => self.settle_error(piece, error, &mut pieces).await?,
            }
        }
        self.status.answered(bytes);
        Ok(())
    }

    async fn settle(&mut self, piece: Piece, receipt: Receipt, pieces: &mut VecDeque<Piece>) {
        let batch = &piece.batch;
        self.status.accept(u64::from(receipt.accepted));
        for rejection in &receipt.rejected {
            self.status.reject(&batch.record(rejection.index as usize), &rejection.reason);
        }
        if self.is_stateful() {
            self.kept.since.push(Arc::clone(batch));
        }
        if receipt.accepted > 0 || receipt.retryable.is_empty() {
            // A backend that takes a part is busy, not away: pauses stay short.
            self.backoff.reset();
        }
        if receipt.retryable.is_empty() {
            self.status.running();
            return;
        }
        let redelivered = batch.redelivered() || !receipt.in_doubt.is_empty();
        let rest = Arc::new(batch.select(&receipt.retryable).with_redelivered(redelivered));
        let Some(rest) = self.within_age(rest, "the backend put it off") else { return };
        self.status.retry(rest.len() as u64);
        self.status.waiting(&format!("the backend puts records off ({} of {})", rest.len(), batch.len()));
        sleep(self.backoff.pause(receipt.retry_after)).await;
        pieces.push_front(Piece { batch: rest, faults: 0 });
    }

    async fn settle_error(&mut self, piece: Piece, error: CallError, pieces: &mut VecDeque<Piece>) -> Result<(), Halt> {
        match &error {
            CallError::Publish(PublishError::Rejected(reason)) => {
                reject_all(&self.status, &piece.batch, reason);
                self.backoff.reset();
                Ok(())
            }
            CallError::Publish(PublishError::Unauthorized(_) | PublishError::Unavailable { .. }) => {
                if let Some(batch) = self.within_age(piece.batch, &error.to_string()) {
                    self.status.retry(batch.len() as u64);
                    self.pause_after(&error).await?;
                    pieces.push_front(Piece { batch, faults: piece.faults });
                }
                Ok(())
            }
            CallError::Publish(PublishError::Misconfigured(_)) => self.pause_after(&error).await,
            // It was lost to another call.
            CallError::Fault(Fault::Gone) => {
                self.replace(&error);
                pieces.push_front(piece);
                Ok(())
            }
            CallError::Publish(PublishError::Internal(_) | PublishError::StateIncompatible(_))
            | CallError::Fault(_) => {
                self.replace(&error);
                self.suspect(piece, &error, pieces).await
            }
        }
    }

    /// Tries a batch again that broke an instance; halves it when it does so again.
    async fn suspect(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) -> Result<(), Halt> {
        let faults = piece.faults + 1;
        let batch = piece.batch;
        if faults < WHOLE_TRIES {
            self.status.retry(batch.len() as u64);
            self.status.waiting(&error.to_string());
            sleep(self.backoff.pause(None)).await;
            pieces.push_front(Piece { batch: Arc::new(again(&batch)), faults });
        } else if batch.len() == 1 {
            reject_all(&self.status, &batch, &format!("the plugin breaks on this record: {error}"));
        } else {
            self.status.retry(batch.len() as u64);
            let (left, right) = halves(&batch);
            for half in [right, left] {
                pieces.push_front(Piece { batch: Arc::new(half), faults });
            }
        }
        Ok(())
    }

    /// Whether every record of a batch is too old to be tried again.
    pub(super) fn is_too_old(&self, batch: &Batch) -> bool {
        let Some(limit) = self.give_up_after else { return false };
        let oldest = clock::now() - limit.as_secs_f64();
        batch.received().iter().all(|&received| received < oldest)
    }

    /// What is not too old to be tried again; the rest is given up.
    pub(super) fn within_age(&self, batch: Arc<Batch>, reason: &str) -> Option<Arc<Batch>> {
        let Some(limit) = self.give_up_after else { return Some(batch) };
        let oldest = clock::now() - limit.as_secs_f64();
        let (fresh, old): (Vec<Record<'_>>, Vec<Record<'_>>) =
            batch.records().partition(|record| record.received >= oldest);
        for record in &old {
            self.status.give_up(record, &format!("after {}: {reason}", humantime::format_duration(limit)));
        }
        if old.is_empty() {
            return Some(Arc::clone(&batch));
        }
        let indexes: Vec<u32> = fresh.iter().map(|record| record.index).collect();
        (!indexes.is_empty()).then(|| Arc::new(batch.select(&indexes)))
    }

    /// Drops an instance that broke: the next call opens another one.
    pub(super) fn replace(&mut self, error: &CallError) {
        tracing::warn!(publisher = self.status.name(), "the plugin's instance is replaced: {error}");
        self.status.fault();
        self.put(None);
    }

    fn put(&mut self, sandbox: Option<O::Sandbox>) {
        if let Some(current) = &self.current {
            current.send_replace(sandbox.clone());
        }
        self.sandbox = sandbox;
    }

    fn is_stateful(&self) -> bool {
        self.sandbox.as_ref().is_some_and(|sandbox| sandbox.profile().stateful)
    }

    /// Whether records were applied that are in no snapshot.
    pub(super) fn has_unsaved(&self) -> bool {
        !self.kept.since.is_empty()
    }

    /// Keeps a snapshot in place of the batches that led to it; says whether it has one. `applied` is the offset
    /// behind the last record that went in.
    pub(super) async fn save(&mut self, applied: u64) -> Result<bool, Halt> {
        if !self.is_stateful() {
            return Ok(false);
        }
        let broken = |what: String| Err(Halt(PublishError::Internal(what)));
        match self.call(|sandbox| async move { sandbox.snapshot().await }).await {
            Ok(Some(Some(saved))) if saved.next_offset > applied => broken(format!(
                "the plugin's snapshot holds records below {}, and it got those below {applied}",
                saved.next_offset
            )),
            Ok(Some(Some(saved))) => {
                self.kept = Kept { saved: Some(saved), since: Vec::new() };
                Ok(true)
            }
            Ok(Some(None)) => broken("the plugin keeps state and gives no snapshot of it".to_owned()),
            Ok(None) | Err(_) => Ok(false),
        }
    }

    /// Opens another instance where this one was lost to somebody else's call, such as a scrape.
    pub(super) async fn revive(&mut self) -> Result<(), Halt> {
        // Any call tells whether it is alive.
        let _ = self.call(|sandbox| async move { sandbox.snapshot().await }).await;
        self.open().await.map(|_profile| ())
    }

    /// Lets the plugin send what is due.
    pub(super) async fn flush(&mut self) {
        let _ = self.flushed().await;
    }

    /// Lets the plugin send the last, as often as it takes.
    pub(super) async fn close(&mut self) -> Result<(), Halt> {
        if self.sandbox.is_none() && !self.has_unsaved() {
            return Ok(());
        }
        loop {
            self.open().await?;
            match self.flushed().await {
                Ok(Some(flushed)) if flushed.pending == 0 => break,
                Ok(Some(flushed)) => sleep(self.backoff.pause(flushed.retry_after)).await,
                Ok(None) => {}
                Err(error) => self.pause_after(&error.into()).await?,
            }
        }
        loop {
            self.open().await?;
            match self.call(|sandbox| async move { sandbox.close().await }).await {
                Ok(Some(flushed)) => {
                    self.late_rejections(&flushed);
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) => self.pause_after(&error.into()).await?,
            }
        }
    }

    async fn flushed(&mut self) -> Result<Option<Flushed>, PublishError> {
        let flushed = self.call(|sandbox| async move { sandbox.flush().await }).await?;
        if let Some(flushed) = &flushed {
            self.late_rejections(flushed);
        }
        Ok(flushed)
    }

    fn late_rejections(&self, flushed: &Flushed) {
        for late in &flushed.rejected {
            self.status.reject_late(late);
        }
    }

    /// None where the instance was lost.
    async fn call<T, F>(&mut self, call: impl FnOnce(O::Sandbox) -> F) -> Result<Option<T>, PublishError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let Some(sandbox) = self.sandbox.clone() else { return Ok(None) };
        match call(sandbox).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ CallError::Fault(_)) => {
                self.replace(&error);
                Ok(None)
            }
            Err(CallError::Publish(error)) => {
                self.status.waiting(&error.to_string());
                Err(error)
            }
        }
    }
}

fn reject_all(status: &Status, batch: &Batch, reason: &str) {
    for record in batch.records() {
        status.reject(&record, reason);
    }
}

/// The same records, marked as ones that the backend may have.
fn again(batch: &Batch) -> Batch {
    batch.clone().with_redelivered(true)
}

/// In two by offset, so that each half is a run of the queue.
fn halves(batch: &Batch) -> (Batch, Batch) {
    let mut offsets = batch.offsets().to_vec();
    offsets.sort_unstable();
    let middle = offsets[offsets.len() / 2];
    let part = |range| {
        let mut indexes: Vec<u32> = batch.rows_at(range).map(|row| row as u32).collect();
        indexes.sort_unstable();
        batch.select(&indexes).with_redelivered(true)
    };
    (part(0..middle), part(middle..u64::MAX))
}
