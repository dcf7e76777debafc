//! Counting the network operations of a batch, as [`events`](crate::events) are counted.

use std::ops::Range;

use metricast_sdk::{Outcome, batch};
use metricast_series::Registry;

use crate::known::Known;
use crate::metrics::NetworkSeries;
use crate::pairs::Pairs;
use crate::recorder::Pass;

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

    /// Counts operations, and gives back how many of them have no end.
    pub(crate) fn record(&mut self, pass: &mut Pass<'_>, rows: Range<usize>) -> u64 {
        let columns = pass.batch.network_columns();
        let names = columns.operation[rows.clone()].iter().zip(&columns.error[rows.clone()]);
        let bytes = columns.bytes_sent[rows.clone()].iter().zip(&columns.bytes_received[rows.clone()]);
        let times = columns.start_time[rows.clone()].iter().zip(&columns.end_time[rows.clone()]);
        self.known.trim();
        for ((((&operation, &error), (&sent, &received)), (&start, &end)), row) in names.zip(bytes).zip(times).zip(rows)
        {
            let outcome = if error == batch::ABSENT { Outcome::Success } else { Outcome::Failure };
            let place = match self.pairs.get(operation, outcome as u32) {
                Some(place) => place,
                None => self.meet(pass, row, outcome),
            };
            let tally = &mut self.tallies[place as usize];
            tally.records += 1;
            tally.sent += u128::from(sent);
            tally.received += u128::from(received);
            if !end.is_nan() {
                tally.ended += 1;
                pass.registry.observe(tally.series.latency, end - start);
            }
        }
        self.flush(pass.registry)
    }

    #[cold]
    fn meet(&mut self, pass: &mut Pass<'_>, row: usize, outcome: Outcome) -> u32 {
        let operation = pass.batch.network_columns().operation[row];
        let name = pass.batch.text(operation);
        pass.registry.set_time(pass.received[row]);
        let known = self.known.row([name, outcome.as_str()], || pass.metrics.network(pass.registry, name, outcome));
        let series = *self.known.series(known);
        let place = self.tallies.len() as u32;
        self.tallies.push(Tally { series, records: 0, ended: 0, sent: 0, received: 0 });
        self.pairs.insert(operation, outcome as u32, place);
        place
    }

    fn flush(&mut self, registry: &mut Registry) -> u64 {
        let mut without_end = 0;
        for Tally { series, records, ended, sent, received } in self.tallies.drain(..) {
            series.keep_usual(registry);
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
