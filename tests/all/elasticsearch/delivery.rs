//! What a real server's answers come to, record by record.

use std::fs;

use http::Method;
use metricast_records::{EventMetrics, Metrics};
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::json;
use support::data;

use super::engines::Engine;
use super::{batch, event, network, open_at, real_batches};
use crate::truth::{FILE, truth};

pub(super) fn every_real_record_arrives_and_can_be_asked_for(engine: &Engine) {
    let mut publisher = engine.open("real", &json!({})).unwrap();
    for batch in real_batches(1000) {
        let receipt = publisher.publish(&batch).unwrap();
        assert_eq!(receipt.accepted as usize, batch.len(), "{receipt:?}");
    }
    let truth = truth();
    assert_eq!((engine.count("real-event*"), engine.count("real-network*")), (truth.events, truth.networks));
    let failures: u64 = truth.failures.values().sum();
    assert_eq!(engine.hits("real-network*", &json!({ "term": { "event.outcome": "failure" } })), failures);
    let ask = json!({ "size": 0, "aggs": {
        "first": { "min": { "field": "@timestamp" } },
        "nanoseconds": { "sum": { "field": "event.duration" } },
        "pids": { "value_count": { "field": "process.pid" } },
    } });
    let found = &engine.search("real-event*", &ask)["aggregations"];
    assert!(found["first"]["value_as_string"].as_str().unwrap().starts_with("2026-11-22T17:"), "{found}");
    let seconds: f64 = truth.durations.values().map(|(_, seconds)| seconds).sum();
    let nanoseconds = found["nanoseconds"]["value"].as_f64().unwrap();
    assert!((nanoseconds / 1e9 - seconds).abs() < 1e-4, "{nanoseconds} ns are not {seconds} s");
    let file = fs::read_to_string(data(FILE)).unwrap();
    let with_pid = file.matches("\"process_id\": ").count() - file.matches("\"process_id\": null").count();
    assert_eq!(found["pids"]["value"], json!(with_pid));
    let literal = file.matches("\"host\": \"127.0.0.").count() as u64;
    assert_eq!(engine.hits("real-network*", &json!({ "term": { "destination.ip": "127.0.0.0/8" } })), literal);
}

pub(super) fn a_repeat_is_accepted_and_makes_no_second_document(engine: &Engine) {
    let mut publisher = engine.open("repeat", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event()), Metrics::Network(network()), Metrics::Event(event())]);
    for _ in 0..2 {
        assert_eq!(publisher.publish(&batch).unwrap().accepted, 3);
        assert_eq!((engine.count("repeat-event*"), engine.count("repeat-network*")), (2, 1));
    }
    let without_place = batch.placed("", 0);
    assert_eq!(publisher.publish(&without_place).unwrap().accepted, 3);
    assert_eq!(engine.count("repeat-event*"), 4, "records without a place are new each time");
}

pub(super) fn a_document_that_does_not_fit_is_rejected_alone_in_the_servers_words(engine: &Engine) {
    let narrow =
        json!({ "mappings": { "properties": { "process": { "properties": { "pid": { "type": "byte" } } } } } });
    engine.put("/conflict-event-2026.11.22", &narrow);
    let mut publisher = open_at(engine, "conflict", &json!({ "indices": "daily" })).unwrap();
    let of = |process_id| Metrics::Event(EventMetrics { process_id: Some(process_id), ..event() });
    let batch = batch(&[of(1), of(25_331), of(2), Metrics::Network(network())]);
    let receipt = publisher.publish(&batch).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (3, 0, 1), "{receipt:?}");
    assert_eq!(receipt.rejected[0].index, 1);
    let reason = &receipt.rejected[0].reason;
    assert!(reason.starts_with("400 ") && reason.contains("_parsing_exception "), "{reason}");
    assert!(reason.contains("failed to parse field [process.pid] of type [byte]"), "{reason}");
    assert!(reason.contains("Value [25331] is out of range for a byte"), "{reason}");
    assert_eq!((engine.count("conflict-event-2026.11.22"), engine.count("conflict-network-2026.11.22")), (2, 1));
}

pub(super) fn an_index_that_is_blocked_for_writes_is_waited_for(engine: &Engine) {
    waits_for(engine, "locked", "index.blocks.write");
}

pub(super) fn an_index_that_may_only_be_read_or_deleted_is_waited_for(engine: &Engine) {
    waits_for(engine, "flooded", "index.blocks.read_only_allow_delete");
}

fn waits_for(engine: &Engine, prefix: &str, block: &str) {
    let mut publisher = engine.open(prefix, &json!({})).unwrap();
    let both = [Metrics::Event(event()), Metrics::Network(network())];
    assert_eq!(publisher.publish(&batch(&both).placed("before", 0)).unwrap().accepted, 2);
    let settings = format!("/{prefix}-event*/_settings");
    engine.put(&settings, &json!({ block: true }));
    let batch = batch(&both);
    let receipt = publisher.publish(&batch).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.as_slice()), (1, &[0][..]), "the other kind goes on: {receipt:?}");
    assert_eq!(receipt.in_doubt, [0_u32; 0], "nothing was written");
    let Err(PublishError::Unavailable { reason, .. }) = publisher.publish(&batch.select(&[0])) else {
        panic!("the one record that is left cannot be taken");
    };
    assert!(reason.contains("cluster_block_exception"), "{reason}");
    engine.put(&settings, &json!({ block: null }));
    assert_eq!(publisher.publish(&batch.select(&[0])).unwrap().accepted, 1);
    assert_eq!((engine.count(&format!("{prefix}-event*")), engine.count(&format!("{prefix}-network*"))), (2, 2));
}

pub(super) fn an_index_that_is_closed_is_waited_for(engine: &Engine) {
    let mut publisher = open_at(engine, "closed", &json!({ "indices": "daily" })).unwrap();
    let batch = batch(&[Metrics::Event(event())]);
    assert_eq!(publisher.publish(&batch.clone().placed("before", 0)).unwrap().accepted, 1);
    let turn = |to: &str| {
        let path = format!("/closed-event-2026.11.22/{to}");
        engine.send(Method::POST, &path, "application/json", "").expect_success(&path);
    };
    turn("_close");
    let told = publisher.publish(&batch).unwrap_err();
    assert!(matches!(&told, PublishError::Unavailable { reason, .. } if reason.contains("closed")), "{told}");
    turn("_open");
    let ready = "/_cluster/health/closed-event-2026.11.22?wait_for_status=green&timeout=30s";
    assert_eq!(engine.get(ready)["status"], "green");
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    assert_eq!(engine.count("closed-event-2026.11.22"), 2);
}

pub(super) fn compressed_requests_are_taken(engine: &Engine) {
    let mut publisher = engine.open("gzip", &json!({ "compression": "gzip" })).unwrap();
    for batch in real_batches(1000).into_iter().take(2) {
        assert_eq!(publisher.publish(&batch).unwrap().accepted, 1000);
    }
    assert_eq!(engine.count("gzip-*"), 2000);
}
