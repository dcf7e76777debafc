//! Counting the network operations of a batch, as [`events`](crate::events) are counted.

use std::ops::Range;

use metricast_sdk::{Outcome, batch};
use metricast_series::{ExemplarPlace, Histogram, LabelTable, Registry};

use crate::finder::Finder;
use crate::labels::Tag;
use crate::metrics::NetworkSeries;
use crate::recorder::{Pass, Unobserved};

/// Counts network operations.
#[derive(Debug)]
pub(crate) struct NetworkRecorder {
    finder: Finder<NetworkSeries>,
    /// By the finder's places.
    tallies: Vec<Tally>,
}

/// What a batch says of operations that are alike.
#[derive(Debug)]
struct Tally {
    /// Where the finder has their series.
    known: usize,
    latency: Histogram,
    records: u64,
    ended: u64,
    sent: u128,
    received: u128,
    /// From when on the counter of operations takes an exemplar.
    exemplar_due: f64,
}

impl NetworkRecorder {
    pub(crate) fn new(tags: &[Tag], shown: &LabelTable) -> Self {
        Self { finder: Finder::new(tags, shown), tallies: Vec::new() }
    }

    /// Counts operations, and gives back what of them no histogram observes.
    pub(crate) fn record(&mut self, pass: &Pass<'_>, registry: &mut Registry, rows: Range<usize>) -> Unobserved {
        if self.finder.has_tags() {
            self.record_rows::<true>(pass, registry, rows)
        } else {
            self.record_rows::<false>(pass, registry, rows)
        }
    }

    fn record_rows<const TAGS: bool>(
        &mut self,
        pass: &Pass<'_>,
        registry: &mut Registry,
        rows: Range<usize>,
    ) -> Unobserved {
        let columns = pass.batch.network_columns();
        let names = columns.operation[rows.clone()].iter().zip(&columns.error[rows.clone()]);
        let bytes = columns.bytes_sent[rows.clone()].iter().zip(&columns.bytes_received[rows.clone()]);
        let times = columns.start_time[rows.clone()].iter().zip(&columns.end_time[rows.clone()]);
        let taken_in = &pass.received[rows.clone()];
        let mut too_old = 0;
        self.finder.begin(pass.batch);
        for (((((&operation, &error), (&sent, &received)), (&start, &end)), &taken_in), row) in
            names.zip(bytes).zip(times).zip(taken_in).zip(rows)
        {
            if taken_in - end.max(start) > pass.max_age {
                too_old += 1;
                continue;
            }
            let outcome = if error == batch::ABSENT { Outcome::Success } else { Outcome::Failure };
            let combination = if TAGS { Some(self.finder.combination(pass.batch, pass.index(row))) } else { None };
            let place = match self.finder.place([operation, outcome as u32], combination) {
                Some(place) => place,
                None => self.meet(pass, registry, row, outcome, combination),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.sent += u128::from(sent);
            tally.received += u128::from(received);
            if taken_in >= tally.exemplar_due {
                self.put_exemplar(pass, registry, place, row);
            }
            if end.is_nan() {
                continue;
            }
            let tally = &mut self.tallies[place as usize];
            tally.ended += 1;
            if let Some(due) = registry.observe_at(tally.latency, end - start, taken_in) {
                put_exemplar(pass, registry, due, row, end - start);
            }
        }
        Unobserved { without_end: self.flush(registry), too_old }
    }

    #[cold]
    fn meet(
        &mut self,
        pass: &Pass<'_>,
        registry: &mut Registry,
        row: usize,
        outcome: Outcome,
        combination: Option<u32>,
    ) -> u32 {
        let operation = pass.batch.network_columns().operation[row];
        let own = [pass.batch.text(operation), outcome.as_str()];
        let values = self.finder.values(pass.batch, own, combination);
        registry.set_time(pass.received[row]);
        let known = self.finder.row(&values, |values| {
            let series = pass.metrics.network(registry, values);
            (series, pass.metrics.has_network(registry, values))
        });
        let series = *self.finder.series(known);
        let exemplar_due = series.operations.map_or(f64::INFINITY, |counter| registry.exemplar_due(counter).1);
        let place = self.tallies.len() as u32;
        self.tallies.push(Tally {
            known,
            latency: series.latency,
            records: 0,
            ended: 0,
            sent: 0,
            received: 0,
            exemplar_due,
        });
        self.finder.put([operation, outcome as u32], combination, place);
        place
    }

    /// Puts the exemplar of the counter of operations.
    #[cold]
    fn put_exemplar(&mut self, pass: &Pass<'_>, registry: &mut Registry, place: u32, row: usize) {
        let tally = &mut self.tallies[place as usize];
        if let Some(operations) = self.finder.series(tally.known).operations {
            // Tallies of one overflow series share its place: another one may have filled it since this one asked.
            let (place, due) = registry.exemplar_due(operations);
            if pass.received[row] >= due {
                put_exemplar(pass, registry, place, row, 1.0);
            }
            tally.exemplar_due = registry.exemplar_due(operations).1;
        }
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for Tally { known, records, ended, sent, received, .. } in self.tallies.drain(..) {
            let series = self.finder.series(known);
            series.keep_usual(registry);
            registry.touch_histogram(series.latency);
            registry.add(series.sent, sent, records);
            registry.add(series.received, received, records);
            if let Some(operations) = series.operations {
                registry.add(operations, u128::from(records), records);
            }
            without_end += records - ended;
        }
        without_end
    }
}

#[cold]
fn put_exemplar(pass: &Pass<'_>, registry: &mut Registry, place: ExemplarPlace, row: usize, value: f64) {
    pass.put_exemplar(registry, place, [row, pass.index(row)], value);
}
