//! Counting the network operations of a batch, as [`events`](crate::events) are counted.

use metricast_sdk::{Batch, Outcome, batch};
use metricast_series::Registry;

use crate::known::Known;
use crate::metrics::{Metrics, NetworkSeries};
use crate::pairs::Pairs;

/// Counts network operations.
#[derive(Debug)]
pub(crate) struct NetworkRecorder {
    /// Where in `tallies` a name and outcome are.
    pairs: Pairs,
    tallies: Vec<Tally>,
    known: Known<NetworkSeries>,
}

/// What a batch says of one name and outcome.
#[derive(Debug)]
struct Tally {
    series: NetworkSeries,
    records: u64,
    ended: u64,
    sent: u128,
    received: u128,
}

impl NetworkRecorder {
    pub(crate) fn new() -> Self {
        Self { pairs: Pairs::new(), tallies: Vec::new(), known: Known::new() }
    }

    /// Counts operations from row `first` on, and gives back how many of them have no end.
    pub(crate) fn record(&mut self, metrics: &Metrics, registry: &mut Registry, batch: &Batch, first: usize) -> u64 {
        let columns = batch.network_columns();
        let names = columns.operation[first..].iter().zip(&columns.error[first..]);
        let bytes = columns.bytes_sent[first..].iter().zip(&columns.bytes_received[first..]);
        let times = columns.start_time[first..].iter().zip(&columns.end_time[first..]);
        self.known.trim();
        for (((&operation, &error), (&sent, &received)), (&start, &end)) in names.zip(bytes).zip(times) {
            let outcome = if error == batch::ABSENT { Outcome::Success } else { Outcome::Failure };
            let place = match self.pairs.get(operation, outcome as u32) {
                Some(place) => place,
                None => self.meet(metrics, registry, batch, operation, outcome),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.sent += u128::from(sent);
            tally.received += u128::from(received);
            if !end.is_nan() {
                tally.ended += 1;
                registry.observe(tally.series.latency, end - start);
            }
        }
        self.flush(registry)
    }

    #[cold]
    fn meet(
        &mut self,
        metrics: &Metrics,
        registry: &mut Registry,
        batch: &Batch,
        operation: u32,
        outcome: Outcome,
    ) -> u32 {
        let name = batch.text(operation);
        let known = self.known.row([name, outcome.as_str()], || metrics.network(registry, name, outcome));
        let series = *self.known.series(known);
        let place = self.tallies.len() as u32;
        self.tallies.push(Tally { series, records: 0, ended: 0, sent: 0, received: 0 });
        self.pairs.insert(operation, outcome as u32, place);
        place
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for Tally { series, records, ended, sent, received } in self.tallies.drain(..) {
            registry.add(series.sent, sent, records);
            registry.add(series.received, received, records);
            if let Some(operations) = series.operations {
                registry.add(operations, u128::from(records), records);
            }
            without_end += records - ended;
        }
        self.pairs.clear();
        without_end
    }
}
