//! Finds the record that breaks a plugin: a batch that fails again and again is halved, until one record stands alone.

use std::sync::Arc;

use metricast_records::Batch;

/// A batch, or a part of one, that has no answer yet.
pub(super) struct Piece {
    pub(super) batch: Arc<Batch>,
    /// How often the plugin failed over it.
    failures: u32,
    /// How often its records were handed over.
    pub(super) attempts: u32,
}

/// What is to be done with a piece that the plugin failed over.
pub(super) enum Suspected {
    /// The same again.
    Again(Piece),
    /// One after the other.
    Halves(Piece, Piece),
    /// It is one record, and it alone does it.
    Poison(Piece),
}

impl Piece {
    pub(super) fn new(batch: Arc<Batch>) -> Self {
        Self { batch, failures: 0, attempts: 0 }
    }

    /// What the plugin had no fault with and is to come again.
    pub(super) fn rest(&self, batch: Arc<Batch>) -> Self {
        Self { batch, failures: 0, attempts: self.attempts }
    }

    /// Other records of the same piece, or the same.
    pub(super) fn with(self, batch: Arc<Batch>) -> Self {
        Self { batch, ..self }
    }

    /// The same records, marked as ones that the backend may have.
    pub(super) fn in_doubt(self) -> Self {
        if self.batch.redelivered() {
            return self;
        }
        let batch = Batch::clone(&self.batch).with_redelivered(true);
        self.with(Arc::new(batch))
    }

    /// The plugin failed over it once more. A whole batch and a record that stands alone are tried `patience` times, what
    /// lies between once.
    pub(super) fn suspect(mut self, patience: u32) -> Suspected {
        self.failures += 1;
        if self.failures < patience {
            return Suspected::Again(self.in_doubt());
        }
        if self.batch.len() == 1 {
            return Suspected::Poison(self);
        }
        let (left, right) = halves(&self.batch);
        let half = |batch: Batch| {
            let failures = if batch.len() == 1 { 0 } else { self.failures };
            Self { batch: Arc::new(batch), failures, attempts: self.attempts }
        };
        Suspected::Halves(half(left), half(right))
    }
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

#[cfg(test)]
mod tests {
    use super::super::scripted::batch;
    use super::*;

    #[test]
    fn a_batch_is_tried_again_then_halved_and_one_record_is_poison() {
        let Suspected::Again(piece) = Piece::new(Arc::new(batch(3))).suspect(2) else { panic!("once is not enough") };
        assert!(piece.batch.redelivered());
        let Suspected::Halves(left, right) = piece.suspect(2) else { panic!("twice is") };
        assert_eq!((left.batch.offsets(), right.batch.offsets()), (&[0][..], &[1, 2][..]));
        let Suspected::Again(left) = left.suspect(2) else { panic!("a record alone has as many tries as a batch") };
        let Suspected::Poison(left) = left.suspect(2) else { panic!("it had two") };
        assert_eq!(left.batch.offsets(), [0]);
        assert!(matches!(right.suspect(2), Suspected::Halves(..)));
    }
}
