//! What is kept, and what a second delivery, another cut or a restart may change: nothing.

mod attributes;
mod over_time;
mod replay;
mod rules;

use std::time::Duration;

use metricast_prometheus::{AttributeLabel, BucketLists, Config, Histograms, Label, PrometheusPublisher, Time};
use metricast_records::BatchBuilder;
use metricast_sdk::{Batch, EventMetrics, Metrics, NetworkMetrics, PublishError, Publisher, Saved};

fn event(name: &str, status: &str, retries: u32, seconds: Option<f64>) -> Metrics {
    Metrics::Event(EventMetrics {
        event_name: name.to_owned(),
        task_id: "task".to_owned(),
        start_time: 1000.0,
        end_time: seconds.map(|seconds| 1000.0 + seconds),
        status: status.to_owned(),
        error: None,
        retry_count: retries,
        process_id: None,
        attributes: Vec::new(),
    })
}

fn network(operation: &str, error: Option<String>, bytes: u64, seconds: Option<f64>) -> Metrics {
    Metrics::Network(NetworkMetrics {
        operation: operation.to_owned(),
        task_id: None,
        host: "host".to_owned(),
        port: 80,
        start_time: 2000.0,
        end_time: seconds.map(|seconds| 2000.0 + seconds),
        bytes_sent: bytes,
        bytes_received: bytes / 2,
        error,
        attributes: Vec::new(),
    })
}

fn with(mut record: Metrics, attributes: Vec<(String, String)>) -> Metrics {
    match &mut record {
        Metrics::Event(event) => event.attributes = attributes,
        Metrics::Network(network) => network.attributes = attributes,
    }
    record
}

fn batch_of(records: &[(Metrics, f64)]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (record, received) in records {
        builder.push(&record.as_ref(), *received).expect("there is room");
    }
    builder.finish()
}

fn batch(records: &[Metrics]) -> Batch {
    batch_of(&records.iter().map(|record| (record.clone(), 3000.0)).collect::<Vec<_>>())
}

fn opened(config: &Config, state: Option<Saved>) -> PrometheusPublisher {
    PrometheusPublisher::open(config.clone(), state).expect("opened")
}

fn page(publisher: &PrometheusPublisher) -> String {
    String::from_utf8(publisher.scrape("").expect("a page").body).expect("a page is UTF-8")
}

const PROTOBUF: &str = "application/vnd.google.protobuf";

/// What protobuf says: native buckets and starts too.
fn messages(publisher: &PrometheusPublisher) -> Vec<u8> {
    publisher.scrape(PROTOBUF).expect("a page").body
}

/// The page after these records in one batch.
fn at_once(config: &Config, records: &[Metrics]) -> String {
    let mut publisher = opened(config, None);
    publisher.publish(&batch(records).placed("epoch", 0)).expect("taken");
    page(&publisher)
}

fn limited(series_limit: u64) -> Config {
    Config { series_limit, ..Config::default() }
}

fn tenant(allow: Option<&[&str]>, max: Option<u32>) -> Label {
    let allow = allow.map(|allow| allow.iter().map(|value| (*value).to_owned()).collect());
    Label::Attribute(AttributeLabel { attribute: "tenant".to_owned(), allow, max })
}
