//! Counting the events of a batch, a column at a time.
//!
//! What adds up in any order is tallied and goes to the registry once a batch; durations go there one by one, because
//! a sum of floats must not depend on how batches were cut.

use std::ops::Range;

use metricast_sdk::Batch;
use metricast_series::{ExemplarPlace, LabelTable, Registry};

use crate::finder::Finder;
use crate::labels::Tag;
use crate::metrics::{EndedSeries, EventSeries};
use crate::recorder::{Pass, Unobserved};

/// Counts events.
#[derive(Debug)]
pub(crate) struct EventRecorder {
    finder: Finder<EventSeries>,
    /// By the finder's places.
    tallies: Vec<Tally>,
}

/// What a batch says of events that are alike.
#[derive(Debug)]
struct Tally {
    /// Where the finder has their series.
    known: usize,
    ended_series: Option<EndedSeries>,
    records: u64,
    retries: u64,
    ended: u64,
    last_end: f64,
    /// From when on the counter of records takes an exemplar.
    exemplar_due: f64,
}

impl EventRecorder {
    pub(crate) fn new(tags: &[Tag], shown: &LabelTable) -> Self {
        Self { finder: Finder::new(tags, shown), tallies: Vec::new() }
    }

    /// Counts events, and gives back what of them no histogram observes.
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
        let columns = pass.batch.event_columns();
        let names = columns.event_name[rows.clone()].iter().zip(&columns.status[rows.clone()]);
        let times = columns.start_time[rows.clone()].iter().zip(&columns.end_time[rows.clone()]);
        let received = &pass.received[rows.clone()];
        let records = names.zip(&columns.retry_count[rows.clone()]).zip(times).zip(received).zip(rows);
        let mut too_old = 0;
        self.finder.begin(pass.batch);
        for (((((&name, &status), &retries), (&start, &end)), &received), row) in records {
            if received - end.max(start) > pass.max_age {
                too_old += 1;
                continue;
            }
            let combination = if TAGS { Some(self.finder.combination(pass.batch, row)) } else { None };
            let place = match self.finder.place([name, status], combination) {
                Some(place) => place,
                None => self.meet(pass, registry, row, combination),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.retries += u64::from(retries);
            if received >= tally.exemplar_due {
                self.put_exemplar(pass, registry, place, row);
            }
            if end.is_nan() {
                continue;
            }
            let tally = &mut self.tallies[place as usize];
            // A clock that is ahead must not pin the gauge to a time that is far off.
            tally.end(end.min(received));
            let series = match tally.ended_series {
                Some(series) => series,
                None => self.first_end(pass, registry, place, row, combination),
            };
            if let Some(due) = registry.observe_at(series.duration, end - start, received) {
                put_exemplar(pass, registry, due, row, end - start);
            }
        }
        Unobserved { without_end: self.flush(registry), too_old }
    }

    #[cold]
    fn meet(&mut self, pass: &Pass<'_>, registry: &mut Registry, row: usize, combination: Option<u32>) -> u32 {
        let (pair, own) = pair(pass.batch, row);
        let values = self.finder.values(pass.batch, own, combination);
        registry.set_time(pass.received[row]);
        let known = self.finder.row(&values, |values| {
            let series = pass.metrics.event(registry, values);
            (series, pass.metrics.has_event(registry, values))
        });
        let series = *self.finder.series(known);
        let exemplar_due = series.records.map_or(f64::INFINITY, |records| registry.exemplar_due(records).1);
        let place = self.tallies.len() as u32;
        let (ended_series, last_end) = (series.ended, f64::NEG_INFINITY);
        self.tallies.push(Tally { known, ended_series, records: 0, retries: 0, ended: 0, last_end, exemplar_due });
        self.finder.put(pair, combination, place);
        place
    }

    #[cold]
    fn first_end(
        &mut self,
        pass: &Pass<'_>,
        registry: &mut Registry,
        place: u32,
        row: usize,
        combination: Option<u32>,
    ) -> EndedSeries {
        let values = self.finder.values(pass.batch, pair(pass.batch, row).1, combination);
        registry.set_time(pass.received[row]);
        let ended = pass.metrics.ended(registry, &self.finder.shown(&values));
        let tally = &mut self.tallies[place as usize];
        tally.ended_series = Some(ended);
        self.finder.series(tally.known).ended = Some(ended);
        ended
    }

    /// Puts the exemplar of the counter of records.
    #[cold]
    fn put_exemplar(&mut self, pass: &Pass<'_>, registry: &mut Registry, place: u32, row: usize) {
        let tally = &mut self.tallies[place as usize];
        if let Some(records) = self.finder.series(tally.known).records {
            // Tallies of one overflow series share its place: another one may have filled it since this one asked.
            let (place, due) = registry.exemplar_due(records);
            if pass.received[row] >= due {
                put_exemplar(pass, registry, place, row, 1.0);
            }
            tally.exemplar_due = registry.exemplar_due(records).1;
        }
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for tally in self.tallies.drain(..) {
            without_end += tally.records - tally.ended;
            tally.flush(self.finder.series(tally.known), registry);
        }
        without_end
    }
}

/// Name and status of an event, as indexes and as texts.
fn pair(batch: &Batch, row: usize) -> ([u32; 2], [&str; 2]) {
    let columns = batch.event_columns();
    let pair = [columns.event_name[row], columns.status[row]];
    (pair, pair.map(|index| batch.text(index)))
}

#[cold]
fn put_exemplar(pass: &Pass<'_>, registry: &mut Registry, place: ExemplarPlace, row: usize, value: f64) {
    pass.put_exemplar(registry, place, [row, row], value);
}

impl Tally {
    #[inline]
    fn end(&mut self, end: f64) {
        self.ended += 1;
        if end > self.last_end {
            self.last_end = end;
        }
    }

    fn flush(&self, series: &EventSeries, registry: &mut Registry) {
        series.keep_usual(registry);
        registry.add(series.retries, u128::from(self.retries), self.records);
        if let Some(records) = series.records {
            registry.add(records, u128::from(self.records), self.records);
        }
        let Some(ended) = self.ended_series.filter(|_| self.ended > 0) else {
            return;
        };
        registry.touch_histogram(ended.duration);
        if let Some(completion) = ended.completion {
            registry.raise(completion, self.last_end, self.ended);
        }
    }
}
