//! The metrics that are kept, and the series in which one kind of record is counted.
//!
//! When a name is first seen, the series of its usual ends stand at 0 before anything is counted in them: the first
//! value of a series is invisible to `increase()`, and the first failure should not be.

use metricast_sdk::Outcome;
use metricast_series::{
    Builder, Counter, CounterFamily, DefineError, Descriptor, Gauge, GaugeFamily, Histogram, HistogramFamily,
    LabelTable, Registry,
};

use crate::settings::Options;
use crate::tags::Values;

/// The statuses of an event that ended as events do.
const USUAL_STATUSES: [&str; 2] = ["completed", "failed"];

/// Why a record is in no histogram: it has not ended.
const NO_END: &str = "no_end";

/// Why a record is in no histogram, and nowhere else either: it is from too long ago.
const TOO_OLD: &str = "too_old";

const SENT: &str = "sent";
const RECEIVED: &str = "received";

/// The families that have a series for whatever a record can be.
const EXEMPLIFIED: [&str; 4] =
    ["event_duration_seconds", "network_latency_seconds", "event_records", "network_operations"];

/// The families of the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    durations: HistogramFamily,
    retries: CounterFamily,
    bytes: CounterFamily,
    latencies: HistogramFamily,
    extra: Option<Extra>,
    unobserved: CounterFamily,
}

/// The families that a config key turns off.
#[derive(Clone, Copy, Debug)]
struct Extra {
    records: CounterFamily,
    operations: CounterFamily,
    completions: GaugeFamily,
}

/// Where events of one name and status are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventSeries {
    pub(crate) retries: Counter,
    pub(crate) records: Option<Counter>,
    /// Made by the first event that has an end.
    pub(crate) ended: Option<EndedSeries>,
    /// Of its name, with the usual statuses.
    usual: [UsualSeries; 2],
}

/// What stands at 0 from the first sight of a name on, as far as there is room for it.
#[derive(Clone, Copy, Debug)]
struct UsualSeries {
    duration: Option<Histogram>,
    records: Option<Counter>,
}

impl EventSeries {
    /// Lets the usual series live as long as there are events of their name: a first failure finds its 0.
    pub(crate) fn keep_usual(&self, registry: &mut Registry) {
        for usual in self.usual {
            usual.duration.into_iter().for_each(|duration| registry.touch_histogram(duration));
            usual.records.into_iter().for_each(|records| registry.touch_counter(records));
        }
    }
}

impl NetworkSeries {
    /// As [`EventSeries::keep_usual`].
    pub(crate) fn keep_usual(&self, registry: &mut Registry) {
        self.usual.into_iter().flatten().for_each(|operations| registry.touch_counter(operations));
    }
}

/// Where events of one name and status are counted that have an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedSeries {
    pub(crate) duration: Histogram,
    pub(crate) completion: Option<Gauge>,
}

/// Where network operations of one name and outcome are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkSeries {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    pub(crate) latency: Histogram,
    pub(crate) operations: Option<Counter>,
    /// Those of the operation with either outcome.
    usual: [Option<Counter>; 2],
}

impl Metrics {
    /// Defines the families, in the order in which they are shown, and the registry that has them.
    pub(crate) fn define(options: &Options) -> Result<(Self, Registry), DefineError> {
        let mut builder = Registry::builder(options.series_limit).hold_new_series(options.hold_new_series);
        for (name, value) in &options.labels.constants {
            builder.constant_label(name, value)?;
        }
        let whole = |descriptor| whole(descriptor, options);
        let (events, networks) = (options.event_buckets.clone(), options.network_buckets.clone());
        let durations = builder.histogram(whole(event_duration()), events, options.histograms)?;
        let retries = builder.counter(whole(event_retries()))?;
        let bytes = builder.counter(whole(network_bytes()))?;
        let latencies = builder.histogram(whole(network_latency()), networks, options.histograms)?;
        let extra = if options.extra_metrics { Some(Extra::define(&mut builder, whole)?) } else { None };
        let unobserved = builder.counter(unobserved())?;
        Ok((Self { durations, retries, bytes, latencies, extra, unobserved }, builder.build()))
    }

    /// The counter of records that have not ended.
    pub(crate) fn without_end(&self, registry: &mut Registry) -> Counter {
        registry.counter(self.unobserved, &[NO_END])
    }

    /// The counter of records that were too old.
    pub(crate) fn too_old(&self, registry: &mut Registry) -> Counter {
        registry.counter(self.unobserved, &[TOO_OLD])
    }

