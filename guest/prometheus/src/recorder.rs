//! Counting a batch into the registry.

use metricast_sdk::Batch;
use metricast_series::{Counter, Registry};

use crate::events::EventRecorder;
use crate::metrics::Metrics;
use crate::networks::NetworkRecorder;

/// Counts batches. Its handles are of one registry, as long as that keeps its generation.
#[derive(Debug)]
pub(crate) struct Recorder {
    metrics: Metrics,
    without_end: Counter,
    events: EventRecorder,
    networks: NetworkRecorder,
}

impl Recorder {
    pub(crate) fn new(metrics: Metrics, registry: &mut Registry) -> Self {
        let without_end = metrics.without_end(registry);
        Self { metrics, without_end, events: EventRecorder::new(), networks: NetworkRecorder::new() }
    }

    /// Counts the records of `batch` whose offsets are `from` or more.
    pub(crate) fn record(&mut self, registry: &mut Registry, batch: &Batch, from: u64) {
        let (events, networks) = batch.offsets().split_at(batch.event_columns().event_name.len());
        let without_end = self.events.record(&self.metrics, registry, batch, below(events, from))
            + self.networks.record(&self.metrics, registry, batch, below(networks, from));
        registry.add(self.without_end, u128::from(without_end), without_end);
    }
}

/// How many of these ascending offsets are below `from`.
fn below(offsets: &[u64], from: u64) -> usize {
    offsets.partition_point(|offset| *offset < from)
}
