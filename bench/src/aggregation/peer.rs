//! The same metrics by the official Rust client, as its documentation has one use it: families of labels that are types,
//! looked up for each record.

use metricast_records::{Batch, MetricsRef};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByStatus {
    event_name: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByName {
    event_name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOperation {
    operation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WithDetail {
    operation: String,
    detail: &'static str,
}

/// As the plugin's defaults.
const EVENT_BOUNDS: [f64; 19] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    600.0,
];

fn histogram() -> Histogram {
    Histogram::new(EVENT_BOUNDS)
}

/// The seven metrics of the plugin.
pub(super) struct Peer {
    registry: Registry,
    durations: Family<ByStatus, Histogram, fn() -> Histogram>,
    events: Family<ByStatus, Counter>,
    last: Family<ByStatus, Gauge<f64, AtomicU64>>,
    retries: Family<ByName, Counter>,
    latencies: Family<ByOperation, Histogram, fn() -> Histogram>,
    bytes: Family<WithDetail, Counter>,
    operations: Family<WithDetail, Counter>,
}

impl Peer {
    pub(super) fn new() -> Self {
        let mut peer = Self {
            registry: Registry::default(),
            durations: Family::new_with_constructor(histogram),
            events: Family::default(),
            last: Family::default(),
            retries: Family::default(),
            latencies: Family::new_with_constructor(histogram),
            bytes: Family::default(),
            operations: Family::default(),
        };
        peer.registry.register("event_duration_seconds", "Time", peer.durations.clone());
        peer.registry.register("event_records", "Events", peer.events.clone());
        peer.registry.register("event_last_completion_timestamp_seconds", "Last", peer.last.clone());
        peer.registry.register("event_retries", "Retries", peer.retries.clone());
        peer.registry.register("network_latency_seconds", "Time", peer.latencies.clone());
        peer.registry.register("network_bytes", "Bytes", peer.bytes.clone());
        peer.registry.register("network_operations", "Operations", peer.operations.clone());
        peer
    }

    pub(super) fn publish(&self, batch: &Batch) {
        for record in batch.records() {
            self.record(record.metrics);
        }
    }

    /// Shows an event's failures before there are any, as the plugin does.
    pub(super) fn expect_failures_of(&self, event_name: &str) {
        let labels = ByStatus { event_name: event_name.to_owned(), status: "failed".to_owned() };
        drop(self.durations.get_or_create(&labels));
        drop(self.events.get_or_create(&labels));
    }

    fn record(&self, metrics: MetricsRef<'_>) {
        let duration = metrics.duration();
        match metrics {
            MetricsRef::Event(event) => {
                let event_name = event.event_name.to_owned();
                let labels = ByStatus { event_name: event_name.clone(), status: event.status.to_owned() };
                if let (Some(duration), Some(end)) = (duration, event.end_time) {
                    self.durations.get_or_create(&labels).observe(duration);
                    self.last.get_or_create(&labels).set(end);
                }
                self.events.get_or_create(&labels).inc();
                self.retries.get_or_create(&ByName { event_name }).inc_by(u64::from(event.retry_count));
            }
            MetricsRef::Network(network) => {
                let operation = network.operation.to_owned();
                let detail = |detail| WithDetail { operation: operation.clone(), detail };
                if let Some(duration) = duration {
                    self.latencies.get_or_create(&ByOperation { operation: operation.clone() }).observe(duration);
                }
                self.bytes.get_or_create(&detail("sent")).inc_by(network.bytes_sent);
                self.bytes.get_or_create(&detail("received")).inc_by(network.bytes_received);
                self.operations.get_or_create(&detail(network.outcome().as_str())).inc();
            }
        }
    }

    /// The page in OpenMetrics.
    pub(super) fn page(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("memory takes every write");
        page
    }
}