    /// The labels of the family in which every event has a series, those of attributes last.
    pub(crate) fn of_events<'a>(&self, registry: &'a Registry) -> &'a LabelTable {
        registry.counter_labels(self.retries)
    }

    /// The labels of the family in which every network operation has a series, those of attributes last.
    pub(crate) fn of_networks<'a>(&self, registry: &'a Registry) -> &'a LabelTable {
        registry.counter_labels(self.bytes)
    }

    /// Whether events of these values have a series of their own in [`of_events`](Self::of_events).
    pub(crate) fn has_event(&self, registry: &Registry, values: &Values<'_>) -> bool {
        let [name, _] = values.own();
        registry.find_counter(self.retries, Values::new([name], values.tags()).as_slice()).is_some()
    }

    /// Whether operations of these values have a series of their own in [`of_networks`](Self::of_networks).
    pub(crate) fn has_network(&self, registry: &Registry, values: &Values<'_>) -> bool {
        let [operation, _] = values.own();
        registry.find_counter(self.bytes, Values::new([operation, SENT], values.tags()).as_slice()).is_some()
    }

    /// The series of events of this name, status and attributes.
    pub(crate) fn event(&self, registry: &mut Registry, values: &Values<'_>) -> EventSeries {
        let [name, _] = values.own();
        let retries = registry.counter(self.retries, Values::new([name], values.tags()).as_slice());
        let records = self.extra.map(|extra| registry.counter(extra.records, values.as_slice()));
        let usual = USUAL_STATUSES.map(|status| {
            let values = Values::new([name, status], values.tags());
            UsualSeries {
                duration: registry.declare_histogram(self.durations, values.as_slice()),
                records: self.extra.and_then(|extra| registry.declare_counter(extra.records, values.as_slice())),
            }
        });
        EventSeries { retries, records, ended: None, usual }
    }

    /// The series of events of this name, status and attributes that have an end.
    pub(crate) fn ended(&self, registry: &mut Registry, values: &Values<'_>) -> EndedSeries {
        EndedSeries {
            duration: registry.histogram(self.durations, values.as_slice()),
            completion: self.extra.map(|extra| registry.gauge(extra.completions, values.as_slice())),
        }
    }

    /// The series of network operations of this name, outcome and attributes.
    pub(crate) fn network(&self, registry: &mut Registry, values: &Values<'_>) -> NetworkSeries {
        let [operation, _] = values.own();
        let operations = self.extra.map(|extra| registry.counter(extra.operations, values.as_slice()));
        let usual = [Outcome::Success, Outcome::Failure].map(|outcome| {
            let values = Values::new([operation, outcome.as_str()], values.tags());
            registry.declare_counter(self.extra?.operations, values.as_slice())
        });
        let latency = Values::new([operation], values.tags());
        let [sent, received] = [SENT, RECEIVED].map(|direction| Values::new([operation, direction], values.tags()));
        NetworkSeries {
            sent: registry.counter(self.bytes, sent.as_slice()),
            received: registry.counter(self.bytes, received.as_slice()),
            latency: registry.histogram(self.latencies, latency.as_slice()),
            operations,
            usual,
        }
    }
}

impl Extra {
    fn define(builder: &mut Builder, whole: impl Fn(Descriptor) -> Descriptor) -> Result<Self, DefineError> {
        Ok(Self {
            records: builder.counter(whole(event_records()))?,
            operations: builder.counter(whole(network_operations()))?,
            completions: builder.gauge(whole(event_last_completion()))?,
        })
    }
}

/// A family with the labels and exemplars that the config adds.
fn whole(descriptor: Descriptor, options: &Options) -> Descriptor {
    let wanted = options.exemplars && EXEMPLIFIED.contains(&descriptor.name());
    options.labels.tags.iter().fold(descriptor, |descriptor, tag| descriptor.label(&*tag.label)).exemplars(wanted)
}

fn event_duration() -> Descriptor {
    let help = "How long events took from start to end, by name and status. \
                Events without an end are only in metricast_unobserved_total.";
    Descriptor::new("event_duration_seconds", help).unit("seconds").label("event_name").label("status")
}

fn event_retries() -> Descriptor {
    Descriptor::new("event_retries", "Failed attempts that events report, by name.").label("event_name")
}

fn network_bytes() -> Descriptor {
    let help = "Bytes that network operations moved, by operation and direction (sent or received).";
    Descriptor::new("network_bytes", help).unit("bytes").label("operation").fixed_label("direction")
}

fn network_latency() -> Descriptor {
    let help = "How long network operations took from start to end, failed ones too, by operation. \
                Operations still under way are only in metricast_unobserved_total.";
    Descriptor::new("network_latency_seconds", help).unit("seconds").label("operation")
}

fn event_records() -> Descriptor {
    let help = "Events taken in, with and without an end, by name and status. \
                The rate of failed divided by the rate of all is the failure ratio.";
    Descriptor::new("event_records", help).label("event_name").label("status")
}

fn network_operations() -> Descriptor {
    let help = "Network operations taken in, by operation and outcome: failure where there was an error, else success.";
    Descriptor::new("network_operations", help).label("operation").fixed_label("outcome")
}

fn event_last_completion() -> Descriptor {
    let help = "When the latest event of this name and status ended, by the record's own time but not after it \
                was received, in seconds since 1970. time() minus it is how long ago that was.";
    Descriptor::new("event_last_completion_timestamp_seconds", help).unit("seconds").label("event_name").label("status")
}

fn unobserved() -> Descriptor {
    let help = "Records that no histogram observes, by reason: no_end is an event or operation that has not ended, \
                too_old one that was older than max_age when it came and that no metric counts.";
    Descriptor::new("metricast_unobserved", help).fixed_label("reason")
}
