//! What a stateful instance is made again from: its last snapshot, and the batches that it took since.
//!
//! A snapshot is believed only where its watermark is that of the receipts: not above what was handed over, not below
//! what was accepted. (Between these lie records that were rejected, which a plugin may or may not count.)

use std::sync::Arc;

use metricast_records::Batch;

use super::trouble::{Halt, RestoreStep, is_plugins_own};
use crate::plugin::{CallError, Receipt, Saved};

/// Failed tries in a row to take a snapshot or to restore one, after which a person is needed.
const TRIES: u32 = 5;

#[derive(Clone, Default)]
pub(super) struct Kept {
    saved: Option<Saved>,
    since: Vec<Arc<Batch>>,
    /// Behind the last record that was accepted.
    accepted_to: u64,
    failed_saves: u32,
    failed_restores: u32,
}

impl Kept {
    /// A state of before. The cursor that it was kept with may be above its watermark, over records that were not
    /// accepted.
    pub(super) fn from(saved: Option<Saved>) -> Self {
        let accepted_to = saved.as_ref().map_or(0, |saved| saved.next_offset);
        Self { saved, accepted_to, ..Self::default() }
    }

    /// The same for another plugin, which has failed at nothing yet.
    pub(super) fn of_another(&self) -> Self {
        Self { failed_saves: 0, failed_restores: 0, ..self.clone() }
    }

    /// What an instance is opened with.
    pub(super) fn snapshot(&self) -> Option<Saved> {
        self.saved.clone()
    }

    /// What it is given after that, in order.
    pub(super) fn since(&self) -> Vec<Arc<Batch>> {
        self.since.clone()
    }

    /// Whether an instance that is lost takes nothing with it.
    pub(super) fn is_empty(&self) -> bool {
        self.saved.is_none() && self.since.is_empty()
    }

    /// The plugin answered for a batch.
    pub(super) fn took(&mut self, batch: &Arc<Batch>, receipt: &Receipt) {
        let is_accepted = |index: u32| receipt.rejected.binary_search_by_key(&index, |it| it.index).is_err();
        let offsets = batch.offsets().iter().zip(0..).filter(|&(_, index)| is_accepted(index));
        let behind = offsets.map(|(offset, _)| offset + 1).max();
        self.accepted_to = self.accepted_to.max(behind.unwrap_or(0));
        self.since.push(Arc::clone(batch));
    }

    /// Takes a snapshot in place of the batches that led to it; `handed` is the offset behind the last record that the
    /// plugin answered for or lost.
    pub(super) fn save(&mut self, saved: Saved, handed: u64) -> Result<(), Halt> {
        let claimed = saved.next_offset;
        if claimed > handed {
            return Err(Halt::WrongSnapshot { claimed, taken: handed });
        }
        if claimed < self.accepted_to {
            return Err(Halt::WrongSnapshot { claimed, taken: self.accepted_to });
        }
        self.saved = Some(saved);
        self.since.clear();
        self.failed_saves = 0;
        Ok(())
    }

    /// The plugin failed to give a snapshot.
    pub(super) fn save_failed(&mut self, error: &CallError) -> Result<(), Halt> {
        self.failed_saves += 1;
        if self.failed_saves < TRIES {
            return Ok(());
        }
        Err(Halt::Unsaved { tries: self.failed_saves, last: error.clone() })
    }

    pub(super) fn restored(&mut self) {
        self.failed_restores = 0;
    }

    /// A new instance could not be opened from the snapshot, or not take one of the batches since. What is the plugin's
    /// own doing is bounded.
    pub(super) fn restore_failed(&mut self, repeating: Option<&Batch>, error: &CallError) -> Result<(), Halt> {
        if self.is_empty() || !is_plugins_own(error) {
            return Ok(());
        }
        self.failed_restores += 1;
        if self.failed_restores < TRIES {
            return Ok(());
        }
        let repeated = |batch: &Batch| {
            let offsets = || batch.offsets().iter().copied();
            Some(RestoreStep::Repeating { first: offsets().min()?, last: offsets().max()? })
        };
        let at = repeating.and_then(repeated).unwrap_or(RestoreStep::Opening);
        Err(Halt::Unrestored { tries: self.failed_restores, at, last: error.clone() })
    }
}
