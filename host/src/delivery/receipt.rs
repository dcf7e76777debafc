//! A batch until each of its records has an answer: handed over, and what is left of it again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use metricast_records::{Batch, Record};
use metricast_store::meta::Kind;
use tokio::time::{Instant, sleep};

use super::leg::KEEP_AGAIN;
use super::poison::{Piece, Suspected};
use super::sandbox::{Opener, Sandbox};
use super::slot::Slot;
use super::trouble::{Halt, Remedy, remedy};
use crate::clock;
use crate::plugin::{CallError, Receipt};

impl<O: Opener> Slot<O> {
    /// Hands the pieces of a batch over, and what is left of them, until every record is accepted, rejected or given up,
    /// or it is interrupted: it gives back what has no answer then.
    pub(super) async fn deliver(
        &mut self,
        whole: &Batch,
        mut pieces: VecDeque<Piece>,
    ) -> Result<VecDeque<Piece>, Halt> {
        let behind = whole.offsets().iter().max().map_or(0, |last| last + 1);
        self.handed = (whole.epoch().to_owned(), behind.max(self.handed.1));
        while !pieces.is_empty() {
            if !self.may_ask().await {
                return Ok(pieces);
            }
            let Some(mut piece) = pieces.pop_front() else { break };
            if let Err(error) = self.try_open().await? {
                self.wait_with(piece, &error, &mut pieces).await;
                continue;
            }
            self.flush_if_due().await;
            piece.attempts += 1;
            let batch = Arc::clone(&piece.batch);
            let handed_at = Instant::now();
            let answer = self.call(|sandbox| async move { sandbox.publish(batch).await }).await;
            tell(&piece, &answer, handed_at.elapsed());
            match answer {
                Ok(receipt) => self.settle(&piece, receipt, &mut pieces).await,
                Err(error) => self.settle_error(piece, &error, &mut pieces).await,
            }
        }
        self.pass = None;
        self.status.answered(whole.byte_len());
        Ok(pieces)
    }

    async fn settle(&mut self, piece: &Piece, receipt: Receipt, pieces: &mut VecDeque<Piece>) {
        let batch = &piece.batch;
        self.status.accept(u64::from(receipt.accepted));
        for rejection in &receipt.rejected {
            let index = rejection.index as usize;
            self.status.reject(&batch.record(index), &rejection.reason);
            self.ledger.file(batch, index, Kind::Rejected, &rejection.reason, piece.attempts);
        }
        if self.is_stateful() {
            self.kept.took(batch, &receipt);
        }
        let is_there = receipt.accepted > 0 || receipt.retryable.is_empty();
        if is_there {
            // A backend that takes a part is busy, not away: pauses stay short.
            self.went_well();
        }
        if receipt.retryable.is_empty() {
            self.goes_on();
            return;
        }
        let redelivered = batch.redelivered() || !receipt.in_doubt.is_empty();
        let rest = Arc::new(batch.select(&receipt.retryable).with_redelivered(redelivered));
        let rest = piece.rest(rest);
        let Some(rest) = self.within_age(&rest, "the backend put it off") else { return };
        self.status.retry(rest.len() as u64);
        self.status.doubt(receipt.in_doubt.len() as u64);
        self.status.waiting(&format!("the backend puts records off ({} of {})", rest.len(), batch.len()));
        if is_there {
            let pause = self.backoff.pause(receipt.retry_after);
            self.rest(pause).await;
        } else {
            self.leave_alone(|backoff| backoff.pause(receipt.retry_after));
        }
        pieces.push_front(piece.rest(rest));
    }

    async fn settle_error(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) {
        match remedy(error) {
            Remedy::Reject { reason } => {
                self.reject_all(&piece, Kind::Rejected, &reason);
                self.went_well();
                self.goes_on();
            }
            Remedy::Wait { .. } | Remedy::Person => self.send_again(piece, error, pieces).await,
            Remedy::Doubt => {
                self.status.doubt(piece.batch.len() as u64);
                self.send_again(piece.in_doubt(), error, pieces).await;
            }
            Remedy::Lost => {
                self.wait_with(piece.in_doubt(), error, pieces).await;
            }
            Remedy::Suspect { patience } => self.suspect(piece, patience, error, pieces).await,
        }
    }

