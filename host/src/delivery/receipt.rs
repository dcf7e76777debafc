//! A batch until each of its records has an answer: handed over, and what is left of it again.

use std::collections::VecDeque;
use std::sync::Arc;

use metricast_records::{Batch, Record};
use tokio::time::sleep;

use super::poison::{Piece, Suspected};
use super::sandbox::{Opener, Sandbox};
use super::slot::Slot;
use super::trouble::{Halt, Remedy, remedy};
use crate::clock;
use crate::plugin::{CallError, Receipt};

impl<O: Opener> Slot<O> {
    /// Hands a batch over, and what is left of it, until every record is accepted, rejected or given up.
    pub(super) async fn deliver(&mut self, batch: Arc<Batch>) -> Result<(), Halt> {
        let bytes = batch.byte_len();
        let behind = batch.offsets().iter().max().map_or(0, |last| last + 1);
        self.handed = (batch.epoch().to_owned(), behind.max(self.handed.1));
        let mut pieces = VecDeque::from([Piece::new(batch)]);
        while let Some(piece) = pieces.pop_front() {
            if let Err(error) = self.try_open().await? {
                self.wait_with(piece, &error, &mut pieces).await;
                continue;
            }
            self.flush_if_due().await;
            let batch = Arc::clone(&piece.batch);
            match self.call(|sandbox| async move { sandbox.publish(batch).await }).await {
                Ok(receipt) => self.settle(piece, receipt, &mut pieces).await,
                Err(error) => self.settle_error(piece, &error, &mut pieces).await,
            }
        }
        self.status.answered(bytes);
        Ok(())
    }

    async fn settle(&mut self, piece: Piece, receipt: Receipt, pieces: &mut VecDeque<Piece>) {
        let batch = Arc::clone(&piece.batch);
        self.status.accept(u64::from(receipt.accepted));
        for rejection in &receipt.rejected {
            self.status.reject(&batch.record(rejection.index as usize), &rejection.reason);
        }
        if self.is_stateful() {
            self.kept.took(&batch, &receipt);
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
        pieces.push_front(Piece::new(rest));
    }

    async fn settle_error(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) {
        match remedy(error) {
            Remedy::Reject { reason } => {
                self.reject_all(&piece.batch, &reason);
                self.backoff.reset();
                self.status.running();
            }
            Remedy::Wait { .. } | Remedy::Person => self.send_again(piece, error, pieces).await,
            Remedy::Doubt => self.send_again(piece.in_doubt(), error, pieces).await,
            Remedy::Lost => {
                self.wait_with(piece.in_doubt(), error, pieces).await;
            }
            Remedy::Suspect { patience } => self.suspect(piece, patience, error, pieces).await,
        }
    }

    async fn suspect(&mut self, piece: Piece, patience: u32, error: &CallError, pieces: &mut VecDeque<Piece>) {
        if self.is_stateful() {
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
                self.reject_all(&record, &format!("the plugin breaks on this record: {error}"));
                self.pause_after(error).await;
                if self.is_open() {
                    self.status.running();
                }
            }
        }
    }

    async fn send_again(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) {
        if let Some(records) = self.wait_with(piece, error, pieces).await {
            self.status.retry(records);
        }
    }

    /// Waits as the error asks, with what is not too old for it; says how many records that are.
    async fn wait_with(&mut self, piece: Piece, error: &CallError, pieces: &mut VecDeque<Piece>) -> Option<u64> {
        let batch = self.within_age(Arc::clone(&piece.batch), &error.to_string())?;
        let records = batch.len() as u64;
        self.pause_after(error).await;
        pieces.push_front(piece.with(batch));
        Some(records)
    }

    fn reject_all(&self, batch: &Batch, reason: &str) {
        for record in batch.records() {
            self.status.reject(&record, reason);
        }
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
        (!indexes.is_empty()).then(|| Arc::new(batch.select(&indexes).with_redelivered(batch.redelivered())))
    }
}
