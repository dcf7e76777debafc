//! Counting a batch into the registry, turn by turn.

use metricast_sdk::Batch;
use metricast_series::{Counter, Registry};

use crate::events::EventRecorder;
use crate::metrics::Metrics;
use crate::networks::NetworkRecorder;
use crate::options::Options;
use crate::turns::Rows;

/// Counts batches. Its handles are of one registry.
#[derive(Debug)]
pub(crate) struct Recorder {
    metrics: Metrics,
    without_end: Counter,
    /// After how many turns an idle series expires.
    idle: Option<u32>,
    /// Of the registry when the handles were given.
    generation: u64,
    events: EventRecorder,
    networks: NetworkRecorder,
}

/// What one kind of record is counted with.
pub(crate) struct Pass<'a> {
    pub(crate) metrics: &'a Metrics,
    pub(crate) registry: &'a mut Registry,
    pub(crate) batch: &'a Batch,
    /// When each record of the kind was received.
    pub(crate) received: &'a [f64],
}

impl Recorder {
    pub(crate) fn new(metrics: Metrics, options: &Options, registry: &mut Registry) -> Self {
        Self {
            metrics,
            without_end: metrics.without_end(registry),
            idle: options.idle_turns,
            generation: registry.generation(),
            events: EventRecorder::new(),
            networks: NetworkRecorder::new(),
        }
    }

    /// Counts the records of `batch` whose offsets are `from` or more.
    pub(crate) fn record(&mut self, registry: &mut Registry, batch: &Batch, from: u64) {
        let mut rows = Rows::from(batch, from);
        while let Some((before, turn)) = rows.before_next(batch, registry.turn()) {
            self.record_rows(registry, batch, before);
            registry.begin_turn(turn, self.idle);
            self.renew_handles(registry);
        }
        self.record_rows(registry, batch, rows);
    }

    fn record_rows(&mut self, registry: &mut Registry, batch: &Batch, rows: Rows) {
        let (events, networks) = batch.received().split_at(batch.event_columns().event_name.len());
        let mut pass = Pass { metrics: &self.metrics, registry, batch, received: events };
        let mut without_end = self.events.record(&mut pass, rows.events);
        pass.received = networks;
        without_end += self.networks.record(&mut pass, rows.networks);
        registry.add(self.without_end, u128::from(without_end), without_end);
    }

    /// Handles point elsewhere once a series has expired. The counter of this module's own never does.
    fn renew_handles(&mut self, registry: &Registry) {
        if self.generation != registry.generation() {
            self.generation = registry.generation();
            self.events = EventRecorder::new();
            self.networks = NetworkRecorder::new();
        }
    }
}