    async fn suspect(&mut self, piece: Piece, patience: u32, error: &CallError, pieces: &mut VecDeque<Piece>) {
        if !self.is_stateful() {
            self.status.doubt(piece.batch.len() as u64);
        } else if self.is_open() {
            // Nobody knows what a state holds that failed in the middle of a batch.
            self.replace(error);
        }
        match piece.suspect(patience) {
            Suspected::Again(piece) => self.send_again(piece, error, pieces).await,
            Suspected::Halves(left, right) => {
                pieces.push_front(right);
                self.send_again(left, error, pieces).await;
            }
            Suspected::Poison(record) => {
                self.reject_all(&record, Kind::Poison, &format!("the plugin breaks on this record: {error}"));
                if self.is_stateful() {
                    self.never_again(&record.batch).await;
                }
                self.pause_after(error).await;
                if self.is_open() {
                    self.goes_on();
                }
            }
        }
    }

    /// Nothing goes on before this lasts: a state that is made again from the queue would meet the records once more.
    async fn never_again(&self, batch: &Batch) {
        while let Err(error) = self.ledger.skip(batch.offsets().to_vec()).await {
            self.status.not_kept(&error.to_string());
            sleep(KEEP_AGAIN).await;
        }
        self.status.kept();
    }

    async fn send_again(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) {
        if let Some(records) = self.wait_with(piece, error, pieces).await {
            self.status.retry(records);
        }
    }

    /// Waits as the error asks, with what is not too old for it; says how many records that are.
    async fn wait_with(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) -> Option<u64> {
        let batch = self.within_age(&piece, &error.to_string())?;
        let records = batch.len() as u64;
        self.pause_after(error).await;
        pieces.push_front(piece.with(batch));
        Some(records)
    }

    fn reject_all(&self, piece: &Piece, kind: Kind, reason: &str) {
        for record in piece.batch.records() {
            self.status.reject(&record, reason);
            self.ledger.file(&piece.batch, record.index as usize, kind, reason, piece.attempts);
        }
    }

    /// Whether every record of a batch is too old to be tried again.
    pub(super) fn is_too_old(&self, batch: &Batch) -> bool {
        self.give_up_after.is_some_and(|limit| batch.records().all(|record| self.is_over_age(&record, limit)))
    }

    fn is_over_age(&self, record: &Record<'_>, limit: Duration) -> bool {
        record.offset >= self.shown_to && record.received < clock::now() - limit.as_secs_f64()
    }

    /// What is not too old to be tried again; the rest is given up.
    pub(super) fn within_age(&self, piece: &Piece, reason: &str) -> Option<Arc<Batch>> {
        let batch = &piece.batch;
        let Some(limit) = self.give_up_after else { return Some(Arc::clone(batch)) };
        let (old, fresh): (Vec<Record<'_>>, Vec<Record<'_>>) =
            batch.records().partition(|record| self.is_over_age(record, limit));
        let reason = format!("after {}: {reason}", humantime::format_duration(limit));
        for record in &old {
            self.status.give_up(record, &reason);
            self.ledger.file(batch, record.index as usize, Kind::Expired, &reason, piece.attempts);
        }
        if old.is_empty() {
            return Some(Arc::clone(batch));
        }
        let indexes: Vec<u32> = fresh.iter().map(|record| record.index).collect();
        (!indexes.is_empty()).then(|| Arc::new(batch.select(&indexes).with_redelivered(batch.redelivered())))
    }
}

fn tell(piece: &Piece, answer: &Result<Receipt, CallError>, took: Duration) {
    let (records, attempt) = (piece.batch.len(), piece.attempts);
    match answer {
        Ok(receipt) => {
            let (accepted, rejected, put_off) = (receipt.accepted, receipt.rejected.len(), receipt.retryable.len());
            tracing::debug!(records, attempt, accepted, rejected, put_off, ?took, "the plugin has answered");
        }
        Err(error) => tracing::debug!(records, attempt, ?took, "the plugin has failed: {error}"),
    }
}
