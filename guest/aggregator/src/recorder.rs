//! Counting a batch into the registry, turn by turn.

use metricast_sdk::{Batch, log};
use metricast_series::{Counter, ExemplarPlace, Registry};

use crate::events::EventRecorder;
use crate::labels::Tag;
use crate::metrics::Metrics;
use crate::networks::NetworkRecorder;
use crate::settings::Options;
use crate::trace;
use crate::turns::Rows;

/// Counts batches. Its handles are of one registry.
#[derive(Debug)]
pub(crate) struct Recorder {
    metrics: Metrics,
    without_end: Counter,
    /// Where there is a `max_age`.
    too_old: Option<Counter>,
    /// Seconds; infinity where there is none.
    max_age: f64,
    has_warned: bool,
    /// After how many turns an idle series expires.
    idle: Option<u32>,
    tags: Vec<Tag>,
    /// Of the registry when the handles were given.
    generation: u64,
    events: EventRecorder,
    networks: NetworkRecorder,
}

/// What one kind of record is counted by.
pub(crate) struct Pass<'a> {
    pub(crate) metrics: &'a Metrics,
    pub(crate) batch: &'a Batch,
    /// When each record of the kind was received.
    pub(crate) received: &'a [f64],
    /// Records that are older are passed over.
    pub(crate) max_age: f64,
}

/// How many records no histogram observes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unobserved {
    pub(crate) without_end: u64,
    /// These are counted nowhere else.
    pub(crate) too_old: u64,
}

impl Pass<'_> {
    /// The place in the batch of a row of networks.
    pub(crate) fn index(&self, row: usize) -> usize {
        self.batch.event_columns().event_name.len() + row
    }

    /// Puts the exemplar of the record of `row`, at `index` of the batch, where one is due.
    pub(crate) fn put_exemplar(
        &self,
        registry: &mut Registry,
        place: ExemplarPlace,
        [row, index]: [usize; 2],
        value: f64,
    ) {
        let received = self.received[row];
        let exemplar = trace::exemplar(&self.batch.record(index).metrics, value, received);
        registry.put_exemplar(place, received, exemplar);
    }
}

impl Recorder {
    pub(crate) fn new(metrics: Metrics, options: &Options, registry: &mut Registry) -> Self {
        let tags = options.labels.tags.clone();
        Self {
            without_end: metrics.without_end(registry),
            too_old: options.max_age.map(|_| metrics.too_old(registry)),
            max_age: options.max_age.unwrap_or(f64::INFINITY),
            has_warned: false,
            idle: options.idle_turns,
            generation: registry.generation(),
            events: EventRecorder::new(&tags, metrics.of_events(registry)),
            networks: NetworkRecorder::new(&tags, metrics.of_networks(registry)),
            tags,
            metrics,
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
        let pass = |received| Pass { metrics: &self.metrics, batch, received, max_age: self.max_age };
        let of_events = self.events.record(&pass(events), registry, rows.events);
        let of_networks = self.networks.record(&pass(networks), registry, rows.networks);
        let without_end = of_events.without_end + of_networks.without_end;
        registry.add(self.without_end, u128::from(without_end), without_end);
        self.count_too_old(registry, of_events.too_old + of_networks.too_old);
    }

    fn count_too_old(&mut self, registry: &mut Registry, records: u64) {
        let Some(counter) = self.too_old.filter(|_| records > 0) else {
            return;
        };
        registry.add(counter, u128::from(records), records);
        if !self.has_warned {
            self.has_warned = true;
            let age = self.max_age;
            log::warn(format_args!(
                "records are older than max_age ({age} s), {records} so far: only \
                 metricast_unobserved_total{{reason=\"too_old\"}} counts them, and this is said once"
            ));
        }
    }

    /// Handles point elsewhere once a series has expired. The counters of this module's own never do.
    fn renew_handles(&mut self, registry: &Registry) {
        if self.generation != registry.generation() {
            self.generation = registry.generation();
            self.events = EventRecorder::new(&self.tags, self.metrics.of_events(registry));
            self.networks = NetworkRecorder::new(&self.tags, self.metrics.of_networks(registry));
        }
    }
}
