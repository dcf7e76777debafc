//! How far a delivery is: what may be handed over, what is answered for, and what of that lasts.

use std::sync::Arc;

use metricast_records::Batch;
use metricast_store::meta::MetaError;
use tokio::time::Instant;

use super::leg::Leg;
use super::sandbox::Opener;
use crate::queue::Entry;

/// Records that may be handed over beyond those that were by the last commit. So many are looked up at the backend, or
/// sent twice, after a crash; and when so many are under way, no more are handed over before the next commit.
const RESERVE: u64 = if cfg!(test) { 20 } else { 100_000 };

impl<O: Opener> Leg<O> {
    pub(super) fn without_skipped(&self, entry: Entry) -> Entry {
        if self.skipped.range(entry.first..entry.next).next().is_none() {
            return entry;
        }
        let records = entry.batch.records().filter(|record| !self.skipped.contains(&record.offset));
        let indexes: Vec<u32> = records.map(|record| record.index).collect();
        Entry { batch: Arc::new(entry.batch.select(&indexes)), ..entry }
    }

    /// What was there before the start may have reached the backend.
    pub(super) fn marked(&self, entry: Entry) -> Entry {
        if !self.ledger.is_durable() || (entry.first >= self.repeats_to && !entry.again) {
            return entry;
        }
        self.status.doubt(entry.batch.len() as u64);
        Entry { batch: Arc::new(Batch::clone(&entry.batch).with_redelivered(true)), ..entry }
    }

    /// How far records may be handed over after the next commit.
    pub(super) fn reserve(&self) -> u64 {
        if self.profile.stateful || !self.ledger.is_durable() {
            return u64::MAX;
        }
        let next = self.beyond.as_ref().map_or(self.watermark.next(), |entry| entry.next);
        next.saturating_add(RESERVE).max(self.repeats_to)
    }

    pub(super) fn answered_for(&mut self, entry: &Entry) {
        self.answered = self.watermark.done(entry.first);
        self.status.set_oldest(self.watermark.oldest());
        if !self.profile.stateful {
            self.assembler.reader().release(self.answered);
            self.keeping.moved(self.answered, self.ledger.is_durable());
        }
        self.show_when_caught_up();
    }

    /// The cursor of a stateful plugin moves with its snapshot, which has just been taken.
    pub(super) fn saved(&mut self) -> u64 {
        self.saving.saved();
        self.answered
    }

    pub(super) fn committed(&mut self, cursor: u64, outcome: Result<(), MetaError>) {
        match outcome {
            Ok(()) => {
                self.skipped = self.skipped.split_off(&cursor);
                self.keeping.done(cursor);
                self.saving.kept(Instant::now());
                self.status.kept();
            }
            Err(error) => {
                self.keeping.failed(self.profile.stateful);
                if self.profile.stateful {
                    self.saving.failed(Instant::now());
                }
                self.status.not_kept(&error.to_string());
            }
        }
    }
}
