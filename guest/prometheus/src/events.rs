//! Counting the events of a batch, a column at a time.
//!
//! What adds up in any order is tallied and goes to the registry once a batch; durations go there one by one, because
//! a sum of floats must not depend on how batches were cut.

use std::ops::Range;

use metricast_sdk::Batch;
use metricast_series::{ExemplarPlace, LabelTable, Registry};

use crate::finder::Finder;
use crate::label_options::Tag;
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
    known: usize,
    series: EventSeries,
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
    pub(crate) fn record(&mut self, pass: &mut Pass<'_>, rows: Range<usize>) -> Unobserved {
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
            let combination = self.finder.combination(pass.batch, row);
            let place = match self.finder.place([name, status], combination) {
                Some(place) => place,
                None => self.meet(pass, row, combination),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.retries += u64::from(retries);
            if received >= tally.exemplar_due {
                tally.put_exemplar(pass, row);
            }
            if end.is_nan() {
                continue;
            }
            // A clock that is ahead must not pin the gauge to a time that is far off.
            tally.end(end.min(received));
            let ended = match tally.series.ended {
                Some(ended) => ended,
                None => self.first_end(pass, place, row, combination),
            };
            if let Some(due) = pass.registry.observe_at(ended.duration, end - start, received) {
                put_exemplar(pass, due, row, end - start);
            }
        }
        Unobserved { without_end: self.flush(pass.registry), too_old }
    }

    #[cold]
    fn meet(&mut self, pass: &mut Pass<'_>, row: usize, combination: Option<u32>) -> u32 {
        let (pair, own) = pair(pass.batch, row);
        let values = self.finder.values(pass.batch, own, combination);
        let (metrics, registry) = (pass.metrics, &mut *pass.registry);
        registry.set_time(pass.received[row]);
        let known = self.finder.row(&values, |values| {
            let series = metrics.event(registry, values);
            (series, metrics.has_event(registry, values))
        });
        let series = *self.finder.series(known);
        let exemplar_due = series.records.map_or(f64::INFINITY, |records| pass.registry.exemplar_due(records).1);
        let place = self.tallies.len() as u32;
        let last_end = f64::NEG_INFINITY;
        self.tallies.push(Tally { known, series, records: 0, retries: 0, ended: 0, last_end, exemplar_due });
        self.finder.put(pair, combination, place);
        place
    }

    #[cold]
    fn first_end(&mut self, pass: &mut Pass<'_>, place: u32, row: usize, combination: Option<u32>) -> EndedSeries {
        let values = self.finder.values(pass.batch, pair(pass.batch, row).1, combination);
        pass.registry.set_time(pass.received[row]);
        let ended = pass.metrics.ended(pass.registry, &self.finder.shown(&values));
        let tally = &mut self.tallies[place as usize];
        tally.series.ended = Some(ended);
        self.finder.series(tally.known).ended = Some(ended);
        ended
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for tally in self.tallies.drain(..) {
            without_end += tally.records - tally.ended;
            tally.flush(registry);
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
fn put_exemplar(pass: &mut Pass<'_>, place: ExemplarPlace, row: usize, value: f64) {
    pass.put_exemplar(place, row, row, value);
}

impl Tally {
    #[inline]
    fn end(&mut self, end: f64) {
        self.ended += 1;
        if end > self.last_end {
            self.last_end = end;
        }
    }

    #[cold]
    fn put_exemplar(&mut self, pass: &mut Pass<'_>, row: usize) {
        if let Some(records) = self.series.records {
            put_exemplar(pass, pass.registry.exemplar_due(records).0, row, 1.0);
            self.exemplar_due = pass.registry.exemplar_due(records).1;
        }
    }

    fn flush(&self, registry: &mut Registry) {
        self.series.keep_usual(registry);
        registry.add(self.series.retries, u128::from(self.retries), self.records);
        if let Some(records) = self.series.records {
            registry.add(records, u128::from(self.records), self.records);
        }
        if self.ended > 0
            && let Some(completion) = self.series.ended.and_then(|ended| ended.completion)
        {
            registry.raise(completion, self.last_end, self.ended);
        }
    }
}
