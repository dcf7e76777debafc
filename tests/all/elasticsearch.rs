//! The plugin for Elasticsearch and OpenSearch, against real nodes: compiled natively, and as it is delivered.
//!
//! `engines` runs the same checks on one shared node of each server; the other modules are about what one server alone
//! has, or what a node of its own must be started for. `program` goes through the program and the sandboxed plugin.

mod busy;
mod credentials;
mod delivery;
mod documents;
mod engines;
mod facts;
mod faults;
mod fields;
mod flood;
mod hosts;
mod labels;
mod layout;
mod probing;
mod program;
mod redelivery;
mod retention;
mod streams;
mod template;

use std::fs;

use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_records::{Batch, BatchBuilder, EventMetrics, Metrics, NetworkMetrics, input};
use metricast_sdk::{PublishError, Publisher as _, config};
use serde_json::{Value, json};
use support::data;
use support::http::basic;
use support::search::Node;

use crate::truth::FILE;

/// When the tests' own records ended, and when all were taken in: 2026-11-22T17:29:31.75Z and later.
const END: f64 = 1_795_368_571.75;
const RECEIVED: f64 = 1_795_368_572.0;

/// Opens the plugin with a config that has these keys too.
fn open(hosts: &[String], prefix: &str, more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
    let mut whole = json!({ "hosts": hosts, "index_prefix": prefix });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = config::parse::<ElasticsearchPublisher>(&whole.to_string())?;
    ElasticsearchPublisher::open(config, None)
}

/// The same at a real node, as its superuser where it asks who asks.
fn open_at(node: &Node, prefix: &str, more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
    let mut whole = more.clone();
    if let Some((user, password)) = node.user() {
        let pair = basic(user, password);
        whole["basic"] = json!(pair.strip_prefix("Basic ").unwrap());
    }
    open(&[node.url()], prefix, &whole)
}

fn misconfigured(opened: Result<ElasticsearchPublisher, PublishError>) -> String {
    match opened {
        Err(PublishError::Misconfigured(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A batch at offset 0 of an epoch of its own.
fn batch(records: &[Metrics]) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), RECEIVED).unwrap();
    }
    builder.finish().placed("test", 0)
}

/// All real records in batches of so many.
pub(crate) fn real_batches(size: usize) -> Vec<Batch> {
    let file = fs::read(data(FILE)).unwrap();
    let lines: Vec<_> = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut batches = Vec::new();
    for (number, lines) in lines.chunks(size).enumerate() {
        let mut builder = BatchBuilder::new();
        for line in lines {
            builder.push(&input::parse_line(line).unwrap().unwrap().as_ref(), RECEIVED).unwrap();
        }
        batches.push(builder.finish().placed("real", (number * size) as u64));
    }
    batches
}

fn event() -> EventMetrics {
    EventMetrics {
        event_name: "Pay".into(),
        start_time: END - 0.5,
        end_time: Some(END),
        status: "completed".into(),
        ..EventMetrics::default()
    }
}

fn network() -> NetworkMetrics {
    NetworkMetrics {
        operation: "http_get".into(),
        host: "localhost".into(),
        start_time: END - 0.5,
        end_time: Some(END),
        ..NetworkMetrics::default()
    }
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
