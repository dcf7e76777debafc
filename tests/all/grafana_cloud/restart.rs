//! State over a restart: series go on where they were, with one start, and nothing is sent twice with another value.

use metricast_grafana_cloud::GrafanaCloudPublisher;
use metricast_records::Batch;
use metricast_sdk::{Publisher as _, Saved, config};
use serde_json::{Value, json};
use support::grafana::witness;
use support::prometheus::Prometheus;
use support::promql::{Querier, Sample};
use support::victoria_metrics::VictoriaMetrics;
use support::{Server, http as client};

use super::{INSTANCE, SECOND, media_types, numbers};
use crate::elasticsearch::real_batches;
use crate::truth::{RECORDS, truth};

/// What never goes down.
const COUNTERS: [&str; 10] = [
    "event_records_total",
    "event_retries_total",
    "event_duration_seconds_bucket",
    "event_duration_seconds_count",
    "event_duration_seconds_sum",
    "network_operations_total",
    "network_bytes_total",
    "network_latency_seconds_bucket",
    "network_latency_seconds_count",
    "network_latency_seconds_sum",
];

fn open(endpoint: &str, more: &Value, state: Option<Saved>) -> GrafanaCloudPublisher {
    let mut whole = json!({ "endpoint": endpoint, "instance": INSTANCE });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = config::parse::<GrafanaCloudPublisher>(&whole.to_string()).unwrap();
    GrafanaCloudPublisher::open(config, state).unwrap()
}

fn publish(publisher: &mut GrafanaCloudPublisher, batches: &[Batch]) {
    for batch in batches {
        assert_eq!(publisher.publish(batch).unwrap().accepted as usize, batch.len());
    }
    assert_eq!(publisher.flush().unwrap().pending, 0);
}

/// Half of the real records, a restart with the state, the other half.
fn published_over_a_restart(endpoint: &str, more: &Value) {
    let batches = real_batches(500);
    let (first, second) = batches.split_at(batches.len() / 2);
    let mut publisher = open(endpoint, more, None);
    publish(&mut publisher, first);
    let state = publisher.snapshot();
    drop(publisher);
    let mut publisher = open(endpoint, more, state);
    publish(&mut publisher, second);
    assert_eq!(publisher.close().unwrap().pending, 0);
}

fn goes_on(endpoint: &str, more: &Value, querier: impl Fn() -> Querier) {
    published_over_a_restart(endpoint, more);
    numbers::are_those_of_the_records(&querier);
    for counter in COUNTERS {
        let resets = querier().query(&format!("resets({counter}{{instance=\"{INSTANCE}\"}}[1h])"));
        let is_none = |sample: &Sample| sample.value.abs() < 0.5;
        assert!(!resets.is_empty() && resets.iter().all(is_none), "{counter}: {resets:?}");
    }
}

/// The counters' first samples are 0, so that what each has grown by is what the records say.
fn begins_at_zero(prometheus: &Prometheus) {
    let mut total = 0.0;
    for series in prometheus.stored(&format!("event_records_total{{instance=\"{INSTANCE}\"}}[1h]")) {
        let (first, last) = (series.values[0].1, series.values[series.values.len() - 1].1);
        assert!(first.abs() < 0.5, "{series:?}");
        total += last - first;
    }
    assert!((total - truth().events as f64).abs() < 0.5, "{total} of {RECORDS}");
}

/// What the receiver counts of samples that it could not take.
fn refused(prometheus: &Prometheus) -> Vec<String> {
    const REFUSALS: [&str; 3] = [
        "prometheus_tsdb_out_of_order_samples_total",
        "prometheus_tsdb_out_of_bound_samples_total",
        "prometheus_tsdb_too_old_samples_total",
    ];
    let metrics = client::get(&format!("{}/metrics", prometheus.url())).unwrap().expect_success("its own metrics");
    let lines: Vec<_> =
        metrics.text().lines().filter(|line| REFUSALS.iter().any(|name| line.starts_with(name))).collect();
    assert!(!lines.is_empty(), "{}", metrics.text());
    let mut refused: Vec<_> =
        lines.iter().filter(|line| !line.ends_with(" 0")).map(|line| (*line).to_owned()).collect();
    let log = prometheus.log();
    let told = log.lines().filter(|line| line.contains("uplicate") || line.contains("ut of order"));
    refused.extend(told.map(str::to_owned));
    refused
}

#[test]
fn series_in_prometheus_3_go_on_by_remote_write_2() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let witness = witness(prometheus.url());
    goes_on(&format!("{}/api/v1/write", witness.url()), &json!({}), || prometheus.querier());
    begins_at_zero(&prometheus);
    assert_eq!(refused(&prometheus), [""; 0]);
    assert!(media_types(&witness).iter().all(|media_type| media_type == SECOND));
}

#[test]
fn series_in_prometheus_3_go_on_by_otlp() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let endpoint = format!("{}/api/v1/otlp", prometheus.url());
    goes_on(&endpoint, &json!({ "protocol": "otlp" }), || prometheus.querier());
    assert_eq!(refused(&prometheus), [""; 0]);
}

/// That the receiver knows no 2.0 is found out at each start: it may have been renewed between.
#[test]
fn series_in_prometheus_2_go_on_by_remote_write_1() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus2) else { return };
    let witness = witness(prometheus.url());
    goes_on(&format!("{}/api/v1/write", witness.url()), &json!({}), || prometheus.querier());
    begins_at_zero(&prometheus);
    assert_eq!(refused(&prometheus), [""; 0]);
    assert_eq!(media_types(&witness).iter().filter(|media_type| *media_type == SECOND).count(), 2);
}

#[test]
fn series_in_victoria_metrics_go_on_by_remote_write_1() {
    let Some(victoria) = VictoriaMetrics::start() else { return };
    let witness = witness(victoria.url());
    goes_on(&format!("{}/api/v1/write", witness.url()), &json!({}), || victoria.querier());
    assert_eq!(media_types(&witness).iter().filter(|media_type| *media_type == SECOND).count(), 2);
}
