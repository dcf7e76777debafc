//! What waits for one leg, in memory and in order.
//!
//! Bounds, for each leg: [`MAX_RECORDS`] records and [`MAX_BYTES`] bytes, whichever is met first. An empty buffer takes
//! any one batch, or a batch beyond the bound could never be delivered.

use std::collections::VecDeque;

use crate::batch::{len, weight};
use crate::types::Batch;

/// Records that wait for one leg.
pub const MAX_RECORDS: usize = 100_000;
/// Bytes of the batches that wait for one leg.
pub const MAX_BYTES: usize = 16 << 20;

/// A batch, or a part of one, that waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) batch: Batch,
    /// How often the leg failed over it by its own fault.
    pub(crate) faults: u32,
}

/// What waits for one leg.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    entries: VecDeque<Entry>,
    records: usize,
    bytes: usize,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many records wait.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn has_room_for(&self, batch: &Batch) -> bool {
        self.is_empty() || (self.records + len(batch) <= MAX_RECORDS && self.bytes + weight(batch) <= MAX_BYTES)
    }

    /// Puts a batch behind all others.
    pub(crate) fn push(&mut self, batch: Batch) {
        self.count(&batch);
        self.entries.push_back(Entry { batch, faults: 0 });
    }

    /// Puts batches of a saved state behind all others.
    pub(crate) fn restore(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            self.push(batch);
        }
    }

    /// Puts what was taken, or what is left of it, back before all others.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        self.count(&entry.batch);
        self.entries.push_front(entry);
    }

    /// Takes the one that waits longest.
    pub(crate) fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.records -= len(&entry.batch);
        self.bytes -= weight(&entry.batch);
        Some(entry)
    }

    /// All batches in order.
    pub(crate) fn batches(&self) -> impl ExactSizeIterator<Item = &Batch> {
        self.entries.iter().map(|entry| &entry.batch)
    }

    fn count(&mut self, batch: &Batch) {
        self.records += len(batch);
        self.bytes += weight(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::batch;

    #[test]
    fn the_bound_is_met_by_records_or_bytes_and_an_empty_buffer_takes_any_one_batch() {
        let mut pending = Pending::default();
        let huge = batch("e", 0..MAX_RECORDS as u64 + 1);
        assert!(pending.has_room_for(&huge));
        pending.push(huge);
        assert!(!pending.has_room_for(&batch("e", 0..1)));
        pending.take();
        pending.push(batch("e", 0..10));
        assert!(pending.has_room_for(&batch("e", 0..1000)));
        assert!(!pending.has_room_for(&batch("e", 0..MAX_RECORDS as u64 - 9)));
        let mut heavy = batch("e", 0..1);
        heavy.text = vec![b'x'; MAX_BYTES];
        assert!(!pending.has_room_for(&heavy));
    }

    #[test]
    fn what_is_taken_and_put_back_is_first_again_and_counted_once() {
        let mut pending = Pending::default();
        pending.push(batch("e", 0..3));
        pending.push(batch("e", 3..5));
        let first = pending.take().unwrap();
        assert_eq!(pending.records(), 2);
        pending.put_back(first);
        assert_eq!(pending.records(), 5);
        assert_eq!(pending.take().unwrap().batch.offsets, [0, 1, 2]);
    }
}
