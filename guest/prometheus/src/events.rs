//! Counting the events of a batch, a column at a time.
//!
//! What adds up in any order is tallied and goes to the registry once a batch; durations go there one by one, because
//! a sum of floats must not depend on how batches were cut.

use std::ops::Range;

use metricast_sdk::Batch;
use metricast_series::Registry;

use crate::known::Known;
use crate::metrics::{EndedSeries, EventSeries};
use crate::pairs::Pairs;
use crate::recorder::Pass;

/// Counts events.
#[derive(Debug)]
pub(crate) struct EventRecorder {
    /// Where in `tallies` a name and status are.
    pairs: Pairs,
    tallies: Vec<Tally>,
    known: Known<EventSeries>,
}

/// What a batch says of one name and status.
#[derive(Debug)]
struct Tally {
    known: usize,
    series: EventSeries,
    records: u64,
    retries: u64,
    ended: u64,
    last_end: f64,
}

impl EventRecorder {
    pub(crate) fn new() -> Self {
        Self { pairs: Pairs::new(), tallies: Vec::new(), known: Known::new() }
    }

    /// Counts events, and gives back how many of them have no end.
    pub(crate) fn record(&mut self, pass: &mut Pass<'_>, rows: Range<usize>) -> u64 {
        let columns = pass.batch.event_columns();
        let names = columns.event_name[rows.clone()].iter().zip(&columns.status[rows.clone()]);
        let times = columns.start_time[rows.clone()].iter().zip(&columns.end_time[rows.clone()]);
        let records = names.zip(&columns.retry_count[rows.clone()]).zip(times).zip(rows);
        self.known.trim();
        for ((((&name, &status), &retries), (&start, &end)), row) in records {
            let place = match self.pairs.get(name, status) {
                Some(place) => place,
                None => self.meet(pass, row),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.retries += u64::from(retries);
            if end.is_nan() {
                continue;
            }
            let ended = match tally.series.ended {
                Some(ended) => ended,
                None => self.first_end(pass, place, row),
            };
            pass.registry.observe(ended.duration, end - start);
            self.tallies[place as usize].end(end);
        }
        self.flush(pass.registry)
    }

    #[cold]
    fn meet(&mut self, pass: &mut Pass<'_>, row: usize) -> u32 {
        let (pair, values) = pair(pass.batch, row);
        pass.registry.set_time(pass.received[row]);
        let known = self.known.row(values, || pass.metrics.event(pass.registry, values));
        let series = *self.known.series(known);
        let place = self.tallies.len() as u32;
        self.tallies.push(Tally { known, series, records: 0, retries: 0, ended: 0, last_end: f64::NEG_INFINITY });
        self.pairs.insert(pair[0], pair[1], place);
        place
    }

    #[cold]
    fn first_end(&mut self, pass: &mut Pass<'_>, place: u32, row: usize) -> EndedSeries {
        pass.registry.set_time(pass.received[row]);
        let ended = pass.metrics.ended(pass.registry, pair(pass.batch, row).1);
        let tally = &mut self.tallies[place as usize];
        tally.series.ended = Some(ended);
        self.known.series(tally.known).ended = Some(ended);
        ended
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for tally in self.tallies.drain(..) {
            without_end += tally.records - tally.ended;
            tally.flush(registry);
        }
        self.pairs.clear();
        without_end
    }
}

/// Name and status of an event, as indexes and as texts.
fn pair(batch: &Batch, row: usize) -> ([u32; 2], [&str; 2]) {
    let columns = batch.event_columns();
    let pair = [columns.event_name[row], columns.status[row]];
    (pair, pair.map(|index| batch.text(index)))
}

impl Tally {
    #[inline]
    fn end(&mut self, end: f64) {
        self.ended += 1;
        if end > self.last_end {
            self.last_end = end;
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
