//! Counting the events of a batch, a column at a time.
//!
//! What adds up in any order is tallied and goes to the registry once a batch; durations go there one by one, because
//! a sum of floats must not depend on how batches were cut.

use metricast_sdk::Batch;
use metricast_series::Registry;

use crate::known::Known;
use crate::metrics::{EndedSeries, EventSeries, Metrics};
use crate::pairs::Pairs;

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

    /// Counts events from row `first` on, and gives back how many of them have no end.
    pub(crate) fn record(&mut self, metrics: &Metrics, registry: &mut Registry, batch: &Batch, first: usize) -> u64 {
        let columns = batch.event_columns();
        let names = columns.event_name[first..].iter().zip(&columns.status[first..]);
        let times = columns.start_time[first..].iter().zip(&columns.end_time[first..]);
        self.known.trim();
        for (((&name, &status), &retries), (&start, &end)) in names.zip(&columns.retry_count[first..]).zip(times) {
            let place = match self.pairs.get(name, status) {
                Some(place) => place,
                None => self.meet(metrics, registry, batch, [name, status]),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.retries += u64::from(retries);
            if end.is_nan() {
                continue;
            }
            let ended = match tally.series.ended {
                Some(ended) => ended,
                None => self.first_end(metrics, registry, batch, place, [name, status]),
            };
            registry.observe(ended.duration, end - start);
            self.tallies[place as usize].end(end);
        }
        self.flush(registry)
    }

    #[cold]
    fn meet(&mut self, metrics: &Metrics, registry: &mut Registry, batch: &Batch, [name, status]: [u32; 2]) -> u32 {
        let values = [batch.text(name), batch.text(status)];
        let known = self.known.row(values, || metrics.event(registry, values));
        let series = *self.known.series(known);
        let place = self.tallies.len() as u32;
        self.tallies.push(Tally { known, series, records: 0, retries: 0, ended: 0, last_end: f64::NEG_INFINITY });
        self.pairs.insert(name, status, place);
        place
    }

    #[cold]
    fn first_end(
        &mut self,
        metrics: &Metrics,
        registry: &mut Registry,
        batch: &Batch,
        place: u32,
        pair: [u32; 2],
    ) -> EndedSeries {
        let ended = metrics.ended(registry, pair.map(|index| batch.text(index)));
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

impl Tally {
    #[inline]
    fn end(&mut self, end: f64) {
        self.ended += 1;
        if end > self.last_end {
            self.last_end = end;
        }
    }

    fn flush(&self, registry: &mut Registry) {
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
