//! Turns of 15 minutes, at whose beginnings idle series expire.
//!
//! A turn begins with the first record, in the order of the queue, that was received in it: a batch is cut there. So
//! what expires between which two records is the same however batches were cut, and whenever it is asked.

use std::ops::Range;

use metricast_sdk::Batch;

/// How long a turn is, seconds.
pub(crate) const SECONDS: f64 = 900.0;

/// The turn of a time.
fn of(received: f64) -> u32 {
    (received / SECONDS) as u32
}

/// Rows of a batch, by kind of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) events: Range<usize>,
    /// Not counted on from the events.
    pub(crate) networks: Range<usize>,
}

impl Rows {
    /// The rows of records with offsets from `from` on.
    pub(crate) fn from(batch: &Batch, from: u64) -> Self {
        let (events, networks) = batch.offsets().split_at(batch.event_columns().event_name.len());
        let rows = |offsets: &[u64]| offsets.partition_point(|offset| *offset < from)..offsets.len();
        Self { events: rows(events), networks: rows(networks) }
    }

    /// Cuts off the rows before a turn later than `turn`, and says which begins then; none where none does.
    pub(crate) fn before_next(&mut self, batch: &Batch, turn: u32) -> Option<(Self, u32)> {
        let events = batch.event_columns().event_name.len();
        let (received, offsets) = (batch.received(), batch.offsets());
        let later = |rows: Range<usize>| rows.into_iter().find(|row| of(received[*row]) > turn);
        let firsts = [later(self.events.clone()), later(shifted(&self.networks, events))];
        let first = firsts.into_iter().flatten().min_by_key(|row| offsets[*row])?;
        let rest = Self::from(batch, offsets[first]);
        let before = Self {
            events: self.events.start..rest.events.start.max(self.events.start),
            networks: self.networks.start..rest.networks.start.max(self.networks.start),
        };
        self.events.start = before.events.end;
        self.networks.start = before.networks.end;
        Some((before, of(received[first])))
    }
}

fn shifted(rows: &Range<usize>, by: usize) -> Range<usize> {
    rows.start + by..rows.end + by
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricast_records::{BatchBuilder, EventMetrics, Metrics, NetworkMetrics};

    fn record(kind: char) -> Metrics {
        if kind == 'e' {
            let (event_name, status) = ("a".to_owned(), "completed".to_owned());
            return Metrics::Event(EventMetrics { event_name, status, ..EventMetrics::default() });
        }
        let (operation, host) = ("get".to_owned(), "host".to_owned());
        Metrics::Network(NetworkMetrics { operation, host, ..NetworkMetrics::default() })
    }

    /// Records of these kinds, each received in the turn beside it.
    fn batch(records: &[(char, u32)]) -> Batch {
        let mut builder = BatchBuilder::new();
        for (kind, turn) in records {
            builder.push(&record(*kind).as_ref(), f64::from(*turn) * SECONDS).expect("there is room");
        }
        builder.finish().placed("epoch", 10)
    }

    #[test]
    fn a_batch_is_cut_where_the_queue_comes_to_a_later_turn() {
        let batch = batch(&[('e', 5), ('n', 5), ('e', 7), ('n', 4), ('n', 8), ('e', 7)]);
        let mut rows = Rows::from(&batch, 10);
        assert_eq!(rows.before_next(&batch, 5), Some((Rows { events: 0..1, networks: 0..1 }, 7)));
        assert_eq!(rows.before_next(&batch, 7), Some((Rows { events: 1..2, networks: 1..2 }, 8)));
        assert_eq!(rows.before_next(&batch, 8), None);
        assert_eq!(rows, Rows { events: 2..3, networks: 2..3 });
    }

    #[test]
    fn what_is_counted_already_begins_no_turn() {
        let batch = batch(&[('e', 9), ('e', 5), ('n', 6)]);
        let mut rows = Rows::from(&batch, 11);
        assert_eq!(rows.before_next(&batch, 5), Some((Rows { events: 1..2, networks: 0..0 }, 6)));
        assert_eq!(rows.before_next(&batch, 6), None);
        assert_eq!(rows, Rows { events: 2..2, networks: 0..1 });
    }
}
